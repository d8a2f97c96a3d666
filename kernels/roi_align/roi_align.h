/* What the rungs of roi_align share: which map a proposal is read from, and where its samples lie. f32, in the order of
 * torchvision's poolers.py and csrc/ops/cpu/roi_align_common.h; the order of sums is theirs too: acc = 0; for iy, for ix: acc +=
 * ((w1*v1 + w2*v2) + w3*v3) + w4*v4 with the taps top left, top right, bottom left, bottom right; a sample outside the map is
 * left out; last acc / (samples in a bin). */
#ifndef OSPREY_KERNELS_ROI_ALIGN_H
#define OSPREY_KERNELS_ROI_ALIGN_H

#include "kernels/device.h"

struct roi_operands {
    const float *proposals; /* (N,T,4) */
    const int32_t *counts;  /* (N), or NULL */
    const int64_t *images;  /* (N,5) */
    float *out;             /* (N*T,size,size,C) */
    int64_t rows;           /* N*T */
    int n, t, c;
    struct osp_roi_align_attrs attrs;
    const float *map[OSP_MAX_LEVELS]; /* (N,H,W,C) */
    int h[OSP_MAX_LEVELS], w[OSP_MAX_LEVELS];
};

/* One axis of a proposal on its map. */
struct alignas(8) roi_axis { /* copied through shared memory: two floats at a time are one access, which must be aligned */
    float start, bin;
    int length; /* of the map; 0: nothing is there */
};

/* A row: the map it is read from, and its place there. */
struct roi {
    const float *map; /* (H,W,C) of its image and level */
    struct roi_axis y, x;
};

/* A sample between two neighbouring rows (or columns): near is the weight of `low`, far that of `high`. */
struct roi_tap {
    int low, high; /* low < 0: outside the map */
    float near, far;
};

/* The scale of a level is 2 to this. */
CUDA_DEVICE int roi_exponent(const struct roi_operands &o, int level, int64_t tallest)
{
    return (int)rintf(osp_log2f((float)(o.h[level] > 1 ? o.h[level] : 1) / (float)tallest));
}

CUDA_DEVICE struct roi_axis roi_axis_of(float low, float high, float scale, int bins, int length)
{
    float start = low * scale, size = high * scale - start;
    return {start, (size > 1 ? size : 1) / (float)bins, length};
}

CUDA_DEVICE struct roi roi_of(const struct roi_operands &o, int64_t row)
{
    int n = (int)(row / o.t);
    if (o.counts && row % o.t >= o.counts[n])
        return {nullptr, {0, 0, 0}, {0, 0, 0}};
    int64_t tallest = 1;
    for (int i = 0; i < o.n; i++) {
        int64_t h = o.images[i * OSP_IMAGE_FIELDS + OSP_IMAGE_RESIZED_H];
        tallest = h > tallest ? h : tallest;
    }
    const float *box = o.proposals + row * 4;
    float area = (box[2] - box[0]) * (box[3] - box[1]);
    int level = 0; /* of one without an area, or with one that is not a number */
    if (area > 0) {
        int kmin = -roi_exponent(o, 0, tallest), kmax = -roi_exponent(o, o.attrs.levels - 1, tallest);
        float k = floorf((float)o.attrs.canonical_level + osp_log2f(sqrtf(area) / o.attrs.canonical_scale) + 1e-6f);
        k = k < (float)kmin ? (float)kmin : k;
        k = k > (float)kmax ? (float)kmax : k;
        level = (int)k - kmin;
        level = level < 0 ? 0 : level >= o.attrs.levels ? o.attrs.levels - 1 : level;
    }
    float scale = osp_power_of_two(roi_exponent(o, level, tallest));
    int h = o.h[level], w = o.w[level];
    return {o.map[level] + (int64_t)n * h * w * o.c, roi_axis_of(box[1], box[3], scale, o.attrs.size, h),
            roi_axis_of(box[0], box[2], scale, o.attrs.size, w)};
}

/* Sample i of `ratio` in bin p. */
CUDA_DEVICE struct roi_tap roi_tap_of(const struct roi_axis &axis, int p, int i, int ratio)
{
    float at = axis.start + (float)p * axis.bin + ((float)i + 0.5f) * axis.bin / (float)ratio;
    if (!(at >= -1 && at <= (float)axis.length && axis.length > 0))
        return {-1, -1, 0, 0};
    at = at > 0 ? at : 0;
    int low = (int)at, last = axis.length - 1;
    if (low >= last)
        return {last, last, 1, 0};
    float far = at - (float)low;
    return {low, low + 1, 1 - far, far};
}

#if CUDA_HOST
static inline struct roi_operands roi_operands_of(const struct osp_call *call)
{
    struct roi_operands o = {};
    const int64_t *dim = call->in[OSP_ROI_ALIGN_PROPOSALS].shape.dim;
    o.proposals = (const float *)call->in[OSP_ROI_ALIGN_PROPOSALS].data;
    o.counts = (const int32_t *)call->in[OSP_ROI_ALIGN_COUNTS].data;
    o.images = (const int64_t *)call->in[OSP_ROI_ALIGN_IMAGES].data;
    o.out = (float *)call->out[0].data;
    o.rows = call->out[0].shape.dim[0];
    o.n = (int)dim[0];
    o.t = (int)dim[1];
    o.c = (int)call->out[0].shape.dim[3];
    o.attrs = call->attrs->roi_align;
    for (int i = 0; i < o.attrs.levels; i++) {
        const struct osp_tensor *map = &call->in[OSP_ROI_ALIGN_FEATURES + i];
        o.map[i] = (const float *)map->data;
        o.h[i] = (int)map->shape.dim[1];
        o.w[i] = (int)map->shape.dim[2];
    }
    return o;
}
#endif

#endif
