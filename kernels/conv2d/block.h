/* What the rungs share whose blocks compute tiles of M pixels by N outputs: four values at a time, windows in shared memory,
 * masks of the steps that are open, sums to outputs, and which of several tiles a problem should use. */
#ifndef OSPREY_KERNELS_CONV2D_BLOCK_H
#define OSPREY_KERNELS_CONV2D_BLOCK_H

#include "kernels/conv2d/conv2d.h"

/* Four values of p from j on, zeros where they are not in [first,end); wide: all of them are or none, and they are aligned. */
CUDA_DEVICE float4 conv2d_fetch(const float *p, int j, int first, int end, bool wide)
{
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (wide) {
        if (j >= first && j < end)
            v = *reinterpret_cast<const float4 *>(p + j);
        return v;
    }
    if (j >= first && j < end)
        v.x = p[j];
    if (j + 1 >= first && j + 1 < end)
        v.y = p[j + 1];
    if (j + 2 >= first && j + 2 < end)
        v.z = p[j + 2];
    if (j + 3 >= first && j + 3 < end)
        v.w = p[j + 3];
    return v;
}

CUDA_DEVICE float4 conv2d_add(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }

/* A window of which every step is open, for pixels whose sums nobody asks for. */
CUDA_DEVICE int4 conv2d_idle(const conv2d_shape &shape) { return make_int4(-1, shape.r, 0, shape.s * shape.c); }
CUDA_DEVICE bool conv2d_live(int4 window) { return window.x >= 0; }
CUDA_DEVICE bool conv2d_has_row(int4 window, int r) { return r >= window.x && r < window.y; }

/* Which of the steps j0..j0+DEPTH of filter row r are in a window, a bit each. */
template <int DEPTH> CUDA_DEVICE unsigned conv2d_mask(int4 window, int r, int j0)
{
    if (!conv2d_has_row(window, r))
        return 0;
    int end = min(max(window.w - j0, 0), DEPTH), first = min(max(window.z - j0, 0), end);
    return (1u << end) - (1u << first);
}

/* Outputs k..k+3 of a pixel that counts, from their sums; `to` and `residual` are the pixel's K values. */
CUDA_DEVICE float4 conv2d_finish4(const conv2d_shape &shape, float4 sum, const float *bias, int k, const float *residual)
{
    if (bias)
        sum = conv2d_add(sum, *reinterpret_cast<const float4 *>(bias + k));
    if (residual)
        sum = conv2d_add(sum, conv2d_fetch(residual, k, 0, shape.k, shape.wide_out));
    return make_float4(osp_activate(shape.activation, sum.x), osp_activate(shape.activation, sum.y),
                       osp_activate(shape.activation, sum.z), osp_activate(shape.activation, sum.w));
}

CUDA_DEVICE void conv2d_store4(const conv2d_shape &shape, float4 v, float *to, int k)
{
    if (shape.wide_out) {
        *reinterpret_cast<float4 *>(to + k) = v;
        return;
    }
    to[k] = v.x;
    if (k + 1 < shape.k)
        to[k + 1] = v.y;
    if (k + 2 < shape.k)
        to[k + 2] = v.z;
    if (k + 3 < shape.k)
        to[k + 3] = v.w;
}

/* A thread's sums to outputs; which those are in the block, `at` knows: its pixel i, its output j. A template goes through the
 * pixels, because nvcc left a loop over them, with its many ways through, as one: the sums then went to memory to be indexed. */
template <int I = 0, class P, int TM, int TN>
CUDA_DEVICE void conv2d_write(const conv2d_shape &shape, const float (&sums)[TM][TN], const P &at, const int4 *windows,
                              const float *bias, const float *residual, float *out, int64_t m0, int k0)
{
    if constexpr (I < TM) {
        int64_t m = m0 + at.pixel(I);
        bool live = conv2d_live(windows[at.pixel(I)]);
#pragma unroll
        for (int j = 0; j < TN; j += 4) {
            int k = k0 + at.output(j);
            if (m >= shape.pixels || k >= shape.k)
                continue;
            float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (live)
                v = conv2d_finish4(shape, make_float4(sums[I][j], sums[I][j + 1], sums[I][j + 2], sums[I][j + 3]), bias, k,
                                   residual ? residual + m * shape.k : nullptr);
            conv2d_store4(shape, v, out + m * shape.k, k);
        }
        conv2d_write<I + 1>(shape, sums, at, windows, bias, residual, out, m0, k0);
    }
}

