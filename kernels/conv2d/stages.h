/* Two stages: what 06_buffered and 07_warp share. While a block multiplies one stage of steps of the sum, the next is on its way
 * into the other half of shared memory.
 *
 * Steps of x lie side by side, as they do in NHWC, so that they can be copied by fours as they are. A thread reads TOGETHER steps
 * of each of its pixels at a time, and then of each step its outputs. A step's four neighbours, from a multiple of four on, are
 * all in a pixel's window or none: C is a multiple of four.
 *
 * A tile T says what a thread copies (conv2d_copies) and computes (TM, TN), how many steps of x it reads together, and by
 * T::place which pixels and outputs of the block are its own. */
#ifndef OSPREY_KERNELS_CONV2D_STAGES_H
#define OSPREY_KERNELS_CONV2D_STAGES_H

#include "kernels/conv2d/block.h"

constexpr int CONV2D_STAGE = CUDA_ARCH >= 800 ? 16 : 8; /* steps; on sm_75 they wait in registers */

/* What a thread of a block of M pixels by N outputs copies for a stage. */
template <int THREADS_, int M_, int N_> struct conv2d_copies {
    static constexpr int THREADS = THREADS_, M = M_, N = N_;
    static constexpr int PIXELS = M * 2 / THREADS;                 /* of which it copies every other float4 */
    static constexpr int WEIGHTS = CONV2D_STAGE * N / 4 / THREADS; /* float4s */
    static constexpr int WEIGHT_STEPS = THREADS / (N / 4);         /* from one of them to the next */
    static_assert(M * 2 % THREADS == 0 && THREADS % (N / 4) == 0 && CONV2D_STAGE % WEIGHT_STEPS == 0);
};

/* A stage in shared memory. Steps of x: eights, of them pixels, of them two float4s. */
template <class T> struct conv2d_stage {
    float4 x[CONV2D_STAGE / 8][T::M][2], w[CONV2D_STAGE][T::N / 4];
};

/* What a thread copies: it goes through the filter rows r and their runs, a stage of steps j at a time. */
template <class T> struct conv2d_feed {
    const float *x[T::PIXELS], *w; /* this thread's first values of these steps */
    int first[T::PIXELS], end[T::PIXELS], r, j;
    bool wide; /* there are such weights */
    conv2d_parcel xs[T::PIXELS][CONV2D_STAGE / 8], ws[T::WEIGHTS];

    static CUDA_DEVICE int pixel(int i) { return (int)threadIdx.x / 2 + i * (T::THREADS / 2); }
    static CUDA_DEVICE int step() { return (int)threadIdx.x % 2 * 4; } /* of an eight */
    static CUDA_DEVICE int weight_step(int i) { return (int)threadIdx.x / (T::N / 4) + i * T::WEIGHT_STEPS; }

    /* Row r begins; windows as in shared memory. */
    CUDA_DEVICE void open(const int4 *windows)
    {
#pragma unroll
        for (int i = 0; i < T::PIXELS; i++) {
            int4 window = windows[pixel(i)];
            first[i] = window.z - step();
            end[i] = conv2d_live(window) && conv2d_has_row(window, r) ? window.w - step() : 0;
        }
    }

    /* Sends these steps, and goes on to the next. */
    CUDA_DEVICE void send(const conv2d_shape &shape, const int4 *windows, conv2d_stage<T> &stage)
    {
        const int run = shape.s * shape.c;
#pragma unroll
        for (int i = 0; i < T::PIXELS; i++) {
#pragma unroll
            for (int e = 0; e < CONV2D_STAGE / 8; e++)
                xs[i][e].send(&stage.x[e][pixel(i)][threadIdx.x % 2], x[i] + e * 8, j + e * 8 >= first[i] && j + e * 8 < end[i]);
            x[i] += CONV2D_STAGE;
        }
#pragma unroll
        for (int i = 0; i < T::WEIGHTS; i++)
            ws[i].send(&stage.w[weight_step(i)][threadIdx.x % (T::N / 4)], w + (int64_t)i * T::WEIGHT_STEPS * shape.pitch,
                       wide && j + weight_step(i) < run);
        w += (int64_t)CONV2D_STAGE * shape.pitch;
        cuda_copy_commit();
        j += CONV2D_STAGE;
        if (j >= run) {
#pragma unroll
            for (int i = 0; i < T::PIXELS; i++)
                x[i] += (int64_t)shape.w * shape.c - j;
            w += (int64_t)(run - j) * shape.pitch;
            j = 0;
            r++;
            open(windows);
        }
    }

    /* What was sent is there for this thread. */
    CUDA_DEVICE void land(conv2d_stage<T> &stage)
    {
        cuda_copy_wait<0>();
#pragma unroll
        for (int i = 0; i < T::PIXELS; i++)
#pragma unroll
            for (int e = 0; e < CONV2D_STAGE / 8; e++)
                xs[i][e].land(&stage.x[e][pixel(i)][threadIdx.x % 2]);
#pragma unroll
        for (int i = 0; i < T::WEIGHTS; i++)
            ws[i].land(&stage.w[weight_step(i)][threadIdx.x % (T::N / 4)]);
    }
};

