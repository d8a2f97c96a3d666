/* cudnn / finish: what cuDNN and cuBLASLt cannot fuse, in one pass over their output. Where only images that do not count are left
 * to be zeroed, the others are not touched. */
#include "kernels/device.h"
#if CUDA_HOST
#include "kernels/cudnn/finish.h"
#endif

constexpr int BLOCK = 256;

CUDA_KERNEL(cudnn_finish_all, BLOCK, float *out, /* (images, pixels, K) */
            const float *bias,                   /* (K) or NULL */
            const float *residual,               /* (images, pixels, K) or NULL */
            const int32_t *counts,               /* NULL: every image counts */
            int64_t count, int64_t image, int k, int each, int zeros_only, enum osp_activation activation)
{
    const int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    const int64_t n = i / image;
    if (counts && n % each >= counts[n / each]) {
        out[i] = 0.0f;
    } else if (!zeros_only) {
        float sum = out[i];
        if (bias)
            sum += bias[i % k];
        if (residual)
            sum += residual[i];
        out[i] = osp_activate(activation, sum);
    }
}

#if CUDA_HOST
extern "C" osp_status cudnn_finish_run(struct osp_device *device, const struct cudnn_finish *f)
{
    const int64_t image = f->pixels * f->k, count = f->images * image;
    const int zeros_only = !f->bias && !f->residual && f->activation == OSP_LINEAR;
    if (!count || (zeros_only && !f->counts))
        return OSP_OK;
    return launch_cudnn_finish_all(device, cuda_blocks(count, BLOCK), BLOCK, 0, f->out, f->bias, f->residual, f->counts, count, image,
                                   f->k, f->each, zeros_only, f->activation);
}
#endif
