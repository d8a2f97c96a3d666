/* resize / staged
 *
 * CHANGE  a block's pixels meet in shared memory, and its threads write them out side by side
 * FASTER  each store of a warp is 128 bytes in a row: four sectors, where it was twelve
 * LIMIT   memory: the output is written once, and of the picture each byte comes from memory once
 * NEEDS   any shape
 */
#include "kernels/resize/words.h"

constexpr int BLOCK = 256, EACH = 4, PIXELS = BLOCK * EACH;

CUDA_KERNEL(resize_staged, BLOCK, struct resize_source source, const int64_t *images, /* (N,5) */
            float *y,                                                                 /* (N,H,W,3) */
            int64_t count, int h, int w, struct osp_resize_attrs attrs)
{
    resize_table_row *table = resize_table_of(attrs);
    auto worth = [&](int byte, int c) { return table[c][byte]; };
    auto pair = [&](int64_t at, const struct resize_tap &u) { return resize_read(source, at, u); };
    CUDA_SHARED(float, staged, [BLOCK * 3]);
    for (int64_t first = (int64_t)blockIdx.x * PIXELS, end = min(count, first + PIXELS); first < end; first += BLOCK) {
        int64_t i = first + threadIdx.x;
        if (i < end)
            resize_pixel(images + i / w / h * OSP_IMAGE_FIELDS, (int)(i / w % h), (int)(i % w), staged + threadIdx.x * 3, worth,
                         pair);
        __syncthreads();
        for (int k = threadIdx.x; k < 3 * BLOCK && first * 3 + k < end * 3; k += BLOCK)
            y[first * 3 + k] = staged[k];
        __syncthreads();
    }
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    int64_t count = dim[0] * dim[1] * dim[2];
    return launch_resize_staged(device, cuda_blocks(count, PIXELS), BLOCK, 0, resize_source_of(call),
                                (const int64_t *)call->in[OSP_RESIZE_IMAGES].data, (float *)call->out[0].data, count, (int)dim[1],
                                (int)dim[2], call->attrs->resize);
}

extern "C" const struct osp_kernel cuda_resize_staged = {.name = "staged", .run = run};
#endif
