/* avgpool / naive
 *
 * CHANGE  the definition: one thread for each image and channel adds up its positions in order
 * FASTER  neighbouring threads take neighbouring channels, so each step of a warp is one request of whole sectors; eight steps
 * are loaded before the first is added, so that eight requests are under way at a time LIMIT   the order of the sum: one addition
 * waits for the one before, and N*C threads do not fill a large machine NEEDS   any shape
 */
#include "kernels/device.h"

constexpr int BLOCK = 64, AHEAD = 8;

CUDA_KERNEL(avgpool_naive, BLOCK, const float *x, /* (N,H,W,C) */
            float *y,                             /* (N,1,1,C) */
            int64_t count, int64_t positions, int c)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    const float *from = x + i / c * positions * c + i % c;
    float sum = 0, next[AHEAD];
    int64_t at = 0;
    for (; at + AHEAD <= positions; at += AHEAD) {
#pragma unroll
        for (int k = 0; k < AHEAD; k++)
            next[k] = from[(at + k) * c];
#pragma unroll
        for (int k = 0; k < AHEAD; k++)
            sum += next[k];
    }
    for (; at < positions; at++)
        sum += from[at * c];
    y[i] = sum / (float)positions;
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->in[0].shape.dim;
    int64_t count = dim[0] * dim[3];
    return launch_avgpool_naive(device, cuda_blocks(count, BLOCK), BLOCK, 0, (const float *)call->in[0].data,
                                (float *)call->out[0].data, count, dim[1] * dim[2], (int)dim[3]);
}

extern "C" const struct osp_kernel cuda_avgpool_naive = {.name = "naive", .run = run};
#endif
