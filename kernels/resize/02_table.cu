/* resize / table
 *
 * CHANGE  a block first works out what each of the 256 bytes is worth in each channel, then looks it up
 * FASTER  a byte costs a read of shared memory where it cost two or three divisions; the table is shared by the PIXELS of a block
 * LIMIT   single bytes are read: a warp's request of 32 neighbouring pixels covers 96 bytes, a byte of each sector at a time
 * NEEDS   any shape
 */
#include "kernels/resize/resize.h"

constexpr int BLOCK = 256, EACH = 4, PIXELS = BLOCK * EACH;

CUDA_KERNEL(resize_table, BLOCK, const uint8_t *pixels, /* bytes */
            const int64_t *images,                      /* (N,5) */
            float *y,                                   /* (N,H,W,3) */
            int64_t count, int h, int w, struct osp_resize_attrs attrs)
{
    resize_table_row *table = resize_table_of(attrs);
    auto worth = [&](int byte, int c) { return table[c][byte]; };
    auto pair = [&](int64_t at, const struct resize_tap &u) { return resize_bytes(pixels + at, u); };
    for (int k = 0; k < EACH; k++) {
        int64_t i = (int64_t)blockIdx.x * PIXELS + k * BLOCK + threadIdx.x;
        if (i >= count)
            break;
        const int64_t *image = images + i / w / h * OSP_IMAGE_FIELDS;
        resize_pixel(image, (int)(i / w % h), (int)(i % w), y + i * 3, worth, pair);
    }
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    int64_t count = dim[0] * dim[1] * dim[2];
    return launch_resize_table(device, cuda_blocks(count, PIXELS), BLOCK, 0, (const uint8_t *)call->in[OSP_RESIZE_PIXELS].data,
                               (const int64_t *)call->in[OSP_RESIZE_IMAGES].data, (float *)call->out[0].data, count, (int)dim[1],
                               (int)dim[2], call->attrs->resize);
}

extern "C" const struct osp_kernel cuda_resize_table = {.name = "table", .run = run};
#endif
