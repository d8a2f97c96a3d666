/* What the rungs of resize share: where an output pixel looks, and what a byte is worth. */
#ifndef OSPREY_CPU_RESIZE_H
#define OSPREY_CPU_RESIZE_H

#include "cpu/cpu.h"

struct picture {
    const uint8_t *rgb; /* (h,w,3) */
    int64_t h, w, resized_h, resized_w;
};

static inline struct picture picture_of(const struct osp_call *call, int64_t n)
{
    const int64_t *row = (const int64_t *)call->in[OSP_RESIZE_IMAGES].data + n * OSP_IMAGE_FIELDS;
    const uint8_t *pixels = call->in[OSP_RESIZE_PIXELS].data;
    return (struct picture){pixels + row[OSP_IMAGE_OFFSET], row[OSP_IMAGE_H], row[OSP_IMAGE_W], row[OSP_IMAGE_RESIZED_H],
                            row[OSP_IMAGE_RESIZED_W]};
}

/* The two neighbours that an output position lies between, on one axis, and their shares. */
struct tap {
    int64_t near, far;
    float near_share, far_share;
};

/* torch's area_pixel_compute_source_index: in f32, with the product and the difference fused, as its AVX2 and AVX-512 builds do.
 */
static inline struct tap tap_of(int64_t to, int64_t in, int64_t out)
{
    float from = fmaf((float)in / (float)out, (float)to + 0.5f, -0.5f);
    from = from < 0 ? 0 : from;
    int64_t near = (int64_t)from < in - 1 ? (int64_t)from : in - 1, far = near + 1 < in ? near + 1 : near;
    float share = from - (float)near;
    share = share > 1 ? 1 : share;
    return (struct tap){near, far, 1 - share, share};
}

/* torchvision's to_tensor and normalize. */
static inline float normalised(const struct osp_resize_attrs *attrs, uint8_t byte, int c)
{
    float x = (float)byte / 255.0f;
    for (int i = 0; i < attrs->times; i++)
        x = (x - attrs->mean[c]) / attrs->std[c];
    return x;
}

#endif
