/* resize / naive
 *
 * CHANGE  the definition: one thread for each output pixel normalises its four neighbours and mixes them
 * FASTER  neighbouring threads take neighbouring columns
 * LIMIT   divisions: twelve bytes a pixel, each divided by 255 and by std; two of 64 bits find a thread's place
 * NEEDS   any shape
 */
#include "kernels/resize/resize.h"

constexpr int BLOCK = 256;

CUDA_KERNEL(resize_naive, BLOCK, const uint8_t *pixels, /* bytes */
            const int64_t *images,                      /* (N,5) */
            float *y,                                   /* (N,H,W,3) */
            int64_t count, int h, int w, struct osp_resize_attrs attrs)
{
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    struct resize_image image = resize_image_of(images + i / w / h * OSP_IMAGE_FIELDS);
    int row = (int)(i / w % h), column = (int)(i % w);
    auto worth = [&](int byte, int c) { return resize_normalised(attrs, byte, c); };
    auto pair = [&](int64_t at, const struct resize_tap &u) { return resize_bytes(pixels + at, u); };
    resize_pixel(image, row, column, resize_column(image, column), y + i * 3, worth, pair);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    int64_t count = dim[0] * dim[1] * dim[2];
    return launch_resize_naive(device, cuda_blocks(count, BLOCK), BLOCK, 0, (const uint8_t *)call->in[OSP_RESIZE_PIXELS].data,
                               (const int64_t *)call->in[OSP_RESIZE_IMAGES].data, (float *)call->out[0].data, count, (int)dim[1],
                               (int)dim[2], call->attrs->resize);
}

extern "C" const struct osp_kernel cuda_resize_naive = {.name = "naive", .run = run};
#endif
