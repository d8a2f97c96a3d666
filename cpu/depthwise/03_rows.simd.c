/* depthwise / rows: a band of output rows for one instruction set; the story is in 03_rows.c. */
#include <stdbool.h>

#include "cpu/depthwise/rows.h"
#include "cpu/simd.h"

/* Where a fused multiply-add is thirty instructions, there is nothing to gain from a loop without branches. */
#if defined(ISA_portable)
#define UNROLL(n)
#else
#define UNROLL(n)         _Pragma(UNROLL_TEXT(GCC unroll n))
#define UNROLL_TEXT(text) #text
#endif

/* One vector of channels of `high` by ROWS_WIDE outputs. */
struct tile {
    const float *x;     /* (N,H,W,C) */
    int64_t first;      /* where tap (0,0) of the first output is in x; it may lie in the padding, even before x */
    const float *w;     /* [size][size][ROWS_BLOCK] */
    int64_t row, pixel; /* of x, floats */
    int top, bottom;    /* of the tile's rows of x, the first and the one past the last that are on the map */
    int left, right;    /* columns likewise */
};

/* Row t of x meets filter row t - i*stride of output row i, column j filter column j - k*stride of output column k: going
 * through rows and, in each, through columns keeps every sum's order. Size, stride and `high` are constants, so that this
 * unrolls. */
SIMD_INLINE void sum_tile(const struct tile *tile, vf sum[ROWS_HIGH][ROWS_WIDE], const int size, const int stride, const int high,
                          const bool inside)
{
    const int tall = (high - 1) * stride + size, wide = (ROWS_WIDE - 1) * stride + size;
    UNROLL(7)
    for (int t = 0; t < tall; t++) {
        if (t < tile->top || t >= tile->bottom)
            continue;
        int64_t first = tile->first + t * tile->row;
        UNROLL(13)
        for (int j = 0; j < wide; j++) {
            if (!inside && (j < tile->left || j >= tile->right))
                continue;
            vf value = vf_load(tile->x + (first + j * tile->pixel));
            for (int i = 0; i < high; i++)
                for (int k = 0; k < ROWS_WIDE; k++) {
                    int r = t - i * stride, s = j - k * stride;
                    if (r >= 0 && r < size && s >= 0 && s < size)
                        sum[i][k] = vf_fma(value, vf_load(tile->w + (r * size + s) * ROWS_BLOCK), sum[i][k]);
                }
        }
    }
}

SIMD_INLINE void finish_as(vf sum[ROWS_HIGH][ROWS_WIDE], const float *bias, float *out, ptrdiff_t row, ptrdiff_t pixel,
                           const int high, const enum osp_activation activation)
{
    vf add = bias ? vf_load(bias) : (vf){0};
    for (int i = 0; i < high; i++)
        for (int k = 0; k < ROWS_WIDE; k++)
            vf_store(out + i * row + k * pixel, vf_activate(bias ? sum[i][k] + add : sum[i][k], activation));
}

/* Every activation is code of its own. */
#define FINISH(activation)                                                                                                       \
    case activation:                                                                                                             \
        finish_as(sum, bias, out, row, conv->c, high, activation);                                                               \
        break;

SIMD_INLINE void run_tile(const struct depthwise *conv, const struct tile *tile, const float *bias, float *out, const int size,
                          const int stride, const int high)
{
    const int64_t row = conv->q * conv->c;
    vf sum[ROWS_HIGH][ROWS_WIDE] = {{{0}}};
    if (tile->left == 0 && tile->right == (ROWS_WIDE - 1) * stride + size)
        sum_tile(tile, sum, size, stride, high, true);
    else
        sum_tile(tile, sum, size, stride, high, false);
    switch (conv->activation) {
        FINISH(OSP_LINEAR)
        FINISH(OSP_RELU)
        FINISH(OSP_RELU6)
        FINISH(OSP_HARDSWISH)
        FINISH(OSP_HARDSIGMOID)
    }
}

static inline int within(int64_t at, int64_t most) { return (int)(at < 0 ? 0 : at > most ? most : at); }

SIMD_INLINE void run_band(const struct depthwise *conv, const struct depthwise_blocks *blocks, int64_t n, int64_t p,
                          const int size, const int stride, const int high)
{
    const int64_t top = p * stride - conv->pad, tall = (high - 1) * stride + size, wide = (ROWS_WIDE - 1) * stride + size;
    struct tile tile = {.x = conv->x,
                        .row = conv->w * conv->c,
                        .pixel = conv->c,
                        .top = within(-top, tall),
                        .bottom = within(conv->h - top, tall)};
    for (int64_t b = 0; b < blocks->count; b++)
        for (int lane = 0; lane < ROWS_BLOCK; lane += LANES) {
            int64_t c = depthwise_block_start(b, conv->c) + lane;
            for (int64_t at = 0; at < conv->q; at += ROWS_WIDE) {
                int64_t q = at + ROWS_WIDE <= conv->q ? at : conv->q - ROWS_WIDE; /* the last tile repeats some outputs */
                int64_t left = q * stride - conv->pad;
                tile.first = ((n * conv->h + top) * conv->w + left) * conv->c + c;
                tile.w = blocks->w + b * size * size * ROWS_BLOCK + lane;
                tile.left = within(-left, wide);
                tile.right = within(conv->w - left, wide);
                run_tile(conv, &tile, blocks->bias ? blocks->bias + b * ROWS_BLOCK + lane : NULL,
                         conv->out + ((n * conv->p + p) * conv->q + q) * conv->c + c, size, stride, high);
            }
        }
}

/* Every size, stride and height is code of its own, so that the sums' names are registers. */
#define BAND(name, size, stride, high)                                                                                           \
    static void name(const struct depthwise *conv, const struct depthwise_blocks *blocks, int64_t n, int64_t p)                  \
    {                                                                                                                            \
        run_band(conv, blocks, n, p, size, stride, high);                                                                        \
    }
BAND(band_311, 3, 1, 1)
BAND(band_312, 3, 1, 2)
BAND(band_321, 3, 2, 1)
BAND(band_322, 3, 2, 2)
BAND(band_511, 5, 1, 1)
BAND(band_512, 5, 1, 2)
BAND(band_521, 5, 2, 1)
BAND(band_522, 5, 2, 2)

void SIMD(cpu_depthwise_band)(const struct depthwise *conv, const struct depthwise_blocks *blocks, int64_t n, int64_t p, int high)
{
    static void (*const bands[2][2][ROWS_HIGH])(const struct depthwise *, const struct depthwise_blocks *, int64_t, int64_t) = {
        {{band_311, band_312}, {band_321, band_322}}, {{band_511, band_512}, {band_521, band_522}}};
    bands[conv->r == 5][conv->stride == 2][high - 1](conv, blocks, n, p);
}
