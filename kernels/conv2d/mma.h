/* The tensor-core tile of conv2d and linear: a block of WARPS_M x WARPS_N warps, each of them WM pixels by WN outputs, as 16 x 8
 * products of the machine. As in warp.h a pixel is a row of a matrix product whose left side is never written down.
 *
 * The sum is taken 64 bytes of a pixel's numbers at a time: product.h says how many steps that are, and turns x into them. Stages
 * of shared memory go round: one is multiplied while the others fill. Weights come packed as they will lie (conv2d_mma_prepare).
 *
 * Sums are f32, in the order in which the machine adds a product's terms, product by product. What lies in the padding is
 * multiplied as zeros, which changes nothing: weights are finite. */
#ifndef OSPREY_KERNELS_CONV2D_MMA_H
#define OSPREY_KERNELS_CONV2D_MMA_H

#include "kernels/conv2d/product.h"

template <class P, int WARPS_M_, int WARPS_N_, int WM_, int WN_, int BLOCKS_> struct conv2d_mma_tile {
    typedef P product;
    static constexpr int WARPS_M = WARPS_M_, WARPS_N = WARPS_N_, WM = WM_, WN = WN_;
    static constexpr int BLOCKS = BLOCKS_; /* that a multiprocessor holds */
    /* Where copies go through registers, a warp of 64 x 64 has too few for its sums. */
    static constexpr int MAJOR = WM * WN > 2048 ? 8 : P::MAJOR;
    static constexpr int THREADS = WARPS_M * WARPS_N * 32, M = WARPS_M * WM, N = WARPS_N * WN;
    static constexpr int TM = WM / 8, TN = WN / 8; /* for conv2d_pick: as float4s count there */
    static constexpr int APART = THREADS / 4;      /* rows, from one that a thread copies to the next */
    static constexpr int PIXELS = M / APART, WEIGHTS = N / APART,
                         PARTS = P::STEPS / 16; /* that a thread copies, and of each pixel */
    static_assert(WM % 16 == 0 && WN % 16 == 0 && M % APART == 0 && N % APART == 0 && APART % 8 == 0);
};

template <class T> struct conv2d_mma_stage {
    float4 x[T::M][4], w[T::N][4]; /* 64 bytes a row */
};

/* Where tap (0,0) of a pixel is in the image: y, x. Of one that nobody asks for, far outside. */
constexpr int CONV2D_NOWHERE = -(1 << 30);

template <class T> struct conv2d_mma_shared {
    conv2d_mma_stage<T> stages[T::product::STAGES];
    int2 taps[T::M];
};

/* What a thread copies: quarters of the rows row(0), row(1).. of x and of the weights, STEPS steps j of filter row r at a time.
 */
template <class T> struct conv2d_mma_feed {
    typedef typename T::product P;
    const float *x[T::PIXELS], *w; /* this thread's first values of these steps */
    int first[T::PIXELS], end[T::PIXELS], r, j;
    typename P::parcel xs[T::PIXELS][T::PARTS];
    conv2d_parcel ws[T::WEIGHTS];

    static CUDA_DEVICE int quarter() { return (int)threadIdx.x % 4; }
    /* Of eight rows two and two neighbours are exchanged: half a warp writes 0, 1, 4 and 5, which lie in different banks. */
    static CUDA_DEVICE int row(int i)
    {
        int at = (int)threadIdx.x / 4;
        return (at & ~6) + (at & 2) * 2 + (at & 4) / 2 + i * T::APART;
    }

    /* Row r begins. */
    CUDA_DEVICE void open(const conv2d_shape &shape, const int2 *taps)
    {
#pragma unroll
        for (int i = 0; i < T::PIXELS; i++) {
            int2 tap = taps[row(i)];
            bool inside = tap.x + r >= 0 && tap.x + r < shape.h;
            first[i] = max(0, -tap.y) * shape.c - quarter() * 4;
            end[i] = inside ? min(shape.s, shape.w - tap.y) * shape.c - quarter() * 4 : 0;
        }
    }

    /* Sends these steps, and goes on to the next. */
    CUDA_DEVICE void send(const conv2d_shape &shape, const int2 *taps, int k_left, conv2d_mma_stage<T> &stage)
    {
        const int run = shape.s * shape.c, swizzle = conv2d_swizzle(row(0));
#pragma unroll
        for (int i = 0; i < T::PIXELS; i++) {
#pragma unroll
            for (int e = 0; e < T::PARTS; e++)
                xs[i][e].send(stage.x[row(i)], swizzle, quarter(), e, x[i] + e * 16,
                              j + e * 16 >= first[i] && j + e * 16 < end[i]);
            x[i] += P::STEPS;
        }
#pragma unroll
        for (int i = 0; i < T::WEIGHTS; i++)
            ws[i].send(&stage.w[row(i)][quarter() ^ swizzle], w + i * T::APART * 16, row(i) < k_left);
        w += (int64_t)shape.k * 16;
        j += P::STEPS;
        if (j >= run) {
#pragma unroll
            for (int i = 0; i < T::PIXELS; i++)
                x[i] += (int64_t)shape.w * shape.c - j;
            j = 0;
            r++;
            open(shape, taps);
        }
    }

    /* What was sent in registers is put there. */
    CUDA_DEVICE void land(conv2d_mma_stage<T> &stage)
    {
        const int swizzle = conv2d_swizzle(row(0));
#pragma unroll
        for (int i = 0; i < T::PIXELS; i++)
#pragma unroll
            for (int e = 0; e < T::PARTS; e++)
                xs[i][e].land(stage.x[row(i)], swizzle, quarter(), e);
#pragma unroll
        for (int i = 0; i < T::WEIGHTS; i++)
            ws[i].land(&stage.w[row(i)][quarter() ^ swizzle]);
    }
};

