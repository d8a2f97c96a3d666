/* resize / words
 *
 * CHANGE  the six bytes of two neighbouring pixels are read as two words of four bytes, or three where they lie so, and taken
 *         apart in registers
 * FASTER  a pixel makes four to six requests for its neighbours, where it made twelve
 * LIMIT   the output: neighbouring threads write three floats apart, so that each of three stores touches the same 12 sectors
 * NEEDS   any shape
 */
#include "kernels/resize/words.h"

constexpr int BLOCK = 256, EACH = 4, PIXELS = BLOCK * EACH;

CUDA_KERNEL(resize_words, BLOCK, struct resize_source source, const int64_t *images, /* (N,5) */
            float *y,                                                                /* (N,H,W,3) */
            int64_t count, int h, int w, struct osp_resize_attrs attrs)
{
    resize_table_row *table = resize_table_of(attrs);
    auto worth = [&](int byte, int c) { return table[c][byte]; };
    auto pair = [&](int64_t at, const struct resize_tap &u) { return resize_read(source, at, u); };
    for (int k = 0; k < EACH; k++) {
        int64_t i = (int64_t)blockIdx.x * PIXELS + k * BLOCK + threadIdx.x;
        if (i >= count)
            break;
        resize_pixel(images + i / w / h * OSP_IMAGE_FIELDS, (int)(i / w % h), (int)(i % w), y + i * 3, worth, pair);
    }
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    int64_t count = dim[0] * dim[1] * dim[2];
    return launch_resize_words(device, cuda_blocks(count, PIXELS), BLOCK, 0, resize_source_of(call),
                               (const int64_t *)call->in[OSP_RESIZE_IMAGES].data, (float *)call->out[0].data, count, (int)dim[1],
                               (int)dim[2], call->attrs->resize);
}

extern "C" const struct osp_kernel cuda_resize_words = {.name = "words", .run = run};
#endif
