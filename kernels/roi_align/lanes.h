/* What the rungs above naive share: channels in the lanes of a warp, one or four of them a lane (V: float or float4), and a
 * block's taps in shared memory. */
#ifndef OSPREY_KERNELS_ROI_ALIGN_LANES_H
#define OSPREY_KERNELS_ROI_ALIGN_LANES_H

#include "kernels/roi_align/roi_align.h"

constexpr int ROI_WARPS = 8, ROI_BLOCK = 32 * ROI_WARPS;

/* A sample between its four taps: top left, top right, bottom left, bottom right. */
CUDA_DEVICE float roi_sample(const struct roi_tap &y, const struct roi_tap &x, float a, float b, float c, float d)
{
    return y.near * x.near * a + y.near * x.far * b + y.far * x.near * c + y.far * x.far * d;
}
CUDA_DEVICE float4 roi_sample(const struct roi_tap &y, const struct roi_tap &x, float4 a, float4 b, float4 c, float4 d)
{
    return make_float4(roi_sample(y, x, a.x, b.x, c.x, d.x), roi_sample(y, x, a.y, b.y, c.y, d.y),
                       roi_sample(y, x, a.z, b.z, c.z, d.z), roi_sample(y, x, a.w, b.w, c.w, d.w));
}
CUDA_DEVICE void roi_add(float &sum, float x) { sum += x; }
CUDA_DEVICE void roi_add(float4 &sum, float4 x) { sum = make_float4(sum.x + x.x, sum.y + x.y, sum.z + x.z, sum.w + x.w); }
CUDA_DEVICE float roi_mean(float sum, float samples) { return sum / samples; }
CUDA_DEVICE float4 roi_mean(float4 sum, float samples)
{
    return make_float4(sum.x / samples, sum.y / samples, sum.z / samples, sum.w / samples);
}

/* Loads from a map. Which map follows from the proposal, so that nvcc does not know it for global memory; __ldg says so. */
template <class V> CUDA_DEVICE V roi_load(const V *from) { return __ldg(from); }

/* Adds one sample of a map whose rows are `row` V apart and whose pixels c V; map: of this lane's channels. */
template <class V>
CUDA_DEVICE void roi_take(V &sum, const V *map, int64_t row, int c, const struct roi_tap &y, const struct roi_tap &x)
{
    if (y.low < 0 || x.low < 0)
        return;
    const V *top = map + y.low * row, *bottom = map + y.high * row;
    int64_t left = (int64_t)x.low * c, right = (int64_t)x.high * c;
    roi_add(sum,
            roi_sample(y, x, roi_load(top + left), roi_load(top + right), roi_load(bottom + left), roi_load(bottom + right)));
}

/* Finds a proposal's map and the taps of all its samples, for the whole block: y and, behind its size * sampling_ratio taps,
 * those of x, both in shared memory. One warp does it. */
CUDA_DEVICE struct roi roi_find(const struct roi_operands &o, int64_t proposal, struct roi_tap *y)
{
    CUDA_SHARED(struct roi, found, [1]);
    int ratio = o.attrs.sampling_ratio, samples = o.attrs.size * ratio;
    if (threadIdx.x < 32) {
        struct roi roi = roi_of(o, proposal);
        for (int i = threadIdx.x; i < samples; i += 32) {
            y[i] = roi_tap_of(roi.y, i / ratio, i % ratio, ratio);
            y[samples + i] = roi_tap_of(roi.x, i / ratio, i % ratio, ratio);
        }
        if (threadIdx.x == 0)
            found[0] = roi;
    }
    __syncthreads();
    return found[0];
}

#if CUDA_HOST
static inline int64_t roi_samples(const struct osp_call *call)
{
    return (int64_t)call->attrs->roi_align.size * call->attrs->roi_align.sampling_ratio;
}

/* Bytes of roi_find's taps. */
static inline size_t roi_shared(const struct osp_call *call) { return 2 * (size_t)roi_samples(call) * sizeof(struct roi_tap); }

static inline const char *roi_refuses(const struct osp_call *call)
{
    return roi_samples(call) <= 1024 ? nullptr : "it keeps the samples' places in shared memory, at most 1024 along a side";
}
#endif

#endif
