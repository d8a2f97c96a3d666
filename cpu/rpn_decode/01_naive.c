/* rpn_decode / naive
 *
 * CHANGE  the plain way: image after image, level after level, row after row
 * FASTER  nothing yet
 * LIMIT   one core; each row waits for its four deltas, which lie anywhere in the map
 * NEEDS   any shape
 */
#include "cpu/rpn_decode/rpn_decode.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    int32_t *nonfinite = call->out[OSP_DECODE_OUT_NONFINITE].data; /* (N) */
    for (int64_t n = 0; n < call->in[OSP_RPN_DECODE_SCORES].shape.dim[0]; n++) {
        nonfinite[n] = 0;
        for (int i = 0; i < call->attrs->rpn_decode.levels; i++) {
            struct rpn_level level = rpn_level_of(call, n, i);
            for (int64_t t = level.first; t < level.end; t++)
                nonfinite[n] += rpn_decode_row(call, &level, n, t);
        }
    }
    return OSP_OK;
}

const struct osp_kernel cpu_rpn_decode_naive = {.name = "naive", .run = run};
