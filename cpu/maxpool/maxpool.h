/* What the rungs of maxpool share. */
#ifndef OSPREY_CPU_MAXPOOL_H
#define OSPREY_CPU_MAXPOOL_H

#include "cpu/cpu.h"

struct maxpool {
    const float *x; /* (N,H,W,C) */
    float *out;     /* (N,P,Q,C) */
    int64_t n, h, w, c, p, q;
    int64_t r, s, stride, pad;
};

static inline struct maxpool maxpool_of(const struct osp_call *call)
{
    const struct osp_maxpool_attrs *a = &call->attrs->maxpool;
    const int64_t *in = call->in[0].shape.dim, *out = call->out[0].shape.dim;
    return (struct maxpool){
        call->in[0].data, call->out[0].data, in[0], in[1], in[2], in[3], out[1], out[2], a->r, a->s, a->stride, a->pad};
}

/* The filter's taps inside the map, on one axis: first..end of the input. There is at least one, as the padding is smaller than
 * the filter. */
struct reach {
    int64_t first, end;
};

static inline struct reach reach_of(int64_t to, int64_t stride, int64_t pad, int64_t filter, int64_t in)
{
    int64_t first = to * stride - pad, end = first + filter;
    return (struct reach){first > 0 ? first : 0, end < in ? end : in};
}

/* One row of outputs, for one instruction set. */
void cpu_maxpool_row_portable(const struct maxpool *pool, int64_t n, int64_t p);
void cpu_maxpool_row_avx2(const struct maxpool *pool, int64_t n, int64_t p);
void cpu_maxpool_row_avx512(const struct maxpool *pool, int64_t n, int64_t p);

#endif
