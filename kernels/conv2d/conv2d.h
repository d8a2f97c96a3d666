/* What the rungs of conv2d share: the call in letters, where a pixel's taps lie, and how a sum becomes an output. Letters as in
 * ops.h.
 *
 * In NHWC the S*C values of x under one row of the filter lie side by side. So a sum is R runs of S*C products, and the packed
 * weights (filter.h) are as many rows. What of a run lies in the image is a stretch [j0,j1) of it: taps in the padding are left
 * out. */
#ifndef OSPREY_KERNELS_CONV2D_H
#define OSPREY_KERNELS_CONV2D_H

#include "kernels/device.h"

struct conv2d_shape {
    int64_t pixels; /* N*P*Q */
    int h, w, c, p, q, k, r, s, stride, pad;
    int pitch;            /* of packed weights */
    int each;             /* images for each entry of counts */
    int wide_x, wide_out; /* every four neighbouring values, from a multiple of four on, may be moved as one float4 */
    enum osp_activation activation;
};

struct conv2d_pixel {
    int64_t n;
    int y, x; /* of tap (0,0) in the image; it may lie in the padding */
};

CUDA_DEVICE conv2d_pixel conv2d_pixel_of(const conv2d_shape &shape, int64_t m)
{
    int64_t row = m / shape.q;
    conv2d_pixel pixel;
    pixel.n = row / shape.p;
    pixel.y = (int)(row % shape.p) * shape.stride - shape.pad;
    pixel.x = (int)(m % shape.q) * shape.stride - shape.pad;
    return pixel;
}

/* Where tap (0,0), channel 0 of a pixel is in x; it may lie before it. */
CUDA_DEVICE int64_t conv2d_first(const conv2d_shape &shape, const conv2d_pixel &pixel)
{
    return ((pixel.n * shape.h + pixel.y) * shape.w + pixel.x) * shape.c;
}

/* What of a pixel's window lies in the image: filter rows [x,y), and [z,w) of each run of S*C. */
CUDA_DEVICE int4 conv2d_window(const conv2d_shape &shape, const conv2d_pixel &pixel)
{
    return make_int4(max(0, -pixel.y), min(shape.r, shape.h - pixel.y), max(0, -pixel.x) * shape.c,
                     min(shape.s, shape.w - pixel.x) * shape.c);
}

/* Whether image n counts; the output of one that does not is zeros. */
CUDA_DEVICE bool conv2d_counts(const conv2d_shape &shape, const int32_t *counts, int64_t n)
{
    return !counts || n % shape.each < counts[n / shape.each];
}

/* bias (K) and residual (N,P,Q,K) may be NULL; at: m*K + k. */
CUDA_DEVICE float conv2d_finish(const conv2d_shape &shape, float sum, const float *bias, int k, const float *residual, int64_t at)
{
    if (bias)
        sum += bias[k];
    if (residual)
        sum += residual[at];
    return osp_activate(shape.activation, sum);
}

/* Output k of pixel m by the plainest loops. */
CUDA_DEVICE float conv2d_output(const conv2d_shape &shape, const float *x, const float *w, const float *bias,
                                const float *residual, const int32_t *counts, int64_t m, int k)
{
    conv2d_pixel pixel = conv2d_pixel_of(shape, m);
    if (!conv2d_counts(shape, counts, pixel.n))
        return 0.0f;
    int4 window = conv2d_window(shape, pixel);
    int run = shape.s * shape.c;
    float sum = 0.0f;
    for (int r = window.x; r < window.y; r++) {
        const float *from = x + conv2d_first(shape, pixel) + (int64_t)r * shape.w * shape.c;
        const float *weight = w + (int64_t)r * run * shape.pitch + k;
        for (int j = window.z; j < window.w; j++)
            sum = fmaf(from[j], weight[(int64_t)j * shape.pitch], sum);
    }
    return conv2d_finish(shape, sum, bias, k, residual, m * shape.k + k);
}

#if CUDA_HOST
#include "kernels/conv2d/filter.h"

/* A launch's operands, in the order of the kernels' parameters. */
struct conv2d_call {
    const float *x, *w, *bias, *residual;
    const int32_t *counts;
    float *out;
    conv2d_shape shape;
};

static inline bool conv2d_aligned(const void *pointer) { return (uintptr_t)pointer % sizeof(float4) == 0; }

static inline conv2d_call conv2d_of(const struct osp_call *call, const struct osp_node_state *state)
{
    const struct cuda_filter *filter = (const struct cuda_filter *)state->data;
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    const int64_t *x = call->in[OSP_CONV2D_X].shape.dim, *out = call->out[0].shape.dim;
    const struct osp_tensor *counts = &call->in[OSP_CONV2D_COUNTS];
    conv2d_call it = {(const float *)call->in[OSP_CONV2D_X].data,
                      filter->w,
                      filter->bias,
                      (const float *)call->in[OSP_CONV2D_RESIDUAL].data,
                      (const int32_t *)counts->data,
                      (float *)call->out[0].data,
                      {}};
    it.shape = {.pixels = out[0] * out[1] * out[2],
                .h = (int)x[1],
                .w = (int)x[2],
                .c = (int)x[3],
                .p = (int)out[1],
                .q = (int)out[2],
                .k = (int)out[3],
                .r = a->r,
                .s = a->s,
                .stride = a->stride,
                .pad = a->pad,
                .pitch = filter->pitch,
                .each = counts->data && counts->shape.dim[0] ? (int)(x[0] / counts->shape.dim[0]) : 1,
                .wide_x = x[3] % 4 == 0 && conv2d_aligned(it.x),
                .wide_out = out[3] % 4 == 0 && conv2d_aligned(it.out) && conv2d_aligned(it.residual),
                .activation = a->activation};
    return it;
}
#endif
#endif
