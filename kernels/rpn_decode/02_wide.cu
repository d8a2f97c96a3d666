/* rpn_decode / wide
 *
 * CHANGE  a box is written once, and it and its deltas are each one float4; an image is a row of the grid
 * FASTER  lanes write their boxes side by side: whole sectors, once, where each sector was touched eight times; no division finds
 *         the image
 * LIMIT   its deltas lie anywhere in the map: of a sector of 32 bytes each takes 16. The whole op moves a few hundred KiB, so the
 *         launch is what it costs
 * NEEDS   at most 65535 images
 */
#include "kernels/rpn_decode/rpn_decode.h"

constexpr int BLOCK = 128;

CUDA_KERNEL(rpn_decode_wide, BLOCK, struct rpn_decode_operands o)
{
    int i = blockIdx.x * BLOCK + threadIdx.x;
    if (i >= o.t)
        return;
    int64_t n = blockIdx.y, row = n * o.t + i;
    int level = rpn_decode_level(o, i), at = o.index[row];
    const float *deltas = rpn_decode_deltas(o, n, level, at);
    float score = osp_sigmoidf(o.logits[row]);
    struct decode_box box;
    enum decode_verdict verdict = DECODE_SMALL;
    if (!decode_finite(score))
        verdict = DECODE_NONFINITE;
    else if (deltas && score >= o.attrs.score_threshold)
        verdict = rpn_decode_box(o, n, level, at, decode_load(deltas).of, box);
    if (verdict == DECODE_KEPT)
        decode_put_wide(o.out, row, box, score, level);
    else
        decode_put_wide(o.out, row, {{0, 0, 0, 0}}, 0, -1);
    if (verdict == DECODE_NONFINITE)
        atomicAdd(&o.out.nonfinite[n], 1);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_RPN_DECODE_SCORES].shape.dim;
    return cuda_grid_refuses(dim[1], dim[0], 1);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct rpn_decode_operands o;
    osp_status status = rpn_decode_operands_of(device, call, &o);
    return status == OSP_OK ? launch_rpn_decode_wide(device, {cuda_blocks(o.t, BLOCK), (unsigned)o.n}, BLOCK, 0, o) : status;
}

extern "C" const struct osp_kernel cuda_rpn_decode_wide = {.name = "wide", .refuses = refuses, .run = run};
#endif
