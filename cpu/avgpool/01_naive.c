/* avgpool / naive
 *
 * CHANGE  the definition, written down
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   one sum at a time, each addition waiting for the one before, its values C floats apart: a cache line for each
 * NEEDS   any shape
 */
#include "cpu/avgpool/avgpool.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct avgpool pool = avgpool_of(call);
    for (int64_t n = 0; n < pool.n; n++)
        for (int64_t c = 0; c < pool.c; c++) {
            float sum = 0;
            for (int64_t h = 0; h < pool.h; h++) {
                float row = 0;
                for (int64_t w = 0; w < pool.w; w++)
                    row += pool.x[((n * pool.h + h) * pool.w + w) * pool.c + c];
                sum += row;
            }
            pool.out[n * pool.c + c] = sum / (float)(pool.h * pool.w);
        }
    return OSP_OK;
}

extern const struct osp_kernel cpu_avgpool_naive;
const struct osp_kernel cpu_avgpool_naive = {.name = "naive", .run = run};
