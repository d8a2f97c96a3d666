/* conv2d / naive
 *
 * CHANGE  the definition: one thread for each output, neighbouring threads take neighbouring pixels
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   neighbouring pixels lie C floats apart in x and K apart in the output: every lane of a warp fetches and writes a sector
 *         of its own, for one word in it
 * NEEDS   any shape
 */
#include "kernels/conv2d/conv2d.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(conv2d_naive, BLOCK, const float *x, /* (N,H,W,C) */
            const float *w,                      /* [R][S][C][pitch] */
            const float *bias,                   /* (K) or NULL */
            const float *residual,               /* (N,P,Q,K) or NULL */
            const int32_t *counts,               /* NULL: every image counts */
            float *out,                          /* (N,P,Q,K) */
            conv2d_shape shape)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, m = i % shape.pixels;
    int k = (int)(i / shape.pixels);
    if (k < shape.k)
        out[m * shape.k + k] = conv2d_output(shape, x, w, bias, residual, counts, m, k);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    conv2d_call it = conv2d_of(call, state);
    return launch_conv2d_naive(device, cuda_blocks(it.shape.pixels * it.shape.k, BLOCK), BLOCK, 0, it.x, it.w, it.bias,
                               it.residual, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_conv2d_naive = {
    .name = "naive", .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
