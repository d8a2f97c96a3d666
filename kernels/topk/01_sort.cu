/* topk / sort
 *
 * CHANGE  the plain way: one block for each level of each image makes a key of every position, sorts them all, writes the first k
 * FASTER  a key holds score and position, so a comparison needs no case for ties; levels and images go side by side
 * LIMIT   the sort: log^2 n passes over a level of which k are wanted, all by one block, through global memory
 * NEEDS   any shape
 */
#include "kernels/topk/topk.h"

constexpr int BLOCK = 1024;

CUDA_KERNEL(topk_sort, BLOCK, struct topk_operands o,
            uint64_t *keys) /* (N,positions) */
{
    int64_t n = blockIdx.x / o.levels;
    const struct topk_level &level = o.level[blockIdx.x % o.levels];
    const float *logits = level.logits + n * level.positions;
    uint64_t *mine = keys + n * o.positions + level.first;
    for (uint32_t i = threadIdx.x; i < level.positions; i += BLOCK)
        mine[i] = key_of(logits[i], i);
    __syncthreads();
    keys_sort<BLOCK>(mine, level.positions);
    for (uint32_t i = threadIdx.x; i < level.kept; i += BLOCK)
        topk_put(o, level, n, i, key_position(mine[i]));
}

#if CUDA_HOST
static size_t scratch(const struct osp_device *, const struct osp_call *call)
{
    struct topk_operands o = topk_operands_of(call);
    return (size_t)(o.images * o.positions) * sizeof(uint64_t);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct topk_operands o = topk_operands_of(call);
    return launch_topk_sort(device, (unsigned)(o.images * o.levels), BLOCK, 0, o, (uint64_t *)call->scratch);
}

extern "C" const struct osp_kernel cuda_topk_sort = {.name = "sort", .scratch = scratch, .run = run};
#endif
