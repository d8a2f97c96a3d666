/* maxpool / wide
 *
 * CHANGE  a thread takes four neighbouring channels as one float4, where C is a multiple of four
 * FASTER  the divisions by which a thread finds its place, the loop and the addresses serve four outputs; a tap of a warp is 512 bytes
 *         in a row
 * LIMIT   memory; a 3x3 window at stride 2 loads each value two or three times, from the cache after the first
 * NEEDS   any shape; one channel a thread where C is no multiple of four
 */
#include "kernels/maxpool/maxpool.h"

constexpr int BLOCK = 256;

CUDA_DEVICE void maxpool_take(float4 &best, float4 value)
{
    maxpool_take(best.x, value.x), maxpool_take(best.y, value.y), maxpool_take(best.z, value.z), maxpool_take(best.w, value.w);
}

/* Output i of `count`, which are V: a float, or four channels. `c` is how many V make a pixel. */
template <class V> CUDA_DEVICE void maxpool_wide(const V *x, V *y, V best, int64_t count, int c, const maxpool_shape &s)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    int64_t pixel = i / c, row = pixel / s.q;
    int y0 = (int)(row % s.p) * s.filter.stride - s.filter.pad, x0 = (int)(pixel % s.q) * s.filter.stride - s.filter.pad;
    const V *image = x + row / s.p * s.h * s.w * c + i % c;
    for (int r = max(0, y0); r < min(s.h, y0 + s.filter.r); r++)
        for (int column = max(0, x0); column < min(s.w, x0 + s.filter.s); column++)
            maxpool_take(best, image[((int64_t)r * s.w + column) * c]);
    y[i] = best;
}

CUDA_KERNEL(maxpool_wide_4, BLOCK, const float4 *x, /* (N,H,W,C/4) */
            float4 *y,                              /* (N,P,Q,C/4) */
            int64_t count, struct maxpool_shape s)
{
    maxpool_wide(x, y, make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY), count, s.c / 4, s);
}

CUDA_KERNEL(maxpool_wide_1, BLOCK, const float *x, /* (N,H,W,C) */
            float *y,                              /* (N,P,Q,C) */
            int64_t count, struct maxpool_shape s)
{
    maxpool_wide(x, y, -INFINITY, count, s.c, s);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const struct maxpool_shape s = maxpool_of(call);
    int64_t count = osp_shape_count(&call->out[0].shape);
    const void *x = call->in[0].data;
    void *y = call->out[0].data;
    if (s.c % 4 == 0 && (uintptr_t)x % sizeof(float4) == 0 && (uintptr_t)y % sizeof(float4) == 0)
        return launch_maxpool_wide_4(device, cuda_blocks(count / 4, BLOCK), BLOCK, 0, (const float4 *)x, (float4 *)y, count / 4, s);
    return launch_maxpool_wide_1(device, cuda_blocks(count, BLOCK), BLOCK, 0, (const float *)x, (float *)y, count, s);
}

extern "C" const struct osp_kernel cuda_maxpool_wide = {.name = "wide", .run = run};
#endif
