/* What the rungs of depthwise share: the call in letters. Weights are packed as conv2d's, [R][S][pitch]. */
#ifndef OSPREY_KERNELS_DEPTHWISE_H
#define OSPREY_KERNELS_DEPTHWISE_H

#include "kernels/device.h"

struct depthwise_shape {
    int64_t outputs; /* N*P*Q*C */
    int h, w, c, p, q, r, s, stride, pad;
    int pitch; /* of packed weights */
    enum osp_activation activation;
};

/* bias may be NULL */
CUDA_DEVICE float depthwise_finish(const depthwise_shape &shape, float sum, const float *bias, int c)
{
    return osp_activate(shape.activation, bias ? sum + bias[c] : sum);
}

#if CUDA_HOST
#include "kernels/conv2d/filter.h"

static inline depthwise_shape depthwise_of(const struct osp_call *call, const struct cuda_filter *filter)
{
    const struct osp_depthwise_attrs *a = &call->attrs->depthwise;
    const int64_t *x = call->in[OSP_DEPTHWISE_X].shape.dim, *out = call->out[0].shape.dim;
    return {.outputs = out[0] * out[1] * out[2] * out[3],
            .h = (int)x[1],
            .w = (int)x[2],
            .c = (int)x[3],
            .p = (int)out[1],
            .q = (int)out[2],
            .r = a->r,
            .s = a->s,
            .stride = a->stride,
            .pad = a->pad,
            .pitch = filter->pitch,
            .activation = a->activation};
}
#endif
#endif
