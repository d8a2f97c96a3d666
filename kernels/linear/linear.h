/* What the rungs of linear share. A row is a picture of one pixel, and the layer a 1x1 filter: everything else is conv2d's. */
#ifndef OSPREY_KERNELS_LINEAR_H
#define OSPREY_KERNELS_LINEAR_H

#include "kernels/conv2d/conv2d.h"

#if CUDA_HOST
/* C: the values of a row of x. */
static inline int64_t linear_columns(const struct osp_call *call)
{
    const struct osp_shape *x = &call->in[OSP_LINEAR_X].shape;
    return x->dim[0] ? osp_shape_count(x) / x->dim[0] : 0;
}

static inline conv2d_call linear_of(const struct osp_call *call, const struct osp_node_state *state)
{
    const struct cuda_filter *filter = (const struct cuda_filter *)state->data;
    const struct osp_tensor *x = &call->in[OSP_LINEAR_X], *counts = &call->in[OSP_LINEAR_COUNTS];
    const int64_t rows = x->shape.dim[0], columns = linear_columns(call), outputs = call->out[0].shape.dim[1];
    conv2d_call it = {(const float *)x->data,     filter->w, filter->bias, nullptr, (const int32_t *)counts->data,
                      (float *)call->out[0].data, {}};
    it.shape = {.pixels = rows,
                .h = 1,
                .w = 1,
                .c = (int)columns,
                .p = 1,
                .q = 1,
                .k = (int)outputs,
                .r = 1,
                .s = 1,
                .stride = 1,
                .pad = 0,
                .pitch = filter->pitch,
                .each = counts->data && counts->shape.dim[0] ? (int)(rows / counts->shape.dim[0]) : 1,
                .wide_x = columns % 4 == 0 && conv2d_aligned(it.x),
                .wide_out = outputs % 4 == 0 && conv2d_aligned(it.out),
                .activation = call->attrs->linear.activation};
    return it;
}

/* Seconds that so many of a multiprocessor's cycles take, at a round clock of 1.5 GHz: only costs of one op are compared. */
static inline double linear_seconds(double cycles) { return cycles / 1.5e9; }
#endif
#endif
