/* The register tile for one instruction set: sums in registers, weights a vector at a time, x broadcast from memory. */
#include "cpu/tile.h"
#include "cpu/simd.h"

/* Each weight is used once for each pixel, each x once for each vector of outputs. Of 32 registers 14 x 2 sums leave two for the
 * weights and one for x, of 16 registers 6 x 2; both are more sums in flight than a multiply-add takes cycles, times two units.
 */
enum { VECTORS = 2, PIXELS = SIMD_REGISTERS == 32 ? 14 : 6, BLOCK = VECTORS * LANES };

/* Floats of x in a cache line; half a tile's pixels, which are reached from a pointer of their own: fewer offsets to keep. */
enum { LINE = 16, HALF = PIXELS / 2 };

/* Brings `lines` cache lines of each pixel into cache. Not unrolled: the addresses would take registers that the sums need. */
SIMD_INLINE void fetch(const float *p, ptrdiff_t pixel, const int pixels, const int lines)
{
#pragma GCC unroll 1
    for (int i = 0; i < pixels; i++, p += pixel)
        for (int l = 0; l < lines; l++)
            __builtin_prefetch(p + l * LINE);
}

/* One line of each pixel, as far as the second-level cache: there is no room in the first for x of two tiles. */
SIMD_INLINE void fetch_near(const float *p, ptrdiff_t pixel, const int pixels)
{
#pragma GCC unroll 1
    for (int i = 0; i < pixels; i++, p += pixel)
        __builtin_prefetch(p, 0, 2);
}

/* sum += x * w, as tile.h's accumulate. What lies `ahead` of x is brought into cache, but for what a run has in common with that
 * of the pixel to its right; 0: nothing is. */
SIMD_INLINE void sum_runs(vf sum[PIXELS][VECTORS], const float *x, ptrdiff_t ahead, ptrdiff_t pixel, ptrdiff_t run, int runs,
                          int length, const float *w, const int pixels, const int vectors)
{
    const float *half = x + HALF * pixel;
    for (; runs > 0; runs--, x += run - length, half += run - length)
        for (int left = length; left > 0; left -= LINE) {
            if (ahead && length - left < pixel)
                fetch_near(x + ahead, pixel, pixels);
            for (const float *end = x + (left < LINE ? left : LINE); x < end; x++, half++, w += BLOCK) {
                vf weight[VECTORS];
                for (int v = 0; v < vectors; v++)
                    weight[v] = vf_load(w + v * LANES);
                for (int i = 0; i < pixels; i++) {
                    vf value = vf_set1(i < HALF ? x[i * pixel] : half[(i - HALF) * pixel]);
                    for (int v = 0; v < vectors; v++)
                        sum[i][v] = vf_fma(value, weight[v], sum[i][v]);
                }
            }
        }
}

SIMD_INLINE void sum_tile(float *sums, const float *x, ptrdiff_t pixel, ptrdiff_t run, int runs, int length, const float *w,
                          const int pixels, const int vectors)
{
    vf sum[PIXELS][VECTORS];
    for (int i = 0; i < pixels; i++)
        for (int v = 0; v < vectors; v++)
            sum[i][v] = vf_load(sums + i * BLOCK + v * LANES);
    sum_runs(sum, x, 0, pixel, run, runs, length, w, pixels, vectors);
    for (int i = 0; i < pixels; i++)
        for (int v = 0; v < vectors; v++)
            vf_store(sums + i * BLOCK + v * LANES, sum[i][v]);
}

/* One pass over the sums, so that each goes from its register to out. */
SIMD_INLINE void put_tile(vf sum[PIXELS][VECTORS], const struct tile_whole *tile, const int pixels,
                          const enum osp_activation activation)
{
    const float *residual = tile->residual;
    float *out = tile->out;
    vf bias[VECTORS];
    for (int v = 0; v < VECTORS; v++)
        bias[v] = tile->bias ? vf_load(tile->bias + v * LANES) : vf_set1(-0.0f); /* adding -0 changes no bits */
#pragma GCC unroll 14
    for (int i = 0; i < pixels; i++, out += tile->pitch) {
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] += bias[v];
        if (residual) {
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] += vf_load(residual + v * LANES);
            residual += tile->pitch;
        }
        for (int v = 0; v < VECTORS; v++)
            if (tile->stream)
                vf_stream(out + v * LANES, vf_activate(sum[i][v], activation));
            else
                vf_store(out + v * LANES, vf_activate(sum[i][v], activation));
    }
}

