/* What the rungs of box_decode share: the operands of one row. */
#ifndef OSPREY_CPU_BOX_DECODE_H
#define OSPREY_CPU_BOX_DECODE_H

#include "cpu/box_decode/decode.h"

struct box_decode_row {
    int classes;                /* C */
    const float *probabilities; /* (C) */
    const float *deltas;        /* (C,4) */
    const float *proposal;      /* (4) */
    float height, width;        /* what boxes are clipped to */
    int64_t first;              /* of its slots, counted over all images */
};

/* Row i of N*T. */
static inline struct box_decode_row box_decode_row_of(const struct osp_call *call, int64_t i)
{
    int64_t t = call->in[OSP_BOX_DECODE_PROPOSALS].shape.dim[1], c = call->in[OSP_BOX_DECODE_PROBABILITIES].shape.dim[1];
    struct box_decode_row row = {
        .classes = (int)c,
        .probabilities = (const float *)call->in[OSP_BOX_DECODE_PROBABILITIES].data + i * c,
        .deltas = (const float *)call->in[OSP_BOX_DECODE_DELTAS].data + i * c * 4,
        .proposal = (const float *)call->in[OSP_BOX_DECODE_PROPOSALS].data + i * 4,
        .first = i * call->attrs->box_decode.slots,
    };
    decode_image(&call->in[OSP_BOX_DECODE_IMAGES], i / t, &row.height, &row.width);
    return row;
}

static inline enum decode_verdict box_decode_class(const struct osp_call *call, const struct box_decode_row *row, int class,
                                                   float box[4])
{
    const struct osp_box_decode_attrs *attrs = &call->attrs->box_decode;
    struct decode_rule rule = {.min_size = attrs->min_size};
    memcpy(rule.weights, attrs->weights, sizeof rule.weights);
    return decode_box(row->proposal, row->deltas + class * 4, &rule, row->height, row->width, box);
}

/* Empties slots first..slots-1 of the row. */
static inline void box_decode_empty(const struct osp_call *call, const struct box_decode_row *row, int first)
{
    for (int slot = first; slot < call->attrs->box_decode.slots; slot++)
        decode_put_nothing(decode_out_of(call, row->first + slot));
}

#endif
