/* upsample_add / naive
 *
 * CHANGE  the definition: one thread for each output value, neighbouring threads on neighbouring channels
 * FASTER  both reads and the write of a warp are whole sectors; a value of the upper level is read once from memory and again from
 *         the cache by the pixels that share it
 * LIMIT   memory: two reads and a write for one addition; each thread also works out its place by divisions
 * NEEDS   any shape
 */
#include "kernels/device.h"

constexpr int BLOCK = 256;

struct upsample_shape {
    int h, w, c, top_h, top_w;
    float scale_h, scale_w; /* top over lateral, in f32 as torch has it */
};

CUDA_KERNEL(upsample_add_naive, BLOCK, const float *lateral, /* (N,H,W,C) */
            const float *top,                                /* (N,h,w,C) */
            float *y,                                        /* (N,H,W,C) */
            int64_t count, struct upsample_shape s)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    int c = (int)(i % s.c);
    int64_t pixel = i / s.c;
    int column = (int)(pixel % s.w), row = (int)(pixel / s.w % s.h);
    int64_t image = pixel / s.w / s.h;
    int from_row = (int)((float)row * s.scale_h), from_column = (int)((float)column * s.scale_w);
    from_row = from_row < s.top_h - 1 ? from_row : s.top_h - 1;
    from_column = from_column < s.top_w - 1 ? from_column : s.top_w - 1;
    y[i] = lateral[i] + top[((image * s.top_h + from_row) * s.top_w + from_column) * s.c + c];
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim, *top = call->in[OSP_UPSAMPLE_ADD_TOP].shape.dim;
    struct upsample_shape s = {(int)dim[1],
                               (int)dim[2],
                               (int)dim[3],
                               (int)top[1],
                               (int)top[2],
                               (float)top[1] / (float)dim[1],
                               (float)top[2] / (float)dim[2]};
    int64_t count = osp_shape_count(&call->out[0].shape);
    return launch_upsample_add_naive(device, cuda_blocks(count, BLOCK), BLOCK, 0,
                                     (const float *)call->in[OSP_UPSAMPLE_ADD_LATERAL].data,
                                     (const float *)call->in[OSP_UPSAMPLE_ADD_TOP].data, (float *)call->out[0].data, count, s);
}

extern "C" const struct osp_kernel cuda_upsample_add_naive = {.name = "naive", .run = run};
#endif
