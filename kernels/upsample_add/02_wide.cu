/* upsample_add / wide
 *
 * CHANGE  a thread takes four neighbouring channels as one float4; the grid has rows and images
 * FASTER  one division of 32 bits serves four values, where each made three of 64, subroutines of a hundred instructions; a
 *         request of a warp is 512 bytes in a row
 * LIMIT   memory: two reads and a write for one addition
 * NEEDS   C a multiple of four; at most 65535 rows and images
 */
#include "kernels/upsample_add/upsample_add.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(upsample_add_wide, BLOCK, const float4 *lateral, /* (N,H,W,C/4) */
            const float4 *top,                               /* (N,h,w,C/4) */
            float4 *y,                                       /* (N,H,W,C/4) */
            struct upsample_shape s)
{
    unsigned i = blockIdx.x * BLOCK + threadIdx.x, c = (unsigned)s.c / 4, column = i / c;
    if (column >= (unsigned)s.w)
        return;
    int row = (int)blockIdx.y, from_row = upsample_from(row, s.scale_h, s.top_h);
    int64_t image = blockIdx.z, from = (image * s.top_h + from_row) * s.top_w + upsample_from((int)column, s.scale_w, s.top_w);
    int64_t at = (image * s.h + row) * s.w * c + i;
    float4 a = lateral[at], b = top[from * c + i % c];
    y[at] = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_UPSAMPLE_ADD_LATERAL].shape.dim;
    return dim[3] % 4 ? "it takes four channels at a time" : cuda_grid_refuses(dim[2] * dim[3] / 4, dim[1], dim[0]);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    return launch_upsample_add_wide(device, {cuda_blocks(dim[2] * dim[3] / 4, BLOCK), (unsigned)dim[1], (unsigned)dim[0]}, BLOCK,
                                    0, (const float4 *)call->in[OSP_UPSAMPLE_ADD_LATERAL].data,
                                    (const float4 *)call->in[OSP_UPSAMPLE_ADD_TOP].data, (float4 *)call->out[0].data,
                                    upsample_of(call));
}

extern "C" const struct osp_kernel cuda_upsample_add_wide = {.name = "wide", .refuses = refuses, .run = run};
#endif
