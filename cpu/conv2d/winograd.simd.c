/* The transforms of winograd.h for one instruction set: a vector is neighbouring channels of one pixel. */
#include "cpu/conv2d/winograd.h"
#include "cpu/simd.h"

enum { STEP = WINOGRAD_STEP, SIDE = WINOGRAD_SIDE, BLOCK = 2 * LANES };

SIMD_INLINE vf plus_times(vf a, float factor, vf b) { return vf_fma(vf_set1(factor), b, a); }

/* Bt by six values `step` apart:
 *     1 -3/2   -2  3/2    1    0
 *     0   -1  1/2  5/2    1    0
 *     0    1 -5/2  1/2    1    0
 *     0   -2   -1    2    1    0
 *     0  1/2   -1 -1/2    1    0
 *     0    1 -3/2   -2  3/2    1   */
SIMD_INLINE void six_to_six(const vf *d, const int step, vf *t, const int out)
{
    vf p = d[4 * step] - d[2 * step], q = d[3 * step] - d[step];
    t[0] = plus_times((d[0] - d[2 * step]) + p, 1.5f, q);
    t[out] = plus_times(p + q, 1.5f, d[2 * step] + d[3 * step]);
    t[2 * out] = plus_times(p - q, 1.5f, d[3 * step] - d[2 * step]);
    t[3 * out] = plus_times(p, 2, q);
    t[4 * out] = plus_times(p, -0.5f, q);
    t[5 * out] = plus_times((d[5 * step] - d[3 * step]) - q, 1.5f, p);
}

/* At by six values `step` apart:
 *     1    1    1    1    1    0
 *     0    1   -1  1/2   -2    0
 *     0    1    1  1/4    4    0
 *     0    1   -1  1/8   -8    1   */
SIMD_INLINE void six_to_four(const vf *m, const int step, vf *o, const int out)
{
    vf sum = m[step] + m[2 * step], difference = m[step] - m[2 * step], half = m[3 * step], two = m[4 * step];
    o[0] = (m[0] + sum) + (half + two);
    o[out] = plus_times(plus_times(difference, 0.5f, half), -2, two);
    o[2 * out] = plus_times(plus_times(sum, 0.25f, half), 4, two);
    o[3 * out] = plus_times(plus_times(difference, 0.125f, half), -8, two) + m[5 * step];
}

static void input(const float *x, ptrdiff_t row, ptrdiff_t pixel, float *out, ptrdiff_t pitch)
{
    for (int c = 0; c < WINOGRAD_CHUNK; c += LANES) {
        vf columns[SIDE][SIDE];
        for (int j = 0; j < SIDE; j++) {
            vf d[SIDE];
            for (int i = 0; i < SIDE; i++)
                d[i] = vf_load(x + i * row + j * pixel + c);
            for (int i = 0; i < SIDE && j >= SIDE - STEP; i++) /* what the next square has that this has not */
                __builtin_prefetch(x + i * row + (j + STEP) * pixel + c);
            six_to_six(d, 1, &columns[0][j], SIDE);
        }
        for (int i = 0; i < SIDE; i++) {
            vf t[SIDE];
            six_to_six(columns[i], 1, t, 1);
            for (int j = 0; j < SIDE; j++)
                vf_store(out + (i * SIDE + j) * pitch + c, t[j]);
        }
    }
}

SIMD_INLINE void put(vf value, const float *bias, const float *residual, float *out, int outputs, enum osp_activation activation,
                     bool stream)
{
    if (bias)
        value += vf_load(bias);
    if (residual)
        value += outputs < LANES ? vf_load_part(residual, outputs) : vf_load(residual);
    value = vf_activate(value, activation);
    if (outputs < LANES)
        vf_store_part(out, value, outputs);
    else if (stream)
        vf_stream(out, value);
    else
        vf_store(out, value);
}

SIMD_INLINE void output_as(const float *sums, ptrdiff_t pitch, const float *bias, const float *residual, float *out,
                           ptrdiff_t row, ptrdiff_t pixel, int rows, int columns, int outputs,
                           const enum osp_activation activation, bool stream)
{
    for (int k = 0; k < outputs; k += LANES) {
        vf half[STEP][SIDE], o[STEP][STEP];
        for (int j = 0; j < SIDE; j++) {
            vf m[SIDE];
            for (int i = 0; i < SIDE; i++)
                m[i] = vf_load(sums + (i * SIDE + j) * pitch + k);
            six_to_four(m, 1, &half[0][j], SIDE);
        }
        for (int i = 0; i < STEP; i++)
            six_to_four(half[i], 1, o[i], 1);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) {
                ptrdiff_t at = i * row + j * pixel + k;
                put(o[i][j], bias ? bias + k : NULL, residual ? residual + at : NULL, out + at, outputs - k, activation, stream);
            }
    }
}

/* Every activation is code of its own. */
#define OUTPUT(activation)                                                                                                       \
    case activation:                                                                                                             \
        output_as(sums, pitch, bias, residual, out, row, pixel, rows, columns, outputs, activation, stream);                     \
        break;

static void output(const float *sums, ptrdiff_t pitch, const float *bias, const float *residual, float *out, ptrdiff_t row,
                   ptrdiff_t pixel, int rows, int columns, int outputs, enum osp_activation activation, bool stream)
{
    switch (activation) {
        OUTPUT(OSP_LINEAR)
        OUTPUT(OSP_RELU)
        OUTPUT(OSP_RELU6)
        OUTPUT(OSP_HARDSWISH)
        OUTPUT(OSP_HARDSIGMOID)
    }
}

extern const struct winograd_isa SIMD(cpu_winograd);
const struct winograd_isa SIMD(cpu_winograd) = {input, output};
