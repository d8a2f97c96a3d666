/* resize / words
 *
 * CHANGE  the six bytes of two neighbouring pixels are read as two words of four bytes, or three where they lie so, and taken
 *         apart in registers
 * FASTER  a pixel makes four to six requests for its neighbours, where it made twelve
 * LIMIT   the output: neighbouring threads write three floats apart, so that each of three stores touches the same 12 sectors
 * NEEDS   at most 65535 images
 */
#include "kernels/resize/words.h"

CUDA_KERNEL(resize_words, RESIZE_BLOCK, struct resize_source source, const int64_t *images, /* (N,5) */
            float *y,                                                                       /* (N,H,W,3) */
            int h, int w, struct osp_resize_attrs attrs)
{
    const uint32_t *edges = resize_edges_of(source);
    resize_table_row *table = resize_table_of(attrs);
    auto worth = [&](int byte, int c) { return table[c][byte]; };
    auto pair = [&](int64_t at, const struct resize_tap &u) { return resize_read(source, edges, at, u); };
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
    return launch_resize_words(device, resize_grid(call), RESIZE_BLOCK, 0, resize_source_of(call),
                               (const int64_t *)call->in[OSP_RESIZE_IMAGES].data, (float *)call->out[0].data, (int)dim[1],
                               (int)dim[2], call->attrs->resize);
}

extern "C" const struct osp_kernel cuda_resize_words = {.name = "words", .refuses = resize_refuses, .run = run};
#endif
