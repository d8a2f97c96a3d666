/* conv2d / threads
 *
 * CHANGE  the output's rows are shared out among the threads; the loops inside are those of naive
 * FASTER  by the number of cores: rows have nothing to do with one another
 * LIMIT   every core still works one multiply-add at a time
 * NEEDS   any shape; more rows than threads
 */
#include "cpu/conv2d/conv2d.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct conv2d conv = conv2d_of(call);
#pragma omp parallel for schedule(static) num_threads(cpu_of(device)->threads)
    for (int64_t row = 0; row < conv.n * conv.p; row++)
        cpu_conv2d_row(&conv, state->data, row / conv.p, row % conv.p);
    return OSP_OK;
}

extern const struct osp_kernel cpu_conv2d_threads;
const struct osp_kernel cpu_conv2d_threads = {"threads", .prepare = cpu_rows_prepare, .release = cpu_rows_release, .run = run};
