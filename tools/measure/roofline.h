/* What this machine's cores can do at most, measured on the spot: arithmetic on registers, and memory. */
#ifndef OSPREY_TOOLS_MEASURE_ROOFLINE_H
#define OSPREY_TOOLS_MEASURE_ROOFLINE_H

#include <stddef.h>

#include "study.h"

/* FLOP/s of fused multiply-adds (2 each) and bytes/s of reading or copying arrays far larger than any cache, whichever is more,
 * by so many threads with this instruction set; the fastest of a few short runs. NaN for an instruction set that is not known
 * here. Takes about half a second the first time; asked again for the same, it gives the same figures at once. */
void roofline_measure(int threads, const char *isa, double *flops, double *bytes);

/* The least time that a machine of these peaks needs for so much work over the time it took: 0..1, and more where a kernel gets
 * by with fewer operations than are counted (Winograd), or finds its data in a cache. NaN where something is not known. */
double roofline_share(const struct column *column, const struct layer *layer, double seconds);

/* roofline.simd.c, for each instruction set. Each returns what it did: FLOP, bytes. */
struct roofline_code {
    const char *isa;
    double (*fma)(long rounds, float *data);
    double (*read)(const float *data, size_t count, float *sum);
    double (*copy)(float *to, const float *from, size_t count);
};
extern const struct roofline_code roofline_portable, roofline_avx2, roofline_avx512;

#endif
