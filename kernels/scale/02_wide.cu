/* scale / wide
 *
 * CHANGE  a thread takes four neighbouring channels as one float4, where C is a multiple of four; an image is a row of the grid
 * FASTER  one division of 32 bits serves four values, where each made two of 64, subroutines of a hundred instructions; a
 *         request of a warp is 512 bytes in a row
 * LIMIT   memory
 * NEEDS   C a multiple of four; at most 65535 images, each of less than 2^33 values
 */
#include "kernels/device.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(scale_wide, BLOCK, const float4 *x, /* (N,H*W,C/4) */
            const float4 *factor,               /* (N,C/4) */
            float4 *y,                          /* (N,H*W,C/4) */
            unsigned image, unsigned c)
{
    unsigned i = blockIdx.x * BLOCK + threadIdx.x;
    if (i >= image)
        return;
    int64_t n = blockIdx.y, at = n * image + i;
    float4 value = x[at], by = factor[n * c + i % c];
    y[at] = make_float4(value.x * by.x, value.y * by.y, value.z * by.z, value.w * by.w);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_SCALE_X].shape.dim;
    return dim[3] % 4 ? "it takes four channels at a time" : cuda_grid_refuses(dim[1] * dim[2] * dim[3] / 4, dim[0], 1);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    int64_t image = dim[1] * dim[2] * dim[3] / 4;
    return launch_scale_wide(device, {cuda_blocks(image, BLOCK), (unsigned)dim[0]}, BLOCK, 0,
                             (const float4 *)call->in[OSP_SCALE_X].data, (const float4 *)call->in[OSP_SCALE_FACTOR].data,
                             (float4 *)call->out[0].data, (unsigned)image, (unsigned)dim[3] / 4);
}

extern "C" const struct osp_kernel cuda_scale_wide = {.name = "wide", .refuses = refuses, .run = run};
#endif
