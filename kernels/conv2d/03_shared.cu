/* conv2d / shared
 *
 * CHANGE  a block of 16 pixels by 16 outputs fetches 16 steps of the sum at a time into shared memory, each thread one x and one
 *         weight
 * FASTER  every value that is fetched from global memory serves 16 threads
 * LIMIT   two loads from shared memory for each multiply-add, and a thread has one sum, whose additions wait for one another
 * NEEDS   any shape
 */
#include "kernels/conv2d/conv2d.h"

constexpr int TILE = 16; /* pixels, outputs and steps of a block */

CUDA_KERNEL(conv2d_shared, TILE *TILE, const float *x, /* (N,H,W,C) */
            const float *w,                            /* [R][S][C][pitch] */
            const float *bias,                         /* (K) or NULL */
            const float *residual,                     /* (N,P,Q,K) or NULL */
            const int32_t *counts,                     /* NULL: every image counts */
            float *out,                                /* (N,P,Q,K) */
            conv2d_shape shape)
{
    CUDA_SHARED(float, xs, [TILE][TILE + 1]); /* pixel, step; one more column, so that neighbouring pixels are in other banks */
    CUDA_SHARED(float, ws, [TILE][TILE]);     /* step, output */
    const int tx = (int)threadIdx.x, ty = (int)threadIdx.y, run = shape.s * shape.c;
    const int k = (int)blockIdx.y * TILE + tx;
    const int64_t m = (int64_t)blockIdx.x * TILE + ty;
    conv2d_pixel pixel = conv2d_pixel_of(shape, m);
    bool live = m < shape.pixels && conv2d_counts(shape, counts, pixel.n);
    int4 window = live ? conv2d_window(shape, pixel) : make_int4(0, 0, 0, 0);
    int64_t first = conv2d_first(shape, pixel);
    float sum = 0.0f;
    for (int r = 0; r < shape.r; r++) {
        bool row = r >= window.x && r < window.y;
        for (int j0 = 0; j0 < run; j0 += TILE) {
            int jx = j0 + tx, jw = j0 + ty;
            bool inside = row && jx >= window.z && jx < window.w;
            xs[ty][tx] = inside ? x[first + (int64_t)r * shape.w * shape.c + jx] : 0.0f;
            ws[ty][tx] = jw < run && k < shape.k ? w[((int64_t)r * run + jw) * shape.pitch + k] : 0.0f;
            __syncthreads();
            if (row) {
                int end = min(window.w - j0, TILE);
                for (int j = max(window.z - j0, 0); j < end; j++)
                    sum = fmaf(xs[ty][j], ws[j][tx], sum);
            }
            __syncthreads();
        }
    }
    if (m < shape.pixels && k < shape.k)
        out[m * shape.k + k] = live ? conv2d_finish(shape, sum, bias, k, residual, m * shape.k + k) : 0.0f;
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    conv2d_call it = conv2d_of(call, state);
    dim3 grid(cuda_blocks(it.shape.pixels, TILE), cuda_blocks(it.shape.k, TILE));
    return launch_conv2d_shared(device, grid, dim3(TILE, TILE), 0, it.x, it.w, it.bias, it.residual, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_conv2d_shared = {
    .name = "shared", .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
