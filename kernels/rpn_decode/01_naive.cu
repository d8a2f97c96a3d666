/* rpn_decode / naive
 *
 * CHANGE  the definition: one thread for each chosen logit
 * FASTER  rows are independent, and there are thousands
 * LIMIT   a box is written as four floats, first as nothing and then as itself: eight stores, each of which touches every sector
 *         of a warp's boxes; and its four deltas are four loads
 * NEEDS   any shape
 */
#include "kernels/rpn_decode/rpn_decode.h"

constexpr int BLOCK = 128;

CUDA_KERNEL(rpn_decode_naive, BLOCK, struct rpn_decode_operands o)
{
    int64_t row = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (row >= o.n * o.t)
        return;
    int64_t n = row / o.t;
    int level = rpn_decode_level(o, (int)(row % o.t)), at = o.index[row];
    const float *deltas = rpn_decode_deltas(o, n, level, at);
    float score = osp_sigmoidf(o.logits[row]);
    decode_put_nothing(o.out, row);
    if (!decode_finite(score)) {
        atomicAdd(&o.out.nonfinite[n], 1);
        return;
    }
    if (score < o.attrs.score_threshold || !deltas)
        return;
    struct decode_box box;
    enum decode_verdict verdict = rpn_decode_box(o, n, level, at, deltas, box);
    if (verdict == DECODE_KEPT)
        decode_put(o.out, row, box, score, level);
    if (verdict == DECODE_NONFINITE)
        atomicAdd(&o.out.nonfinite[n], 1);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct rpn_decode_operands o;
    osp_status status = rpn_decode_operands_of(device, call, &o);
    return status == OSP_OK ? launch_rpn_decode_naive(device, cuda_blocks(o.n * o.t, BLOCK), BLOCK, 0, o) : status;
}

extern "C" const struct osp_kernel cuda_rpn_decode_naive = {.name = "naive", .run = run};
#endif
