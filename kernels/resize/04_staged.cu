/* resize / staged
 *
 * CHANGE  a warp's pixels meet in shared memory, and its lanes write them out side by side
 * FASTER  each store of a warp is 128 bytes in a row: four sectors, where it was twelve
 * LIMIT   memory: the output is written once, and of the picture each byte comes from memory once
 * NEEDS   at most 65535 images
 */
#include "kernels/resize/words.h"

constexpr int STAGE = 3 * RESIZE_COLUMNS; /* floats of a warp */

CUDA_KERNEL(resize_staged, RESIZE_BLOCK, struct resize_source source, const int64_t *images, /* (N,5) */
            float *y,                                                                        /* (N,H,W,3) */
            int h, int w, struct osp_resize_attrs attrs)
{
    const uint32_t *edges = resize_edges_of(source);
    resize_table_row *table = resize_table_of(attrs);
    auto worth = [&](int byte, int c) { return table[c][byte]; };
    auto pair = [&](int64_t at, const struct resize_tap &u) { return resize_read(source, edges, at, u); };
    CUDA_SHARED(float, stages, [RESIZE_WARPS][STAGE]);
    struct resize_image image = resize_image_of(images + blockIdx.z * OSP_IMAGE_FIELDS);
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, left = blockIdx.x * RESIZE_COLUMNS, first = blockIdx.y * RESIZE_ROWS;
    float *stage = stages[warp];
    struct resize_tap u = resize_column(image, left + lane);
    for (int row = first + warp; row < min(h, first + RESIZE_ROWS); row += RESIZE_WARPS) {
        float *out = y + (((int64_t)blockIdx.z * h + row) * w + left) * 3;
        resize_pixel(image, row, left + lane, u, stage + 3 * lane, worth, pair);
        __syncwarp();
#pragma unroll
        for (int k = 0; k < STAGE; k += 32)
            if (k + lane < 3 * (w - left))
                out[k + lane] = stage[k + lane];
        __syncwarp();
    }
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    const int64_t *dim = call->out[0].shape.dim;
    return launch_resize_staged(device, resize_grid(call), RESIZE_BLOCK, 0, resize_source_of(call),
                                (const int64_t *)call->in[OSP_RESIZE_IMAGES].data, (float *)call->out[0].data, (int)dim[1],
                                (int)dim[2], call->attrs->resize);
}

extern "C" const struct osp_kernel cuda_resize_staged = {.name = "staged", .refuses = resize_refuses, .run = run};
#endif
