/* maxpool / naive
 *
 * CHANGE  the definition: one thread for each output value, neighbouring threads on neighbouring channels
 * FASTER  a tap of a warp is one request of whole sectors; taps that overlap with a neighbour's come from the cache
 * LIMIT   memory; each thread also works out its place by three divisions of 64 bits
 * NEEDS   any shape
 */
#include "kernels/maxpool/maxpool.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(maxpool_naive, BLOCK, const float *x, /* (N,H,W,C) */
            float *y,                             /* (N,P,Q,C) */
            int64_t count, struct maxpool_shape s)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    int c = (int)(i % s.c);
    int64_t pixel = i / s.c;
    int q = (int)(pixel % s.q), p = (int)(pixel / s.q % s.p);
    const float *image = x + pixel / s.q / s.p * s.h * s.w * s.c + c;
    int y0 = p * s.filter.stride - s.filter.pad, x0 = q * s.filter.stride - s.filter.pad;
    float best = -INFINITY;
    for (int row = y0 < 0 ? 0 : y0; row < y0 + s.filter.r && row < s.h; row++)
        for (int column = x0 < 0 ? 0 : x0; column < x0 + s.filter.s && column < s.w; column++)
            maxpool_take(best, image[((int64_t)row * s.w + column) * s.c]);
    y[i] = best;
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    int64_t count = osp_shape_count(&call->out[0].shape);
    return launch_maxpool_naive(device, cuda_blocks(count, BLOCK), BLOCK, 0, (const float *)call->in[0].data,
                                (float *)call->out[0].data, count, maxpool_of(call));
}

extern "C" const struct osp_kernel cuda_maxpool_naive = {.name = "naive", .run = run};
#endif
