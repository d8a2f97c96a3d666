/* rpn_decode / threads
 *
 * CHANGE  the rows of an image are shared out over the threads
 * FASTER  several cores wait for deltas at the same time; a row is nobody else's business, and what is summed is whole numbers
 * LIMIT   starting the threads, which is not much less than the work
 * NEEDS   any shape
 */
#include "cpu/rpn_decode/rpn_decode.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const int64_t *dim = call->in[OSP_RPN_DECODE_SCORES].shape.dim; /* (N,T) */
    int32_t *nonfinite = call->out[OSP_DECODE_OUT_NONFINITE].data;  /* (N) */
    for (int64_t n = 0; n < dim[0]; n++) {
        struct rpn_level levels[OSP_MAX_LEVELS];
        for (int i = 0; i < call->attrs->rpn_decode.levels; i++)
            levels[i] = rpn_level_of(call, n, i);
        int32_t dropped = 0;
#pragma omp parallel for num_threads(cpu_of(device)->threads) schedule(static) reduction(+ : dropped)
        for (int64_t t = 0; t < dim[1]; t++) {
            int level = 0;
            while (t >= levels[level].end)
                level++;
            dropped += rpn_decode_row(call, &levels[level], n, t);
        }
        nonfinite[n] = dropped;
    }
    return OSP_OK;
}

const struct osp_kernel cpu_rpn_decode_threads = {.name = "threads", .run = run};
