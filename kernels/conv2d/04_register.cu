/* conv2d / register
 *
 * CHANGE  a thread computes 4x4 outputs in registers: a block is 64 pixels by 64 outputs
 * FASTER  a step of the sum costs a thread 8 loads from shared memory for 16 multiply-adds, where before it cost 2 for one; its
 *         sums do not wait for one another; a value that is fetched from global memory serves 64 outputs
 * LIMIT   every load is of one word, so that half as many instructions load as multiply; each step asks where the windows end
 * NEEDS   any shape
 */
#include "kernels/conv2d/block.h"

constexpr int SIDE = 16, EACH = 4, TILE = SIDE * EACH; /* threads, a thread's outputs, and the block's, along both sides */
constexpr int STEPS = 16;
constexpr int PITCH = TILE + 2; /* steps of a pixel go to other banks than those of its neighbour */

/* A thread's pixels and outputs in the block. */
struct place {
    int row, col;
    CUDA_DEVICE int pixel(int i) const { return row + i * SIDE; }
    CUDA_DEVICE int output(int j) const { return col + j * SIDE; }
};

CUDA_KERNEL(conv2d_register, SIDE *SIDE, const float *x, /* (N,H,W,C) */
            const float *w,                              /* [R][S][C][pitch] */
            const float *bias,                           /* (K) or NULL */
            const float *residual,                       /* (N,P,Q,K) or NULL */
            const int32_t *counts,                       /* NULL: every image counts */
            float *out,                                  /* (N,P,Q,K) */
            conv2d_shape shape)
{
    CUDA_SHARED(float, xs, [STEPS][PITCH]); /* step, pixel */
    CUDA_SHARED(float, ws, [STEPS][TILE]);  /* step, output */
    CUDA_SHARED(int4, windows, [TILE]);
    CUDA_SHARED(int64_t, firsts, [TILE]); /* where the pixel's tap (0,0) is in x */
    const int t = (int)threadIdx.x, run = shape.s * shape.c, k0 = (int)blockIdx.y * TILE;
    const int64_t m0 = (int64_t)blockIdx.x * TILE;
    const place at = {t / SIDE, t % SIDE};
    if (t < TILE) {
        conv2d_pixel pixel = conv2d_pixel_of(shape, m0 + t);
        bool live = m0 + t < shape.pixels && conv2d_counts(shape, counts, pixel.n);
        windows[t] = live ? conv2d_window(shape, pixel) : conv2d_idle(shape);
        firsts[t] = conv2d_first(shape, pixel);
    }
    __syncthreads();

    float sums[EACH][EACH] = {};
    for (int r = 0; r < shape.r; r++)
        for (int j0 = 0; j0 < run; j0 += STEPS) {
            for (int i = 0; i < EACH; i++) {
                const int4 window = windows[at.pixel(i)];
                const int j = j0 + at.col;
                const bool inside = conv2d_live(window) && conv2d_has_row(window, r) && j >= window.z && j < window.w;
                xs[at.col][at.pixel(i)] = inside ? x[firsts[at.pixel(i)] + (int64_t)r * shape.w * shape.c + j] : 0.0f;
            }
            for (int step = t / TILE; step < STEPS; step += SIDE * SIDE / TILE) {
                const int j = j0 + step, k = k0 + t % TILE;
                ws[step][t % TILE] = j < run && k < shape.k ? w[((int64_t)r * run + j) * shape.pitch + k] : 0.0f;
            }
            __syncthreads();
            int first[EACH], end[EACH];
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                const int4 window = windows[at.pixel(i)];
                first[i] = window.z - j0;
                end[i] = conv2d_has_row(window, r) ? window.w - j0 : 0;
            }
            const int depth = min(STEPS, run - j0);
            for (int step = 0; step < depth; step++) {
                float b[EACH];
#pragma unroll
                for (int j = 0; j < EACH; j++)
                    b[j] = ws[step][at.output(j)];
#pragma unroll
                for (int i = 0; i < EACH; i++) {
                    const float a = xs[step][at.pixel(i)];
                    if (step >= first[i] && step < end[i])
#pragma unroll
                        for (int j = 0; j < EACH; j++)
                            sums[i][j] = fmaf(a, b[j], sums[i][j]);
                }
            }
            __syncthreads();
        }

#pragma unroll
    for (int i = 0; i < EACH; i++) {
        const int64_t m = m0 + at.pixel(i);
        const bool live = conv2d_live(windows[at.pixel(i)]);
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            const int k = k0 + at.output(j);
            if (m < shape.pixels && k < shape.k)
                out[m * shape.k + k] = live ? conv2d_finish(shape, sums[i][j], bias, k, residual, m * shape.k + k) : 0.0f;
        }
    }
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    conv2d_call it = conv2d_of(call, state);
    dim3 grid(cuda_blocks(it.shape.pixels, TILE), cuda_blocks(it.shape.k, TILE));
    return launch_conv2d_register(device, grid, SIDE * SIDE, 0, it.x, it.w, it.bias, it.residual, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_conv2d_register = {
    .name = "register", .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
