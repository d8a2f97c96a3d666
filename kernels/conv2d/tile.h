/* The thread tile of conv2d and linear, by wide loads: a block computes M pixels by N outputs, each of its threads TM x TN of them.
 *
 * It is a matrix product whose left side, pixels by R runs of S*C values, is never written down: each element's place in x is
 * known. DEPTH steps of the sum at a time are fetched into shared memory, x turned so that neighbouring pixels lie side by side.
 * A step then costs a thread (TM+TN)/4 loads of float4 for TM*TN multiply-adds. No division is made in the loops.
 *
 * Sums keep the order of ops.h: a thread owns its outputs and takes the steps in turn. Where a part of a thread's windows lies in
 * the padding those multiply-adds are skipped, not made with zeros, which would turn -0 to 0 and an infinite weight to NaN; the
 * warp decides together whether it can go without asking. */
#ifndef OSPREY_KERNELS_CONV2D_TILE_H
#define OSPREY_KERNELS_CONV2D_TILE_H

#include "kernels/conv2d/block.h"

constexpr int CONV2D_DEPTH = 16; /* steps: two halves, of which a pair of neighbouring threads fetches 8 values each */

template <int ROWS_, int COLS_, int TM_, int TN_, int BLOCKS_> struct conv2d_tile {
    static constexpr int ROWS = ROWS_, COLS = COLS_, TM = TM_, TN = TN_; /* threads, and outputs of a thread */
    static constexpr int BLOCKS = BLOCKS_;                               /* that a multiprocessor holds */
    static constexpr int THREADS = ROWS * COLS, M = ROWS * TM, N = COLS * TN;
    static constexpr int PITCH = M / 4 + 1;        /* float4s; the one more puts the two threads of a pair into other banks */
    static constexpr int PIXELS = M * 2 / THREADS; /* that a thread fetches a part of */
    static constexpr int WEIGHTS = CONV2D_DEPTH * N / 4; /* float4s in DEPTH steps */
    static_assert(ROWS % 4 == 0 && COLS % 8 == 0 && TM % 4 == 0 && TN % 4 == 0 && M * 2 % THREADS == 0 && WEIGHTS % THREADS == 0);
};

/* A thread's place in the block: warps are 8 columns by 4 rows. It has pixels row*4.. of every group of ROWS*4, and outputs
 * likewise. */
template <class T> struct conv2d_place {
    int row, col;
    CUDA_DEVICE conv2d_place()
    {
        int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
        row = warp / (T::COLS / 8) * 4 + lane / 8;
        col = warp % (T::COLS / 8) * 8 + lane % 8;
    }
    CUDA_DEVICE int pixel(int i) const { return i / 4 * T::ROWS * 4 + row * 4 + i % 4; }
    CUDA_DEVICE int output(int j) const { return j / 4 * T::COLS * 4 + col * 4 + j % 4; }
};

/* sums += xs * ws over `depth` steps; with EDGE only those whose bit is set in the pixel's mask, of which a word holds two. */
template <class T, bool EDGE>
CUDA_DEVICE void conv2d_multiply(float (&sums)[T::TM][T::TN], const float4 (*xs)[T::PITCH], const float4 (*ws)[T::N / 4],
                                 int depth, const conv2d_place<T> &at, const unsigned (&mask)[T::TM / 2])
{
#pragma unroll 2
    for (int step = 0; step < depth; step++) {
        float a[T::TM], b[T::TN];
#pragma unroll
        for (int i = 0; i < T::TM; i += 4) {
            float4 v = xs[step][i / 4 * T::ROWS + at.row];
            a[i] = v.x, a[i + 1] = v.y, a[i + 2] = v.z, a[i + 3] = v.w;
        }
#pragma unroll
        for (int j = 0; j < T::TN; j += 4) {
            float4 v = ws[step][j / 4 * T::COLS + at.col];
            b[j] = v.x, b[j + 1] = v.y, b[j + 2] = v.z, b[j + 3] = v.w;
        }
#pragma unroll
        for (int i = 0; i < T::TM; i++)
            if (!EDGE || (mask[i / 2] >> (step + i % 2 * CONV2D_DEPTH) & 1))
#pragma unroll
                for (int j = 0; j < T::TN; j++)
                    sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
    }
}

/* A thread fetches of each of PIXELS pixels steps (t%2)*4.. of both halves. Where its i-th is in the block: */
template <class T> CUDA_DEVICE int conv2d_slot(int i) { return (int)threadIdx.x / 2 + i * (T::THREADS / 2); }

/* Steps j0..j0+DEPTH of filter row r, turned; from[i] is where that row's run of the i-th pixel begins in x. Windows are read
 * here each time: their ends, kept from one call to the next, were the registers too many of a 128 x 128 tile on sm_120. */
