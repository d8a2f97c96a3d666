/* upsample_add / naive
 *
 * CHANGE  the definition: one thread for each output value, neighbouring threads on neighbouring channels
 * FASTER  both reads and the write of a warp are whole sectors; a value of the upper level is read once from memory and again
 *         from the cache by the pixels that share it
 * LIMIT   memory: two reads and a write for one addition; each thread also works out its place by divisions of 64 bits
 * NEEDS   any shape
 */
#include "kernels/upsample_add/upsample_add.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(upsample_add_naive, BLOCK, const float *lateral, /* (N,H,W,C) */
            const float *top,                                /* (N,h,w,C) */
            float *y,                                        /* (N,H,W,C) */
            int64_t count, struct upsample_shape s)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    int64_t pixel = i / s.c, row = pixel / s.w, image = row / s.h;
    int from_row = upsample_from((int)(row % s.h), s.scale_h, s.top_h),
        from = upsample_from((int)(pixel % s.w), s.scale_w, s.top_w);
    y[i] = lateral[i] + top[((image * s.top_h + from_row) * s.top_w + from) * s.c + i % s.c];
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    int64_t count = osp_shape_count(&call->out[0].shape);
    return launch_upsample_add_naive(
        device, cuda_blocks(count, BLOCK), BLOCK, 0, (const float *)call->in[OSP_UPSAMPLE_ADD_LATERAL].data,
        (const float *)call->in[OSP_UPSAMPLE_ADD_TOP].data, (float *)call->out[0].data, count, upsample_of(call));
}

extern "C" const struct osp_kernel cuda_upsample_add_naive = {.name = "naive", .run = run};
#endif
