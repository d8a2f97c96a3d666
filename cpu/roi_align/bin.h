/* What rung `registers` asks of roi_align.simd.c. */
#ifndef OSPREY_CPU_ROI_ALIGN_BIN_H
#define OSPREY_CPU_ROI_ALIGN_BIN_H

#include <stdint.h>

struct roi_sample {    /* top left, top right, bottom left, bottom right */
    int64_t offset[4]; /* of channel 0 in the map */
    float weight[4];
};

/* out[c] = (sum over samples of their four weighted taps) / divisor, for all channels; in the order of roi_align.h. */
typedef void roi_bin(const struct roi_sample *samples, int count, float divisor, const float *map, int64_t channels, float *out);
roi_bin roi_bin_portable, roi_bin_avx2, roi_bin_avx512;

#endif
