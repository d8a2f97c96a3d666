/* What the rungs of upsample_add share: the call in letters, and where an output pixel looks. */
#ifndef OSPREY_KERNELS_UPSAMPLE_ADD_H
#define OSPREY_KERNELS_UPSAMPLE_ADD_H

#include "kernels/device.h"

struct upsample_shape {
    int h, w, c, top_h, top_w;
    float scale_h, scale_w; /* top over lateral, in f32 as torch has it */
};

/* The coarser map's row (or column), of `length`, for one of the finer map's. */
CUDA_DEVICE int upsample_from(int at, float scale, int length)
{
    int from = (int)((float)at * scale);
    return from < length - 1 ? from : length - 1;
}

#if CUDA_HOST
static inline struct upsample_shape upsample_of(const struct osp_call *call)
{
    const int64_t *dim = call->out[0].shape.dim, *top = call->in[OSP_UPSAMPLE_ADD_TOP].shape.dim;
    return {(int)dim[1],
            (int)dim[2],
            (int)dim[3],
            (int)top[1],
            (int)top[2],
            (float)top[1] / (float)dim[1],
            (float)top[2] / (float)dim[2]};
}
#endif

#endif
