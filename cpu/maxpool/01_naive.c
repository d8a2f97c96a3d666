/* maxpool / naive
 *
 * CHANGE  the definition, written down
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   one core, one value at a time, taps C floats apart
 * NEEDS   any shape
 */
#include "cpu/maxpool/maxpool.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct maxpool pool = maxpool_of(call);
    float *out = pool.out;
    for (int64_t n = 0; n < pool.n; n++)
        for (int64_t p = 0; p < pool.p; p++)
            for (int64_t q = 0; q < pool.q; q++)
                for (int64_t c = 0; c < pool.c; c++) {
                    struct reach ys = reach_of(p, pool.stride, pool.pad, pool.r, pool.h);
                    struct reach xs = reach_of(q, pool.stride, pool.pad, pool.s, pool.w);
                    float best = -INFINITY;
                    for (int64_t y = ys.first; y < ys.end; y++)
                        for (int64_t x = xs.first; x < xs.end; x++) {
                            float value = pool.x[((n * pool.h + y) * pool.w + x) * pool.c + c];
                            if (value > best || value != value) /* NaN wins, as in torch */
                                best = value;
                        }
                    *out++ = best;
                }
    return OSP_OK;
}

extern const struct osp_kernel cpu_maxpool_naive;
const struct osp_kernel cpu_maxpool_naive = {.name = "naive", .run = run};
