/* Winograd's F(4x4,3x3) on the GPU: a square of 4x4 outputs of a 3x3 filter by 36 products instead of 144.
 *
 *     out = At [ (G w Gt) . (Bt x B) ] A       x 6x6, w 3x3; "." is element by element, summed over channels
 *
 * The matrices are those of Toom and Cook's multiplication of polynomials at the points 0, 1, -1, 1/2, -2 and infinity. Lavin and
 * Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. The sums below are made in the order of the cpu backend's
 * Winograd, so that both give the same bits.
 *
 * Squares are counted row by row, image by image. A strip of them is transformed, multiplied point by point, and transformed
 * back: transformed values are 2.25 times the size of x, and should not have to be in memory all at once. */
#ifndef OSPREY_KERNELS_CONV2D_WINOGRAD_H
#define OSPREY_KERNELS_CONV2D_WINOGRAD_H

#include "kernels/conv2d/warp.h"

enum { WINOGRAD_STEP = 4, WINOGRAD_SIDE = 6 }; /* a square makes STEP x STEP pixels of SIDE x SIDE */

struct winograd_strip {
    int64_t first;    /* square */
    int count;        /* of squares */
    int down, across; /* squares of an image */
    int channels;     /* C, filled up to a multiple of 4 with zeros */
};

/* Of a square: its image, and its first output. */
CUDA_DEVICE conv2d_pixel winograd_place(const winograd_strip &strip, int i)
{
    int64_t square = strip.first + i, row = square / strip.across;
    conv2d_pixel place;
    place.n = row / strip.down;
    place.y = (int)(row % strip.down) * WINOGRAD_STEP;
    place.x = (int)(square % strip.across) * WINOGRAD_STEP;
    return place;
}

/* Bt by six values:
 *     1 -3/2   -2  3/2    1    0
 *     0   -1  1/2  5/2    1    0
 *     0    1 -5/2  1/2    1    0
 *     0   -2   -1    2    1    0
 *     0  1/2   -1 -1/2    1    0
 *     0    1 -3/2   -2  3/2    1   */
CUDA_DEVICE void winograd_six_to_six(const float (&d)[WINOGRAD_SIDE], float (&t)[WINOGRAD_SIDE])
{
    const float p = d[4] - d[2], q = d[3] - d[1];
    t[0] = fmaf(1.5f, q, (d[0] - d[2]) + p);
    t[1] = fmaf(1.5f, d[2] + d[3], p + q);
    t[2] = fmaf(1.5f, d[3] - d[2], p - q);
    t[3] = fmaf(2.0f, q, p);
    t[4] = fmaf(-0.5f, q, p);
    t[5] = fmaf(1.5f, p, (d[5] - d[3]) - q);
}

/* At by six values:
 *     1    1    1    1    1    0
 *     0    1   -1  1/2   -2    0
 *     0    1    1  1/4    4    0
 *     0    1   -1  1/8   -8    1   */
CUDA_DEVICE void winograd_six_to_four(const float (&m)[WINOGRAD_SIDE], float (&o)[WINOGRAD_STEP])
{
    const float sum = m[1] + m[2], difference = m[1] - m[2];
    o[0] = (m[0] + sum) + (m[3] + m[4]);
    o[1] = fmaf(-2.0f, m[4], fmaf(0.5f, m[3], difference));
    o[2] = fmaf(4.0f, m[4], fmaf(0.25f, m[3], sum));
    o[3] = fmaf(-8.0f, m[4], fmaf(0.125f, m[3], difference)) + m[5];
}

/* Channel c of the square at `place`: point e goes to to[e*pitch]. What lies in the padding or past the channels is zero. */
CUDA_DEVICE void winograd_input(const conv2d_shape &shape, const conv2d_pixel &place, const float *x, int c, float *to,
                                int64_t pitch)
{
    const int top = place.y - shape.pad, left = place.x - shape.pad;
    const float *from = x + ((place.n * shape.h + top) * shape.w + left) * shape.c + c; /* may lie before x: read inside only */
    float columns[WINOGRAD_SIDE][WINOGRAD_SIDE];
#pragma unroll
    for (int j = 0; j < WINOGRAD_SIDE; j++) {
        const bool inside = c < shape.c && left + j >= 0 && left + j < shape.w;
        float d[WINOGRAD_SIDE], t[WINOGRAD_SIDE];
#pragma unroll
        for (int i = 0; i < WINOGRAD_SIDE; i++)
            d[i] = inside && top + i >= 0 && top + i < shape.h ? from[((int64_t)i * shape.w + j) * shape.c] : 0.0f;
        winograd_six_to_six(d, t);
#pragma unroll
        for (int i = 0; i < WINOGRAD_SIDE; i++)
            columns[i][j] = t[i];
    }
#pragma unroll
    for (int i = 0; i < WINOGRAD_SIDE; i++) {
        float t[WINOGRAD_SIDE];
        winograd_six_to_six(columns[i], t);
#pragma unroll
        for (int j = 0; j < WINOGRAD_SIDE; j++)
            to[(i * WINOGRAD_SIDE + j) * pitch] = t[j];
    }
}

