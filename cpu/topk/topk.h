/* What the rungs of topk share: one level of one image. */
#ifndef OSPREY_CPU_TOPK_H
#define OSPREY_CPU_TOPK_H

#include "cpu/cpu.h"
#include "cpu/order.h"

struct topk_part {
    const float *logits; /* (H*W*A) of one image */
    int64_t positions;   /* H*W*A */
    int64_t kept;        /* min(k, H*W*A) */
    float *scores;       /* (kept) */
    int32_t *index;      /* (kept) */
};

static inline int64_t topk_positions(const struct osp_call *call, int level)
{
    const int64_t *dim = call->in[level].shape.dim;
    return dim[1] * dim[2] * dim[3];
}

static inline int64_t topk_kept(const struct osp_call *call, int level)
{
    int64_t positions = topk_positions(call, level), k = call->attrs->topk.k;
    return positions < k ? positions : k;
}

/* The largest of `of` over all levels. */
static inline int64_t topk_most(const struct osp_call *call, int64_t (*of)(const struct osp_call *, int))
{
    int64_t most = 0;
    for (int level = 0; level < call->attrs->topk.levels; level++)
        if (of(call, level) > most)
            most = of(call, level);
    return most;
}

static inline struct topk_part topk_part_of(const struct osp_call *call, int64_t n, int level)
{
    int64_t start = n * call->out[0].shape.dim[1];
    for (int before = 0; before < level; before++)
        start += topk_kept(call, before);
    int64_t positions = topk_positions(call, level);
    return (struct topk_part){
        .logits = (const float *)call->in[level].data + n * positions,
        .positions = positions,
        .kept = topk_kept(call, level),
        .scores = (float *)call->out[0].data + start,
        .index = (int32_t *)call->out[1].data + start,
    };
}

/* Writes the part's rows from its best keys, best first. */
static inline void topk_write(const struct topk_part *part, const uint64_t *keys)
{
    for (int64_t i = 0; i < part->kept; i++) {
        uint32_t position = order_position(keys[i]);
        part->scores[i] = part->logits[position];
        part->index[i] = (int32_t)position;
    }
}

#endif
