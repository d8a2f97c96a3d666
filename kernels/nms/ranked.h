/* What the rungs above serial share: the candidates that are there, side by side, best first; where the answers of comparisons
 * are kept; and the survivors' rows. Candidates are taken on in rounds. A round's are compared with the survivors of earlier
 * rounds, which gives `fallen`, and with each other, which gives `words`. */
#ifndef OSPREY_KERNELS_NMS_RANKED_H
#define OSPREY_KERNELS_NMS_RANKED_H

#include "kernels/nms/limit.h"
#include "kernels/nms/nms.h"

constexpr int NMS_TILE = 64;                                     /* candidates of a word */
constexpr int NMS_ROUND = 64 * NMS_TILE;                         /* candidates of a round */
constexpr int NMS_TILES = 4, NMS_COMPARE = NMS_TILE * NMS_TILES; /* tiles that a block of comparisons takes; its threads */
constexpr unsigned NMS_ALL = 0xffffffffu;

struct nms_ranked {
    float4 *boxes;              /* (N,T), by rank; of the first present[n] of an image */
    int32_t *groups;            /* (N,T), by rank */
    int32_t *position;          /* (N,T), by rank */
    uint64_t *keys;             /* (N,T), in any order */
    int32_t *list;              /* (N,M) ranks of the survivors */
    unsigned long long *fallen; /* (N,tiles) by survivors of earlier rounds; zeros between rounds */
    int32_t *present;           /* (N) right behind fallen */
    int32_t *kept;              /* (N) survivors so far; right behind present */
    uint64_t *words;            /* (N,rows,tiles) whom a candidate of this round would fell: a bit for each, a tile a word */
    uint64_t *own;              /* (N,rows) a candidate's word for its own tile */
    int tiles, rows;            /* of a round: a multiple of NMS_TILES; 64 times that */
    int older;                  /* M, rounded up to whole tiles */
    struct nms_limit limit;
};

/* What a block compares: a tile of rows, thread t its row t % 64, with NMS_TILES tiles of columns, thread t with tile t / 64. */
struct nms_pairs {
    int64_t n;
    int rank, column; /* of this thread's row, or one past the last; of the first column of this thread's tile */
    int block, row;   /* of the first column of the block; of this thread in the round */
    bool older, idle; /* rows are survivors of earlier rounds; the whole block has nothing to do */
};

CUDA_DEVICE struct nms_pairs nms_pairs_of(const struct nms_operands &o, const struct nms_ranked &r, int first)
{
    int64_t n = blockIdx.z;
    int count = r.present[n], kept = r.kept[n], in = threadIdx.x % NMS_TILE, slot = blockIdx.x * NMS_TILE, row = slot - r.older;
    struct nms_pairs it = {n, count, 0, first + (int)blockIdx.y * NMS_COMPARE, row + in, row < 0, kept >= o.m};
    it.column = it.block + (int)threadIdx.x / NMS_TILE * NMS_TILE;
    it.idle |= it.block >= count || (it.older ? slot >= kept : first + row >= count);
    if (it.idle)
        return it;
    if (!it.older)
        it.rank = first + it.row < count ? first + it.row : count;
    else if (slot + in < kept)
        it.rank = r.list[n * o.m + slot + in];
    return it;
}

/* The columns of a block, in shared memory. */
struct nms_columns {
    float4 *boxes; /* of this thread's tile */
    float *areas;
    int *groups; /* -1: there is none */
};

CUDA_DEVICE struct nms_columns nms_load_columns(const struct nms_operands &o, const struct nms_ranked &r,
                                                const struct nms_pairs &it)
{
    CUDA_SHARED(float4, boxes, [NMS_COMPARE]);
    CUDA_SHARED(float, areas, [NMS_COMPARE]);
    CUDA_SHARED(int, groups, [NMS_COMPARE]);
    int k = threadIdx.x, column = it.block + k, tile = k / NMS_TILE * NMS_TILE;
    bool there = column < r.present[it.n];
    boxes[k] = there ? r.boxes[it.n * o.t + column] : make_float4(0, 0, 0, 0);
    areas[k] = nms_area(boxes[k]);
    groups[k] = there ? r.groups[it.n * o.t + column] : -1;
    __syncthreads();
    return {boxes + tile, areas + tile, groups + tile};
}

