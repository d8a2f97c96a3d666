/* conv2d / winograd
 *
 * CHANGE  a 3x3 filter makes 4x4 outputs at a time from 36 products of transformed values (winograd.h): a strip of such squares is
 *         transformed, multiplied point by point as 36 matrix products by the warp tile, and transformed back
 * FASTER  36 multiply-adds do the work of 144; the transforms are sums, and are shared by all outputs and by all channels
 * LIMIT   the transformed values are written and read once each: with few channels memory, with many the multiply-adds again
 * NEEDS   a 3x3 filter with stride 1. Its sums are others than the direct rungs': relative error 5e-6 or less for a layer
 */
#include "kernels/conv2d/winograd.h"

constexpr int BLOCK = 128; /* threads of a transform: neighbours take neighbouring channels */

typedef conv2d_warp_tile<2, 2, 8, 16, 2> large; /* 128 squares x 128 outputs, 128 threads, two blocks a multiprocessor */
typedef conv2d_warp_tile<2, 2, 4, 8, 4> middle; /* 64 x 64, 128 */
typedef conv2d_warp_tile<1, 2, 4, 4, 8> small;  /* 32 x 32, 64 */

CUDA_KERNEL(conv2d_winograd_input, BLOCK, const float *x, /* (N,H,W,C) */
            const int32_t *counts,                        /* NULL: every image counts */
            float *values,                                /* [36][strip.count][strip.channels] */
            conv2d_shape shape, winograd_strip strip)
{
    const int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, pitch = (int64_t)strip.count * strip.channels;
    if (i >= pitch)
        return;
    const conv2d_pixel place = winograd_place(strip, (int)(i / strip.channels));
    if (conv2d_counts(shape, counts, place.n))
        winograd_input(shape, place, x, (int)(i % strip.channels), values + i, pitch);
}

/* Point blockIdx.z: a square is a pixel of an image of squares. The pointers are those of square 0, which a strip may lack. */
#define PRODUCTS(tile)                                                                                                           \
    CUDA_KERNEL_BLOCKS(conv2d_winograd_##tile, tile::THREADS, tile::BLOCKS, const float *values, /* [36][strip.count][C] */      \
                       const float *w,                                                           /* [36][C][pitch] */            \
                       const int32_t *counts,                                                    /* NULL: every image counts */  \
                       float *sums,                                                              /* [36][strip.count][pitch] */  \
                       conv2d_shape shape, winograd_strip strip)                                                                 \
    {                                                                                                                            \
        const int64_t point = blockIdx.z;                                                                                        \
        conv2d_warp<tile>(values + (point * strip.count - strip.first) * strip.channels,                                         \
                          w + point * strip.channels * shape.pitch, nullptr, nullptr, counts,                                    \
                          sums + (point * strip.count - strip.first) * shape.pitch, shape, strip.first);                         \
    }
PRODUCTS(large)
PRODUCTS(middle)
PRODUCTS(small)

CUDA_KERNEL(conv2d_winograd_output, BLOCK, const float *sums, /* [36][strip.count][pitch] */
            const float *bias,                                /* (K) or NULL */
            const float *residual,                            /* (N,P,Q,K) or NULL */
            const int32_t *counts,                            /* NULL: every image counts */
            float *out,                                       /* (N,P,Q,K) */
            conv2d_shape shape, winograd_strip strip)
{
    /* Finished in a loop, out of memory of the thread's own: registers have no index, and 16 copies are 8000 instructions. */
    CUDA_SHARED(float, pixels, [WINOGRAD_STEP * WINOGRAD_STEP][BLOCK]);
    const int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= (int64_t)strip.count * shape.k)
        return;
    const int square = (int)(i / shape.k), k = (int)(i % shape.k);
    const conv2d_pixel place = winograd_place(strip, square);
    const bool live = conv2d_counts(shape, counts, place.n);
    if (live)
        winograd_output(sums + (int64_t)square * shape.pitch + k, (int64_t)strip.count * shape.pitch, &pixels[0][threadIdx.x],
                        BLOCK);
#pragma unroll 1
    for (int p = 0; p < WINOGRAD_STEP * WINOGRAD_STEP; p++) {
        const int y = place.y + p / WINOGRAD_STEP, x = place.x + p % WINOGRAD_STEP;
        if (y >= shape.p || x >= shape.q)
            continue;
        const int64_t at = ((place.n * shape.p + y) * shape.q + x) * shape.k + k;
        out[at] = live ? conv2d_finish(shape, pixels[p][threadIdx.x], bias, k, residual, at) : 0.0f;
    }
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    return a->r == 3 && a->s == 3 && a->stride == 1 ? nullptr : "it does 3x3 filters with stride 1 only";
}

static size_t scratch(const struct osp_device *, const struct osp_call *call)
{
    const winograd_split split(call);
    return sizeof(float) * (split.values() + split.sums());
}

static osp_status multiply(struct osp_device *device, const conv2d_call &it, const float *values, float *sums,
                           const conv2d_shape &shape, const winograd_strip &strip)
{
    static const conv2d_tiling tiles[] = {conv2d_tiling_of<large>(), conv2d_tiling_of<middle>(), conv2d_tiling_of<small>()};
    static const decltype(launch_conv2d_winograd_large) *const launches[] = {
        &launch_conv2d_winograd_large, &launch_conv2d_winograd_middle, &launch_conv2d_winograd_small};
    const int i = winograd_pick(tiles, cuda_limits_of(device)->multiprocessors, strip, shape);
    dim3 grid(cuda_blocks(strip.count, tiles[i].m), cuda_blocks(shape.k, tiles[i].n), CUDA_WINOGRAD_POINTS);
    return (*launches[i])(device, grid, launches[i]->kernel.threads, 0, values, it.w, it.counts, sums, shape, strip);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const conv2d_call it = conv2d_of(call, state);
    const winograd_split split(call);
    float *values = (float *)call->scratch, *sums = values + split.values();
    osp_status status = OSP_OK;
    for (int64_t first = 0; !status && first < split.squares; first += split.each) {
        const winograd_strip strip = split.strip(first);
        const conv2d_shape shape = winograd_products(it.shape, strip);
        status = launch_conv2d_winograd_input(device, cuda_blocks((int64_t)strip.count * strip.channels, BLOCK), BLOCK, 0, it.x,
                                              it.counts, values, it.shape, strip);
        if (!status)
            status = multiply(device, it, values, sums, shape, strip);
        if (!status)
            status = launch_conv2d_winograd_output(device, cuda_blocks((int64_t)strip.count * it.shape.k, BLOCK), BLOCK, 0, sums,
                                                   it.bias, it.residual, it.counts, it.out, it.shape, strip);
    }
    return status;
}

extern "C" const struct osp_kernel cuda_conv2d_winograd = {.name = "winograd",
                                                           .refuses = refuses,
                                                           .cost = conv2d_winograd_seconds,
                                                           .prepare = cuda_winograd_prepare,
                                                           .release = cuda_filter_release,
                                                           .packed = cuda_winograd_packed,
                                                           .scratch = scratch,
                                                           .run = run};
#endif