SIMD_INLINE void whole_tile(const struct tile_whole *tile, const int pixels)
{
    vf sum[PIXELS][VECTORS] = {{{0}}};
    if (tile->residual)
        fetch(tile->residual, tile->pitch, pixels, (BLOCK + LINE - 1) / LINE);
    sum_runs(sum, tile->x, tile->ahead, tile->pixel, tile->run, tile->runs, tile->length, tile->w, pixels, VECTORS);
    if (tile->activation == OSP_LINEAR)
        put_tile(sum, tile, pixels, OSP_LINEAR);
    else if (tile->activation == OSP_RELU)
        put_tile(sum, tile, pixels, OSP_RELU);
    else if (tile->activation == OSP_RELU6)
        put_tile(sum, tile, pixels, OSP_RELU6);
    else if (tile->activation == OSP_HARDSWISH)
        put_tile(sum, tile, pixels, OSP_HARDSWISH);
    else
        put_tile(sum, tile, pixels, OSP_HARDSIGMOID);
}

/* Every number of pixels is code of its own, so that the sums' names are registers. */
#define EVERY_COUNT(CODE)                                                                                                        \
    CODE(1) CODE(2) CODE(3) CODE(4) CODE(5) CODE(6) CODE(7) CODE(8) CODE(9) CODE(10) CODE(11) CODE(12) CODE(13) CODE(14)

#define TILE(n)                                                                                                                  \
    case n:                                                                                                                      \
        if (n <= PIXELS && outputs > LANES)                                                                                      \
            sum_tile(sums, x, pixel, run, runs, length, w, n <= PIXELS ? n : 1, VECTORS);                                        \
        else if (n <= PIXELS)                                                                                                    \
            sum_tile(sums, x, pixel, run, runs, length, w, n <= PIXELS ? n : 1, 1);                                              \
        break;

static void accumulate(float *sums, const float *x, ptrdiff_t pixel, ptrdiff_t run, int runs, int length, const float *w,
                       int pixels, int outputs)
{
    switch (pixels) {
        EVERY_COUNT(TILE)
    }
}

#define WHOLE(n)                                                                                                                 \
    case n:                                                                                                                      \
        if (n <= PIXELS)                                                                                                         \
            whole_tile(tile, n <= PIXELS ? n : 1);                                                                               \
        break;

static void whole(const struct tile_whole *tile)
{
    switch (tile->pixels) {
        EVERY_COUNT(WHOLE)
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

SIMD_INLINE void part_tile(const struct tile_whole *tile, int outputs, const int pixels, const int vectors)
{
    vf sum[PIXELS][VECTORS] = {{{0}}};
    _Alignas(64) float sums[PIXELS * BLOCK];
    sum_runs(sum, tile->x, tile->ahead, tile->pixel, tile->run, tile->runs, tile->length, tile->w, pixels, vectors);
    for (int i = 0; i < pixels; i++)
        for (int v = 0; v < vectors; v++)
            vf_store(sums + i * BLOCK + v * LANES, sum[i][v]);
    finish(sums, tile->bias, tile->residual, tile->out, tile->pitch, pixels, outputs, tile->activation);
}

#define PART(n)                                                                                                                  \
    case n:                                                                                                                      \
        if (n <= PIXELS && outputs > LANES)                                                                                      \
            part_tile(tile, outputs, n <= PIXELS ? n : 1, VECTORS);                                                              \
        else if (n <= PIXELS)                                                                                                    \
            part_tile(tile, outputs, n <= PIXELS ? n : 1, 1);                                                                    \
        break;

static void part(const struct tile_whole *tile, int outputs)
{
    switch (tile->pixels) {
        EVERY_COUNT(PART)
    }
}

extern const struct tile_isa SIMD(cpu_tile);
const struct tile_isa SIMD(cpu_tile) = {PIXELS, BLOCK, LANES, accumulate, resume, finish, whole, part};

_Static_assert((int)PIXELS <= (int)TILE_PIXELS && (int)BLOCK <= (int)TILE_BLOCK, "tile.h");
