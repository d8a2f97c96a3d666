/* box_decode / naive
 *
 * CHANGE  the definition: one thread for each row goes through its classes in order
 * FASTER  rows are independent; a class that cannot pass is not decoded
 * LIMIT   neighbouring threads read C floats apart, and write a box in four stores of its floats; a warp waits for the row with
 *         the most candidates
 * NEEDS   any shape
 */
#include "kernels/box_decode/box_decode.h"

constexpr int BLOCK = 64;

CUDA_KERNEL(box_decode_naive, BLOCK, struct box_decode_operands o)
{
    int64_t row = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (row >= o.rows)
        return;
    int used = 0, dropped = 0;
    int64_t first = row * o.attrs.slots, n = row / o.t;
    for (int k = 1; box_decode_valid(o, n, (int)(row % o.t)) && k < o.c; k++) {
        float probability = o.probabilities[row * o.c + k];
        if (!decode_finite(probability)) {
            dropped++;
            continue;
        }
        if (!(probability > o.attrs.score_threshold))
            continue;
        struct decode_box box;
        enum decode_verdict verdict = box_decode_class(o, n, o.proposals + row * 4, o.deltas + (row * o.c + k) * 4, box);
        dropped += verdict == DECODE_NONFINITE;
        if (verdict == DECODE_KEPT && used < o.attrs.slots)
            decode_put(o.out, first + used++, box, probability, k);
    }
    for (; used < o.attrs.slots; used++)
        decode_put_nothing(o.out, first + used);
    if (dropped)
        atomicAdd(&o.out.nonfinite[n], dropped);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct box_decode_operands o;
    osp_status status = box_decode_operands_of(device, call, &o);
    return status == OSP_OK ? launch_box_decode_naive(device, cuda_blocks(o.rows, BLOCK), BLOCK, 0, o) : status;
}

extern "C" const struct osp_kernel cuda_box_decode_naive = {.name = "naive", .run = run};
#endif
