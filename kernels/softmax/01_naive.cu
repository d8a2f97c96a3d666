/* softmax / naive
 *
 * CHANGE  the definition: one thread for each row goes through it three times
 * FASTER  nothing yet
 * LIMIT   neighbouring threads read C floats apart: a request of a warp touches 32 sectors; and every exponential is computed twice
 * NEEDS   any shape
 */
#include "kernels/device.h"

constexpr int BLOCK = 64;

CUDA_KERNEL(softmax_naive, BLOCK, const float *x, /* (N*T,C) */
            const int32_t *counts,                /* (N), or NULL */
            float *y,                             /* (N*T,C) */
            int64_t rows, int64_t t, int c)
{
    int64_t row = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (row >= rows)
        return;
    const float *from = x + row * c;
    float *to = y + row * c;
    bool valid = !counts || row % t < counts[row / t];
    float most = -INFINITY, sum = 0;
    for (int k = 0; valid && k < c; k++)
        most = from[k] > most || from[k] != from[k] ? from[k] : most; /* NaN wins, as in torch */
    for (int k = 0; valid && k < c; k++)
        sum += osp_expf(from[k] - most);
    for (int k = 0; k < c; k++)
        to[k] = valid ? osp_expf(from[k] - most) / sum : 0.0f;
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->in[OSP_SOFTMAX_X].shape.dim;
    const struct osp_tensor *counts = &call->in[OSP_SOFTMAX_COUNTS];
    int64_t t = counts->data ? dim[0] / counts->shape.dim[0] : dim[0];
    return launch_softmax_naive(device, cuda_blocks(dim[0], BLOCK), BLOCK, 0, (const float *)call->in[OSP_SOFTMAX_X].data,
                                (const int32_t *)counts->data, (float *)call->out[0].data, dim[0], t, (int)dim[1]);
}

extern "C" const struct osp_kernel cuda_softmax_naive = {.name = "naive", .run = run};
#endif
