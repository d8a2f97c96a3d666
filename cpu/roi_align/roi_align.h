/* What the rungs of roi_align share: which level a proposal is read from, and where its samples lie.
 * f32 throughout, in the order of torchvision's poolers.py and csrc/ops/cpu/roi_align_common.h.
 *
 * The order of sums, in every rung: acc = 0; for iy, for ix: acc += ((w1*v1 + w2*v2) + w3*v3) + w4*v4 with the taps top left,
 * top right, bottom left, bottom right; a sample outside the map is left out; last acc / (samples in a bin). */
#ifndef OSPREY_CPU_ROI_ALIGN_H
#define OSPREY_CPU_ROI_ALIGN_H

#include <string.h>

#include "cpu/cpu.h"

struct roi_pyramid {
    int count;
    float scale[OSP_MAX_LEVELS];
    int kmin, kmax; /* of Lin et al., Feature Pyramid Networks, eq. 1: the levels that scale[0] and the last scale stand for */
};

static inline struct roi_pyramid roi_pyramid_of(const struct osp_call *call)
{
    const struct osp_tensor *images = &call->in[OSP_ROI_ALIGN_IMAGES]; /* (N,5) i64 */
    int64_t tallest = 1;
    for (int64_t n = 0; n < images->shape.dim[0]; n++) {
        int64_t h = ((const int64_t *)images->data)[n * OSP_IMAGE_FIELDS + OSP_IMAGE_RESIZED_H];
        if (h > tallest)
            tallest = h;
    }
    struct roi_pyramid pyramid = {.count = call->attrs->roi_align.levels};
    int exponent[OSP_MAX_LEVELS];
    for (int i = 0; i < pyramid.count; i++) {
        int64_t h = call->in[OSP_ROI_ALIGN_FEATURES + i].shape.dim[1];
        float ratio = (float)(h > 1 ? h : 1) / (float)tallest;
        exponent[i] = (int)rintf(osp_log2f(ratio));
        pyramid.scale[i] = ldexpf(1, exponent[i]);
    }
    pyramid.kmin = -exponent[0];
    pyramid.kmax = -exponent[pyramid.count - 1];
    return pyramid;
}

/* The level that a proposal is read from; the first for one without an area, or with one that is not a number. */
static inline int roi_level(const struct roi_pyramid *pyramid, const struct osp_roi_align_attrs *attrs, const float *box)
{
    float area = (box[2] - box[0]) * (box[3] - box[1]);
    if (!(area > 0))
        return 0;
    float k = floorf((float)attrs->canonical_level + osp_log2f(sqrtf(area) / attrs->canonical_scale) + 1e-6f);
    k = k < (float)pyramid->kmin ? (float)pyramid->kmin : k;
    k = k > (float)pyramid->kmax ? (float)pyramid->kmax : k;
    int level = (int)k - pyramid->kmin;
    return level < 0 ? 0 : level >= pyramid->count ? pyramid->count - 1 : level;
}

/* One axis of a proposal on its map. */
struct roi_axis {
    float start, bin;
    int64_t length; /* of the map */
};

static inline struct roi_axis roi_axis_of(float low, float high, float scale, int bins, int64_t length)
{
    float start = low * scale, size = high * scale - start;
    return (struct roi_axis){start, (size > 1 ? size : 1) / (float)bins, length};
}

/* A sample between two neighbouring rows (or columns): near is the weight of `low`, far that of `high`. */
struct roi_tap {
    int32_t low, high; /* low < 0: outside the map */
    float near, far;
};

/* Sample i of `ratio` in bin p. */
static inline struct roi_tap roi_tap_of(const struct roi_axis *axis, int p, int i, int ratio)
{
    float at = axis->start + (float)p * axis->bin + ((float)i + 0.5f) * axis->bin / (float)ratio;
    if (!(at >= -1 && at <= (float)axis->length && axis->length > 0))
        return (struct roi_tap){-1, -1, 0, 0};
    at = at > 0 ? at : 0;
    int32_t low = (int32_t)at, last = (int32_t)axis->length - 1;
    if (low >= last)
        return (struct roi_tap){last, last, 1, 0};
    float far = at - (float)low;
    return (struct roi_tap){low, low + 1, 1 - far, far};
}

/* Row i of N*T: the map it is read from and its place there. */
struct roi {
    const float *map; /* (H,W,C) of its image and level; NULL: past the count, all zeros */
    float *out;       /* (size,size,C) */
    int64_t w, c;
    struct roi_axis y, x;
};

static inline struct roi roi_of(const struct osp_call *call, const struct roi_pyramid *pyramid, int64_t i)
{
    const struct osp_roi_align_attrs *attrs = &call->attrs->roi_align;
    int64_t t = call->in[OSP_ROI_ALIGN_PROPOSALS].shape.dim[1], n = i / t, c = call->out[0].shape.dim[3];
    struct roi roi = {.out = (float *)call->out[0].data + i * attrs->size * attrs->size * c, .c = c};
    if (i % t >= cpu_valid_rows(&call->in[OSP_ROI_ALIGN_COUNTS], n, t))
        return roi;
    const float *box = (const float *)call->in[OSP_ROI_ALIGN_PROPOSALS].data + i * 4;
    int level = roi_level(pyramid, attrs, box);
    const struct osp_tensor *map = &call->in[OSP_ROI_ALIGN_FEATURES + level];
    int64_t h = map->shape.dim[1];
    roi.w = map->shape.dim[2];
    roi.map = (const float *)map->data + n * h * roi.w * c;
    roi.y = roi_axis_of(box[1], box[3], pyramid->scale[level], attrs->size, h);
    roi.x = roi_axis_of(box[0], box[2], pyramid->scale[level], attrs->size, roi.w);
    return roi;
}

/* The taps of all samples along both axes: (size*ratio) each. */
static inline void roi_taps(const struct roi *roi, int size, int ratio, struct roi_tap *y, struct roi_tap *x)
{
    for (int i = 0; i < size * ratio; i++) {
        y[i] = roi_tap_of(&roi->y, i / ratio, i % ratio, ratio);
        x[i] = roi_tap_of(&roi->x, i / ratio, i % ratio, ratio);
    }
}

static inline void roi_zero(const struct osp_call *call, const struct roi *roi)
{
    int64_t size = call->attrs->roi_align.size;
    memset(roi->out, 0, (size_t)(size * size * roi->c) * sizeof(float));
}

#endif
