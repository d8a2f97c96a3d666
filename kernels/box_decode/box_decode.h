/* What the rungs of box_decode share: its operands. */
#ifndef OSPREY_KERNELS_BOX_DECODE_H
#define OSPREY_KERNELS_BOX_DECODE_H

#include "kernels/box_decode/decode.h"

struct box_decode_operands {
    const float *probabilities; /* (N*T,C) */
    const float *deltas;        /* (N*T,4C) */
    const float *proposals;     /* (N,T,4) */
    const int32_t *counts;      /* (N), or NULL */
    const int64_t *images;      /* (N,5) */
    int64_t rows;               /* N*T */
    int t, c;
    struct osp_box_decode_attrs attrs;
    struct decode_out out;
};

CUDA_DEVICE bool box_decode_valid(const struct box_decode_operands &o, int64_t row)
{
    return !o.counts || (int)(row % o.t) < o.counts[row / o.t];
}

/* Class k of a row. */
CUDA_DEVICE enum decode_verdict box_decode_class(const struct box_decode_operands &o, int64_t row, int k, struct decode_box &box)
{
    const int64_t *image = o.images + row / o.t * OSP_IMAGE_FIELDS;
    return decode(o.proposals + row * 4, o.deltas + (row * o.c + k) * 4, o.attrs.weights, o.attrs.min_size,
                  (float)image[OSP_IMAGE_RESIZED_H], (float)image[OSP_IMAGE_RESIZED_W], box);
}

#if CUDA_HOST
static inline osp_status box_decode_operands_of(struct osp_device *device, const struct osp_call *call,
                                                struct box_decode_operands *o)
{
    const int64_t *dim = call->in[OSP_BOX_DECODE_PROPOSALS].shape.dim;
    *o = {};
    o->probabilities = (const float *)call->in[OSP_BOX_DECODE_PROBABILITIES].data;
    o->deltas = (const float *)call->in[OSP_BOX_DECODE_DELTAS].data;
    o->proposals = (const float *)call->in[OSP_BOX_DECODE_PROPOSALS].data;
    o->counts = (const int32_t *)call->in[OSP_BOX_DECODE_COUNTS].data;
    o->images = (const int64_t *)call->in[OSP_BOX_DECODE_IMAGES].data;
    o->rows = dim[0] * dim[1];
    o->t = (int)dim[1];
    o->c = (int)call->in[OSP_BOX_DECODE_PROBABILITIES].shape.dim[1];
    o->attrs = call->attrs->box_decode;
    return decode_outputs(device, call, &o->out);
}
#endif

#endif
