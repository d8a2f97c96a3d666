/* conv2d / register
 *
 * CHANGE  a thread computes 8x8 outputs (8x4, 4x4 in small tiles) in registers; x and weights come as float4, pixels are rows of a
 *         matrix product whose left side is never written down (tile.h)
 * FASTER  a step of the sum costs a thread 4 loads of float4 for 64 multiply-adds, where before it cost 2 loads for one; its sums do
 *         not wait for one another
 * LIMIT   while a block fetches its next 16 steps it computes nothing: other blocks of the multiprocessor must fill in
 * NEEDS   any shape; float4 where C and K are multiples of 4. The tile is chosen by shape (tile.h)
 */
#include "kernels/conv2d/tile.h"

typedef conv2d_tile<16, 16, 8, 8, 2> large; /* 128 pixels x 128 outputs, 256 threads, two blocks a multiprocessor */
typedef conv2d_tile<8, 16, 8, 4, 5> middle; /* 64 x 64, 128 */
typedef conv2d_tile<16, 8, 8, 4, 5> narrow; /* 128 x 32, 128 */
typedef conv2d_tile<8, 8, 4, 4, 16> small;  /* 32 x 32, 64 */

#define REGISTER(tile)                                                                  \
    CUDA_KERNEL_BLOCKS(conv2d_register_##tile, tile::THREADS, tile::BLOCKS,             \
                       const float *x,        /* (N,H,W,C) */                           \
                       const float *w,        /* [R][S][C][pitch] */                    \
                       const float *bias,     /* (K) or NULL */                         \
                       const float *residual, /* (N,P,Q,K) or NULL */                   \
                       const int32_t *counts, /* NULL: every image counts */            \
                       float *out,            /* (N,P,Q,K) */                           \
                       conv2d_shape shape)                                              \
    {                                                                                   \
        conv2d_register<tile>(x, w, bias, residual, counts, out, shape);                \
    }
REGISTER(large)
REGISTER(middle)
REGISTER(narrow)
REGISTER(small)

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static const conv2d_tiling tiles[] = {conv2d_tiling_of<large>(), conv2d_tiling_of<middle>(), conv2d_tiling_of<narrow>(),
                                          conv2d_tiling_of<small>()};
    static const decltype(launch_conv2d_register_large) *const launches[] = {
        &launch_conv2d_register_large, &launch_conv2d_register_middle, &launch_conv2d_register_narrow, &launch_conv2d_register_small};
    conv2d_call it = conv2d_of(call, state);
    const int64_t steps = (int64_t)it.shape.r * it.shape.s * it.shape.c;
    int i = conv2d_pick(tiles, cuda_limits_of(device)->multiprocessors, it.shape.pixels, it.shape.k, steps);
    dim3 grid(cuda_blocks(it.shape.pixels, tiles[i].m), cuda_blocks(it.shape.k, tiles[i].n));
    return (*launches[i])(device, grid, launches[i]->kernel.threads, 0, it.x, it.w, it.bias, it.residual, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_conv2d_register = {
    .name = "register", .cost = conv2d_direct_seconds, .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
