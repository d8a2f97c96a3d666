/* linear / naive
 *
 * CHANGE  the definition, written down: three loops
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   each fused multiply-add waits for the one before, and every row of x reads all weights again
 * NEEDS   any shape
 */
#include "cpu/linear/linear.h"

static void run_row(const struct linear *linear, const struct weight_rows *weights, const float *x, float *out)
{
    for (int64_t k = 0; k < linear->k; k++) {
        float sum = 0;
        for (int64_t c = 0; c < linear->c; c++)
            sum = fmaf(x[c], weights->w[k * linear->c + c], sum);
        if (weights->bias)
            sum += weights->bias[k];
        out[k] = osp_activate(linear->activation, sum);
    }
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct linear linear = linear_of(call);
    for (int64_t m = 0; m < linear.m; m++) {
        float *out = linear.out + m * linear.k;
        if (m % linear.each < cpu_valid_rows(linear.counts, m / linear.each, linear.each))
            run_row(&linear, state->data, linear.x + m * linear.c, out);
        else
            memset(out, 0, sizeof(float) * (size_t)linear.k);
    }
    return OSP_OK;
}

extern const struct osp_kernel cpu_linear_naive;
const struct osp_kernel cpu_linear_naive = {"naive", .prepare = cpu_rows_prepare, .release = cpu_rows_release, .run = run};
