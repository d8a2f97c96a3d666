/* avgpool / lanes
 *
 * CHANGE  a block of 64 neighbouring channels is summed at once, in registers; blocks are shared out among the threads
 * FASTER  whole cache lines are used when they come, and the sums of a block do not wait for one another; each channel's order of
 *         additions, and so its bits, are those of naive
 * LIMIT   the speed of memory: every value is read once
 * NEEDS   any shape; fewer blocks than threads leave threads idle
 */
#include "cpu/avgpool/avgpool.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static void (*const block_of[CPU_ISA_COUNT])(const struct avgpool *, int64_t, int64_t) = {
        cpu_avgpool_block_portable, cpu_avgpool_block_avx2, cpu_avgpool_block_avx512};
    const struct cpu_device *cpu = cpu_of(device);
    struct avgpool pool = avgpool_of(call);
    int64_t blocks = (pool.c + AVGPOOL_BLOCK - 1) / AVGPOOL_BLOCK;
#pragma omp parallel for schedule(static) num_threads(cpu->threads)
    for (int64_t i = 0; i < pool.n * blocks; i++)
        block_of[cpu->isa](&pool, i / blocks, i % blocks * AVGPOOL_BLOCK);
    return OSP_OK;
}

extern const struct osp_kernel cpu_avgpool_lanes;
const struct osp_kernel cpu_avgpool_lanes = {.name = "lanes", .run = run};
