/* conv2d / f16, bf16
 *
 * CHANGE  numbers of 16 bits: x is rounded on its way into shared memory, weights when they are packed; sums stay f32
 * FASTER  an instruction is 16x16 by 16x8 numbers, 2048 multiply-adds, and whatever a product reads is half as long: fragments,
 *         shared memory, weights from memory
 * LIMIT   activations are f32 in memory, so a layer of few multiply-adds a byte gains nothing
 * NEEDS   f16: sm_75 and up, weights up to 65504; a larger x becomes NaN (product.h). bf16: sm_80 and up. Both: input channels
 *         a multiple of 4, x aligned to 16 bytes; finite weights. An order of sums of its own
 */
#include "kernels/conv2d/mma_host.h"

/* Pixels x outputs; threads; blocks that a multiprocessor holds. */
template <class P> using large = conv2d_mma_tile<P, 2, 2, 64, 64, 2>;  /* 128 x 128, 128, 2; sm_80 and up */
template <class P> using eight = conv2d_mma_tile<P, 2, 4, 64, 32, 1>;  /* 128 x 128 by eight warps, 256, 1; for sm_75 */
template <class P> using middle = conv2d_mma_tile<P, 2, 2, 64, 32, 2>; /* 128 x 64, 128, 2 */
template <class P> using small = conv2d_mma_tile<P, 2, 2, 32, 32, 4>;  /* 64 x 64, 128, 4 */

#define SHORT(type, tile)                                                                                                        \
    CUDA_KERNEL_BLOCKS(conv2d_##type##_##tile, tile<conv2d_##type>::THREADS, tile<conv2d_##type>::BLOCKS,                        \
                       const float *x,        /* (N,H,W,C) */                                                                    \
                       const float *w,        /* [R][S*C/32][K][32] of 16 bits */                                                \
                       const float *bias,     /* (K) or NULL */                                                                  \
                       const float *residual, /* (N,P,Q,K) or NULL */                                                            \
                       const int32_t *counts, /* NULL: every image counts */                                                     \
                       float *out,            /* (N,P,Q,K) */                                                                    \
                       conv2d_shape shape)                                                                                       \
    {                                                                                                                            \
        conv2d_mma<tile<conv2d_##type>>(x, w, bias, residual, counts, out, shape);                                               \
    }
SHORT(f16, large)
SHORT(f16, eight)
SHORT(f16, middle)
SHORT(f16, small)
SHORT(bf16, large)
SHORT(bf16, middle)
SHORT(bf16, small)

#if CUDA_HOST
template <class P> static const char *refuses(const struct osp_device *device, const struct osp_call *call)
{
    return conv2d_mma_refuses<P>(device, call->in[OSP_CONV2D_X].shape.dim[3]);
}

static osp_status run_f16(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    return conv2d_mma_run<large<conv2d_f16>, eight<conv2d_f16>, middle<conv2d_f16>, small<conv2d_f16>>(
        device, conv2d_of(call, state),
        {&launch_conv2d_f16_large, &launch_conv2d_f16_eight, &launch_conv2d_f16_middle, &launch_conv2d_f16_small});
}

static osp_status run_bf16(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    return conv2d_mma_run<large<conv2d_bf16>, middle<conv2d_bf16>, small<conv2d_bf16>>(
        device, conv2d_of(call, state), {&launch_conv2d_bf16_large, &launch_conv2d_bf16_middle, &launch_conv2d_bf16_small});
}

extern "C" const struct osp_kernel cuda_conv2d_f16 = {.name = "f16",
                                                      .precision = OSP_PRECISION_F16,
                                                      .refuses = refuses<conv2d_f16>,
                                                      .prepare = conv2d_mma_prepare<conv2d_f16>,
                                                      .release = cuda_filter_release,
                                                      .run = run_f16};
extern "C" const struct osp_kernel cuda_conv2d_bf16 = {.name = "bf16",
                                                       .precision = OSP_PRECISION_BF16,
                                                       .refuses = refuses<conv2d_bf16>,
                                                       .prepare = conv2d_mma_prepare<conv2d_bf16>,
                                                       .release = cuda_filter_release,
                                                       .run = run_bf16};
#endif
