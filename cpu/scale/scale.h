/* What the rungs of scale share. */
#ifndef OSPREY_CPU_SCALE_H
#define OSPREY_CPU_SCALE_H

#include "cpu/cpu.h"

struct scale {
    const float *x;      /* (N,H,W,C) */
    const float *factor; /* (N,1,1,C) */
    float *out;          /* (N,H,W,C) */
    int64_t n, positions, c;
};

static inline struct scale scale_of(const struct osp_call *call)
{
    const int64_t *dim = call->out[0].shape.dim;
    return (struct scale){
        call->in[OSP_SCALE_X].data, call->in[OSP_SCALE_FACTOR].data, call->out[0].data, dim[0], dim[1] * dim[2], dim[3]};
}

/* All channels of position i, counted over all images. */
static inline void scale_position(const struct scale *scale, int64_t i)
{
    const float *factor = scale->factor + i / scale->positions * scale->c;
    for (int64_t c = 0; c < scale->c; c++)
        scale->out[i * scale->c + c] = scale->x[i * scale->c + c] * factor[c];
}

#endif
