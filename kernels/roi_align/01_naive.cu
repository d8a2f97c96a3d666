/* roi_align / naive
 *
 * CHANGE  the definition (He et al., Mask R-CNN, 2017): one thread for each output value, neighbouring threads on neighbouring channels
 * FASTER  a tap of a warp is one request of whole sectors; all levels in one launch
 * LIMIT   level, place and weights are worked out again for every channel: more work than the samples themselves
 * NEEDS   any shape
 */
#include "kernels/roi_align/roi_align.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(roi_align_naive, BLOCK, struct roi_operands o, int64_t count)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    int size = o.attrs.size, ratio = o.attrs.sampling_ratio, c = (int)(i % o.c);
    int64_t bin = i / o.c;
    int q = (int)(bin % size), p = (int)(bin / size % size);
    struct roi roi = roi_of(o, bin / size / size);
    int64_t row = (int64_t)roi.x.length * o.c;
    float sum = 0;
    for (int iy = 0; iy < ratio; iy++)
        for (int ix = 0; ix < ratio; ix++) {
            struct roi_tap y = roi_tap_of(roi.y, p, iy, ratio), x = roi_tap_of(roi.x, q, ix, ratio);
            if (y.low < 0 || x.low < 0)
                continue;
            const float *top = roi.map + y.low * row + c, *bottom = roi.map + y.high * row + c;
            int64_t left = (int64_t)x.low * o.c, right = (int64_t)x.high * o.c;
            sum += y.near * x.near * top[left] + y.near * x.far * top[right] + y.far * x.near * bottom[left] +
                   y.far * x.far * bottom[right];
        }
    o.out[i] = sum / (float)(ratio * ratio);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    int64_t count = osp_shape_count(&call->out[0].shape);
    return launch_roi_align_naive(device, cuda_blocks(count, BLOCK), BLOCK, 0, roi_operands_of(call), count);
}

extern "C" const struct osp_kernel cuda_roi_align_naive = {.name = "naive", .run = run};
#endif
