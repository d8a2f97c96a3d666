/* roi_align / channels
 *
 * CHANGE  one block for each proposal: one warp finds its map and the rows, columns and weights of all samples, once, and leaves them in
 *         shared memory; then each warp takes a bin at a time, lanes over the channels, four of them a load where they come in fours
 * FASTER  the samples cost what their taps cost; a load of a warp is 512 bytes side by side
 * LIMIT   the caches: sixteen taps for each value; neighbouring bins fetch the same ones again
 * NEEDS   as many samples along a side as fit in shared memory
 */
#include "kernels/roi_align/roi_align.h"

constexpr int WARPS = 8, BLOCK = 32 * WARPS;

CUDA_DEVICE float weighted(float a, float va, float b, float vb, float c, float vc, float d, float vd)
{
    return a * va + b * vb + c * vc + d * vd;
}
CUDA_DEVICE float4 weighted(float a, float4 va, float b, float4 vb, float c, float4 vc, float d, float4 vd)
{
    return make_float4(weighted(a, va.x, b, vb.x, c, vc.x, d, vd.x), weighted(a, va.y, b, vb.y, c, vc.y, d, vd.y),
                       weighted(a, va.z, b, vb.z, c, vc.z, d, vd.z), weighted(a, va.w, b, vb.w, c, vc.w, d, vd.w));
}
CUDA_DEVICE void add(float &sum, float x) { sum += x; }
CUDA_DEVICE void add(float4 &sum, float4 x) { sum = make_float4(sum.x + x.x, sum.y + x.y, sum.z + x.z, sum.w + x.w); }
CUDA_DEVICE float divided(float sum, float by) { return sum / by; }
CUDA_DEVICE float4 divided(float4 sum, float by) { return make_float4(sum.x / by, sum.y / by, sum.z / by, sum.w / by); }

/* V: float, or float4 where C % 4 == 0; c: C in units of V. */
template <class V> CUDA_DEVICE void align(const struct roi_operands &o, struct roi_tap *y, int c)
{
    CUDA_SHARED(struct roi, found, [1]);
    int size = o.attrs.size, ratio = o.attrs.sampling_ratio, samples = size * ratio, lane = threadIdx.x % 32;
    struct roi_tap *x = y + samples;
    if (threadIdx.x < 32) {
        struct roi roi = roi_of(o, blockIdx.x);
        for (int i = lane; i < samples; i += 32) {
            y[i] = roi_tap_of(roi.y, i / ratio, i % ratio, ratio);
            x[i] = roi_tap_of(roi.x, i / ratio, i % ratio, ratio);
        }
        if (lane == 0)
            found[0] = roi;
    }
    __syncthreads();
    const V *map = (const V *)found[0].map;
    V *out = (V *)o.out + (int64_t)blockIdx.x * size * size * c;
    int64_t row = (int64_t)found[0].x.length * c;
    for (int bin = threadIdx.x / 32; bin < size * size; bin += WARPS)
        for (int k = lane; k < c; k += 32) {
            const struct roi_tap *ys = y + bin / size * ratio, *xs = x + bin % size * ratio;
            V sum = {};
            for (int iy = 0; iy < ratio; iy++)
                for (int ix = 0; ix < ratio; ix++) {
                    struct roi_tap ty = ys[iy], tx = xs[ix];
                    if (ty.low < 0 || tx.low < 0)
                        continue;
                    const V *top = map + ty.low * row + k, *bottom = map + ty.high * row + k;
                    int64_t left = (int64_t)tx.low * c, right = (int64_t)tx.high * c;
                    add(sum, weighted(ty.near * tx.near, top[left], ty.near * tx.far, top[right], ty.far * tx.near, bottom[left],
                                      ty.far * tx.far, bottom[right]));
                }
            out[(int64_t)bin * c + k] = divided(sum, (float)(ratio * ratio));
        }
}

CUDA_KERNEL(roi_align_channels, BLOCK, struct roi_operands o)
{
    CUDA_DYNAMIC_SHARED(struct roi_tap, taps);
    align<float>(o, taps, o.c);
}

/* Left to itself ptxas spills a register to fit a fifth block. */
CUDA_KERNEL_BLOCKS(roi_align_channels_by_four, BLOCK, 4, struct roi_operands o)
{
    CUDA_DYNAMIC_SHARED(struct roi_tap, taps);
    align<float4>(o, taps, o.c / 4);
}

#if CUDA_HOST
static int64_t samples(const struct osp_call *call)
{
    return (int64_t)call->attrs->roi_align.size * call->attrs->roi_align.sampling_ratio;
}

static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    return samples(call) <= 1024 ? nullptr : "it keeps the samples' places in shared memory, at most 1024 along a side";
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct roi_operands o = roi_operands_of(call);
    size_t shared = 2 * (size_t)samples(call) * sizeof(struct roi_tap);
    return o.c % 4 == 0 ? launch_roi_align_channels_by_four(device, (unsigned)o.rows, BLOCK, shared, o)
                        : launch_roi_align_channels(device, (unsigned)o.rows, BLOCK, shared, o);
}

extern "C" const struct osp_kernel cuda_roi_align_channels = {.name = "channels", .refuses = refuses, .run = run};
#endif
