/* conv2d / wide
 *
 * CHANGE  x and weights move four words at a time, as float4, into shared memory and out of it; a thread computes 8x8 outputs (8x4,
 *         4x4 in small tiles), and a warp asks once for 16 steps whether its windows are open (tile.h)
 * FASTER  a step of the sum costs a thread 4 loads for 64 multiply-adds, where before it cost 8 for 16, and no questions
 * LIMIT   while a block fetches its next 16 steps it computes nothing: other blocks of the multiprocessor must fill in
 * NEEDS   any shape; float4 where C and K are multiples of 4. The tile is chosen by shape (block.h)
 */
#include "kernels/conv2d/tile.h"

typedef conv2d_tile<16, 16, 8, 8, 2> large; /* 128 pixels x 128 outputs, 256 threads, two blocks a multiprocessor */
typedef conv2d_tile<8, 16, 8, 4, 5> middle; /* 64 x 64, 128 */
typedef conv2d_tile<16, 8, 8, 4, 5> narrow; /* 128 x 32, 128 */
typedef conv2d_tile<8, 8, 4, 4, 16> small;  /* 32 x 32, 64 */

#define WIDE(tile)                                                                      \
    CUDA_KERNEL_BLOCKS(conv2d_wide_##tile, tile::THREADS, tile::BLOCKS,                 \
                       const float *x,        /* (N,H,W,C) */                           \
                       const float *w,        /* [R][S][C][pitch] */                    \
                       const float *bias,     /* (K) or NULL */                         \
                       const float *residual, /* (N,P,Q,K) or NULL */                   \
                       const int32_t *counts, /* NULL: every image counts */            \
                       float *out,            /* (N,P,Q,K) */                           \
                       conv2d_shape shape)                                              \
    {                                                                                   \
        conv2d_wide<tile>(x, w, bias, residual, counts, out, shape);                    \
    }
WIDE(large)
WIDE(middle)
WIDE(narrow)
WIDE(small)

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static const conv2d_tiling tiles[] = {conv2d_tiling_of<large>(), conv2d_tiling_of<middle>(), conv2d_tiling_of<narrow>(),
                                          conv2d_tiling_of<small>()};
    static const decltype(launch_conv2d_wide_large) *const launches[] = {
        &launch_conv2d_wide_large, &launch_conv2d_wide_middle, &launch_conv2d_wide_narrow, &launch_conv2d_wide_small};
    return conv2d_run(device, call, state, tiles, launches);
}

extern "C" const struct osp_kernel cuda_conv2d_wide = {.name = "wide",
                                                       .cost = conv2d_direct_seconds,
                                                       .prepare = cuda_filter_prepare,
                                                       .release = cuda_filter_release,
                                                       .run = run};
#endif
