/* nms / bitmask
 *
 * CHANGE  candidates are compared in tiles of 64, a word of bits for each against a whole tile, all at once; then one block sweeps over
 *         the tiles and asks only for the words of survivors. In rounds of 64 tiles: later ones are compared with the survivors of
 *         earlier rounds and among themselves, and do nothing when the output is full
 * FASTER  the comparisons, nearly all of the work, spread over all multiprocessors; the sweep takes 64 candidates a step, not one
 * LIMIT   the sweep: a chain of steps that each wait for memory, one multiprocessor for each image
 * NEEDS   any shape
 */
#include "kernels/nms/ranked.h"

constexpr int ROWS = 256, SWEEP = 256;

CUDA_KERNEL(nms_keys, NMS_BLOCK, struct nms_operands o, struct nms_ranked r)
{
    nms_collect(o, r, blockIdx.y, blockIdx.x * NMS_BLOCK + threadIdx.x);
}

CUDA_KERNEL(nms_rank, NMS_BLOCK, struct nms_operands o, struct nms_ranked r)
{
    if ((int)(blockIdx.x * NMS_BLOCK) < r.present[blockIdx.y]) /* the whole block */
        nms_rank_key(o, r, blockIdx.y, blockIdx.x * NMS_BLOCK + threadIdx.x);
}

/* ROWS slots against one tile of columns. Before the tile: the columns that a slot fells. In the tile itself: the earlier columns
 * that fell the slot, which is how the sweep wants them. */
CUDA_KERNEL(nms_overlap, ROWS, struct nms_operands o, struct nms_ranked r, int first)
{
    CUDA_SHARED(float4, boxes, [NMS_TILE]);
    CUDA_SHARED(float, areas, [NMS_TILE]);
    CUDA_SHARED(int, groups, [NMS_TILE]);
    int64_t n = blockIdx.z;
    int count = r.present[n], kept = r.kept[n], column = first + blockIdx.y * NMS_TILE;
    if (column >= count || kept >= o.m)
        return; /* the whole block */
    int width = count - column < NMS_TILE ? count - column : NMS_TILE, k = threadIdx.x;
    if (k < width) {
        boxes[k] = r.boxes[n * o.t + column + k];
        areas[k] = nms_area(boxes[k]);
        groups[k] = r.groups[n * o.t + column + k];
    }
    __syncthreads();
    int slot = blockIdx.x * ROWS + threadIdx.x, rank = first + slot - r.older;
    if (slot < r.older)
        rank = slot < kept ? r.list[n * o.m + slot] : count;
    if (rank >= column + width)
        return;
    float4 box = r.boxes[n * o.t + rank];
    float area = nms_area(box);
    int group = r.groups[n * o.t + rank], end = rank < column ? width : rank - column;
    uint64_t word = 0;
    for (k = 0; k < end; k++)
        if (groups[k] == group && nms_above(box, area, boxes[k], areas[k], o.threshold))
            word |= (uint64_t)1 << k;
    r.words[(n * r.tiles + blockIdx.y) * r.slots + slot] = word;
}

/* Who of a tile stays: each round of votes is right for one candidate more than the last, and nothing changes once all are right.
 * low, high: what fells candidates `lane` and `lane` + 32 of the tile. All lanes of a warp together. */
CUDA_DEVICE uint64_t survivors_of(uint64_t standing, uint64_t low, uint64_t high)
{
    uint64_t stay = standing, last;
    do {
        last = stay;
        stay = __ballot_sync(NMS_ALL, (low & last) == 0);
        stay |= (uint64_t)__ballot_sync(NMS_ALL, (high & last) == 0) << 32;
        stay &= standing;
    } while (stay != last);
    return stay;
}

