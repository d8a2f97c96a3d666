/* upsample_add / wide
 *
 * CHANGE  a thread takes four neighbouring channels as one float4
 * FASTER  the divisions by which a thread finds its place serve four values; a request of a warp is 512 bytes in a row
 * LIMIT   memory: two reads and a write for one addition
 * NEEDS   C a multiple of four
 */
#include "kernels/upsample_add/upsample_add.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(upsample_add_wide, BLOCK, const float4 *lateral, /* (N,H,W,C/4) */
            const float4 *top,                               /* (N,h,w,C/4) */
            float4 *y,                                       /* (N,H,W,C/4) */
            int64_t count, struct upsample_shape s)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    int c = s.c / 4;
    if (i >= count)
        return;
    float4 a = lateral[i], b = top[upsample_from(s, i / c) * c + i % c];
    y[i] = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    return call->in[OSP_UPSAMPLE_ADD_LATERAL].shape.dim[3] % 4 ? "it takes four channels at a time" : nullptr;
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    int64_t count = osp_shape_count(&call->out[0].shape) / 4;
    return launch_upsample_add_wide(
        device, cuda_blocks(count, BLOCK), BLOCK, 0, (const float4 *)call->in[OSP_UPSAMPLE_ADD_LATERAL].data,
        (const float4 *)call->in[OSP_UPSAMPLE_ADD_TOP].data, (float4 *)call->out[0].data, count, upsample_of(call));
}

extern "C" const struct osp_kernel cuda_upsample_add_wide = {.name = "wide", .refuses = refuses, .run = run};
#endif
