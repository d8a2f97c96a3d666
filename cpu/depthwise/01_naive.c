/* depthwise / naive
 *
 * CHANGE  the definition, written down: each channel has a filter of its own
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   one channel at a time, one multiply-add at a time
 * NEEDS   any shape
 */
#include "cpu/depthwise/depthwise.h"
#include "cpu/rows.h"

/* One output: taps in the padding are left out. */
static float sum_of_taps(const struct depthwise *conv, const float *weight, int64_t n, int64_t p, int64_t q, int64_t c)
{
    float sum = 0;
    for (int64_t r = 0; r < conv->r; r++)
        for (int64_t s = 0; s < conv->s; s++) {
            int64_t y = p * conv->stride - conv->pad + r, x = q * conv->stride - conv->pad + s;
            if (y >= 0 && y < conv->h && x >= 0 && x < conv->w)
                sum = fmaf(conv->x[((n * conv->h + y) * conv->w + x) * conv->c + c], weight[r * conv->s + s], sum);
        }
    return sum;
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct depthwise conv = depthwise_of(call);
    const struct weight_rows *weights = state->data;
    float *out = conv.out;
    for (int64_t n = 0; n < conv.n; n++)
        for (int64_t p = 0; p < conv.p; p++)
            for (int64_t q = 0; q < conv.q; q++)
                for (int64_t c = 0; c < conv.c; c++) {
                    float sum = sum_of_taps(&conv, weights->w + c * conv.r * conv.s, n, p, q, c);
                    if (weights->bias)
                        sum += weights->bias[c];
                    *out++ = osp_activate(conv.activation, sum);
                }
    return OSP_OK;
}

extern const struct osp_kernel cpu_depthwise_naive;
const struct osp_kernel cpu_depthwise_naive = {"naive", .prepare = cpu_rows_prepare, .release = cpu_rows_release, .run = run};