/* Pixel i's next steps; T::TOGETHER is 2 or 4. */
template <class T> CUDA_DEVICE void conv2d_stage_read(const float *from, float (&a)[T::TOGETHER][T::TM], int i)
{
    if constexpr (T::TOGETHER == 4) {
        float4 v = *reinterpret_cast<const float4 *>(from);
        a[0][i] = v.x, a[1][i] = v.y, a[2][i] = v.z, a[3][i] = v.w;
    } else {
        float2 v = *reinterpret_cast<const float2 *>(from);
        a[0][i] = v.x, a[1][i] = v.y;
    }
}

/* sums += x * w over a stage; with EDGE only the steps whose bit is set in the pixel's mask. */
template <class T, bool EDGE>
CUDA_DEVICE void conv2d_stage_multiply(float (&sums)[T::TM][T::TN], const conv2d_stage<T> &stage, const typename T::place &at,
                                       const unsigned (&mask)[T::TM])
{
#pragma unroll(EDGE ? 1 : CONV2D_STAGE / T::TOGETHER)
    for (int step = 0; step < CONV2D_STAGE; step += T::TOGETHER) {
        float a[T::TOGETHER][T::TM], b[T::TN];
#pragma unroll
        for (int i = 0; i < T::TM; i++)
            conv2d_stage_read<T>(&stage.x[step / 8][at.pixel(i)][0].x + step % 8, a, i);
#pragma unroll
        for (int s = 0; s < T::TOGETHER; s++) {
#pragma unroll
            for (int j = 0; j < T::TN; j += 4) {
                float4 v = stage.w[step + s][at.output(j) / 4];
                b[j] = v.x, b[j + 1] = v.y, b[j + 2] = v.z, b[j + 3] = v.w;
            }
#pragma unroll
            for (int i = 0; i < T::TM; i++)
                if (!EDGE || (mask[i] >> step & 1))
#pragma unroll
                    for (int j = 0; j < T::TN; j++)
                        sums[i][j] = fmaf(a[s][i], b[j], sums[i][j]);
        }
    }
}

/* A kernel's body; operands as in 06_buffered.cu. The grid's first pixel is `before`. */
template <class T>
CUDA_DEVICE void conv2d_staged(const float *x, const float *w, const float *bias, const float *residual, const int32_t *counts,
                               float *out, const conv2d_shape &shape, int64_t before = 0)
{
    CUDA_SHARED(conv2d_stage<T>, stages, [2]);
    CUDA_SHARED(int4, windows, [T::M]);
    const int run = shape.s * shape.c, k0 = (int)blockIdx.y * T::N;
    const int64_t m0 = before + (int64_t)blockIdx.x * T::M;
    const typename T::place at;
    conv2d_feed<T> feed;
    int counted = 0;
#pragma unroll
    for (int i = 0; i < T::PIXELS; i++) {
        int64_t m = m0 + feed.pixel(i);
        conv2d_pixel pixel = conv2d_pixel_of(shape, m);
        bool live = m < shape.pixels && conv2d_counts(shape, counts, pixel.n);
        feed.x[i] = x + conv2d_first(shape, pixel) + feed.step();
        if (feed.step() == 0)
            windows[feed.pixel(i)] = live ? conv2d_window(shape, pixel) : conv2d_idle(shape);
        counted += live;
    }
    const int k = k0 + (int)threadIdx.x % (T::N / 4) * 4;
    feed.w = w + (int64_t)feed.weight_step(0) * shape.pitch + k;
    feed.wide = k < shape.pitch;
    feed.r = feed.j = 0;

    float sums[T::TM][T::TN] = {};
    const int rows = __syncthreads_count(counted) ? shape.r : 0;
    int now = 0; /* the stage that is multiplied */
    if (rows > 0) {
        feed.open(windows);
        feed.send(shape, windows, stages[0]);
        feed.land(stages[0]);
        __syncthreads();
    }
    for (int r = 0; r < rows; r++) {
        int first = 0, end = run; /* where the windows of all of this lane's pixels are open */
        for (int i = 0; i < T::TM; i++) {
            int4 window = windows[at.pixel(i)];
            first = max(first, window.z);
            end = min(end, conv2d_has_row(window, r) ? window.w : 0);
        }
        for (int j0 = 0; j0 < run; j0 += CONV2D_STAGE) {
            const bool more = feed.r < rows;
            if (more)
                feed.send(shape, windows, stages[now ^ 1]);
            unsigned mask[T::TM] = {};
            if (__all_sync(0xffffffffu, first <= j0 && j0 + CONV2D_STAGE <= end)) {
                conv2d_stage_multiply<T, false>(sums, stages[now], at, mask);
            } else {
#pragma unroll
                for (int i = 0; i < T::TM; i++)
                    mask[i] = conv2d_mask<CONV2D_STAGE>(windows[at.pixel(i)], r, j0);
                conv2d_stage_multiply<T, true>(sums, stages[now], at, mask);
            }
            now ^= 1;
            if (more)
                feed.land(stages[now]);
            __syncthreads();
        }
    }
    conv2d_write(shape, sums, at, windows, bias, residual, out, m0, k0);
}

#if CUDA_HOST
/* A rung's refuses. */
static inline const char *conv2d_staged_refuses(const struct osp_device *, const struct osp_call *call)
{
    return call->in[OSP_CONV2D_X].shape.dim[3] % 4
               ? "it copies four input channels at a time, and their number is not a multiple of 4"
               : nullptr;
}
#endif
#endif
