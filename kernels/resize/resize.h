/* What the rungs of resize share: where an output pixel looks, and what a byte is worth. f32, in torch's order of operations. */
#ifndef OSPREY_KERNELS_RESIZE_H
#define OSPREY_KERNELS_RESIZE_H

#include "kernels/device.h"

/* The two neighbours that an output position lies between, on one axis, and their shares. */
struct resize_tap {
    int near, far;
    float near_share, far_share;
};

/* torch's area_pixel_compute_source_index, the product and the difference fused. */
CUDA_DEVICE struct resize_tap resize_tap_of(int to, int in, int out)
{
    float from = fmaf((float)in / (float)out, (float)to + 0.5f, -0.5f);
    from = from < 0 ? 0 : from;
    int near = (int)from < in - 1 ? (int)from : in - 1, far = near + 1 < in ? near + 1 : near;
    float share = from - (float)near;
    share = share > 1 ? 1 : share;
    return {near, far, 1 - share, share};
}

/* torchvision's to_tensor and normalize. */
CUDA_DEVICE float resize_normalised(const struct osp_resize_attrs &attrs, int byte, int c)
{
    float x = (float)byte / 255.0f;
    for (int i = 0; i < attrs.times; i++)
        x = (x - attrs.mean[c]) / attrs.std[c];
    return x;
}

/* What every byte is worth, [3][256], in shared memory; by the 256 threads of a block, of which each takes a byte. Channels are
 * unrolled, for attrs are no array in memory. */
typedef const float resize_table_row[256];
CUDA_DEVICE resize_table_row *resize_table_of(const struct osp_resize_attrs &attrs)
{
    CUDA_SHARED(float, worth_of, [3][256]);
#pragma unroll
    for (int c = 0; c < 3; c++)
        worth_of[c][threadIdx.x] = resize_normalised(attrs, (int)threadIdx.x, c);
    __syncthreads();
    return worth_of;
}

/* Two pixels of a row, between which an output pixel lies. */
struct resize_pair {
    int near[3], far[3];
};

CUDA_DEVICE struct resize_pair resize_bytes(const uint8_t *row, const struct resize_tap &u)
{
    struct resize_pair pair;
#pragma unroll
    for (int c = 0; c < 3; c++) {
        pair.near[c] = row[u.near * 3 + c];
        pair.far[c] = row[u.far * 3 + c];
    }
    return pair;
}

/* One image, of the rows of `images`. */
struct resize_image {
    int64_t offset; /* of its bytes */
    int h, w, resized_h, resized_w;
};

CUDA_DEVICE struct resize_image resize_image_of(const int64_t *row)
{
    return {row[OSP_IMAGE_OFFSET], (int)row[OSP_IMAGE_H], (int)row[OSP_IMAGE_W], (int)row[OSP_IMAGE_RESIZED_H],
            (int)row[OSP_IMAGE_RESIZED_W]};
}

/* Where column x looks; nowhere, past the image's edge. */
CUDA_DEVICE struct resize_tap resize_column(const struct resize_image &image, int x)
{
    return x < image.resized_w ? resize_tap_of(x, image.w, image.resized_w) : resize_tap{0, 0, 0, 0};
}

/* Output pixel (y, x) of one image: all three channels. u: of column x; worth(byte, c) is the normalised value of a byte;
 * pair(at, u) are the pixels that u names of the row that starts at byte `at` of the pixels of all images. */
template <class Worth, class Pair>
CUDA_DEVICE void resize_pixel(const struct resize_image &image, int y, int x, const struct resize_tap &u, float out[3],
                              const Worth &worth, const Pair &pair)
{
    if (y >= image.resized_h || x >= image.resized_w) {
        out[0] = out[1] = out[2] = 0;
        return;
    }
    struct resize_tap v = resize_tap_of(y, image.h, image.resized_h);
    struct resize_pair upper = pair(image.offset + (int64_t)v.near * image.w * 3, u);
    struct resize_pair lower = pair(image.offset + (int64_t)v.far * image.w * 3, u);
#pragma unroll
    for (int c = 0; c < 3; c++) {
        float a = worth(upper.near[c], c) * u.near_share + worth(upper.far[c], c) * u.far_share;
        float b = worth(lower.near[c], c) * u.near_share + worth(lower.far[c], c) * u.far_share;
        out[c] = a * v.near_share + b * v.far_share;
    }
}

/* The tile of a block, from rung `table` on: a lane takes a column, and each warp every eighth row. */
constexpr int RESIZE_COLUMNS = 32, RESIZE_WARPS = 8, RESIZE_BLOCK = 32 * RESIZE_WARPS, RESIZE_ROWS = 4 * RESIZE_WARPS;

#if CUDA_HOST
static inline dim3 resize_grid(const struct osp_call *call)
{
    const int64_t *dim = call->out[0].shape.dim;
    return {cuda_blocks(dim[2], RESIZE_COLUMNS), cuda_blocks(dim[1], RESIZE_ROWS), (unsigned)dim[0]};
}

static inline const char *resize_refuses(const struct osp_device *, const struct osp_call *call)
{
    return cuda_grid_refuses(call->dims.w, cuda_blocks(call->dims.h, RESIZE_ROWS), call->in[OSP_RESIZE_IMAGES].shape.dim[0]);
}
#endif

#endif
