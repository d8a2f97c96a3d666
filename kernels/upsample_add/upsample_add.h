/* What the rungs of upsample_add share: the call in letters, and where an output pixel looks. */
#ifndef OSPREY_KERNELS_UPSAMPLE_ADD_H
#define OSPREY_KERNELS_UPSAMPLE_ADD_H

#include "kernels/device.h"

struct upsample_shape {
    int h, w, c, top_h, top_w;
    float scale_h, scale_w; /* top over lateral, in f32 as torch has it */
};

/* Of pixel number `pixel` of all images, the pixel of the coarser maps. */
CUDA_DEVICE int64_t upsample_from(const struct upsample_shape &s, int64_t pixel)
{
    int column = (int)(pixel % s.w), row = (int)(pixel / s.w % s.h);
    int64_t image = pixel / s.w / s.h;
    int from_row = (int)((float)row * s.scale_h), from_column = (int)((float)column * s.scale_w);
    from_row = from_row < s.top_h - 1 ? from_row : s.top_h - 1;
    from_column = from_column < s.top_w - 1 ? from_column : s.top_w - 1;
    return (image * s.top_h + from_row) * s.top_w + from_column;
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