/* A square's 4 x 4 sums, whose point e is from[e*pitch]: pixel p goes to to[p*stride]. */
CUDA_DEVICE void winograd_output(const float *from, int64_t pitch, float *to, int stride)
{
    float half[WINOGRAD_STEP][WINOGRAD_SIDE];
#pragma unroll
    for (int j = 0; j < WINOGRAD_SIDE; j++) {
        float m[WINOGRAD_SIDE], o[WINOGRAD_STEP];
#pragma unroll
        for (int i = 0; i < WINOGRAD_SIDE; i++)
            m[i] = from[(i * WINOGRAD_SIDE + j) * pitch];
        winograd_six_to_four(m, o);
#pragma unroll
        for (int i = 0; i < WINOGRAD_STEP; i++)
            half[i][j] = o[i];
    }
#pragma unroll
    for (int i = 0; i < WINOGRAD_STEP; i++) {
        float o[WINOGRAD_STEP];
        winograd_six_to_four(half[i], o);
#pragma unroll
        for (int j = 0; j < WINOGRAD_STEP; j++)
            to[(i * WINOGRAD_STEP + j) * stride] = o[j];
    }
}

#if CUDA_HOST
/* Squares into strips of whole tiles of the largest kind. A strip's values and sums fit into BYTES, if one tile of squares does.
 */
struct winograd_split {
    static constexpr int64_t BYTES = 32 << 20, TILE = 128;
    int64_t squares, each; /* of all images that may count; of a strip, or fewer */
    int down, across, channels, pitch;

    explicit winograd_split(const struct osp_call *call)
    {
        const int64_t *x = call->in[OSP_CONV2D_X].shape.dim, *out = call->out[0].shape.dim;
        down = (int)cuda_blocks(out[1], WINOGRAD_STEP);
        across = (int)cuda_blocks(out[2], WINOGRAD_STEP);
        channels = (int)cuda_filter_up(x[3]);
        pitch = (int)cuda_filter_up(out[3]);
        squares = out[0] * down * across;
        const int64_t most = BYTES / (CUDA_WINOGRAD_POINTS * (int64_t)sizeof(float) * (channels + pitch) * TILE);
        const int64_t tiles = (squares + TILE - 1) / TILE, strips = most > 1 ? (tiles + most - 1) / most : tiles;
        each = strips ? (tiles + strips - 1) / strips * TILE : 0;
        if (each > squares)
            each = squares;
    }
    winograd_strip strip(int64_t first) const
    {
        const int count = (int)(squares - first < each ? squares - first : each);
        return {first, count, down, across, channels};
    }
    size_t values() const { return CUDA_WINOGRAD_POINTS * (size_t)(each * channels); } /* floats */
    size_t sums() const { return CUDA_WINOGRAD_POINTS * (size_t)(each * pitch); }
};

/* The products of one point as a 1x1 filter over images of squares, up to the strip's last. */
static inline conv2d_shape winograd_products(const conv2d_shape &conv, const winograd_strip &strip)
{
    conv2d_shape shape = conv;
    shape.pixels = strip.first + strip.count;
    shape.h = shape.p = strip.down;
    shape.w = shape.q = strip.across;
    shape.c = strip.channels;
    shape.k = conv.pitch;
    shape.r = shape.s = shape.stride = 1;
    shape.pad = 0;
    shape.wide_x = shape.wide_out = 1;
    shape.activation = OSP_LINEAR;
    return shape;
}

/* The index of the cheapest tile, of which every point has a grid of its own; of equals the first. */
template <int COUNT>
static inline int winograd_pick(const conv2d_tiling (&tiles)[COUNT], int multiprocessors, const winograd_strip &strip,
                                const conv2d_shape &products)
{
    int best = 0;
    double least = 0;
    for (int i = 0; i < COUNT; i++) {
        const int64_t squares = (int64_t)cuda_blocks(strip.count, tiles[i].m) * tiles[i].m * CUDA_WINOGRAD_POINTS;
        const double cycles = conv2d_cycles(tiles[i], multiprocessors, squares, products.k, products.c);
        if (i == 0 || cycles < least) {
            best = i;
            least = cycles;
        }
    }
    return best;
}

/* The rung's cost, beside conv2d_direct_seconds (block.h): transformed values go to memory and come back, and so do sums. */
static inline double conv2d_winograd_seconds(const struct osp_device *, const struct osp_call *call)
{
    const winograd_split split(call);
    const double points = CUDA_WINOGRAD_POINTS, squares = (double)split.down * split.across;
    const double channels = split.channels, outputs = split.pitch, products = points * squares * channels * outputs;
    const double values = points * (2 * squares * (channels + outputs) + channels * outputs);
    return conv2d_seconds(call, products, values);
}
#endif
#endif
