/* maxpool / wide
 *
 * CHANGE  a thread takes four neighbouring channels as one float4, where C is a multiple of four; the grid has rows and images
 * FASTER  one division of 32 bits finds a thread's place, where three of 64 did, and like the loop and the addresses it serves
 *         four outputs; a tap of a warp is 512 bytes in a row
 * LIMIT   memory; a 3x3 window at stride 2 loads each value two or three times, from the cache after the first
 * NEEDS   at most 65535 rows and images; one channel a thread where C is no multiple of four
 */
#include "kernels/maxpool/maxpool.h"

constexpr int BLOCK = 256;

CUDA_DEVICE void maxpool_take(float4 &best, float4 value)
{
    maxpool_take(best.x, value.x), maxpool_take(best.y, value.y), maxpool_take(best.z, value.z), maxpool_take(best.w, value.w);
}

/* An output, of V: a float, or four channels. `c` is how many V make a pixel. */
template <class V> CUDA_DEVICE void maxpool_wide(const V *x, V *y, V best, unsigned c, const maxpool_shape &s)
{
    unsigned i = blockIdx.x * BLOCK + threadIdx.x, q = i / c;
    if (q >= (unsigned)s.q)
        return;
    int y0 = (int)blockIdx.y * s.filter.stride - s.filter.pad, x0 = (int)q * s.filter.stride - s.filter.pad;
    const V *image = x + (int64_t)blockIdx.z * s.h * s.w * c + i % c;
    for (int r = max(0, y0); r < min(s.h, y0 + s.filter.r); r++)
        for (int column = max(0, x0); column < min(s.w, x0 + s.filter.s); column++)
            maxpool_take(best, image[((int64_t)r * s.w + column) * c]);
    y[((int64_t)blockIdx.z * s.p + blockIdx.y) * s.q * c + i] = best;
}

CUDA_KERNEL(maxpool_wide_4, BLOCK, const float4 *x, /* (N,H,W,C/4) */
            float4 *y,                              /* (N,P,Q,C/4) */
            struct maxpool_shape s)
{
    maxpool_wide(x, y, make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY), s.c / 4, s);
}

CUDA_KERNEL(maxpool_wide_1, BLOCK, const float *x, /* (N,H,W,C) */
            float *y,                              /* (N,P,Q,C) */
            struct maxpool_shape s)
{
    maxpool_wide(x, y, -INFINITY, s.c, s);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->out[0].shape.dim;
    return cuda_grid_refuses(dim[2] * dim[3], dim[1], dim[0]);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const struct maxpool_shape s = maxpool_of(call);
    const unsigned rows = (unsigned)s.p, images = (unsigned)call->out[0].shape.dim[0];
    const void *x = call->in[0].data;
    void *y = call->out[0].data;
    if (s.c % 4 == 0 && (uintptr_t)x % sizeof(float4) == 0 && (uintptr_t)y % sizeof(float4) == 0)
        return launch_maxpool_wide_4(device, {cuda_blocks((int64_t)s.q * s.c / 4, BLOCK), rows, images}, BLOCK, 0,
                                     (const float4 *)x, (float4 *)y, s);
    return launch_maxpool_wide_1(device, {cuda_blocks((int64_t)s.q * s.c, BLOCK), rows, images}, BLOCK, 0, (const float *)x,
                                 (float *)y, s);
}

extern "C" const struct osp_kernel cuda_maxpool_wide = {.name = "wide", .refuses = refuses, .run = run};
#endif
