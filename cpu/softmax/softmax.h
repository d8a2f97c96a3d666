/* What the rungs of softmax share. */
#ifndef OSPREY_CPU_SOFTMAX_H
#define OSPREY_CPU_SOFTMAX_H

#include <string.h>

#include "cpu/cpu.h"

/* One row: exp(x - max), summed in class order, divided. Also the body of each instruction set's function: with fused hardware
 * the compiler makes vectors of the middle loop. */
static inline void softmax_row(const float *x, float *out, int64_t c)
{
    float best = x[0], sum = 0;
    for (int64_t i = 1; i < c; i++)
        best = x[i] > best || x[i] != x[i] ? x[i] : best;
    for (int64_t i = 0; i < c; i++)
        out[i] = osp_expf(x[i] - best);
    for (int64_t i = 0; i < c; i++)
        sum += out[i];
    for (int64_t i = 0; i < c; i++)
        out[i] /= sum;
}

void cpu_softmax_row_portable(const float *x, float *out, int64_t c);
void cpu_softmax_row_avx2(const float *x, float *out, int64_t c);
void cpu_softmax_row_avx512(const float *x, float *out, int64_t c);

/* Row m of (M,C) by a function of the above; zeros past the image's count. */
static inline void softmax_or_zero(const struct osp_call *call, int64_t m, void (*row)(const float *, float *, int64_t))
{
    const struct osp_tensor *x = &call->in[OSP_SOFTMAX_X], *counts = &call->in[OSP_SOFTMAX_COUNTS];
    int64_t c = x->shape.dim[1], each = counts->data ? x->shape.dim[0] / counts->shape.dim[0] : x->shape.dim[0];
    float *out = (float *)call->out[0].data + m * c;
    if (m % each < cpu_valid_rows(counts, m / each, each))
        row((const float *)x->data + m * c, out, c);
    else
        memset(out, 0, sizeof(float) * (size_t)c);
}

#endif
