/* What the rungs of depthwise share: the call in letters. */
#ifndef OSPREY_CPU_DEPTHWISE_H
#define OSPREY_CPU_DEPTHWISE_H

#include "cpu/cpu.h"

struct depthwise {
    int64_t n, h, w, c, r, s, p, q, stride, pad;
    enum osp_activation activation;
    const float *x; /* (N,H,W,C) */
    float *out;     /* (N,P,Q,C) */
};

static inline struct depthwise depthwise_of(const struct osp_call *call)
{
    const struct osp_depthwise_attrs *a = &call->attrs->depthwise;
    const int64_t *x = call->in[OSP_DEPTHWISE_X].shape.dim, *out = call->out[0].shape.dim;
    return (struct depthwise){
        .n = x[0],
        .h = x[1],
        .w = x[2],
        .c = x[3],
        .p = out[1],
        .q = out[2],
        .r = a->r,
        .s = a->s,
        .stride = a->stride,
        .pad = a->pad,
        .activation = a->activation,
        .x = call->in[OSP_DEPTHWISE_X].data,
        .out = call->out[0].data,
    };
}

#endif
