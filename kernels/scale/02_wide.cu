/* scale / wide
 *
 * CHANGE  a thread takes four neighbouring channels as one float4, where C is a multiple of four; an image is a row of the grid
 * FASTER  the division by C serves four values, and the image needs none; a request of a warp is 512 bytes in a row
 * LIMIT   memory
 * NEEDS   C a multiple of four, and at most 65535 images
 */
#include "kernels/device.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(scale_wide, BLOCK, const float4 *x, /* (N,H*W,C/4) */
            const float4 *factor,               /* (N,C/4) */
            float4 *y,                          /* (N,H*W,C/4) */
            int64_t image, int c)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x, n = blockIdx.y;
    if (i >= image)
        return;
    float4 value = x[n * image + i], by = factor[n * c + i % c];
    y[n * image + i] = make_float4(value.x * by.x, value.y * by.y, value.z * by.z, value.w * by.w);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_SCALE_X].shape.dim;
    return dim[3] % 4 ? "it takes four channels at a time" : dim[0] > 65535 ? "a grid has at most 65535 images" : nullptr;
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    int64_t image = dim[1] * dim[2] * dim[3] / 4;
    return launch_scale_wide(device, {cuda_blocks(image, BLOCK), (unsigned)dim[0]}, BLOCK, 0,
                             (const float4 *)call->in[OSP_SCALE_X].data, (const float4 *)call->in[OSP_SCALE_FACTOR].data,
                             (float4 *)call->out[0].data, image, (int)dim[3] / 4);
}

extern "C" const struct osp_kernel cuda_scale_wide = {.name = "wide", .refuses = refuses, .run = run};
#endif
