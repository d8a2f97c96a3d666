/* maxpool / lanes
 *
 * CHANGE  neighbouring channels lie in the lanes of one vector; rows of outputs are shared out among the threads
 * FASTER  one load and one comparison serve 4, 8 or 16 channels, and the best so far stays in a register
 * LIMIT   the speed of memory: a 3x3 filter with stride 2 reads most of its input twice, the second time from cache
 * NEEDS   any shape; fewer channels than lanes leave lanes idle
 */
#include "cpu/maxpool/maxpool.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static void (*const row_of[CPU_ISA_COUNT])(const struct maxpool *, int64_t, int64_t) = {
        cpu_maxpool_row_portable, cpu_maxpool_row_avx2, cpu_maxpool_row_avx512};
    const struct cpu_device *cpu = cpu_of(device);
    struct maxpool pool = maxpool_of(call);
#pragma omp parallel for schedule(static) num_threads(cpu->threads)
    for (int64_t row = 0; row < pool.n * pool.p; row++)
        row_of[cpu->isa](&pool, row / pool.p, row % pool.p);
    return OSP_OK;
}

extern const struct osp_kernel cpu_maxpool_lanes;
const struct osp_kernel cpu_maxpool_lanes = {.name = "lanes", .run = run};
