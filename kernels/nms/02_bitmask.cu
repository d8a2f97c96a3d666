/* nms / bitmask
 *
 * CHANGE  every candidate is compared with every other first, a bit for each answer, 64 to a word; then one block goes through
 *         them, best first, and each survivor adds its words to those of the fallen. In rounds of 4096, so that memory does not
 *         grow with the square of the candidates
 * FASTER  the comparisons, nearly all of the work, spread over all multiprocessors; the sweep reads one word for 64 candidates
 * LIMIT   half of the comparisons are the same as the other half, and each costs a division
 * NEEDS   any shape
 */
#include "kernels/nms/sweep.h"

CUDA_KERNEL(nms_bitmask_compare, NMS_COMPARE, struct nms_operands o, struct nms_ranked r, int first)
{
    struct nms_pairs it = nms_pairs_of(o, r, first);
    if (it.idle)
        return; /* the whole block */
    struct nms_columns columns = nms_load_columns(o, r, it);
    uint64_t word = 0;
    if (it.rank < r.present[it.n]) {
        float4 box = r.boxes[it.n * o.t + it.rank];
        float area = nms_area(box);
        int group = r.groups[it.n * o.t + it.rank];
        for (int k = 0; k < NMS_TILE; k++)
            if (columns.groups[k] == group && nms_above(box, area, columns.boxes[k], columns.areas[k], o.threshold))
                word |= (uint64_t)1 << k;
    }
    nms_keep_words(r, it, word);
}

CUDA_KERNEL(nms_bitmask_sweep, NMS_SWEEP, struct nms_operands o, struct nms_ranked r, int first) { nms_sweep(o, r, first); }

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    return nms_run(device, call, launch_nms_bitmask_compare, launch_nms_bitmask_sweep, NMS_SWEEP);
}

extern "C" const struct osp_kernel cuda_nms_bitmask = {.name = "bitmask", .scratch = nms_scratch, .run = run};
#endif
