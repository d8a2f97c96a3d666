/* What the rungs of avgpool share. */
#ifndef OSPREY_CPU_AVGPOOL_H
#define OSPREY_CPU_AVGPOOL_H

#include "cpu/cpu.h"

struct avgpool {
    const float *x; /* (N,H,W,C) */
    float *out;     /* (N,1,1,C) */
    int64_t n, h, w, c;
};

static inline struct avgpool avgpool_of(const struct osp_call *call)
{
    const int64_t *dim = call->in[0].shape.dim;
    return (struct avgpool){call->in[0].data, call->out[0].data, dim[0], dim[1], dim[2], dim[3]};
}

/* Channels of one image that are summed together: every instruction set's vectors divide it. */
enum { AVGPOOL_BLOCK = 64 };

/* Channels first.. (at most AVGPOOL_BLOCK of them) of image n, for one instruction set. */
void cpu_avgpool_block_portable(const struct avgpool *pool, int64_t n, int64_t first);
void cpu_avgpool_block_avx2(const struct avgpool *pool, int64_t n, int64_t first);
void cpu_avgpool_block_avx512(const struct avgpool *pool, int64_t n, int64_t first);

#endif
