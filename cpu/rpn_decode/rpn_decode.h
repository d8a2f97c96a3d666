/* What the rungs of rpn_decode share: where a row's anchor and deltas are, and what becomes of it. */
#ifndef OSPREY_CPU_RPN_DECODE_H
#define OSPREY_CPU_RPN_DECODE_H

#include "cpu/box_decode/decode.h"

struct rpn_level {
    int32_t number;
    int64_t first, end; /* its rows of T */
    int64_t h, w, anchors;
    int64_t stride_h, stride_w;
    const float *deltas; /* (H,W,4A) of one image */
    const float (*base)[4];
};

static inline struct rpn_level rpn_level_of(const struct osp_call *call, int64_t n, int level)
{
    const struct osp_rpn_decode_attrs *attrs = &call->attrs->rpn_decode;
    struct rpn_level found = {.end = 0};
    for (int i = 0; i <= level; i++) {
        const struct osp_tensor *map = &call->in[OSP_RPN_DECODE_DELTAS + i];
        int64_t h = map->shape.dim[1], w = map->shape.dim[2], positions = h * w * attrs->anchors;
        found = (struct rpn_level){
            .number = i,
            .first = found.end,
            .end = found.end + (positions < attrs->k ? positions : attrs->k),
            .h = h,
            .w = w,
            .anchors = attrs->anchors,
            .stride_h = h > 0 ? call->dims.h / h : 0,
            .stride_w = w > 0 ? call->dims.w / w : 0,
            .deltas = (const float *)map->data + n * positions * 4,
            .base = attrs->base[i],
        };
    }
    return found;
}

/* Row t (of T) of image n, which lies in `level`. Returns 1 for a candidate that is dropped for not being finite. */
static inline int rpn_decode_row(const struct osp_call *call, const struct rpn_level *level, int64_t n, int64_t t)
{
    const struct osp_rpn_decode_attrs *attrs = &call->attrs->rpn_decode;
    int64_t row = n * call->in[OSP_RPN_DECODE_SCORES].shape.dim[1] + t;
    int64_t index = ((const int32_t *)call->in[OSP_RPN_DECODE_INDEX].data)[row]; /* (y*W + x)*A + a */
    float score = osp_sigmoidf(((const float *)call->in[OSP_RPN_DECODE_SCORES].data)[row]);
    struct decode_out out = decode_out_of(call, row);
    decode_put_nothing(out);
    if (!isfinite(score))
        return 1;
    if (score < attrs->score_threshold || index < 0 || index >= level->h * level->w * level->anchors)
        return 0;

    int64_t cell = index / level->anchors;
    float x = (float)(cell % level->w * level->stride_w), y = (float)(cell / level->w * level->stride_h);
    const float *base = level->base[index % level->anchors];
    const float anchor[4] = {x + base[0], y + base[1], x + base[2], y + base[3]};
    const struct decode_rule rule = {{1, 1, 1, 1}, attrs->min_size};
    float box[4], height, width;
    decode_image(&call->in[OSP_RPN_DECODE_IMAGES], n, &height, &width);
    enum decode_verdict verdict = decode_box(anchor, level->deltas + index * 4, &rule, height, width, box);
    if (verdict == DECODE_KEPT)
        decode_put(out, box, score, level->number);
    return verdict == DECODE_NONFINITE;
}

#endif
