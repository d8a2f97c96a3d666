/* What the rungs of conv2d share: the call in letters, and which images count. */
#ifndef OSPREY_CPU_CONV2D_H
#define OSPREY_CPU_CONV2D_H

#include <stdbool.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/rows.h"

struct conv2d {
    int64_t n, h, w, c, k, r, s, p, q, stride, pad;
    enum osp_activation activation;
    const float *x;        /* (N,H,W,C) */
    const float *residual; /* (N,P,Q,K); NULL: absent */
    float *out;            /* (N,P,Q,K) */
    int64_t batch, each;   /* N = batch * each: each of the batch's pictures has `each` images, of which some count */
    const struct osp_tensor *counts;
};

static inline struct conv2d conv2d_of(const struct osp_call *call)
{
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    const int64_t *x = call->in[OSP_CONV2D_X].shape.dim, *out = call->out[0].shape.dim;
    const struct osp_tensor *counts = &call->in[OSP_CONV2D_COUNTS];
    int64_t batch = counts->data ? counts->shape.dim[0] : 1;
    return (struct conv2d){
        .n = x[0],
        .h = x[1],
        .w = x[2],
        .c = x[3],
        .p = out[1],
        .q = out[2],
        .k = out[3],
        .r = a->r,
        .s = a->s,
        .stride = a->stride,
        .pad = a->pad,
        .activation = a->activation,
        .x = call->in[OSP_CONV2D_X].data,
        .residual = call->in[OSP_CONV2D_RESIDUAL].data,
        .out = call->out[0].data,
        .batch = batch,
        .each = batch ? x[0] / batch : 0,
        .counts = counts,
    };
}

/* Whether image n counts; the rows of one that does not are zeros. */
static inline bool conv2d_valid(const struct conv2d *conv, int64_t n)
{
    return n % conv->each < cpu_valid_rows(conv->counts, n / conv->each, conv->each);
}

/* Those images of picture i that count, as a convolution of their own; the outputs of the others become zeros. */
static inline struct conv2d conv2d_part(const struct conv2d *conv, int64_t i)
{
    struct conv2d part = *conv;
    int64_t first = i * conv->each, to = conv->p * conv->q * conv->k; /* floats of an image's output */
    part.n = cpu_valid_rows(conv->counts, i, conv->each);
    part.x += first * conv->h * conv->w * conv->c;
    part.residual += conv->residual ? first * to : 0;
    part.out += first * to;
    memset(part.out + part.n * to, 0, sizeof(float) * (size_t)((conv->each - part.n) * to));
    return part;
}

/* One output row by the plainest loops (01_naive.c). */
void cpu_conv2d_row(const struct conv2d *conv, const struct weight_rows *weights, int64_t n, int64_t p);

/* Seconds by a model (cost.c), as osp_kernel's cost. */
double cpu_conv2d_tile_cost(const struct osp_device *device, const struct osp_call *call);
double cpu_conv2d_winograd_cost(const struct osp_device *device, const struct osp_call *call);

#endif