CUDA_KERNEL(nms_sweep, SWEEP, struct nms_operands o, struct nms_ranked r, int first)
{
    CUDA_SHARED(uint64_t, parts, [SWEEP / 32]);
    int64_t n = blockIdx.x;
    int lane = threadIdx.x % 32, older = r.kept[n], kept = older, end = r.present[n];
    int32_t *list = r.list + n * o.m;
    const uint64_t *words = r.words + n * r.tiles * r.slots;
    end = end < first + NMS_ROUND ? end : first + NMS_ROUND;
    for (int tile = first; tile < end && kept < o.m; tile += NMS_TILE, words += r.slots) {
        const uint64_t *own = words + r.older + tile - first;
        int here = end - tile < NMS_TILE ? end - tile : NMS_TILE;
        uint64_t low = lane < here ? own[lane] : 0, high = lane + 32 < here ? own[lane + 32] : 0, fallen = 0;
#pragma unroll 4
        for (int i = threadIdx.x; i < kept; i += SWEEP)
            fallen |= words[i < older ? i : r.older + list[i] - first];
#pragma unroll
        for (int step = 16; step > 0; step /= 2)
            fallen |= __shfl_xor_sync(NMS_ALL, fallen, step);
        if (lane == 0)
            parts[threadIdx.x / 32] = fallen;
        __syncthreads();
        for (int i = 0; i < SWEEP / 32; i++)
            fallen |= parts[i];
        uint64_t stay = survivors_of(~fallen & ~(uint64_t)0 >> (NMS_TILE - here), low, high);
        if (threadIdx.x < NMS_TILE && stay >> threadIdx.x & 1) {
            int row = kept + __popcll(stay & (((uint64_t)1 << threadIdx.x) - 1));
            if (row < o.m)
                list[row] = tile + threadIdx.x;
        }
        kept += __popcll(stay);
        __syncthreads();
    }
    if (threadIdx.x == 0 && kept > older)
        r.kept[n] = kept < o.m ? kept : o.m;
}

CUDA_KERNEL(nms_write, NMS_BLOCK, struct nms_operands o, struct nms_ranked r)
{
    int64_t n = blockIdx.y;
    int row = blockIdx.x * NMS_BLOCK + threadIdx.x, kept = r.kept[n];
    if (row < kept)
        nms_put(o, n, row, r.position[n * o.t + r.list[n * o.m + row]]);
    else if (row < o.m)
        nms_put_nothing(o, n, row);
    else if (row == o.m)
        o.out_count[n] = kept;
}

#if CUDA_HOST
static size_t scratch(const struct osp_device *, const struct osp_call *call)
{
    struct nms_operands o = nms_operands_of(call);
    struct nms_ranked r;
    return nms_ranked_of(&o, nullptr, &r);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct nms_operands o = nms_operands_of(call);
    struct nms_ranked r;
    nms_ranked_of(&o, call->scratch, &r);
    unsigned n = (unsigned)o.n, candidates = cuda_blocks(o.t, NMS_BLOCK);
    osp_status status = cuda_fill(device, r.present, 0, 2 * n * sizeof(int32_t));
    if (status == OSP_OK)
        status = launch_nms_keys(device, {candidates, n}, NMS_BLOCK, 0, o, r);
    if (status == OSP_OK)
        status = launch_nms_rank(device, {candidates, n}, NMS_BLOCK, 0, o, r);
    for (int first = 0; first < o.t && status == OSP_OK; first += NMS_ROUND) {
        status = launch_nms_overlap(device, {cuda_blocks(r.slots, ROWS), (unsigned)r.tiles, n}, ROWS, 0, o, r, first);
        if (status == OSP_OK)
            status = launch_nms_sweep(device, n, SWEEP, 0, o, r, first);
    }
    return status == OSP_OK ? launch_nms_write(device, {cuda_blocks(o.m + 1, NMS_BLOCK), n}, NMS_BLOCK, 0, o, r) : status;
}

extern "C" const struct osp_kernel cuda_nms_bitmask = {.name = "bitmask", .scratch = scratch, .run = run};
#endif
