/* What the rungs of rpn_decode share: its operands, and where a chosen logit's anchor stands. */
#ifndef OSPREY_KERNELS_RPN_DECODE_H
#define OSPREY_KERNELS_RPN_DECODE_H

#include "kernels/box_decode/decode.h"

struct rpn_decode_operands {
    const float *logits;   /* (N,T) */
    const int32_t *index;  /* (N,T) */
    const int64_t *images; /* (N,5) */
    int64_t n;
    int t;
    struct osp_rpn_decode_attrs attrs;
    const float *deltas[OSP_MAX_LEVELS]; /* (N,H,W,4A) */
    int end[OSP_MAX_LEVELS];             /* of its rows in T */
    int h[OSP_MAX_LEVELS], w[OSP_MAX_LEVELS], stride_h[OSP_MAX_LEVELS], stride_w[OSP_MAX_LEVELS];
    struct decode_out out;
};

/* The level of row i of T. */
CUDA_DEVICE int rpn_decode_level(const struct rpn_decode_operands &o, int i)
{
    int level = 0;
    while (level < o.attrs.levels - 1 && i >= o.end[level])
        level++;
    return level;
}

/* The deltas of position `at` of a level of image n; NULL: the level has no such position. */
CUDA_DEVICE const float *rpn_decode_deltas(const struct rpn_decode_operands &o, int64_t n, int level, int at)
{
    int64_t positions = (int64_t)o.h[level] * o.w[level] * o.attrs.anchors;
    return at < 0 || at >= positions ? nullptr : o.deltas[level] + (n * positions + at) * 4;
}

/* That position's anchor, moved and stretched by its deltas. */
CUDA_DEVICE enum decode_verdict rpn_decode_box(const struct rpn_decode_operands &o, int64_t n, int level, int at,
                                               const float deltas[4], struct decode_box &box)
{
    int cell = at / o.attrs.anchors, w = o.w[level];
    float x = (float)(cell % w * o.stride_w[level]), y = (float)(cell / w * o.stride_h[level]);
    const float *base = o.attrs.base[level][at % o.attrs.anchors];
    const float anchor[4] = {x + base[0], y + base[1], x + base[2], y + base[3]}, weights[4] = {1, 1, 1, 1};
    const int64_t *image = o.images + n * OSP_IMAGE_FIELDS;
    return decode(anchor, deltas, weights, o.attrs.min_size, (float)image[OSP_IMAGE_RESIZED_H], (float)image[OSP_IMAGE_RESIZED_W],
                  box);
}

#if CUDA_HOST
static inline osp_status rpn_decode_operands_of(struct osp_device *device, const struct osp_call *call,
                                                struct rpn_decode_operands *o)
{
    const int64_t *dim = call->in[OSP_RPN_DECODE_SCORES].shape.dim;
    int64_t end = 0;
    *o = {};
    o->logits = (const float *)call->in[OSP_RPN_DECODE_SCORES].data;
    o->index = (const int32_t *)call->in[OSP_RPN_DECODE_INDEX].data;
    o->images = (const int64_t *)call->in[OSP_RPN_DECODE_IMAGES].data;
    o->n = dim[0];
    o->t = (int)dim[1];
    o->attrs = call->attrs->rpn_decode;
    for (int i = 0; i < o->attrs.levels; i++) {
        const struct osp_tensor *map = &call->in[OSP_RPN_DECODE_DELTAS + i];
        int64_t h = map->shape.dim[1], w = map->shape.dim[2], positions = h * w * o->attrs.anchors;
        end += positions < o->attrs.k ? positions : o->attrs.k;
        o->deltas[i] = (const float *)map->data;
        o->end[i] = (int)end;
        o->h[i] = (int)h;
        o->w[i] = (int)w;
        o->stride_h[i] = h > 0 ? (int)(call->dims.h / h) : 0;
        o->stride_w[i] = w > 0 ? (int)(call->dims.w / w) : 0;
    }
    return decode_outputs(device, call, &o->out);
}
#endif

#endif
