/* What the rungs of maxpool share: the call in letters, and which of two values is the larger. */
#ifndef OSPREY_KERNELS_MAXPOOL_H
#define OSPREY_KERNELS_MAXPOOL_H

#include "kernels/device.h"

struct maxpool_shape {
    int h, w, c, p, q;
    struct osp_maxpool_attrs filter;
};

CUDA_DEVICE void maxpool_take(float &best, float value)
{
    if (value > best || value != value) /* NaN wins, as in torch */
        best = value;
}

#if CUDA_HOST
static inline maxpool_shape maxpool_of(const struct osp_call *call)
{
    const int64_t *in = call->in[0].shape.dim, *out = call->out[0].shape.dim;
    return {(int)in[1], (int)in[2], (int)in[3], (int)out[1], (int)out[2], call->attrs->maxpool};
}
#endif
#endif
