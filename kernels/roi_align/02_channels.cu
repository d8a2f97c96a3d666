/* roi_align / channels
 *
 * CHANGE  a warp takes a bin, and its lanes the channels, four of them a load where they come in fours
 * FASTER  what a bin needs to know (level, place, weights) is worked out for 128 values together, where it was for 32; a tap of a
 *         warp is 512 bytes side by side
 * LIMIT   each of a proposal's bins still finds the level by two logarithms, and the places of its samples
 * NEEDS   fewer than 2^31 bins
 */
#include "kernels/roi_align/lanes.h"

/* V: float, or float4 where C % 4 == 0; c: C in units of V. */
template <class V> CUDA_DEVICE void align_bin(const struct roi_operands &o, unsigned bins, int c)
{
    unsigned bin = blockIdx.x * ROI_WARPS + threadIdx.x / 32, size = (unsigned)o.attrs.size, line = bin / size;
    if (bin >= bins)
        return;
    int ratio = o.attrs.sampling_ratio, q = (int)(bin % size), p = (int)(line % size);
    struct roi roi = roi_of(o, line / size);
    int64_t row = (int64_t)roi.x.length * c;
    for (int k = threadIdx.x % 32; k < c; k += 32) {
        V sum = {};
        for (int iy = 0; iy < ratio; iy++)
            for (int ix = 0; ix < ratio; ix++)
                roi_take(sum, (const V *)roi.map + k, row, c, roi_tap_of(roi.y, p, iy, ratio), roi_tap_of(roi.x, q, ix, ratio));
        ((V *)o.out)[(int64_t)bin * c + k] = roi_mean(sum, (float)(ratio * ratio));
    }
}

CUDA_KERNEL(roi_align_channels, ROI_BLOCK, struct roi_operands o, unsigned bins) { align_bin<float>(o, bins, o.c); }

CUDA_KERNEL(roi_align_channels_by_four, ROI_BLOCK, struct roi_operands o, unsigned bins) { align_bin<float4>(o, bins, o.c / 4); }

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->out[0].shape.dim; /* (N*T,size,size,C) */
    return cuda_grid_refuses(dim[0] * dim[1] * dim[2], 1, 1);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct roi_operands o = roi_operands_of(call);
    unsigned bins = (unsigned)(o.rows * o.attrs.size * o.attrs.size);
    const auto &launch = o.c % 4 == 0 ? launch_roi_align_channels_by_four : launch_roi_align_channels;
    return launch(device, cuda_blocks(bins, ROI_WARPS), ROI_BLOCK, 0, o, bins);
}

extern "C" const struct osp_kernel cuda_roi_align_channels = {.name = "channels", .refuses = refuses, .run = run};
#endif
