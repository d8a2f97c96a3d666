/* linear / register
 *
 * CHANGE  a thread computes 8x8 outputs (8x4, 4x4 in small tiles) in registers: conv2d's register tile, a row for a pixel
 * FASTER  a step of the sum costs a thread 4 loads of float4 for 64 multiply-adds
 * LIMIT   while a block fetches its next 16 steps it computes nothing: other blocks of the multiprocessor must fill in
 * NEEDS   any shape; float4 where C and K are multiples of 4; chosen where rows are many
 */
#include "kernels/conv2d/tile.h"
#include "kernels/linear/linear.h"

typedef conv2d_tile<16, 16, 8, 8, 2> large; /* 128 rows x 128 outputs, 256 threads, two blocks a multiprocessor */
typedef conv2d_tile<8, 16, 8, 4, 5> middle; /* 64 x 64, 128 */
typedef conv2d_tile<8, 8, 4, 4, 16> small;  /* 32 x 32, 64 */

#define REGISTER(tile)                                                                  \
    CUDA_KERNEL_BLOCKS(linear_register_##tile, tile::THREADS, tile::BLOCKS,             \
                       const float *x,        /* (M,C) */                               \
                       const float *w,        /* [C][pitch] */                          \
                       const float *bias,     /* (K) or NULL */                         \
                       const int32_t *counts, /* NULL: every row counts */              \
                       float *out,            /* (M,K) */                               \
                       conv2d_shape shape)                                              \
    {                                                                                   \
        conv2d_wide<tile>(x, w, bias, nullptr, counts, out, shape);                 \
    }
REGISTER(large)
REGISTER(middle)
REGISTER(small)

#if CUDA_HOST
static const conv2d_tiling tiles[] = {conv2d_tiling_of<large>(), conv2d_tiling_of<middle>(), conv2d_tiling_of<small>()};

static double cost(const struct osp_device *device, const struct osp_call *call)
{
    int64_t rows = call->in[OSP_LINEAR_X].shape.dim[0], columns = linear_columns(call), outputs = call->out[0].shape.dim[1];
    int across = cuda_limits_of(device)->multiprocessors, i = conv2d_pick(tiles, across, rows, outputs, columns);
    return linear_seconds(conv2d_cycles(tiles[i], across, rows, outputs, columns));
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static const decltype(launch_linear_register_large) *const launches[] = {
        &launch_linear_register_large, &launch_linear_register_middle, &launch_linear_register_small};
    conv2d_call it = linear_of(call, state);
    int i = conv2d_pick(tiles, cuda_limits_of(device)->multiprocessors, it.shape.pixels, it.shape.k, it.shape.c);
    dim3 grid(cuda_blocks(it.shape.pixels, tiles[i].m), cuda_blocks(it.shape.k, tiles[i].n));
    return (*launches[i])(device, grid, launches[i]->kernel.threads, 0, it.x, it.w, it.bias, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_linear_register = {
    .name = "register", .cost = cost, .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
