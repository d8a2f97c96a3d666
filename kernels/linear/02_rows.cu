/* linear / rows
 *
 * CHANGE  a block takes up to 8 rows by 32 outputs, a warp to a row; all its threads together fetch 64 steps of weights at a time
 * FASTER  a weight serves 8 rows; and where there are few, so that weights are all that is fetched, eight times as many requests
 *         are under way for each warp that adds
 * LIMIT   with many rows, a load from shared memory for each multiply-add, and weights fetched again for every 8 rows
 * NEEDS   any shape; chosen where rows are few
 */
#include "kernels/linear/linear.h"

constexpr int ROWS = 8, COLS = 32, DEPTH = 64, THREADS = ROWS * COLS;

CUDA_KERNEL(linear_rows, THREADS, const float *x, /* (M,C) */
            const float *w,                       /* [C][pitch] */
            const float *bias,                    /* (K) or NULL */
            const int32_t *counts,                /* NULL: every row counts */
            float *out,                           /* (M,K) */
            conv2d_shape shape)
{
    CUDA_SHARED(float, xs, [ROWS][DEPTH]);
    CUDA_SHARED(float, ws, [DEPTH][COLS]);
    const int row = (int)threadIdx.x / COLS, col = (int)threadIdx.x % COLS;
    const int64_t m = (int64_t)blockIdx.x * ROWS + row;
    const int k = (int)blockIdx.y * COLS + col;
    const bool live = m < shape.pixels && conv2d_counts(shape, counts, m);
    float sum = 0.0f;
    const int length = __syncthreads_count(live) ? shape.c : 0;
    for (int c0 = 0; c0 < length; c0 += DEPTH) {
        int depth = min(DEPTH, length - c0);
#pragma unroll
        for (int i = 0; i < DEPTH; i += COLS)
            xs[row][i + col] = live && i + col < depth ? x[m * length + c0 + i + col] : 0.0f;
#pragma unroll
        for (int i = 0; i < DEPTH; i += ROWS)
            ws[i + row][col] = i + row < depth && k < shape.k ? w[(int64_t)(c0 + i + row) * shape.pitch + k] : 0.0f;
        __syncthreads();
        if (live)
            for (int c = 0; c < depth; c++)
                sum = fmaf(xs[row][c], ws[c][col], sum);
        __syncthreads();
    }
    if (m < shape.pixels && k < shape.k)
        out[m * shape.k + k] = live ? conv2d_finish(shape, sum, bias, k, nullptr, 0) : 0.0f;
}

#if CUDA_HOST
/* A step of a block costs each of its warps one load of 32 words from shared memory, one a cycle. */
static double cost(const struct osp_device *device, const struct osp_call *call)
{
    int64_t rows = call->in[OSP_LINEAR_X].shape.dim[0], columns = linear_columns(call), outputs = call->out[0].shape.dim[1];
    int64_t blocks = ((rows + ROWS - 1) / ROWS) * ((outputs + COLS - 1) / COLS), across = cuda_limits_of(device)->multiprocessors;
    return linear_seconds((double)((blocks + across - 1) / across) * (double)columns * (rows < ROWS ? (double)rows : ROWS));
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    conv2d_call it = linear_of(call, state);
    dim3 grid(cuda_blocks(it.shape.pixels, ROWS), cuda_blocks(it.shape.k, COLS));
    return launch_linear_rows(device, grid, THREADS, 0, it.x, it.w, it.bias, it.counts, it.out, it.shape);
}

extern "C" const struct osp_kernel cuda_linear_rows = {
    .name = "rows", .cost = cost, .prepare = cuda_filter_prepare, .release = cuda_filter_release, .run = run};
#endif
