/* upsample_add / threads
 *
 * CHANGE  output rows are shared out among the threads
 * FASTER  several cores wait for memory at the same time
 * LIMIT   the speed of memory: one addition for nine bytes moved or more; only adding in the lateral convolution would save that
 * NEEDS   any shape
 */
#include "cpu/upsample_add/upsample_add.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct upsample_add up = upsample_add_of(call);
#pragma omp parallel for schedule(static) num_threads(cpu_of(device)->threads)
    for (int64_t row = 0; row < up.n * up.h; row++)
        upsample_add_row(&up, row / up.h, row % up.h);
    return OSP_OK;
}

extern const struct osp_kernel cpu_upsample_add_threads;
const struct osp_kernel cpu_upsample_add_threads = {.name = "threads", .run = run};
