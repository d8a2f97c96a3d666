/* What the rungs of linear share: the call in letters. */
#ifndef OSPREY_CPU_LINEAR_H
#define OSPREY_CPU_LINEAR_H

#include <string.h>

#include "cpu/cpu.h"
#include "cpu/rows.h"

struct linear {
    int64_t m, c, k;
    enum osp_activation activation;
    const float *x;      /* (M,C) */
    float *out;          /* (M,K) */
    int64_t batch, each; /* M = batch * each: each of the batch's pictures has `each` rows, of which some count */
    const struct osp_tensor *counts;
};

static inline struct linear linear_of(const struct osp_call *call)
{
    const struct osp_tensor *x = &call->in[OSP_LINEAR_X], *counts = &call->in[OSP_LINEAR_COUNTS];
    int64_t m = x->shape.dim[0], batch = counts->data ? counts->shape.dim[0] : 1;
    return (struct linear){
        .m = m,
        .c = m ? osp_shape_count(&x->shape) / m : 0,
        .k = call->out[0].shape.dim[1],
        .activation = call->attrs->linear.activation,
        .x = x->data,
        .out = call->out[0].data,
        .batch = batch,
        .each = batch ? m / batch : 0,
        .counts = counts,
    };
}

#endif
