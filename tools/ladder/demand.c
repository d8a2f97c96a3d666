#include "demand.h"

#include <math.h>
#include <string.h>

enum { WARP = 32, SECTOR = 32 };

const struct sass_kernel *demand_code(const struct sass_kernel *code, int count, const char *kernel, int arch)
{
    const struct sass_kernel *best = NULL;
    for (int i = 0; i < count; i++) {
        if (strcmp(code[i].name, kernel) != 0)
            continue;
        int mine = code[i].arch <= arch, its = best && best->arch <= arch;
        if (!best || (mine && (!its || code[i].arch > best->arch)) || (!mine && !its && code[i].arch < best->arch))
            best = &code[i];
    }
    return best;
}

/* Multiply-adds of one matrix instruction: the shapes that kernels/device.h has. */
static double products_of(enum osp_precision precision, int arch)
{
    return precision == OSP_PRECISION_TF32 || arch < 80 ? 16 * 8 * 8 : 16 * 8 * 16;
}

/* Of one warp. A loop of matrix instructions goes round as often as these were counted; another that loads from shared memory is
 * fed from there, and the rest from global memory. One that loads nothing, and a kernel without a loop, count as one turn. */
static double turns_of(const struct osp_kernel_counts *c, const struct sass_kernel *code, enum osp_precision precision,
                       double warps)
{
    const struct sass_mix *loop = &code->loop;
    if (loop->of[SASS_MMA])
        return (double)c->products / (warps * loop->of[SASS_MMA] * products_of(precision, code->arch));
    double bytes = loop->lds_bytes ? (double)c->shared.read : (double)c->global.read;
    int each = loop->lds_bytes ? loop->lds_bytes : loop->of[SASS_LDG] ? loop->ldg_bytes : 0;
    return each ? bytes / (warps * WARP * each) : 1;
}

/* Instructions of one turn. Where the ways round a loop that shared memory feeds differ in what they load from global memory,
 * the loads that were counted say how often which is gone: a way between the longest and the leanest, in proportion. */
static double turn_of(const struct osp_kernel_counts *c, const struct sass_kernel *code, double warps, double turns)
{
    const struct sass_mix *most = &code->loop, *least = &code->lean;
    double each = turns > 0 ? (double)c->global.read / (warps * WARP * turns) : 0;
    if (!most->lds_bytes || most->of[SASS_MMA] || least->ldg_bytes >= most->ldg_bytes)
        return most->count;
    double part = (each - least->ldg_bytes) / (most->ldg_bytes - least->ldg_bytes);
    return least->count + fmin(fmax(part, 0), 1) * (most->count - least->count);
}

/* Instructions that a warp executes outside the loop. Where the loop is not what feeds it, all on the way through the kernel;
 * else no more than are there, of which it takes one of several ways, and some ten for each request that the loop does not make.
 */
static double outside_of(const struct osp_kernel_counts *c, const struct sass_kernel *code, double warps, double turns)
{
    const int *of = code->loop.of;
    if (!code->loop.lds_bytes && !code->loop.ldg_bytes && !of[SASS_MMA])
        return fmax(0, code->once.count - code->loop.count);
    double in_loop = turns * (of[SASS_LDS] + of[SASS_LDSM] + of[SASS_STS] + of[SASS_LDG] + of[SASS_STG] + 2 * of[SASS_LDGSTS]);
    double others = (double)(c->global.requests + c->shared.requests) / warps - in_loop; /* a copy is a request of both */
    return fmin(code->all.count - code->loop.count, 10 * fmax(1, others));
}

void demand_of_kernel(const struct osp_kernel_counts *c, const struct sass_kernel *code, enum osp_precision precision,
                      double memory_bytes, struct demand *out)
{
    const double blocks = (double)c->blocks, threads = (double)c->threads / blocks, warps_a_block = ceil(threads / WARP);
    const double warps = warps_a_block * blocks, turns = turns_of(c, code, precision, warps);
    const double barriers = (double)c->barriers / blocks, waits = (double)c->copy_waits / (double)c->threads;
    *out = (struct demand){.blocks = blocks / (double)c->launches,
                           .threads = (int)threads,
                           .registers = code->registers,
                           .shared_bytes = code->shared_bytes + (int)c->dynamic_shared,
                           .ffma = warps_a_block * turns * code->loop.of[SASS_FFMA],
                           .issued = warps_a_block * (turns * turn_of(c, code, warps, turns) + outside_of(c, code, warps, turns)),
                           .passes = (double)c->shared.units / blocks,
                           .lines = (double)c->global.lines / blocks,
                           .bytes = (double)c->global.once * SECTOR / blocks,
                           .rounds = 1,
                           .barriers = barriers > 0,
                           .copies = waits > 0,
                           .memory_bytes = memory_bytes};
    out->products[precision != OSP_PRECISION_TF32] = (double)c->products / blocks;
    if (out->copies)
        out->rounds = waits;
    else if (out->barriers)
        out->rounds = fmax(1, barriers / 2); /* one when the loads are there, one when they were used */
    else if (code->loop.of[SASS_LDG] && !code->loop.lds_bytes)
        out->rounds = fmax(1, turns);
}
