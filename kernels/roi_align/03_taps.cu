/* roi_align / taps
 *
 * CHANGE  a block takes a proposal: one warp finds its map, and the rows, columns and weights of all its samples, and leaves them in
 *         shared memory; then the block's warps take the bins
 * FASTER  bin coordinates are computed once for a proposal, where they were for each of its bins
 * LIMIT   loads from the cache: sixteen taps for each value, and neighbouring samples fetch the same ones again
 * NEEDS   as many samples along a side as fit in shared memory
 */
#include "kernels/roi_align/lanes.h"

/* V: float, or float4 where C % 4 == 0; c: C in units of V. */
template <class V> CUDA_DEVICE void align_proposal(const struct roi_operands &o, struct roi_tap *y, int c)
{
    struct roi roi = roi_find(o, blockIdx.x, y);
    int size = o.attrs.size, ratio = o.attrs.sampling_ratio;
    V *out = (V *)o.out + (int64_t)blockIdx.x * size * size * c;
    int64_t row = (int64_t)roi.x.length * c;
    for (int bin = threadIdx.x / 32; bin < size * size; bin += ROI_WARPS)
        for (int k = threadIdx.x % 32; k < c; k += 32) {
            const struct roi_tap *ys = y + bin / size * ratio, *xs = y + size * ratio + bin % size * ratio;
            V sum = {};
            for (int iy = 0; iy < ratio; iy++)
                for (int ix = 0; ix < ratio; ix++)
                    roi_take(sum, (const V *)roi.map + k, row, c, ys[iy], xs[ix]);
            out[(int64_t)bin * c + k] = roi_mean(sum, (float)(ratio * ratio));
        }
}

CUDA_KERNEL(roi_align_taps, ROI_BLOCK, struct roi_operands o)
{
    CUDA_DYNAMIC_SHARED(struct roi_tap, taps);
    align_proposal<float>(o, taps, o.c);
}

/* Left to itself ptxas spills a register to fit a fifth block. */
CUDA_KERNEL_BLOCKS(roi_align_taps_by_four, ROI_BLOCK, 4, struct roi_operands o)
{
    CUDA_DYNAMIC_SHARED(struct roi_tap, taps);
    align_proposal<float4>(o, taps, o.c / 4);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call) { return roi_refuses(call); }

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct roi_operands o = roi_operands_of(call);
    const auto &launch = o.c % 4 == 0 ? launch_roi_align_taps_by_four : launch_roi_align_taps;
    return launch(device, (unsigned)o.rows, ROI_BLOCK, roi_shared(call), o);
}

extern "C" const struct osp_kernel cuda_roi_align_taps = {.name = "taps", .refuses = refuses, .run = run};
#endif
