/* avgpool / naive
 *
 * CHANGE  the definition: one thread for each image and channel adds up each row, and then the rows' sums
 * FASTER  neighbouring threads take neighbouring channels, so each step of a warp is one request of whole sectors
 * LIMIT   one addition waits for the one before, H*W of them, and N*C threads do not fill a large machine
 * NEEDS   any shape
 */
#include "kernels/device.h"

constexpr int BLOCK = 64;

CUDA_KERNEL(avgpool_naive, BLOCK, const float *x, /* (N,H,W,C) */
            float *y,                             /* (N,1,1,C) */
            int64_t count, int h, int w, int c)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    const float *from = x + i / c * h * w * c + i % c;
    float sum = 0;
    for (int row = 0; row < h; row++) {
        float part = 0;
        for (int column = 0; column < w; column++, from += c)
            part += *from;
        sum += part;
    }
    y[i] = sum / (float)((int64_t)h * w);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->in[0].shape.dim;
    int64_t count = dim[0] * dim[3];
    return launch_avgpool_naive(device, cuda_blocks(count, BLOCK), BLOCK, 0, (const float *)call->in[0].data,
                                (float *)call->out[0].data, count, (int)dim[1], (int)dim[2], (int)dim[3]);
}

extern "C" const struct osp_kernel cuda_avgpool_naive = {.name = "naive", .run = run};
#endif
