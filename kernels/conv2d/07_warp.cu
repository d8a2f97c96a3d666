/* conv2d / warp
 *
 * CHANGE  a warp computes a tile of its own, 64 pixels by 64 outputs, a thread 8x16 of them; a block is 128 by 128
 * FASTER  a step costs a thread 6 loads of float4 for 128 multiply-adds, where before it cost 4 for 64; what a stage costs besides,
 *         copies, barrier and jump, is shared by twice as many: of 100 instructions in the inner loop 90 are multiply-adds, not 86
 * LIMIT   the arithmetic: fewer multiply-adds (Winograd) or other ones (tensor cores) are what is left
 * NEEDS   input channels a multiple of 4, x aligned to 16 bytes. The tile is chosen by shape (block.h)
 */
#include "kernels/conv2d/warp.h"

typedef conv2d_warp_tile<2, 2, 8, 16, 2> large; /* 128 pixels x 128 outputs, 128 threads, two blocks a multiprocessor */
typedef conv2d_warp_tile<2, 2, 4, 8, 4> middle; /* 64 x 64, 128 */
typedef conv2d_warp_tile<2, 1, 8, 8, 4> narrow; /* 128 x 32, 64 */
typedef conv2d_warp_tile<1, 2, 4, 4, 10> small; /* 32 x 32, 64 */

#define WARP(tile)                                                                      \
    CUDA_KERNEL_BLOCKS(conv2d_warp_##tile, tile::THREADS, tile::BLOCKS,                 \
                       const float *x,        /* (N,H,W,C) */                           \
                       const float *w,        /* [R][S][C][pitch] */                    \
                       const float *bias,     /* (K) or NULL */                         \
                       const float *residual, /* (N,P,Q,K) or NULL */                   \
                       const int32_t *counts, /* NULL: every image counts */            \
                       float *out,            /* (N,P,Q,K) */                           \
                       conv2d_shape shape)                                              \
    {                                                                                   \
        conv2d_warp<tile>(x, w, bias, residual, counts, out, shape);                    \
    }
WARP(large)
WARP(middle)
WARP(narrow)
WARP(small)

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static const conv2d_tiling tiles[] = {conv2d_tiling_of<large>(), conv2d_tiling_of<middle>(), conv2d_tiling_of<narrow>(),
                                          conv2d_tiling_of<small>()};
    static const decltype(launch_conv2d_warp_large) *const launches[] = {&launch_conv2d_warp_large, &launch_conv2d_warp_middle,
                                                                         &launch_conv2d_warp_narrow, &launch_conv2d_warp_small};
    return conv2d_run(device, call, state, tiles, launches);
}

extern "C" const struct osp_kernel cuda_conv2d_warp = {.name = "warp",
                                                       .refuses = conv2d_staged_refuses,
                                                       .cost = conv2d_direct_seconds,
                                                       .prepare = cuda_filter_prepare,
                                                       .release = cuda_filter_release,
                                                       .run = run};
#endif