/* Where a lane's fragments are: the rows whose addresses it gives to ldmatrix. */
template <class T> struct conv2d_mma_place {
    int x, w, x_piece, w_piece, swizzle;
    CUDA_DEVICE conv2d_mma_place()
    {
        int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, m = warp / T::WARPS_N * T::WM,
            n = warp % T::WARPS_N * T::WN;
        x = m + lane % 16;
        x_piece = lane / 16;
        w = n + lane % 8 + lane / 16 * 8;
        w_piece = lane / 8 % 2;
        swizzle = conv2d_swizzle(lane % 8);
    }
};

/* sums += x * w over a stage. */
template <class T>
CUDA_DEVICE void conv2d_mma_multiply(float (&sums)[T::WM / 16][T::WN / 8][4], const conv2d_mma_stage<T> &stage,
                                     const conv2d_mma_place<T> &at)
{
#pragma unroll
    for (int pieces = 0; pieces < 4; pieces += 2) {
        uint32_t a[T::WM / 16][4], b[T::WN / 16][4];
#pragma unroll
        for (int i = 0; i < T::WM / 16; i++) {
            cuda_ldmatrix_x4(a[i], &stage.x[at.x + i * 16][(pieces + at.x_piece) ^ at.swizzle]);
            T::product::round(a[i]);
        }
#pragma unroll
        for (int j = 0; j < T::WN / 16; j++)
            cuda_ldmatrix_x4(b[j], &stage.w[at.w + j * 16][(pieces + at.w_piece) ^ at.swizzle]);
#pragma unroll
        for (int i = 0; i < T::WM / 16; i++)
#pragma unroll
            for (int j = 0; j < T::WN / 8; j++)
                T::product::multiply(sums[i][j], a[i], &b[j / 2][j % 2 * 2]);
    }
}

/* Sums to outputs, by way of a piece of the stages' memory that the warp has for itself: 16 pixels at a time, so that
 * neighbouring lanes write neighbouring float4s. Its rows are 8 floats longer than they need be, which puts four of them into
 * different banks. */
