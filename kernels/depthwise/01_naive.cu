/* depthwise / naive
 *
 * CHANGE  the definition: one thread for each output, neighbouring threads take neighbouring channels
 * FASTER  channels lie side by side in x, weights and output, so a warp's requests are whole sectors
 * LIMIT   two loads for each multiply-add; every x is fetched R*S times, though mostly from cache
 * NEEDS   any shape
 */
#include "kernels/depthwise/depthwise.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(depthwise_naive, BLOCK, const float *x, /* (N,H,W,C) */
            const float *w,                         /* [R][S][pitch] */
            const float *bias,                      /* (C) or NULL */
            float *out,                             /* (N,P,Q,C) */
            depthwise_shape shape)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, m = i / shape.c, row = m / shape.q, n = row / shape.p;
    if (i >= shape.outputs)
        return;
    int c = (int)(i % shape.c), top = (int)(row % shape.p) * shape.stride - shape.pad;
    int left = (int)(m % shape.q) * shape.stride - shape.pad;
    float sum = 0.0f;
    for (int r = max(0, -top); r < min(shape.r, shape.h - top); r++)
        for (int s = max(0, -left); s < min(shape.s, shape.w - left); s++) {
            float value = x[((n * shape.h + top + r) * shape.w + left + s) * shape.c + c];
            sum = fmaf(value, w[(int64_t)(r * shape.s + s) * shape.pitch + c], sum);
        }
    out[i] = depthwise_finish(shape, sum, bias, c);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct cuda_filter *filter = (const struct cuda_filter *)state->data;
    depthwise_shape shape = depthwise_of(call, filter);
    return launch_depthwise_naive(device, cuda_blocks(shape.outputs, BLOCK), BLOCK, 0,
                                  (const float *)call->in[OSP_DEPTHWISE_X].data, filter->w, filter->bias,
                                  (float *)call->out[0].data, shape);
}

extern "C" const struct osp_kernel cuda_depthwise_naive = {
    .name = "naive", .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
