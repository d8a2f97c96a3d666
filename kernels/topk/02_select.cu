/* topk / select
 *
 * CHANGE  the k-th best key is found first, 11 bits a pass from histograms (radix select); only the k winners are sorted. Levels are cut
 *         in pieces, and each launch takes the pieces of all levels of all images
 * FASTER  a few passes that read every logit once, spread over all multiprocessors, instead of a sort by one block
 * LIMIT   the launches, of which each has little to do; reading the logits once a pass
 * NEEDS   any shape
 */
#include "kernels/topk/search.h"

constexpr int BLOCK = TOPK_BLOCK, SORT = 512;

/* Adds the next digits of a piece's keys to the histogram of this pass. */
CUDA_KERNEL(topk_count, BLOCK, struct topk_operands o, struct topk_search s, int pass)
{
    CUDA_SHARED(unsigned, tally, [TOPK_BINS]);
    struct topk_piece piece = topk_piece_of(o, s, blockIdx.x);
    struct topk_known known = topk_known_at(o, s, piece, pass);
    if (known.wanted == 0)
        return; /* the whole block */
    for (int bin = threadIdx.x; bin < TOPK_BINS; bin += BLOCK)
        tally[bin] = 0;
    __syncthreads();
    int shift = topk_shift(s, pass), bins = 1 << (topk_shift(s, pass - 1) - shift);
#pragma unroll
    for (int i = 0; i < TOPK_EACH; i++) {
        uint32_t at = piece.first + i * BLOCK + threadIdx.x;
        if (at >= piece.end)
            continue;
        uint64_t digit = (key_of(piece.logits[at], at, s.bits) ^ known.limit) >> shift; /* and what differs above it */
        if (digit < (uint64_t)bins)
            atomicAdd(&tally[digit], 1u);
    }
    __syncthreads();
    unsigned *all = s.bins + (piece.part * s.passes + pass) * TOPK_BINS;
    for (int bin = threadIdx.x; bin < bins; bin += BLOCK)
        if (tally[bin])
            atomicAdd(&all[bin], tally[bin]);
}

/* Takes the winners out of a piece, in any order. */
CUDA_KERNEL(topk_gather, BLOCK, struct topk_operands o, struct topk_search s)
{
    struct topk_piece piece = topk_piece_of(o, s, blockIdx.x);
    struct topk_known known = topk_known_at(o, s, piece, s.passes);
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < TOPK_EACH; i++) {
        uint32_t at = piece.first + i * BLOCK + threadIdx.x;
        uint64_t key = at < piece.end ? key_of(piece.logits[at], at, s.bits) : ~(uint64_t)0;
        unsigned winners = __ballot_sync(TOPK_ALL, key <= known.limit), base = 0;
        if (lane == 0 && winners)
            base = atomicAdd(&s.taken[piece.part], (unsigned)__popc(winners));
        base = __shfl_sync(TOPK_ALL, base, 0);
        if (key <= known.limit)
            s.winners[piece.part * o.most + base + __popc(winners & ((1u << lane) - 1))] = key;
    }
}

/* Sorts the winners of a part, in shared memory if they fit, and writes them. */
CUDA_KERNEL(topk_finish, SORT, struct topk_operands o, struct topk_search s)
{
    CUDA_DYNAMIC_SHARED(uint64_t, keys);
    const struct topk_level &level = o.level[blockIdx.x % o.levels];
    uint64_t *winners = s.winners + (int64_t)blockIdx.x * o.most;
    if (o.most <= TOPK_SHARED) {
        for (uint32_t i = threadIdx.x; i < level.kept; i += SORT)
            keys[i] = winners[i];
        __syncthreads();
        keys_sort<SORT>(keys, level.kept);
        for (uint32_t i = threadIdx.x; i < level.kept; i += SORT)
            topk_put(o, level, blockIdx.x / o.levels, i, key_position(keys[i], s.bits));
    } else {
        keys_sort<SORT>(winners, level.kept);
        for (uint32_t i = threadIdx.x; i < level.kept; i += SORT)
            topk_put(o, level, blockIdx.x / o.levels, i, key_position(winners[i], s.bits));
    }
}

#if CUDA_HOST
static size_t scratch(const struct osp_device *, const struct osp_call *call)
{
    struct topk_operands o = topk_operands_of(call);
    struct topk_search s;
    return topk_search_of(&o, nullptr, &s);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct topk_operands o = topk_operands_of(call);
    struct topk_search s;
    topk_search_of(&o, call->scratch, &s);
    unsigned blocks = (unsigned)(o.images * s.pieces), parts = (unsigned)(o.images * o.levels);
    size_t shared = o.most <= TOPK_SHARED ? o.most * sizeof(uint64_t) : 0;
    osp_status status = cuda_fill(device, s.bins, 0, s.counters * sizeof(unsigned));
    for (int pass = 0; status == OSP_OK && pass < s.passes; pass++)
        status = launch_topk_count(device, blocks, BLOCK, 0, o, s, pass);
    if (status == OSP_OK)
        status = launch_topk_gather(device, blocks, BLOCK, 0, o, s);
    return status == OSP_OK ? launch_topk_finish(device, parts, SORT, shared, o, s) : status;
}

extern "C" const struct osp_kernel cuda_topk_select = {.name = "select", .scratch = scratch, .run = run};
#endif
