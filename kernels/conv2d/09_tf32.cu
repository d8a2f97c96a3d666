/* conv2d / tf32
 *
 * CHANGE  a warp multiplies 16x8 by 8x8 numbers in one instruction of the tensor cores; x and weights are rounded to tf32 for it
 *         (10 bits behind the point), sums stay f32; three stages of shared memory go round
 * FASTER  an instruction is 1024 multiply-adds, where a warp's was 32; fragments come by ldmatrix, four registers a request, from
 *         rows whose pieces are exchanged so that no two want the same bank
 * LIMIT   x crosses shared memory in 32 bits, of which 13 are thrown away
 * NEEDS   sm_80 and up; input channels a multiple of 4, x aligned to 16 bytes; finite weights. An order of sums of its own
 */
#include "kernels/conv2d/mma_host.h"

/* Pixels x outputs; threads; blocks that a multiprocessor holds. */
typedef conv2d_mma_tile<conv2d_tf32, 2, 2, 64, 64, 2> large;  /* 128 x 128, 128, 2 */
typedef conv2d_mma_tile<conv2d_tf32, 2, 2, 64, 32, 2> middle; /* 128 x 64, 128, 2 */
typedef conv2d_mma_tile<conv2d_tf32, 2, 2, 32, 32, 4> small;  /* 64 x 64, 128, 4 */

#define TF32(tile)                                                                                                               \
    CUDA_KERNEL_BLOCKS(conv2d_tf32_##tile, tile::THREADS, tile::BLOCKS, const float *x, /* (N,H,W,C) */                          \
                       const float *w,                                                  /* [R][S*C/16][K][16] of tf32 */         \
                       const float *bias,                                               /* (K) or NULL */                        \
                       const float *residual,                                           /* (N,P,Q,K) or NULL */                  \
                       const int32_t *counts,                                           /* NULL: every image counts */           \
                       float *out,                                                      /* (N,P,Q,K) */                          \
                       conv2d_shape shape)                                                                                       \
    {                                                                                                                            \
        conv2d_mma<tile>(x, w, bias, residual, counts, out, shape);                                                              \
    }
TF32(large)
TF32(middle)
TF32(small)

#if CUDA_HOST
static const char *refuses(const struct osp_device *device, const struct osp_call *call)
{
    return conv2d_mma_refuses<conv2d_tf32>(device, call->in[OSP_CONV2D_X].shape.dim[3]);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    return conv2d_mma_run<large, middle, small>(
        device, conv2d_of(call, state), {&launch_conv2d_tf32_large, &launch_conv2d_tf32_middle, &launch_conv2d_tf32_small});
}

extern "C" const struct osp_kernel cuda_conv2d_tf32 = {.name = "tf32",
                                                       .precision = OSP_PRECISION_TF32,
                                                       .refuses = refuses,
                                                       .prepare = conv2d_mma_prepare<conv2d_tf32>,
                                                       .release = cuda_filter_release,
                                                       .run = run};
#endif