/* A float4 on its way into shared memory, or a zero: by itself from sm_80 on, in a register before. */
struct conv2d_parcel {
#if CUDA_ARCH >= 800
    CUDA_DEVICE void send(float4 *to, const float *from, bool live) { cuda_copy_async<16>(to, from, live ? 16 : 0); }
    CUDA_DEVICE void land(float4 *) {}
#else
    float4 value;
    CUDA_DEVICE void send(float4 *, const float *from, bool live)
    {
        value = live ? *reinterpret_cast<const float4 *>(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    CUDA_DEVICE void land(float4 *to) { *to = value; }
#endif
};

#if CUDA_HOST
/* Which of several tiles a problem should use. The model: a multiprocessor takes the tiles that fall to it one by one; a step of
 * a tile takes M*N/128 cycles of multiply-adds, or M*N*(TM+TN)/(TM*TN)/32 cycles of loads from shared memory, whichever is more.
 * Large tiles are the cheaper ones for each output, small ones fill the machine and leave less of a tile empty. */
struct conv2d_tiling {
    int m, n, tm, tn;
};
template <class T> constexpr conv2d_tiling conv2d_tiling_of() { return {T::M, T::N, T::TM, T::TN}; }

static inline double conv2d_cycles(const conv2d_tiling &tile, int multiprocessors, int64_t pixels, int64_t outputs, int64_t steps)
{
    double area = (double)tile.m * tile.n, products = area / 128, loads = area * (tile.tm + tile.tn) / (tile.tm * tile.tn) / 32;
    int64_t tiles = ((pixels + tile.m - 1) / tile.m) * ((outputs + tile.n - 1) / tile.n);
    return (double)((tiles + multiprocessors - 1) / multiprocessors) * (double)steps * (products > loads ? products : loads);
}

/* The index of the cheapest; of equals the first. */
template <int COUNT>
static inline int conv2d_pick(const conv2d_tiling (&tiles)[COUNT], int multiprocessors, int64_t pixels, int64_t outputs,
                              int64_t steps)
{
    int best = 0;
    for (int i = 1; i < COUNT; i++)
        if (conv2d_cycles(tiles[i], multiprocessors, pixels, outputs, steps) <
            conv2d_cycles(tiles[best], multiprocessors, pixels, outputs, steps))
            best = i;
    return best;
}

/* A rung's run: the tile for this problem, by the launcher at the same place. */
template <class L, int COUNT>
static inline osp_status conv2d_run(struct osp_device *device, const struct osp_call *call, const struct osp_node_state *state,
                                    const conv2d_tiling (&tiles)[COUNT], const L *const (&launches)[COUNT])
{
    const conv2d_call it = conv2d_of(call, state);
    const int64_t steps = (int64_t)it.shape.r * it.shape.s * it.shape.c;
    const int i = conv2d_pick(tiles, cuda_limits_of(device)->multiprocessors, it.shape.pixels, it.shape.k, steps);
    const dim3 grid(cuda_blocks(it.shape.pixels, tiles[i].m), cuda_blocks(it.shape.k, tiles[i].n));
    return (*launches[i])(device, grid, launches[i]->kernel.threads, 0, it.x, it.w, it.bias, it.residual, it.counts, it.out,
                          it.shape);
}

/* What a layer should cost by the rungs that compete for it: of one image so many multiply-adds, and floats to or from memory.
 * The machine is a round one, 5e12 multiply-adds a second and 16 in the time of a byte (a T4 does 13, an A100 6, an RTX 3090 19).
 *
 * Which rung a plan takes must not depend on the GPU, nor on how many pictures share a batch: Winograd's sums are others than the
 * direct rungs', and each would change bits. So nothing of the device is asked, and images are counted one by one. */
static inline double conv2d_seconds(const struct osp_call *call, double products, double floats)
{
    return (double)call->out[0].shape.dim[0] * (products + 16 * sizeof(float) * floats) / 5e12;
}

/* The cost of every direct rung that is worth choosing: of them a plan takes the highest that does not refuse. */
static inline double conv2d_direct_seconds(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *x = call->in[OSP_CONV2D_X].shape.dim, *out = call->out[0].shape.dim;
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    const double filter = (double)a->r * a->s * (double)(x[3] * out[3]), pixels = (double)(out[1] * out[2]);
    return conv2d_seconds(call, pixels * filter, (double)(x[1] * x[2] * x[3]) + pixels * (double)out[3] + filter);
}
#endif
#endif
