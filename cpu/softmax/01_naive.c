/* softmax / naive
 *
 * CHANGE  the definition, written down
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   one exponential at a time: a dozen steps that wait for one another, each fmaf a call into the C library
 * NEEDS   any shape
 */
#include "cpu/softmax/softmax.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    for (int64_t m = 0; m < call->out[0].shape.dim[0]; m++)
        softmax_or_zero(call, m, softmax_row);
    return OSP_OK;
}

extern const struct osp_kernel cpu_softmax_naive;
const struct osp_kernel cpu_softmax_naive = {.name = "naive", .run = run};