template <class T>
CUDA_DEVICE void conv2d_mma_write(const conv2d_shape &shape, const float (&sums)[T::WM / 16][T::WN / 8][4],
                                  conv2d_mma_shared<T> &shared, const float *bias, const float *residual, float *out, int64_t m0,
                                  int k0)
{
    constexpr int PITCH = T::WN + 8, ACROSS = T::WN / 4; /* lanes that write a row */
    static_assert(sizeof(float) * T::WARPS_M * T::WARPS_N * 16 * PITCH <= sizeof shared.stages);
    const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, k = lane % ACROSS * 4;
    float *mine = &shared.stages[0].x[0][0].x + warp * 16 * PITCH, *sum = mine + lane / 4 * PITCH + lane % 4 * 2;
    k0 += warp % T::WARPS_N * T::WN + k;
#pragma unroll
    for (int i = 0; i < T::WM / 16; i++) {
#pragma unroll
        for (int j = 0; j < T::WN / 8; j++) {
            *reinterpret_cast<float2 *>(sum + j * 8) = make_float2(sums[i][j][0], sums[i][j][1]);
            *reinterpret_cast<float2 *>(sum + j * 8 + 8 * PITCH) = make_float2(sums[i][j][2], sums[i][j][3]);
        }
        __syncwarp();
#pragma unroll 1
        for (int row = lane / ACROSS; row < 16; row += 32 / ACROSS) {
            const int pixel = warp / T::WARPS_N * T::WM + i * 16 + row;
            const int64_t m = m0 + pixel;
            if (m >= shape.pixels || k0 >= shape.k)
                continue;
            float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (shared.taps[pixel].x != CONV2D_NOWHERE)
                v = conv2d_finish4(shape, *reinterpret_cast<const float4 *>(mine + row * PITCH + k), bias, k0,
                                   residual ? residual + m * shape.k : nullptr);
            conv2d_store4(shape, v, out + m * shape.k, k0);
        }
        __syncwarp();
    }
}

/* A kernel's body; operands as in 09_tf32.cu. It asks for sizeof(conv2d_mma_shared<T>) bytes. */
template <class T>
CUDA_DEVICE void conv2d_mma(const float *x, const float *w, const float *bias, const float *residual, const int32_t *counts,
                            float *out, const conv2d_shape &shape)
{
    typedef typename T::product P;
    if constexpr (CUDA_ARCH / 100 < T::MAJOR)
        return; /* conv2d_mma_run launches it on no such GPU */
    CUDA_DYNAMIC_SHARED(conv2d_mma_shared<T>, shared);
    const int k0 = (int)blockIdx.y * T::N;
    const int64_t m0 = (int64_t)blockIdx.x * T::M;
    const conv2d_mma_place<T> at;
    conv2d_mma_feed<T> feed;
    int counted = 0;
#pragma unroll
    for (int i = 0; i < T::PIXELS; i++) {
        int64_t m = m0 + feed.row(i);
        conv2d_pixel pixel = conv2d_pixel_of(shape, m);
        bool live = m < shape.pixels && conv2d_counts(shape, counts, pixel.n);
        feed.x[i] = x + conv2d_first(shape, pixel) + feed.quarter() * 4;
        if (feed.quarter() == 0)
            shared->taps[feed.row(i)] = live ? make_int2(pixel.y, pixel.x) : make_int2(CONV2D_NOWHERE, 0);
        counted += live;
    }
    feed.w = w + ((int64_t)(k0 + feed.row(0)) * 4 + feed.quarter()) * 4;
    feed.r = feed.j = 0;

    float sums[T::WM / 16][T::WN / 8][4] = {};
    const int rows = __syncthreads_count(counted) ? shape.r : 0;
    feed.open(shape, shared->taps);
#pragma unroll
    for (int s = 0; s < P::STAGES - 1; s++) {
        if (feed.r < rows) {
            feed.send(shape, shared->taps, shape.k - k0, shared->stages[s]);
            feed.land(shared->stages[s]);
        }
        cuda_copy_commit();
    }
    const int times = rows * ((shape.s * shape.c + P::STEPS - 1) / P::STEPS);
    for (int i = 0; i < times; i += P::STAGES) {
#pragma unroll
        for (int s = 0; s < P::STAGES; s++) { /* the stage that is multiplied */
            if (i + s >= times)
                break;
            conv2d_mma_stage<T> &next = shared->stages[(s + P::STAGES - 1) % P::STAGES];
            cuda_copy_wait<P::STAGES - 2>();
            __syncthreads();
            const bool more = feed.r < rows;
            if (more)
                feed.send(shape, shared->taps, shape.k - k0, next);
            cuda_copy_commit();
            conv2d_mma_multiply(sums, shared->stages[s], at);
            if (more)
                feed.land(next);
        }
    }
    __syncthreads();
    conv2d_mma_write(shape, sums, *shared, bias, residual, out, m0, k0);
}
#endif
