/* softmax / warp
 *
 * CHANGE  one warp for each row, a class a lane; the largest is found by exchanging registers. An image is a row of the grid
 * FASTER  a request of a warp is whole sectors, and each exponential is computed once, 32 at a time
 * LIMIT   the order of the sum: every lane adds all C exponentials in class order, one exchange each
 * NEEDS   at most 1024 classes: a lane keeps its exponentials in 32 registers; at most 65535 images
 */
#include "kernels/device.h"

constexpr int WARPS = 4, BLOCK = 32 * WARPS, KEPT = 32;
constexpr unsigned ALL = 0xffffffffu;

CUDA_KERNEL(softmax_warp, BLOCK, const float *x, /* (N*T,C) */
            const int32_t *counts,               /* (N), or NULL */
            float *y,                            /* (N*T,C) */
            int64_t t, int c)
{
    int64_t i = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32, n = blockIdx.y, row = n * t + i;
    int lane = threadIdx.x % 32;
    if (i >= t)
        return; /* the whole warp */
    bool valid = !counts || i < counts[n];
    const float *from = x + row * c;
    float kept[KEPT], most = -INFINITY, sum = 0;
#pragma unroll
    for (int i = 0; i < KEPT; i++)
        if (i * 32 < c) {
            int k = i * 32 + lane;
            kept[i] = valid && k < c ? from[k] : -INFINITY;
            most = kept[i] > most || kept[i] != kept[i] ? kept[i] : most; /* NaN wins, as in torch */
        }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        float other = __shfl_xor_sync(ALL, most, step);
        most = other > most || other != other ? other : most;
    }
#pragma unroll
    for (int i = 0; i < KEPT; i++)
        if (i * 32 < c) {
            kept[i] = osp_expf(kept[i] - most);
            int here = c - i * 32 < 32 ? c - i * 32 : 32;
            for (int k = 0; k < here; k++)
                sum += __shfl_sync(ALL, kept[i], k);
        }
#pragma unroll
    for (int i = 0; i < KEPT; i++)
        if (i * 32 + lane < c)
            y[row * c + i * 32 + lane] = valid ? kept[i] / sum : 0.0f;
}

#if CUDA_HOST
/* 1 where rows are not counted by image. */
static int64_t images_of(const struct osp_call *call)
{
    const struct osp_shape *counts = &call->in[OSP_SOFTMAX_COUNTS].shape;
    return counts->rank ? counts->dim[0] : 1;
}

static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_SOFTMAX_X].shape.dim;
    return dim[1] > 32 * KEPT ? "it keeps a row in registers, at most 1024 classes" : cuda_grid_refuses(1, images_of(call), 1);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->in[OSP_SOFTMAX_X].shape.dim;
    int64_t n = images_of(call), t = n ? dim[0] / n : 0;
    return launch_softmax_warp(device, {cuda_blocks(t, WARPS), (unsigned)n}, BLOCK, 0,
                               (const float *)call->in[OSP_SOFTMAX_X].data, (const int32_t *)call->in[OSP_SOFTMAX_COUNTS].data,
                               (float *)call->out[0].data, t, (int)dim[1]);
}

extern "C" const struct osp_kernel cuda_softmax_warp = {.name = "warp", .refuses = refuses, .run = run};
#endif