template <class T>
CUDA_DEVICE void conv2d_fetch_x(const conv2d_shape &shape, const float *x, const int64_t (&from)[T::PIXELS], const int4 *windows,
                                int r, int j0, float4 (*xs)[T::PITCH])
{
#pragma unroll
    for (int i = 0; i < T::PIXELS; i++) {
        const int slot = conv2d_slot<T>(i);
        const int4 window = windows[slot];
        const int end = conv2d_live(window) && conv2d_has_row(window, r) ? window.w : 0;
#pragma unroll
        for (int half = 0; half < CONV2D_DEPTH; half += 8) {
            int step = half + (int)threadIdx.x % 2 * 4;
            float4 v = conv2d_fetch(x + from[i], j0 + step, window.z, end, shape.wide_x);
            float *to = &xs[step][0].x + slot;
            to[0] = v.x, to[T::PITCH * 4] = v.y, to[T::PITCH * 8] = v.z, to[T::PITCH * 12] = v.w;
        }
    }
}

/* As many steps of the weights, from output k0 on. */
template <class T>
CUDA_DEVICE void conv2d_fetch_w(const conv2d_shape &shape, const float *w, int depth, int k0, float4 (*ws)[T::N / 4])
{
#pragma unroll
    for (int i = 0; i < T::WEIGHTS; i += T::THREADS) {
        int step = (i + (int)threadIdx.x) / (T::N / 4), k = (i + (int)threadIdx.x) % (T::N / 4) * 4;
        ws[step][k / 4] = step < depth && k0 + k < shape.pitch
                              ? *reinterpret_cast<const float4 *>(w + (int64_t)step * shape.pitch + k0 + k)
                              : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
}

/* A kernel's body; operands as in 05_wide.cu. */
template <class T>
CUDA_DEVICE void conv2d_wide(const float *x, const float *w, const float *bias, const float *residual, const int32_t *counts,
                                 float *out, const conv2d_shape &shape)
{
    CUDA_SHARED(float4, xs, [CONV2D_DEPTH][T::PITCH]); /* step, pixel */
    CUDA_SHARED(float4, ws, [CONV2D_DEPTH][T::N / 4]); /* step, output */
    CUDA_SHARED(int4, windows, [T::M]);
    const int run = shape.s * shape.c, k0 = (int)blockIdx.y * T::N;
    const int64_t m0 = (int64_t)blockIdx.x * T::M;
    const conv2d_place<T> at;
    int64_t from[T::PIXELS];
    int counted = 0;
#pragma unroll
    for (int i = 0; i < T::PIXELS; i++) {
        int64_t m = m0 + conv2d_slot<T>(i);
        conv2d_pixel pixel = conv2d_pixel_of(shape, m);
        bool live = m < shape.pixels && conv2d_counts(shape, counts, pixel.n);
        from[i] = conv2d_first(shape, pixel);
        if (threadIdx.x % 2 == 0)
            windows[conv2d_slot<T>(i)] = live ? conv2d_window(shape, pixel) : conv2d_idle(shape);
        counted += live;
    }

    float sums[T::TM][T::TN] = {};
    const int rows = __syncthreads_count(counted) ? shape.r : 0;
    for (int r = 0; r < rows; r++) {
        int first = 0, end = run; /* where the windows of all of this thread's pixels are open */
        for (int i = 0; shape.pad && i < T::TM; i++) {
            int4 window = windows[at.pixel(i)];
            first = max(first, window.z);
            end = min(end, conv2d_has_row(window, r) ? window.w : 0);
        }
        for (int j0 = 0; j0 < run; j0 += CONV2D_DEPTH) {
            const int depth = min(CONV2D_DEPTH, run - j0);
            conv2d_fetch_x<T>(shape, x, from, windows, r, j0, xs);
            conv2d_fetch_w<T>(shape, w + ((int64_t)r * run + j0) * shape.pitch, depth, k0, ws);
            __syncthreads();
            unsigned mask[T::TM / 2] = {};
            bool inside = first <= j0 && j0 + depth <= end;
            if (shape.pad)
                inside = __all_sync(0xffffffffu, inside);
            if (inside) {
                conv2d_multiply<T, false>(sums, xs, ws, depth, at, mask);
            } else {
#pragma unroll
                for (int i = 0; i < T::TM; i++)
                    mask[i / 2] |= conv2d_mask<CONV2D_DEPTH>(windows[at.pixel(i)], r, j0) << i % 2 * CONV2D_DEPTH;
                conv2d_multiply<T, true>(sums, xs, ws, depth, at, mask);
            }
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < T::PIXELS; i++)
            from[i] += (int64_t)shape.w * shape.c;
    }
    conv2d_write(shape, sums, at, windows, bias, residual, out, m0, k0);
}

#endif
