/* box_decode / warp
 *
 * CHANGE  one warp for each row, a class a lane; a vote tells each candidate its slot. A box and its deltas are each one float4
 * FASTER  probabilities are read, and boxes written, in whole sectors, and the candidates of a row are decoded side by side
 * LIMIT   the writes of empty slots: most of what the op moves
 * NEEDS   at most 65535 images
 */
#include "kernels/box_decode/box_decode.h"

constexpr int WARPS = 4, BLOCK = 32 * WARPS, SECTOR = 8; /* floats */
constexpr unsigned ALL = 0xffffffffu;

CUDA_KERNEL(box_decode_warp, BLOCK, struct box_decode_operands o)
{
    int i = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (i >= o.t)
        return; /* the whole warp */
    int used = 0, dropped = 0, slots = o.attrs.slots;
    int64_t n = blockIdx.y, row = n * o.t + i, first = row * slots;
    const float *probabilities = o.probabilities + row * o.c;
    bool valid = box_decode_valid(o, n, i);
    struct decode_four proposal = valid ? decode_load(o.proposals + row * 4) : decode_four{};
    /* Lane 0 begins at a sector's first float, at or before class 1. */
    for (int k0 = 1 - (int)((row * o.c + 1) % SECTOR); valid && k0 < o.c; k0 += 32) {
        int k = k0 + lane;
        bool there = k >= 1 && k < o.c;
        float probability = there ? probabilities[k] : 0.0f;
        struct decode_box box = {{0, 0, 0, 0}};
        enum decode_verdict verdict = DECODE_SMALL;
        if (!decode_finite(probability))
            verdict = DECODE_NONFINITE;
        else if (there && probability > o.attrs.score_threshold)
            verdict = box_decode_class(o, n, proposal.of, decode_load(o.deltas + (row * o.c + k) * 4).of, box);
        unsigned kept = __ballot_sync(ALL, verdict == DECODE_KEPT);
        dropped += __popc(__ballot_sync(ALL, verdict == DECODE_NONFINITE));
        int slot = used + __popc(kept & ((1u << lane) - 1));
        if (verdict == DECODE_KEPT && slot < slots)
            decode_put_wide(o.out, first + slot, box, probability, k);
        used += __popc(kept);
    }
    for (int slot = (used < slots ? used : slots) + lane; slot < slots; slot += 32)
        decode_put_wide(o.out, first + slot, {{0, 0, 0, 0}}, 0, -1);
    if (lane == 0 && dropped)
        atomicAdd(&o.out.nonfinite[n], dropped);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_BOX_DECODE_PROPOSALS].shape.dim;
    return cuda_grid_refuses(dim[1], dim[0], 1);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct box_decode_operands o;
    osp_status status = box_decode_operands_of(device, call, &o);
    unsigned images = (unsigned)call->in[OSP_BOX_DECODE_PROPOSALS].shape.dim[0];
    return status == OSP_OK ? launch_box_decode_warp(device, {cuda_blocks(o.t, WARPS), images}, BLOCK, 0, o) : status;
}

extern "C" const struct osp_kernel cuda_box_decode_warp = {.name = "warp", .refuses = refuses, .run = run};
#endif
