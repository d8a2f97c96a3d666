/* linear / warp
 *
 * CHANGE  conv2d's warp tile, a row for a pixel: a thread computes 8x16 outputs while the next steps are copied past its registers
 * FASTER  more than nine of ten instructions of the inner loop are multiply-adds, and no block waits for what it fetches
 * LIMIT   the sum over C is one thread's from end to end, so few rows and outputs leave the machine empty however long C is
 * NEEDS   C a multiple of 4; chosen where rows are many
 */
#include "kernels/conv2d/warp.h"
#include "kernels/linear/linear.h"

typedef conv2d_warp_tile<2, 2, 8, 16, 2> large; /* 128 rows x 128 outputs, 128 threads, two blocks a multiprocessor */
typedef conv2d_warp_tile<2, 2, 4, 8, 4> middle; /* 64 x 64, 128 */
typedef conv2d_warp_tile<1, 2, 4, 4, 10> small; /* 32 x 32, 64 */

#define WARP(tile)                                                                      \
    CUDA_KERNEL_BLOCKS(linear_warp_##tile, tile::THREADS, tile::BLOCKS,                 \
                       const float *x,        /* (M,C) */                               \
                       const float *w,        /* [C][pitch] */                          \
                       const float *bias,     /* (K) or NULL */                         \
                       const int32_t *counts, /* NULL: every row counts */              \
                       float *out,            /* (M,K) */                               \
                       conv2d_shape shape)                                              \
    {                                                                                   \
        conv2d_warp<tile>(x, w, bias, nullptr, counts, out, shape);                     \
    }
WARP(large)
WARP(middle)
WARP(small)

#if CUDA_HOST
static const conv2d_tiling tiles[] = {conv2d_tiling_of<large>(), conv2d_tiling_of<middle>(), conv2d_tiling_of<small>()};

static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    return linear_columns(call) % 4 ? "it copies four inputs at a time, and their number is not a multiple of 4" : nullptr;
}

static double cost(const struct osp_device *device, const struct osp_call *call)
{
    int64_t rows = call->in[OSP_LINEAR_X].shape.dim[0], outputs = call->out[0].shape.dim[1], columns = linear_columns(call);
    int across = cuda_limits_of(device)->multiprocessors, i = conv2d_pick(tiles, across, rows, outputs, columns);
    return linear_seconds(conv2d_cycles(tiles[i], across, rows, outputs, columns));
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static const decltype(launch_linear_warp_large) *const launches[] = {&launch_linear_warp_large, &launch_linear_warp_middle,
                                                                         &launch_linear_warp_small};
    conv2d_call it = linear_of(call, state);
    int i = conv2d_pick(tiles, cuda_limits_of(device)->multiprocessors, it.shape.pixels, it.shape.k, it.shape.c);
    dim3 grid(cuda_blocks(it.shape.pixels, tiles[i].m), cuda_blocks(it.shape.k, tiles[i].n));
    return (*launches[i])(device, grid, launches[i]->kernel.threads, 0, it.x, it.w, it.bias, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_linear_warp = {
    .name = "warp", .refuses = refuses, .cost = cost, .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
