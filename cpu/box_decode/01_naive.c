/* box_decode / naive
 *
 * CHANGE  the plain way, in torchvision's order: every class of every row is decoded and clipped, then judged
 * FASTER  nothing yet
 * LIMIT   nearly all of those boxes have a probability near zero and are thrown away
 * NEEDS   any shape
 */
#include "cpu/box_decode/box_decode.h"

/* Returns how many candidates of the row were dropped for not being finite. */
static int32_t decode_row(const struct osp_call *call, const struct box_decode_row *row)
{
    const struct osp_box_decode_attrs *attrs = &call->attrs->box_decode;
    int32_t dropped = 0;
    int used = 0;
    for (int class = 1; class < row->classes; class ++) {
        float box[4], probability = row->probabilities[class];
        enum decode_verdict verdict = box_decode_class(call, row, class, box);
        int passes = probability > attrs->score_threshold;
        dropped += !isfinite(probability) || (passes && verdict == DECODE_NONFINITE);
        if (isfinite(probability) && passes && verdict == DECODE_KEPT && used < attrs->slots)
            decode_put(decode_out_of(call, row->first + used++), box, probability, class);
    }
    box_decode_empty(call, row, used);
    return dropped;
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const int64_t *dim = call->in[OSP_BOX_DECODE_PROPOSALS].shape.dim; /* (N,T,4) */
    int32_t *nonfinite = call->out[OSP_DECODE_OUT_NONFINITE].data;     /* (N) */
    for (int64_t n = 0; n < dim[0]; n++) {
        nonfinite[n] = 0;
        for (int64_t t = 0; t < dim[1]; t++) {
            struct box_decode_row row = box_decode_row_of(call, n * dim[1] + t);
            if (t < cpu_valid_rows(&call->in[OSP_BOX_DECODE_COUNTS], n, dim[1]))
                nonfinite[n] += decode_row(call, &row);
            else
                box_decode_empty(call, &row, 0);
        }
    }
    return OSP_OK;
}

const struct osp_kernel cpu_box_decode_naive = {.name = "naive", .run = run};
