/* conv2d / naive
 *
 * CHANGE  the definition, written down: seven loops
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   each fused multiply-add waits for the one before, and the weights lie C*R*S floats apart from one output to the next
 * NEEDS   any shape
 */
#include "cpu/conv2d/conv2d.h"

/* One output: taps in the padding are left out. */
static float sum_of_taps(const struct conv2d *conv, const float *weight, int64_t n, int64_t p, int64_t q)
{
    float sum = 0;
    for (int64_t r = 0; r < conv->r; r++)
        for (int64_t s = 0; s < conv->s; s++) {
            int64_t y = p * conv->stride - conv->pad + r, x = q * conv->stride - conv->pad + s;
            if (y < 0 || y >= conv->h || x < 0 || x >= conv->w)
                continue;
            const float *pixel = conv->x + ((n * conv->h + y) * conv->w + x) * conv->c;
            for (int64_t c = 0; c < conv->c; c++)
                sum = fmaf(pixel[c], weight[(c * conv->r + r) * conv->s + s], sum);
        }
    return sum;
}

void cpu_conv2d_row(const struct conv2d *conv, const struct weight_rows *weights, int64_t n, int64_t p)
{
    int64_t first = (n * conv->p + p) * conv->q * conv->k; /* of the row, in out and residual */
    if (!conv2d_valid(conv, n)) {
        memset(conv->out + first, 0, sizeof(float) * (size_t)(conv->q * conv->k));
        return;
    }
    for (int64_t q = 0; q < conv->q; q++)
        for (int64_t k = 0; k < conv->k; k++) {
            int64_t at = first + q * conv->k + k;
            float value = sum_of_taps(conv, weights->w + k * conv->c * conv->r * conv->s, n, p, q);
            if (weights->bias)
                value += weights->bias[k];
            if (conv->residual)
                value += conv->residual[at];
            conv->out[at] = osp_activate(conv->activation, value);
        }
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct conv2d conv = conv2d_of(call);
    for (int64_t n = 0; n < conv.n; n++)
        for (int64_t p = 0; p < conv.p; p++)
            cpu_conv2d_row(&conv, state->data, n, p);
    return OSP_OK;
}

extern const struct osp_kernel cpu_conv2d_naive;
const struct osp_kernel cpu_conv2d_naive = {"naive", .prepare = cpu_rows_prepare, .release = cpu_rows_release, .run = run};
