/* topk / sort
 *
 * CHANGE  the plain way: every position of a level becomes a key, all keys are sorted, the first k are written
 * FASTER  nothing yet
 * LIMIT   the sort: n log n steps over a level of which k are wanted
 * NEEDS   any shape
 */
#include "cpu/topk/topk.h"

static size_t scratch(const struct osp_device *device, const struct osp_call *call)
{
    return (size_t)topk_most(call, topk_positions) * sizeof(uint64_t);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    uint64_t *keys = call->scratch; /* (H*W*A) of the largest level */
    for (int64_t n = 0; n < call->out[0].shape.dim[0]; n++)
        for (int level = 0; level < call->attrs->topk.levels; level++) {
            struct topk_part part = topk_part_of(call, n, level);
            for (int64_t i = 0; i < part.positions; i++)
                keys[i] = order_key(order_rank(part.logits[i]), (uint32_t)i);
            order_sort(keys, part.positions);
            topk_write(&part, keys);
        }
    return OSP_OK;
}

const struct osp_kernel cpu_topk_sort = {.name = "sort", .scratch = scratch, .run = run};
