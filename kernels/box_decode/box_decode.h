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

/* Whether proposal i of image n is there. */
CUDA_DEVICE bool box_decode_valid(const struct box_decode_operands &o, int64_t n, int i) { return !o.counts || i < o.counts[n]; }

/* A class of a row of image n: from its proposal and its four deltas. */
CUDA_DEVICE enum decode_verdict box_decode_class(const struct box_decode_operands &o, int64_t n, const float proposal[4],
                                                 const float deltas[4], struct decode_box &box)
{
    const int64_t *image = o.images + n * OSP_IMAGE_FIELDS;
    return decode(proposal, deltas, o.attrs.weights, o.attrs.min_size, (float)image[OSP_IMAGE_RESIZED_H],
                  (float)image[OSP_IMAGE_RESIZED_W], box);
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
