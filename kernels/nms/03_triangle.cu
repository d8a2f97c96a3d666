/* nms / triangle
 *
 * CHANGE  of two candidates only the better one asks whether it fells the other; and the answer is compared, not divided: what
 *         is common with the threshold times the union (limit.h; the comparisons: triangle.h)
 * FASTER  half of the blocks have nothing to do, and a pair costs two products where it cost a division
 * LIMIT   the sweep: each survivor waits for the words of the one before, with two barriers, on one multiprocessor of many
 * NEEDS   any shape
 */
#include "kernels/nms/sweep.h"
#include "kernels/nms/triangle.h"

CUDA_KERNEL(nms_triangle_compare, NMS_COMPARE, struct nms_operands o, struct nms_ranked r, int first)
{
    nms_compare_triangle(o, r, first);
}

CUDA_KERNEL(nms_triangle_sweep, NMS_SWEEP, struct nms_operands o, struct nms_ranked r, int first) { nms_sweep(o, r, first); }

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    return nms_run(device, call, launch_nms_triangle_compare, launch_nms_triangle_sweep, NMS_SWEEP);
}

extern "C" const struct osp_kernel cuda_nms_triangle = {.name = "triangle", .scratch = nms_scratch, .run = run};
#endif
