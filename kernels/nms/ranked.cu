/* nms / ranked: what the rungs above serial do before and after their comparisons and sweeps. Sorting is counting: a candidate's
 * rank is the number of keys that are smaller. All keys differ, so ranks do too, and no thread waits for another. */
#include "kernels/nms/ranked.h"

constexpr int BLOCK = 128;

/* Keys of the candidates that are there, in any order. */
CUDA_KERNEL(nms_keys, BLOCK, struct nms_operands o, struct nms_ranked r)
{
    int64_t n = blockIdx.y;
    int i = blockIdx.x * BLOCK + threadIdx.x, lane = threadIdx.x % 32, base = 0;
    bool here = i < o.t && o.groups[n * o.t + i] >= 0;
    unsigned all = __ballot_sync(NMS_ALL, here);
    if (lane == 0 && all)
        base = atomicAdd(&r.present[n], __popc(all));
    base = __shfl_sync(NMS_ALL, base, 0);
    if (here)
        r.keys[n * o.t + base + __popc(all & ((1u << lane) - 1))] = key_of(o.scores[n * o.t + i], (uint32_t)i);
}

/* Ranks a block's keys, and puts boxes and groups where they belong. */
CUDA_KERNEL(nms_rank, BLOCK, struct nms_operands o, struct nms_ranked r)
{
    CUDA_SHARED(uint64_t, rivals, [BLOCK]);
    constexpr uint64_t NONE = ~(uint64_t)0; /* smaller than no key */
    int64_t n = blockIdx.y;
    const uint64_t *keys = r.keys + n * o.t;
    int i = blockIdx.x * BLOCK + threadIdx.x, count = r.present[n], rank = 0;
    if ((int)(blockIdx.x * BLOCK) >= count)
        return; /* the whole block */
    uint64_t key = i < count ? keys[i] : NONE;
    for (int from = 0; from < count; from += BLOCK) {
        int at = from + threadIdx.x;
        rivals[threadIdx.x] = at < count ? keys[at] : NONE;
        __syncthreads();
#pragma unroll 16
        for (int k = 0; k < BLOCK; k++)
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

CUDA_KERNEL(nms_write, BLOCK, struct nms_operands o, struct nms_ranked r)
{
    int64_t n = blockIdx.y;
    int row = blockIdx.x * BLOCK + threadIdx.x, kept = r.kept[n];
    if (row < kept)
        nms_put(o, n, row, r.position[n * o.t + r.list[n * o.m + row]]);
    else if (row < o.m)
        nms_put_nothing(o, n, row);
    else if (row == o.m)
        o.out_count[n] = kept;
}

#if CUDA_HOST
osp_status nms_order(struct osp_device *device, const struct nms_operands &o, const struct nms_ranked &r)
{
    unsigned n = (unsigned)o.n, blocks = cuda_blocks(o.t, BLOCK);
    size_t counters = n * (2 * sizeof(int32_t) + (size_t)r.tiles * sizeof(uint64_t));
    osp_status status = cuda_fill(device, r.fallen, 0, counters);
    if (status == OSP_OK)
        status = launch_nms_keys(device, {blocks, n}, BLOCK, 0, o, r);
    return status == OSP_OK ? launch_nms_rank(device, {blocks, n}, BLOCK, 0, o, r) : status;
}

osp_status nms_write_rows(struct osp_device *device, const struct nms_operands &o, const struct nms_ranked &r)
{
    return launch_nms_write(device, {cuda_blocks(o.m + 1, BLOCK), (unsigned)o.n}, BLOCK, 0, o, r);
}
#endif
