/* What rung `bitmask` does before and after its sweep: the candidates that are there, side by side, best first; and the
 * survivors' rows. Sorting is counting: a candidate's rank is the number of keys that are smaller. All keys differ, so ranks do
 * too, and no thread waits for another. */
#ifndef OSPREY_KERNELS_NMS_RANKED_H
#define OSPREY_KERNELS_NMS_RANKED_H

#include "kernels/nms/nms.h"

constexpr int NMS_BLOCK = 128, NMS_TILE = 64;
constexpr int NMS_ROUND = 64 * NMS_TILE; /* candidates that a sweep takes on */
constexpr unsigned NMS_ALL = 0xffffffffu;

struct nms_ranked {
    float4 *boxes;     /* (N,T), by rank; of the first present[n] of an image */
    int32_t *groups;   /* (N,T), by rank */
    int32_t *position; /* (N,T), by rank */
    uint64_t *keys;    /* (N,T), in any order */
    int32_t *list;     /* (N,M) ranks of the survivors */
    int32_t *present;  /* (N) */
    int32_t *kept;     /* (N) survivors so far; right behind present */
    uint64_t *words;   /* (N,tiles,slots): one tile of candidates against everything before it */
    int tiles, slots;  /* slots: M survivors of earlier rounds, rounded up to whole tiles, then this round's candidates */
    int older;         /* slots of survivors */
};

CUDA_DEVICE void nms_collect(const struct nms_operands &o, const struct nms_ranked &r, int64_t n, int i)
{
    bool here = i < o.t && o.groups[n * o.t + i] >= 0;
    int lane = threadIdx.x % 32, base = 0;
    unsigned all = __ballot_sync(NMS_ALL, here);
    if (lane == 0 && all)
        base = atomicAdd(&r.present[n], __popc(all));
    base = __shfl_sync(NMS_ALL, base, 0);
    if (here)
        r.keys[n * o.t + base + __popc(all & ((1u << lane) - 1))] = key_of(o.scores[n * o.t + i], (uint32_t)i);
}

/* Ranks key number i of image n, for a whole block of keys together. */
CUDA_DEVICE void nms_rank_key(const struct nms_operands &o, const struct nms_ranked &r, int64_t n, int i)
{
    CUDA_SHARED(uint64_t, rivals, [NMS_BLOCK]);
    constexpr uint64_t NONE = ~(uint64_t)0; /* smaller than no key */
    const uint64_t *keys = r.keys + n * o.t;
    int count = r.present[n], rank = 0;
    uint64_t key = i < count ? keys[i] : NONE;
    for (int from = 0; from < count; from += NMS_BLOCK) {
        int at = from + threadIdx.x;
        rivals[threadIdx.x] = at < count ? keys[at] : NONE;
        __syncthreads();
#pragma unroll 16
        for (int k = 0; k < NMS_BLOCK; k++)
            rank += rivals[k] < key;
        __syncthreads();
    }
    if (i < count) {
        int position = (int)key_position(key);
        int64_t to = n * o.t + rank, at = n * o.t + position;
        r.boxes[to] = o.boxes[at];
        r.groups[to] = o.groups[at];
        r.position[to] = position;
    }
}

#if CUDA_HOST
/* Lays everything out in scratch; returns how many bytes it takes. */
static inline size_t nms_ranked_of(const struct nms_operands *o, void *scratch, struct nms_ranked *r)
{
    size_t n = (size_t)o->n, t = (size_t)o->t, at = 0;
    auto take = [&](size_t bytes) {
        char *taken = (char *)scratch + at;
        at += (bytes + 63) / 64 * 64;
        return (void *)taken;
    };
    int round = o->t < NMS_ROUND ? o->t : NMS_ROUND;
    r->tiles = (round + NMS_TILE - 1) / NMS_TILE;
    r->older = (o->m + NMS_TILE - 1) / NMS_TILE * NMS_TILE;
    r->slots = r->older + r->tiles * NMS_TILE;
    r->boxes = (float4 *)take(n * t * sizeof(float4));
    r->words = (uint64_t *)take(n * (size_t)r->tiles * (size_t)r->slots * sizeof(uint64_t));
    r->keys = (uint64_t *)take(n * t * sizeof(uint64_t));
    r->groups = (int32_t *)take(n * t * sizeof(int32_t));
    r->position = (int32_t *)take(n * t * sizeof(int32_t));
    r->list = (int32_t *)take(n * (size_t)o->m * sizeof(int32_t));
    r->present = (int32_t *)take(2 * n * sizeof(int32_t));
    r->kept = r->present + n;
    return at;
}
#endif

#endif
