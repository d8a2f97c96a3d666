/* linear / tf32
 *
 * CHANGE  conv2d's tensor-core tile, a row for a pixel: x and weights are rounded to tf32 (10 bits behind the point)
 * FASTER  an instruction of a warp is 1024 multiply-adds, where before it was 32
 * LIMIT   weights come from memory in 32 bits, of which 13 are thrown away: with few rows that is all that counts
 * NEEDS   sm_80 and up; C a multiple of 4; finite weights. An order of sums of its own
 */
#include "kernels/conv2d/mma_host.h"
#include "kernels/linear/linear.h"

/* Rows x outputs; threads; blocks that a multiprocessor holds. */
typedef conv2d_mma_tile<conv2d_tf32, 2, 2, 64, 64, 2> large;  /* 128 x 128, 128, 2 */
typedef conv2d_mma_tile<conv2d_tf32, 2, 2, 64, 32, 2> middle; /* 128 x 64, 128, 2 */
typedef conv2d_mma_tile<conv2d_tf32, 2, 2, 32, 32, 4> small;  /* 64 x 64, 128, 4 */

#define TF32(tile)                                                                                                               \
    CUDA_KERNEL_BLOCKS(linear_tf32_##tile, tile::THREADS, tile::BLOCKS, const float *x, /* (M,C) */                              \
                       const float *w,                                                  /* [C/16][K][16] of tf32 */              \
                       const float *bias,                                               /* (K) or NULL */                        \
                       const float *residual,                                           /* NULL */                               \
                       const int32_t *counts,                                           /* NULL: every row counts */             \
                       float *out,                                                      /* (M,K) */                              \
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
    return conv2d_mma_refuses<conv2d_tf32>(device, linear_columns(call));
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    return conv2d_mma_run<large, middle, small>(
        device, linear_of(call, state), {&launch_linear_tf32_large, &launch_linear_tf32_middle, &launch_linear_tf32_small});
}

extern "C" const struct osp_kernel cuda_linear_tf32 = {.name = "tf32",
                                                       .precision = OSP_PRECISION_TF32,
                                                       .refuses = refuses,
                                                       .prepare = conv2d_mma_prepare<conv2d_tf32>,
                                                       .release = cuda_filter_release,
                                                       .run = run};
#endif
