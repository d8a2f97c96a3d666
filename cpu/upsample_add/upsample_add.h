/* What the rungs of upsample_add share. */
#ifndef OSPREY_CPU_UPSAMPLE_ADD_H
#define OSPREY_CPU_UPSAMPLE_ADD_H

#include "cpu/cpu.h"

struct upsample_add {
    const float *lateral; /* (N,H,W,C) */
    const float *top;     /* (N,top_h,top_w,C) */
    float *out;           /* (N,H,W,C) */
    int64_t n, h, w, c, top_h, top_w;
};

static inline struct upsample_add upsample_add_of(const struct osp_call *call)
{
    const int64_t *dim = call->out[0].shape.dim, *top = call->in[OSP_UPSAMPLE_ADD_TOP].shape.dim;
    return (struct upsample_add){call->in[OSP_UPSAMPLE_ADD_LATERAL].data,
                                 call->in[OSP_UPSAMPLE_ADD_TOP].data,
                                 call->out[0].data,
                                 dim[0],
                                 dim[1],
                                 dim[2],
                                 dim[3],
                                 top[1],
                                 top[2]};
}

/* torch's nearest_neighbor_compute_source_index. */
static inline int64_t nearest(int64_t to, int64_t in, int64_t out)
{
    int64_t from = (int64_t)floorf((float)to * ((float)in / (float)out));
    return from < in - 1 ? from : in - 1;
}

/* Output row y of image n. */
static inline void upsample_add_row(const struct upsample_add *up, int64_t n, int64_t y)
{
    const float *top = up->top + (n * up->top_h + nearest(y, up->top_h, up->h)) * up->top_w * up->c;
    int64_t row = (n * up->h + y) * up->w * up->c;
    for (int64_t x = 0; x < up->w; x++) {
        const float *from = top + nearest(x, up->top_w, up->w) * up->c, *lateral = up->lateral + row + x * up->c;
        float *out = up->out + row + x * up->c;
        for (int64_t c = 0; c < up->c; c++)
            out[c] = lateral[c] + from[c];
    }
}

#endif