/* Keeps what the threads of a block found. Threads turn from rows to words, so that the words of a row are stored side by side.
 */
CUDA_DEVICE void nms_keep_words(const struct nms_ranked &r, const struct nms_pairs &it, uint64_t word)
{
    constexpr int PITCH = NMS_TILE + 4; /* no two threads of a half warp want the same bank, either way */
    CUDA_SHARED(uint64_t, found, [NMS_TILES * PITCH]);
    int tile = threadIdx.x / NMS_TILE, in = threadIdx.x % NMS_TILE;
    if (it.older) { /* the whole block */
        for (int step = 16; step > 0; step /= 2)
            word |= __shfl_xor_sync(NMS_ALL, word, step);
        if (threadIdx.x % 32 == 0 && word)
            atomicOr(&r.fallen[it.n * r.tiles + blockIdx.y * NMS_TILES + tile], (unsigned long long)word);
        return;
    }
    if (it.row / NMS_TILE == (int)blockIdx.y * NMS_TILES + tile)
        r.own[it.n * r.rows + it.row] = word;
    found[tile * PITCH + in] = word;
    __syncthreads();
    int row = it.row - in + threadIdx.x / NMS_TILES, column = threadIdx.x % NMS_TILES;
    r.words[(it.n * r.rows + row) * r.tiles + blockIdx.y * NMS_TILES + column] = found[column * PITCH + threadIdx.x / NMS_TILES];
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
    r->tiles = (round + NMS_COMPARE - 1) / NMS_COMPARE * NMS_TILES;
    r->rows = r->tiles * NMS_TILE;
    r->older = o->t > NMS_ROUND ? (o->m + NMS_TILE - 1) / NMS_TILE * NMS_TILE : 0;
    r->limit = nms_limit_of(o->threshold);
    size_t words = n * (size_t)r->rows * (size_t)r->tiles;
    r->boxes = (float4 *)take(n * t * sizeof(float4));
    r->words = (uint64_t *)take(words * sizeof(uint64_t));
    r->own = (uint64_t *)take(n * (size_t)r->rows * sizeof(uint64_t));
    r->keys = (uint64_t *)take(n * t * sizeof(uint64_t));
    r->groups = (int32_t *)take(n * t * sizeof(int32_t));
    r->position = (int32_t *)take(n * t * sizeof(int32_t));
    r->list = (int32_t *)take(n * (size_t)o->m * sizeof(int32_t));
    r->fallen = (unsigned long long *)take(n * (size_t)r->tiles * sizeof(uint64_t) + 2 * n * sizeof(int32_t));
    r->present = (int32_t *)(r->fallen + n * (size_t)r->tiles);
    r->kept = r->present + n;
    return at;
}

/* Scratch of a rung. */
static inline size_t nms_scratch(const struct osp_device *, const struct osp_call *call)
{
    struct nms_operands o = nms_operands_of(call);
    struct nms_ranked r;
    return nms_ranked_of(&o, nullptr, &r);
}

/* ranked.cu: puts the candidates in order; writes the survivors' rows and their count. */
osp_status nms_order(struct osp_device *device, const struct nms_operands &o, const struct nms_ranked &r);
osp_status nms_write_rows(struct osp_device *device, const struct nms_operands &o, const struct nms_ranked &r);

/* A whole run. How many rounds there are follows from shapes alone: the host waits for nothing. Those past the last candidate, or
 * the last that is wanted, find nothing to do. */
template <class Compare, class Sweep>
static osp_status nms_run(struct osp_device *device, const struct osp_call *call, const Compare &compare, const Sweep &sweep,
                          unsigned sweep_threads)
{
    struct nms_operands o = nms_operands_of(call);
    struct nms_ranked r;
    nms_ranked_of(&o, call->scratch, &r);
    unsigned n = (unsigned)o.n, blocks = (unsigned)((r.older + r.rows) / NMS_TILE);
    osp_status status = nms_order(device, o, r);
    for (int first = 0; first < o.t && status == OSP_OK; first += NMS_ROUND) {
        status = compare(device, {blocks, (unsigned)(r.tiles / NMS_TILES), n}, NMS_COMPARE, 0, o, r, first);
        if (status == OSP_OK)
            status = sweep(device, n, sweep_threads, 0, o, r, first);
    }
    return status == OSP_OK ? nms_write_rows(device, o, r) : status;
}
#endif

#endif
