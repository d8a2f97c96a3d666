/* scale / threads
 *
 * CHANGE  positions are shared out among the threads
 * FASTER  several cores wait for memory at the same time
 * LIMIT   the speed of memory: one multiplication for eight bytes moved; only doing it in the next convolution would save that
 * NEEDS   any shape
 */
#include "cpu/scale/scale.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct scale scale = scale_of(call);
#pragma omp parallel for schedule(static) num_threads(cpu_of(device)->threads)
    for (int64_t i = 0; i < scale.n * scale.positions; i++)
        scale_position(&scale, i);
    return OSP_OK;
}

extern const struct osp_kernel cpu_scale_threads;
const struct osp_kernel cpu_scale_threads = {.name = "threads", .run = run};
