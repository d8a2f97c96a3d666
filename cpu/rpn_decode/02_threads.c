/* rpn_decode / threads
 *
 * CHANGE  the rows of a level are shared out over the threads
 * FASTER  several cores wait for deltas at the same time; a row is nobody else's business, and what is summed is whole numbers
 * LIMIT   starting the threads, once for each level, which is not much less than the work
 * NEEDS   any shape
 */
#include "cpu/rpn_decode/rpn_decode.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    int32_t *nonfinite = call->out[OSP_DECODE_OUT_NONFINITE].data; /* (N) */
    for (int64_t n = 0; n < call->in[OSP_RPN_DECODE_SCORES].shape.dim[0]; n++) {
        int32_t dropped = 0;
        for (int i = 0; i < call->attrs->rpn_decode.levels; i++) {
            struct rpn_level level = rpn_level_of(call, n, i);
#pragma omp parallel for num_threads(cpu_of(device)->threads) schedule(static) reduction(+ : dropped)
            for (int64_t t = level.first; t < level.end; t++)
                dropped += rpn_decode_row(call, &level, n, t);
        }
        nonfinite[n] = dropped;
    }
    return OSP_OK;
}

const struct osp_kernel cpu_rpn_decode_threads = {.name = "threads", .run = run};
