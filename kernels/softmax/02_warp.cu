/* softmax / warp
 *
 * CHANGE  one warp for each row, a class a lane; the largest is found by exchanging registers
 * FASTER  a request of a warp is whole sectors, and each exponential is computed once, 32 at a time
 * LIMIT   the order of the sum: every lane adds all C exponentials in class order, one exchange each
 * NEEDS   at most 1024 classes: a lane keeps its exponentials in 32 registers
 */
#include "kernels/device.h"

constexpr int WARPS = 4, BLOCK = 32 * WARPS, KEPT = 32;
constexpr unsigned ALL = 0xffffffffu;

CUDA_KERNEL(softmax_warp, BLOCK, const float *x, /* (N*T,C) */
            const int32_t *counts,               /* (N), or NULL */
            float *y,                            /* (N*T,C) */
            int64_t rows, int64_t t, int c)
{
    int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows)
        return; /* the whole warp */
    bool valid = !counts || row % t < counts[row / t];
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
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    return call->in[OSP_SOFTMAX_X].shape.dim[1] <= 32 * KEPT ? nullptr : "it keeps a row in registers, at most 1024 classes";
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->in[OSP_SOFTMAX_X].shape.dim;
    const struct osp_tensor *counts = &call->in[OSP_SOFTMAX_COUNTS];
    int64_t t = counts->data ? dim[0] / counts->shape.dim[0] : dim[0];
    return launch_softmax_warp(device, cuda_blocks(dim[0], WARPS), BLOCK, 0, (const float *)call->in[OSP_SOFTMAX_X].data,
                               (const int32_t *)counts->data, (float *)call->out[0].data, dim[0], t, (int)dim[1]);
}

extern "C" const struct osp_kernel cuda_softmax_warp = {.name = "warp", .refuses = refuses, .run = run};
#endif
