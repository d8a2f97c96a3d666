/* softmax / lanes
 *
 * CHANGE  the same row compiled for the machine's own instruction set; rows are shared out among the threads
 * FASTER  osp_expf has no branch, so the compiler computes 8 or 16 exponentials at once, and fmaf is one instruction
 * LIMIT   the sum, which has one order: a chain of C additions
 * NEEDS   any shape; on a portable build fmaf stays a call
 */
#include "cpu/softmax/softmax.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static void (*const row_of[CPU_ISA_COUNT])(const float *, float *, int64_t) = {cpu_softmax_row_portable, cpu_softmax_row_avx2,
                                                                                   cpu_softmax_row_avx512};
    const struct cpu_device *cpu = cpu_of(device);
#pragma omp parallel for schedule(static) num_threads(cpu->threads)
    for (int64_t m = 0; m < call->out[0].shape.dim[0]; m++)
        softmax_or_zero(call, m, row_of[cpu->isa]);
    return OSP_OK;
}

extern const struct osp_kernel cpu_softmax_lanes;
const struct osp_kernel cpu_softmax_lanes = {.name = "lanes", .run = run};
