/* The register tile for one instruction set: sums in registers, weights a vector at a time, x broadcast from memory. */
#include "cpu/tile.h"
#include "cpu/simd.h"

/* Each weight is used once for each pixel, each x once for each vector of outputs. Of 32 registers 14 x 2 sums leave two for the
 * weights and one for x, of 16 registers 6 x 2; both are more sums in flight than a multiply-add takes cycles, times two units.
 */
enum { VECTORS = 2, PIXELS = SIMD_REGISTERS == 32 ? 14 : 6, BLOCK = VECTORS * LANES };

SIMD_INLINE void sum_tile(float *sums, const float *x, ptrdiff_t pixel, ptrdiff_t run, int runs, int length, const float *w,
                          const int pixels, const int vectors, const bool from_zero)
{
    vf sum[PIXELS][VECTORS];
    for (int i = 0; i < pixels; i++)
        for (int v = 0; v < vectors; v++)
            sum[i][v] = from_zero ? (vf){0} : vf_load(sums + i * BLOCK + v * LANES);
    for (int j = 0; j < runs; j++, x += run)
        for (int l = 0; l < length; l++, w += BLOCK) {
            vf weight[VECTORS];
            for (int v = 0; v < vectors; v++)
                weight[v] = vf_load(w + v * LANES);
            for (int i = 0; i < pixels; i++) {
                vf value = vf_set1(x[i * pixel + l]);
                for (int v = 0; v < vectors; v++)
                    sum[i][v] = vf_fma(value, weight[v], sum[i][v]);
            }
        }
    for (int i = 0; i < pixels; i++)
        for (int v = 0; v < vectors; v++)
            vf_store(sums + i * BLOCK + v * LANES, sum[i][v]);
}

/* Every number of pixels is code of its own, so that the sums' names are registers. */
#define TILE(n)                                                                                                                  \
    case n:                                                                                                                      \
        if (n <= PIXELS && outputs > LANES)                                                                                      \
            sum_tile(sums, x, pixel, run, runs, length, w, n <= PIXELS ? n : 1, VECTORS, false);                                 \
        else if (n <= PIXELS)                                                                                                    \
            sum_tile(sums, x, pixel, run, runs, length, w, n <= PIXELS ? n : 1, 1, false);                                       \
        break;

static void accumulate(float *sums, const float *x, ptrdiff_t pixel, ptrdiff_t run, int runs, int length, const float *w,
                       int pixels, int outputs)
{
    switch (pixels) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)
    }
}

#define PRODUCT(n)                                                                                                               \
    case n:                                                                                                                      \
        if (n <= PIXELS)                                                                                                         \
            sum_tile(out, x, pixel, run, runs, length, w, n <= PIXELS ? n : 1, VECTORS, true);                                   \
        break;

static void product(float *out, const float *x, ptrdiff_t pixel, ptrdiff_t run, int runs, int length, const float *w, int pixels)
{
    switch (pixels) {
        PRODUCT(1)
        PRODUCT(2) PRODUCT(3) PRODUCT(4) PRODUCT(5) PRODUCT(6) PRODUCT(7) PRODUCT(8) PRODUCT(9) PRODUCT(10) PRODUCT(11)
            PRODUCT(12) PRODUCT(13) PRODUCT(14)
    }
}

static void resume(float *sums, const float *from, ptrdiff_t pitch, int pixels, int outputs)
{
    for (int i = 0; i < pixels; i++, from += pitch)
        for (int k = 0; k < outputs; k += LANES)
            vf_store(sums + i * BLOCK + k, outputs - k < LANES ? vf_load_part(from + k, outputs - k) : vf_load(from + k));
}

SIMD_INLINE void finish_as(const float *sums, const float *bias, const float *residual, float *out, ptrdiff_t pitch, int pixels,
                           int outputs, const enum osp_activation activation)
{
    for (int i = 0; i < pixels; i++, out += pitch, residual += residual ? pitch : 0)
        for (int k = 0; k < outputs; k += LANES) {
            int n = outputs - k < LANES ? outputs - k : LANES;
            vf v = vf_load(sums + i * BLOCK + k);
            if (bias)
                v += vf_load(bias + k);
            if (residual)
                v += n < LANES ? vf_load_part(residual + k, n) : vf_load(residual + k);
            v = vf_activate(v, activation);
            if (n < LANES)
                vf_store_part(out + k, v, n);
            else
                vf_store(out + k, v);
        }
}

/* Every activation is code of its own. */
#define FINISH(activation)                                                                                                       \
    case activation:                                                                                                             \
        finish_as(sums, bias, residual, out, pitch, pixels, outputs, activation);                                                \
        break;

static void finish(const float *sums, const float *bias, const float *residual, float *out, ptrdiff_t pitch, int pixels,
                   int outputs, enum osp_activation activation)
{
    switch (activation) {
        FINISH(OSP_LINEAR)
        FINISH(OSP_RELU)
        FINISH(OSP_RELU6)
        FINISH(OSP_HARDSWISH)
        FINISH(OSP_HARDSIGMOID)
    }
}

extern const struct tile_isa SIMD(cpu_tile);
const struct tile_isa SIMD(cpu_tile) = {PIXELS, BLOCK, LANES, accumulate, product, resume, finish};

_Static_assert((int)PIXELS <= (int)TILE_PIXELS && (int)BLOCK <= (int)TILE_BLOCK, "tile.h");
