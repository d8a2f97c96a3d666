/* Between 02_channels.c and its code for each instruction set. */
#ifndef OSPREY_CPU_DEPTHWISE_CHANNELS_H
#define OSPREY_CPU_DEPTHWISE_CHANNELS_H

#include <stdbool.h>

#include "cpu/cpu.h"

enum { DEPTHWISE_PIXELS = 8, DEPTHWISE_PAD = 16 };

/* Neighbouring outputs of one row, all channels. Letters as in ops.h. */
struct depthwise_tile {
    const float *x;           /* (N,H,W,C) */
    int64_t first;            /* where tap (0,0) of the first output is in x; it may lie in the padding, even before x */
    const float *w, *bias;    /* [R][S][padded], [padded] or NULL */
    float *out;               /* [pixels][C] */
    int64_t channels, padded; /* C, and C filled up to DEPTHWISE_PAD */
    int64_t width, row;       /* of x, pixels and floats */
    int64_t s, stride, left;  /* left: the column of tap 0 of the first output */
    int64_t r0, r1;           /* the filter rows that are in the image */
    int pixels;               /* 1..DEPTHWISE_PIXELS */
    bool edge;                /* some columns are outside the image */
    enum osp_activation activation;
};

void cpu_depthwise_tile_portable(const struct depthwise_tile *tile);
void cpu_depthwise_tile_avx2(const struct depthwise_tile *tile);
void cpu_depthwise_tile_avx512(const struct depthwise_tile *tile);

#endif
