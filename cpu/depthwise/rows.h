/* Between 03_rows.c and its code for each instruction set. */
#ifndef OSPREY_CPU_DEPTHWISE_ROWS_H
#define OSPREY_CPU_DEPTHWISE_ROWS_H

#include "cpu/depthwise/depthwise.h"

/* A tile is up to ROWS_HIGH by ROWS_WIDE outputs; channels go by in blocks, which every instruction set's vectors divide. */
enum { ROWS_HIGH = 2, ROWS_WIDE = 5, ROWS_BLOCK = 16 };

/* The first channel of block b: the last block ends with the last channel, and may repeat some of the one before. */
static inline int64_t depthwise_block_start(int64_t b, int64_t channels)
{
    int64_t start = b * ROWS_BLOCK;
    return start + ROWS_BLOCK <= channels ? start : channels - ROWS_BLOCK;
}

struct depthwise_blocks {
    int64_t count;
    const float *w;    /* [count][R][S][ROWS_BLOCK] */
    const float *bias; /* [count][ROWS_BLOCK]; NULL: absent */
};

/* Output rows p..p+high of image n, all channels. */
typedef void depthwise_band(const struct depthwise *conv, const struct depthwise_blocks *blocks, int64_t n, int64_t p, int high);
depthwise_band cpu_depthwise_band_portable, cpu_depthwise_band_avx2, cpu_depthwise_band_avx512;

#endif
