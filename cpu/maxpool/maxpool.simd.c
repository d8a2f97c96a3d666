/* A row of maxpool: channels in the lanes of a vector, the best so far in a register. */
#include "cpu/maxpool/maxpool.h"
#include "cpu/simd.h"

SIMD_INLINE vf better(vf value, vf best) { return vf_select((value > best) | (value != value), value, best); }

void SIMD(cpu_maxpool_row)(const struct maxpool *pool, int64_t n, int64_t p)
{
    struct reach ys = reach_of(p, pool->stride, pool->pad, pool->r, pool->h);
    float *out = pool->out + (n * pool->p + p) * pool->q * pool->c;
    for (int64_t q = 0; q < pool->q; q++, out += pool->c) {
        struct reach xs = reach_of(q, pool->stride, pool->pad, pool->s, pool->w);
        for (int64_t c = 0; c < pool->c; c += LANES) {
            int lanes = pool->c - c < LANES ? (int)(pool->c - c) : LANES;
            vf best = vf_set1(-INFINITY);
            for (int64_t y = ys.first; y < ys.end; y++) {
                const float *x = pool->x + ((n * pool->h + y) * pool->w + xs.first) * pool->c + c;
                for (int64_t i = xs.first; i < xs.end; i++, x += pool->c)
                    best = better(lanes < LANES ? vf_load_part(x, lanes) : vf_load(x), best);
            }
            if (lanes < LANES)
                vf_store_part(out + c, best, lanes);
            else
                vf_store(out + c, best);
        }
    }
}
