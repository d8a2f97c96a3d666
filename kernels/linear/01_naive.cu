/* linear / naive
 *
 * CHANGE  the definition: one thread for each output, neighbouring threads take neighbouring outputs of one row
 * FASTER  weights of neighbouring outputs lie side by side, so a warp's requests are whole sectors; its lanes read the same x
 * LIMIT   two loads for each multiply-add; every row fetches all weights again
 * NEEDS   any shape
 */
#include "kernels/linear/linear.h"

constexpr int BLOCK = 128;

CUDA_KERNEL(linear_naive, BLOCK, const float *x, /* (M,C) */
            const float *w,                      /* [C][pitch] */
            const float *bias,                   /* (K) or NULL */
            const int32_t *counts,               /* NULL: every row counts */
            float *out,                          /* (M,K) */
            conv2d_shape shape)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, m = i / shape.k;
    if (m < shape.pixels)
        out[i] = conv2d_output(shape, x, w, bias, nullptr, counts, m, (int)(i % shape.k));
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    conv2d_call it = linear_of(call, state);
    return launch_linear_naive(device, cuda_blocks(it.shape.pixels * it.shape.k, BLOCK), BLOCK, 0, it.x, it.w, it.bias, it.counts,
                               it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_linear_naive = {
    .name = "naive", .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
