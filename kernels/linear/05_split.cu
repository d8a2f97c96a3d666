/* linear / split
 *
 * CHANGE  the sum over C is cut into parts, 2 to 16, so that there are a hundred blocks and more; a second kernel adds the parts, in
 *         order
 * FASTER  a few rows or outputs, which are a few tiles, now keep every multiprocessor busy, and the last wave is a fuller one
 * LIMIT   the parts are written and read once more; sums have an order of their own: that of the parts
 * NEEDS   C a multiple of 8; chosen where an image has 64 rows or fewer, of 1024 inputs or more
 */
#include "kernels/conv2d/warp.h"
#include "kernels/linear/linear.h"

constexpr int SUM = 256; /* threads that add the parts */

typedef conv2d_warp_tile<2, 2, 8, 16, 2> large; /* as in 04_warp.cu */
typedef conv2d_warp_tile<2, 2, 4, 8, 4> middle;
typedef conv2d_warp_tile<1, 2, 4, 4, 10> small;

/* A row of C inputs is a picture of one line, a pixel for each part: block z computes the product with pixel z alone. */
#define SPLIT(tile)                                                                                 \
    CUDA_KERNEL_BLOCKS(linear_split_##tile, tile::THREADS, tile::BLOCKS,                            \
                       const float *x,        /* (M,Z,C) */                                         \
                       const float *w,        /* [Z][C][pitch] */                                   \
                       const int32_t *counts, /* NULL: every row counts */                          \
                       float *parts,          /* (Z,M,K) */                                         \
                       conv2d_shape shape)                                                          \
    {                                                                                               \
        const int64_t z = blockIdx.z;                                                               \
        conv2d_warp<tile>(x + z * shape.c, w + z * shape.c * shape.pitch, nullptr, nullptr, counts, \
                          parts + z * shape.pixels * shape.k, shape);                               \
    }
SPLIT(large)
SPLIT(middle)
SPLIT(small)

CUDA_KERNEL(linear_split_sum, SUM, const float *parts, /* (Z,M,K) */
            const float *bias,                         /* (K) or NULL */
            const int32_t *counts,                     /* NULL: every row counts */
            float *out,                                /* (M,K) */
            conv2d_shape shape)
{
    const int64_t i = (int64_t)blockIdx.x * SUM + threadIdx.x, size = shape.pixels * shape.k, m = i / shape.k;
    if (i >= size)
        return;
    float sum = parts[i];
    for (int z = 1; z < shape.w; z++)
        sum += parts[z * size + i];
    out[i] = conv2d_counts(shape, counts, m) ? conv2d_finish(shape, sum, bias, (int)(i - m * shape.k), nullptr, 0) : 0.0f;
}

#if CUDA_HOST
static const conv2d_tiling tiles[] = {conv2d_tiling_of<large>(), conv2d_tiling_of<middle>(), conv2d_tiling_of<small>()};

/* Of an image. Neither the batch nor the GPU has a say in what is cut, nor in whether: a sum has the same bits in all of them. */
static int64_t rows_of(const struct osp_call *call)
{
    const struct osp_shape *counts = &call->in[OSP_LINEAR_COUNTS].shape;
    const int64_t images = counts->rank && counts->dim[0] ? counts->dim[0] : 1;
    return call->in[OSP_LINEAR_X].shape.dim[0] / images;
}

/* The parts: so many that 64 x 64 tiles of them are 128 blocks, or 16; at least 2, or 0: C cannot be cut. */
static int parts_of(const struct osp_call *call)
{
    const int64_t columns = linear_columns(call), outputs = call->out[0].shape.dim[1];
    const int64_t blocks = ((rows_of(call) + 63) / 64) * ((outputs + 63) / 64);
    int best = 0;
    for (int parts = 2; parts <= 16 && (best < 2 || blocks * best < 128); parts++)
        if (columns % (4 * parts) == 0)
            best = parts;
    return best;
}

static int64_t all_outputs(const struct osp_call *call, const conv2d_tiling &tile)
{
    return (call->out[0].shape.dim[1] + tile.n - 1) / tile.n * tile.n * parts_of(call);
}

static double tile_cycles(const struct osp_device *device, const struct osp_call *call, const conv2d_tiling &tile)
{
    return conv2d_cycles(tile, cuda_limits_of(device)->multiprocessors, call->in[OSP_LINEAR_X].shape.dim[0],
                         all_outputs(call, tile), linear_columns(call) / parts_of(call));
}

static int pick(const struct osp_device *device, const struct osp_call *call)
{
    int best = 0;
    for (int i = 1; i < 3; i++)
        if (tile_cycles(device, call, tiles[i]) < tile_cycles(device, call, tiles[best]))
            best = i;
    return best;
}

static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    return parts_of(call) ? nullptr : "it cuts the sum into parts of four inputs, and their number is not a multiple of 8";
}

/* No time, but a rule: always where an image has few rows and long sums, and nowhere else. A time would depend on the GPU. */
static double cost(const struct osp_device *, const struct osp_call *call)
{
    return rows_of(call) <= 64 && linear_columns(call) >= 1024 ? 0 : HUGE_VAL;
}

static size_t scratch(const struct osp_device *, const struct osp_call *call)
{
    return sizeof(float) * (size_t)parts_of(call) * (size_t)osp_shape_count(&call->out[0].shape);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static const decltype(launch_linear_split_large) *const launches[] = {&launch_linear_split_large, &launch_linear_split_middle,
                                                                          &launch_linear_split_small};
    const int i = pick(device, call);
    const conv2d_call it = linear_of(call, state);
    const conv2d_tiling &tile = tiles[i];
    conv2d_shape part = it.shape;
    float *parts = (float *)call->scratch;
    part.w = parts_of(call);
    part.c /= part.w;
    part.wide_out = part.k % 4 == 0;
    part.activation = OSP_LINEAR;
    dim3 grid(cuda_blocks(part.pixels, tile.m), cuda_blocks(part.k, tile.n), (unsigned)part.w);
    osp_status status = (*launches[i])(device, grid, launches[i]->kernel.threads, 0, it.x, it.w, it.counts, parts, part);
    part.activation = it.shape.activation;
    return status ? status
                  : launch_linear_split_sum(device, cuda_blocks(part.pixels * part.k, SUM), SUM, 0, parts, it.bias, it.counts,
                                            it.out, part);
}

extern "C" const struct osp_kernel cuda_linear_split = {.name = "split",
                                                        .refuses = refuses,
                                                        .cost = cost,
                                                        .prepare = cuda_filter_prepare,
                                                        .release = cuda_filter_release,
                                                        .scratch = scratch,
                                                        .run = run};
#endif
