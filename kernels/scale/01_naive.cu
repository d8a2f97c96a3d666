/* scale / naive
 *
 * CHANGE  the definition: one thread for each element
 * FASTER  neighbouring threads take neighbouring channels, so a warp's requests are whole sectors
 * LIMIT   memory: one multiplication for eight bytes moved; two divisions a thread besides
 * NEEDS   any shape
 */
#include "kernels/device.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(scale_naive, BLOCK,
            const float *x,      /* (N,H,W,C) */
            const float *factor, /* (N,1,1,C) */
            float *y,            /* (N,H,W,C) */
            int64_t count, int64_t image, int c)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i < count)
        y[i] = x[i] * factor[i / image * c + i % c];
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    int64_t image = dim[1] * dim[2] * dim[3], count = dim[0] * image;
    return launch_scale_naive(device, cuda_blocks(count, BLOCK), BLOCK, 0, (const float *)call->in[OSP_SCALE_X].data,
                              (const float *)call->in[OSP_SCALE_FACTOR].data, (float *)call->out[0].data, count, image, (int)dim[3]);
}

extern "C" const struct osp_kernel cuda_scale_naive = {.name = "naive", .run = run};
#endif
