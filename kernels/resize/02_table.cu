/* resize / table
 *
 * CHANGE  a block takes a tile of a picture, and works out once what its pixels have in common: what each of the 256 bytes is
 *         worth in each channel, to look it up, and where a column looks
 * FASTER  a byte costs a read of shared memory where it cost two or three divisions; a thread finds its place without any, where
 *         it took two of 64 bits
 * LIMIT   single bytes are read: a warp's request of 32 neighbouring pixels covers 96 bytes, a byte of each sector at a time
 * NEEDS   at most 65535 images
 */
#include "kernels/resize/resize.h"

CUDA_KERNEL(resize_table, RESIZE_BLOCK, const uint8_t *pixels, /* bytes */
            const int64_t *images,                             /* (N,5) */
            float *y,                                          /* (N,H,W,3) */
            int h, int w, struct osp_resize_attrs attrs)
{
    resize_table_row *table = resize_table_of(attrs);
    auto worth = [&](int byte, int c) { return table[c][byte]; };
    auto pair = [&](int64_t at, const struct resize_tap &u) { return resize_bytes(pixels + at, u); };
    struct resize_image image = resize_image_of(images + blockIdx.z * OSP_IMAGE_FIELDS);
    int column = blockIdx.x * RESIZE_COLUMNS + threadIdx.x % 32, first = blockIdx.y * RESIZE_ROWS;
    if (column >= w)
        return;
    struct resize_tap u = resize_column(image, column);
    for (int row = first + threadIdx.x / 32; row < min(h, first + RESIZE_ROWS); row += RESIZE_WARPS)
        resize_pixel(image, row, column, u, y + (((int64_t)blockIdx.z * h + row) * w + column) * 3, worth, pair);
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    return launch_resize_table(device, resize_grid(call), RESIZE_BLOCK, 0, (const uint8_t *)call->in[OSP_RESIZE_PIXELS].data,
                               (const int64_t *)call->in[OSP_RESIZE_IMAGES].data, (float *)call->out[0].data, (int)dim[1],
                               (int)dim[2], call->attrs->resize);
}

extern "C" const struct osp_kernel cuda_resize_table = {.name = "table", .refuses = resize_refuses, .run = run};
#endif
