/* What the rungs of topk share: the levels, and how a row is written. A part is one level of one image. */
#ifndef OSPREY_KERNELS_TOPK_H
#define OSPREY_KERNELS_TOPK_H

#include "kernels/topk/keys.h"

struct topk_level {
    const float *logits; /* (N,positions) */
    uint32_t positions;  /* H*W*A */
    uint32_t kept;       /* min(k, positions) */
    int64_t row;         /* its first of T */
    int64_t first;       /* positions of the levels before it */
};

struct topk_operands {
    struct topk_level level[OSP_MAX_LEVELS];
    int levels;
    uint32_t most;     /* kept, of any level */
    int64_t images, t; /* N, T */
    int64_t positions; /* of all levels */
    float *scores;     /* (N,T) */
    int32_t *index;    /* (N,T) */
};

/* Row i of a part is this position. */
CUDA_DEVICE void topk_put(const struct topk_operands &o, const struct topk_level &level, int64_t n, uint32_t i, uint32_t position)
{
    int64_t row = n * o.t + level.row + i;
    o.scores[row] = level.logits[n * level.positions + position];
    o.index[row] = (int32_t)position;
}

#if CUDA_HOST
static inline struct topk_operands topk_operands_of(const struct osp_call *call)
{
    struct topk_operands o = {};
    o.levels = call->attrs->topk.levels;
    o.images = call->out[0].shape.dim[0];
    o.t = call->out[0].shape.dim[1];
    o.scores = (float *)call->out[0].data;
    o.index = (int32_t *)call->out[1].data;
    for (int i = 0; i < o.levels; i++) {
        const int64_t *dim = call->in[i].shape.dim;
        struct topk_level *level = &o.level[i], *before = i ? level - 1 : nullptr;
        level->logits = (const float *)call->in[i].data;
        level->positions = (uint32_t)(dim[1] * dim[2] * dim[3]);
        level->kept = level->positions < (uint32_t)call->attrs->topk.k ? level->positions : (uint32_t)call->attrs->topk.k;
        level->row = before ? before->row + before->kept : 0;
        level->first = o.positions;
        o.positions += level->positions;
        o.most = level->kept > o.most ? level->kept : o.most;
    }
    return o;
}
#endif

#endif
