/* depthwise / channels
 *
 * CHANGE  a thread takes four neighbouring channels, as one float4, of four neighbouring outputs of a row; of each row of the image
 *         it loads what the four need into registers, once
 * FASTER  a 3x3 filter at stride 1 loads 18 values of x for 4 outputs where naive loads 36; a request is 512 bytes in a row, a
 *         weight serves four outputs, and four sums do not wait for one another
 * LIMIT   memory: rows of x are loaded again for the outputs above and below, from cache where it holds them
 * NEEDS   any shape; filters 3 and 5 wide at strides 1 and 2 with C a multiple of 4. Others: one channel a thread, tap by tap
 */
#include "kernels/depthwise/depthwise.h"

constexpr int BLOCK = 128, STRIP = 4; /* outputs of a thread, side by side */

/* A thread's place: which outputs of which row, from which channel on. */
struct strip {
    int64_t out; /* of its first output, first channel, in out */
    int64_t x;   /* of tap (0,0) of that in x; it may lie before it */
    int c, outputs, top, left;
};

/* The strip of `each` channels of this thread; false: it has none. */
CUDA_DEVICE bool strip_of(const depthwise_shape &shape, int each, strip *it)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    int groups = shape.c / each, across = (shape.q + STRIP - 1) / STRIP;
    int64_t at = i / groups, row = at / across; /* of all images' output rows */
    int q = (int)(at % across) * STRIP;
    it->c = (int)(i % groups) * each;
    it->outputs = min(STRIP, shape.q - q);
    it->top = (int)(row % shape.p) * shape.stride - shape.pad;
    it->left = q * shape.stride - shape.pad;
    it->out = (row * shape.q + q) * shape.c + it->c;
    it->x = ((row / shape.p * shape.h + it->top) * shape.w + it->left) * shape.c + it->c;
    return it->out < shape.outputs;
}

CUDA_DEVICE float4 load4(const float *p) { return *reinterpret_cast<const float4 *>(p); }
CUDA_DEVICE float4 fma4(float4 a, float4 b, float4 c)
{
    return make_float4(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y), fmaf(a.z, b.z, c.z), fmaf(a.w, b.w, c.w));
}

/* bias may be NULL */
CUDA_DEVICE float4 finish4(const depthwise_shape &shape, float4 sum, const float *bias, int c)
{
    if (bias) {
        float4 b = load4(bias + c);
        sum = make_float4(sum.x + b.x, sum.y + b.y, sum.z + b.z, sum.w + b.w);
    }
    return make_float4(osp_activate(shape.activation, sum.x), osp_activate(shape.activation, sum.y),
                       osp_activate(shape.activation, sum.z), osp_activate(shape.activation, sum.w));
}

template <int S, int STRIDE>
CUDA_DEVICE void strip_in_registers(const float *x, const float *w, const float *bias, float *out, const depthwise_shape &shape)
{
    constexpr int WIDTH = (STRIP - 1) * STRIDE + S;
    strip it;
    if (!strip_of(shape, 4, &it))
        return;
    unsigned open = 0; /* columns in the image, a bit each */
#pragma unroll
    for (int i = 0; i < WIDTH; i++)
        open |= (unsigned)(it.left + i >= 0 && it.left + i < shape.w) << i;
    float4 sum[STRIP];
#pragma unroll
    for (int i = 0; i < STRIP; i++)
        sum[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    for (int r = max(0, -it.top); r < min(shape.r, shape.h - it.top); r++) {
        const float *row = x + it.x + (int64_t)r * shape.w * shape.c, *weight = w + (int64_t)r * S * shape.pitch + it.c;
        float4 values[WIDTH];
#pragma unroll
        for (int i = 0; i < WIDTH; i++)
            values[i] = open >> i & 1 ? load4(row + (int64_t)i * shape.c) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll
        for (int s = 0; s < S; s++) {
            float4 tap = load4(weight + s * shape.pitch);
#pragma unroll
            for (int i = 0; i < STRIP; i++)
                if (open >> (i * STRIDE + s) & 1)
                    sum[i] = fma4(values[i * STRIDE + s], tap, sum[i]);
        }
    }
#pragma unroll
    for (int i = 0; i < STRIP; i++)
        if (i < it.outputs)
            *reinterpret_cast<float4 *>(out + it.out + (int64_t)i * shape.c) = finish4(shape, sum[i], bias, it.c);
}

CUDA_DEVICE void strip_by_taps(const float *x, const float *w, const float *bias, float *out, const depthwise_shape &shape)
{
    strip it;
    if (!strip_of(shape, 1, &it))
        return;
    float sum[STRIP] = {};
    for (int r = max(0, -it.top); r < min(shape.r, shape.h - it.top); r++)
        for (int s = 0; s < shape.s; s++) {
            const float *tap = x + it.x + ((int64_t)r * shape.w + s) * shape.c;
            float weight = w[(int64_t)(r * shape.s + s) * shape.pitch + it.c];
#pragma unroll
            for (int i = 0; i < STRIP; i++) {
                int column = it.left + i * shape.stride + s;
                if (column >= 0 && column < shape.w)
                    sum[i] = fmaf(tap[(int64_t)i * shape.stride * shape.c], weight, sum[i]);
            }
        }
#pragma unroll
    for (int i = 0; i < STRIP; i++)
        if (i < it.outputs)
            out[it.out + (int64_t)i * shape.c] = depthwise_finish(shape, sum[i], bias, it.c);
}

#define CHANNELS(name, body)                                                                                                     \
    CUDA_KERNEL(depthwise_channels_##name, BLOCK, const float *x, /* (N,H,W,C) */                                                \
                const float *w,                                   /* [R][S][pitch] */                                            \
                const float *bias,                                /* (C) or NULL */                                              \
                float *out,                                       /* (N,P,Q,C) */                                                \
                depthwise_shape shape)                                                                                           \
    {                                                                                                                            \
        body(x, w, bias, out, shape);                                                                                            \
    }
CHANNELS(3, (strip_in_registers<3, 1>))
CHANNELS(3s2, (strip_in_registers<3, 2>))
CHANNELS(5, (strip_in_registers<5, 1>))
CHANNELS(5s2, (strip_in_registers<5, 2>))
CHANNELS(any, strip_by_taps)

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct cuda_filter *filter = (const struct cuda_filter *)state->data;
    const depthwise_shape shape = depthwise_of(call, filter);
    const float *x = (const float *)call->in[OSP_DEPTHWISE_X].data;
    float *out = (float *)call->out[0].data;
    const bool wide = shape.c % 4 == 0 && ((uintptr_t)x | (uintptr_t)out) % sizeof(float4) == 0;
    const auto *launch = &launch_depthwise_channels_any;
    if (wide && shape.s == 3 && shape.stride <= 2)
        launch = shape.stride == 1 ? &launch_depthwise_channels_3 : &launch_depthwise_channels_3s2;
    if (wide && shape.s == 5 && shape.stride <= 2)
        launch = shape.stride == 1 ? &launch_depthwise_channels_5 : &launch_depthwise_channels_5s2;
    const int64_t each = launch == &launch_depthwise_channels_any ? 1 : 4, across = (shape.q + STRIP - 1) / STRIP;
    const int64_t threads = (shape.q ? shape.outputs / shape.q / each : 0) * across;
    return (*launch)(device, cuda_blocks(threads, BLOCK), BLOCK, 0, x, filter->w, filter->bias, out, shape);
}

extern "C" const struct osp_kernel cuda_depthwise_channels = {
    .name = "channels", .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
