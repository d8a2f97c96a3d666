/* conv2d / strip
 *
 * CHANGE  beside the ladder, from wide on: a block's pixels are one strip of an output line; the stretch of x under them is fetched
 *         once for each filter row
 * FASTER  with three channels a pixel's window starts anywhere in a sector, and neighbours overlap: fetched window by window,
 *         twice the sectors pass; a stretch is fetched from its first sector to its last, and all taps read it in shared memory
 * LIMIT   while a block fetches the next filter row it computes nothing; lines whose length is no multiple of 64 waste lanes
 * NEEDS   at most 3 input channels and 7 taps across, stride 1 or 2: the first layer of a network
 */
#include "kernels/conv2d/block.h"

constexpr int M = 64, N = 64, EACH = 8, THREADS = 64;   /* pixels, outputs; of a thread, both; threads */
constexpr int CHANNELS = 3, ACROSS = 7, STRIDE = 2;     /* at most */
constexpr int RUN = ACROSS * CHANNELS, SECTOR = 8;      /* floats */
constexpr int SPAN = ((M - 1) * STRIDE + ACROSS) * CHANNELS + SECTOR - 1;

/* A thread's pixels and outputs in the block: every eighth pixel, two float4s of outputs. */
struct place {
    int row = (int)threadIdx.x / 8, col = (int)threadIdx.x % 8;
    CUDA_DEVICE int pixel(int i) const { return row + i * 8; }
    CUDA_DEVICE int output(int j) const { return (col + j / 4 * 8) * 4 + j % 4; }
};

/* sums += x * w over a filter row; with EDGE only those whose bit is set in the pixel's mask. apart: floats between pixels. */
template <bool EDGE>
CUDA_DEVICE void multiply(float (&sums)[EACH][EACH], const float *xs, const float4 (*ws)[N / 4], int run, int apart,
                          const place &at, const unsigned (&mask)[EACH])
{
#pragma unroll 3
    for (int step = 0; step < run; step++) {
        float a[EACH], b[EACH];
#pragma unroll
        for (int i = 0; i < EACH; i++)
            a[i] = xs[at.pixel(i) * apart + step];
#pragma unroll
        for (int j = 0; j < EACH; j += 4) {
            float4 v = ws[step][at.col + j / 4 * 8];
            b[j] = v.x, b[j + 1] = v.y, b[j + 2] = v.z, b[j + 3] = v.w;
        }
#pragma unroll
        for (int i = 0; i < EACH; i++)
            if (!EDGE || (mask[i] >> step & 1))
#pragma unroll
                for (int j = 0; j < EACH; j++)
                    sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
    }
}

CUDA_KERNEL(conv2d_strip, THREADS, const float *x, /* (N,H,W,C) */
            const float *w,                        /* [R][S][C][pitch] */
            const float *bias,                     /* (K) or NULL */
            const float *residual,                 /* (N,P,Q,K) or NULL */
            const int32_t *counts,                 /* NULL: every image counts */
            float *out,                            /* (N,P,Q,K) */
            conv2d_shape shape)
{
    CUDA_SHARED(float, xs, [SPAN]);
    CUDA_SHARED(float4, ws, [RUN][N / 4]);
    CUDA_SHARED(int4, windows, [M]);
    static_assert(M == THREADS);
    const int t = (int)threadIdx.x, run = shape.s * shape.c, k0 = (int)blockIdx.y * N, strips = (shape.q + M - 1) / M;
    const int64_t line = blockIdx.x / strips, m0 = line * shape.q + (int64_t)(blockIdx.x % strips) * M;
    const conv2d_pixel corner = conv2d_pixel_of(shape, m0);
    const bool counted = conv2d_counts(shape, counts, corner.n);
    const place at;
    shape.pixels = (line + 1) * shape.q; /* the strip ends with its line */
    windows[t] = counted && m0 + t < shape.pixels ? conv2d_window(shape, conv2d_pixel_of(shape, m0 + t)) : conv2d_idle(shape);
    const int apart = shape.stride * shape.c, span = (M - 1) * apart + run;
    const int64_t wide = (int64_t)shape.w * shape.c;

    float sums[EACH][EACH] = {};
    for (int r = 0; counted && r < shape.r; r++) {
        if (corner.y + r < 0 || corner.y + r >= shape.h)
            continue;
        const int64_t from = (corner.n * shape.h + corner.y + r) * wide, begin = from + (int64_t)corner.x * shape.c;
        const int64_t base = begin & -(int64_t)SECTOR; /* x begins with a sector, as all tensors do */
        const int shift = (int)(begin - base);
        for (int i = t; i < shift + span; i += THREADS)
            xs[i] = base + i >= from && base + i < from + wide ? x[base + i] : 0.0f;
        for (int i = t; i < run * (N / 4); i += THREADS) {
            const int k = k0 + i % (N / 4) * 4;
            ws[i / (N / 4)][i % (N / 4)] =
                k < shape.pitch ? *reinterpret_cast<const float4 *>(w + (int64_t)(r * run + i / (N / 4)) * shape.pitch + k)
                                : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        }
        __syncthreads();
        unsigned mask[EACH];
        bool inside = true;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            mask[i] = conv2d_mask<32>(windows[at.pixel(i)], r, 0);
            inside = inside && mask[i] == (1u << run) - 1;
        }
        if (__all_sync(0xffffffffu, inside))
            multiply<false>(sums, xs + shift, ws, run, apart, at, mask);
        else
            multiply<true>(sums, xs + shift, ws, run, apart, at, mask);
        __syncthreads();
    }
    conv2d_write(shape, sums, at, windows, bias, residual, out, m0, k0);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    if (call->in[OSP_CONV2D_X].shape.dim[3] > CHANNELS)
        return "a strip has room for 3 input channels";
    return a->s > ACROSS || a->stride > STRIDE ? "a strip has room for 7 taps across and stride 2" : nullptr;
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    conv2d_call it = conv2d_of(call, state);
    const int64_t lines = it.shape.q ? it.shape.pixels / it.shape.q : 0;
    dim3 grid((unsigned)lines * cuda_blocks(it.shape.q, M), cuda_blocks(it.shape.k, N));
    return launch_conv2d_strip(device, grid, THREADS, 0, it.x, it.w, it.bias, it.residual, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_conv2d_strip = {.name = "strip",
                                                        .refuses = refuses,
                                                        .cost = conv2d_direct_seconds,
                                                        .prepare = cuda_filter_prepare,
                                                        .release = cuda_filter_release,
                                                        .run = run};
#endif
