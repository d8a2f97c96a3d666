/* conv2d / coalesced
 *
 * CHANGE  neighbouring threads take neighbouring output channels of one pixel
 * FASTER  weights and outputs of neighbouring channels lie side by side: a warp's 32 words are 4 sectors, where before they took up
 *         to 32; its lanes read the same x, which is one sector for all
 * LIMIT   two loads for each multiply-add; x is fetched once for every warp of outputs, weights once for every pixel
 * NEEDS   any shape; 32 output channels or more to fill a warp from one pixel
 */
#include "kernels/conv2d/conv2d.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(conv2d_coalesced, BLOCK, const float *x, /* (N,H,W,C) */
            const float *w,                          /* [R][S][C][pitch] */
            const float *bias,                       /* (K) or NULL */
            const float *residual,                   /* (N,P,Q,K) or NULL */
            const int32_t *counts,                   /* NULL: every image counts */
            float *out,                              /* (N,P,Q,K) */
            conv2d_shape shape)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, m = i / shape.k;
    if (m < shape.pixels)
        out[i] = conv2d_output(shape, x, w, bias, residual, counts, m, (int)(i % shape.k));
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    conv2d_call it = conv2d_of(call, state);
    return launch_conv2d_coalesced(device, cuda_blocks(it.shape.pixels * it.shape.k, BLOCK), BLOCK, 0, it.x, it.w, it.bias,
                                   it.residual, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_conv2d_coalesced = {
    .name = "coalesced", .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
