/* box_decode / warp
 *
 * CHANGE  one warp for each row, a class a lane; a vote tells each candidate its slot
 * FASTER  probabilities are read in whole sectors, and the candidates of a row are decoded side by side
 * LIMIT   the writes of empty slots: most of what the op moves
 * NEEDS   any shape
 */
#include "kernels/box_decode/box_decode.h"

constexpr int WARPS = 4, BLOCK = 32 * WARPS;
constexpr unsigned ALL = 0xffffffffu;

CUDA_KERNEL(box_decode_warp, BLOCK, struct box_decode_operands o)
{
    int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= o.rows)
        return; /* the whole warp */
    int used = 0, dropped = 0, slots = o.attrs.slots;
    int64_t first = row * slots;
    bool valid = box_decode_valid(o, row);
    for (int k0 = 1; valid && k0 < o.c; k0 += 32) {
        int k = k0 + lane;
        float probability = k < o.c ? o.probabilities[row * o.c + k] : 0.0f;
        struct decode_box box = {{0, 0, 0, 0}};
        enum decode_verdict verdict = DECODE_SMALL;
        if (k < o.c && !decode_finite(probability))
            verdict = DECODE_NONFINITE;
        else if (k < o.c && probability > o.attrs.score_threshold)
            verdict = box_decode_class(o, row, k, box);
        unsigned kept = __ballot_sync(ALL, verdict == DECODE_KEPT);
        dropped += __popc(__ballot_sync(ALL, verdict == DECODE_NONFINITE));
        int slot = used + __popc(kept & ((1u << lane) - 1));
        if (verdict == DECODE_KEPT && slot < slots)
            decode_put(o.out, first + slot, box, probability, k);
        used += __popc(kept);
    }
    for (int slot = (used < slots ? used : slots) + lane; slot < slots; slot += 32)
        decode_put_nothing(o.out, first + slot);
    if (lane == 0 && dropped)
        atomicAdd(&o.out.nonfinite[row / o.t], dropped);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct box_decode_operands o;
    osp_status status = box_decode_operands_of(device, call, &o);
    return status == OSP_OK ? launch_box_decode_warp(device, cuda_blocks(o.rows, WARPS), BLOCK, 0, o) : status;
}

extern "C" const struct osp_kernel cuda_box_decode_warp = {.name = "warp", .run = run};
#endif
