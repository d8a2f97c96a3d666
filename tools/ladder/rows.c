#include "rows.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "occupancy.h"
#include "runtime/shape.h"
#include "tools/counts.h"
#include "tools/tools.h"

enum { SECTOR = 32, BANKS = 128 }; /* bytes: of a sector, and of a pass over shared memory */

/* ---- Machine code ----------------------------------------------------------------------------------- */

static osp_status keep(struct rows *rows, const struct sass_kernel *kernels, int count, int arch)
{
    for (int i = 0; i < count; i++) {
        if (kernels[i].arch != arch)
            continue;
        struct sass_kernel *grown = realloc(rows->code, (size_t)(rows->code_count + 1) * sizeof *grown);
        if (!grown)
            return osp_fail(OSP_MEMORY, "out of memory for kernels");
        rows->code = grown;
        rows->code[rows->code_count++] = kernels[i];
    }
    return OSP_OK;
}

osp_status rows_read_code(struct rows *rows, int arch)
{
    struct osp_code code;
    char found[128] = "";
    int some = 0;
    osp_status status = OSP_OK;
    for (int f = 0; !status && rows->backend->code(f, &code); f++) {
        struct sass_kernel *kernels;
        int count;
        if (!code.size)
            continue;
        status = sass_read(code.file, code.data, code.size, &kernels, &count);
        if (status)
            return status;
        for (int i = 0; i < count && !some; i++)
            if (i == 0 || kernels[i].arch != kernels[i - 1].arch)
                snprintf(found + strlen(found), sizeof found - strlen(found), "%s%d", *found ? ", " : "", kernels[i].arch);
        some |= count > 0;
        status = keep(rows, kernels, count, arch);
        free(kernels);
    }
    if (!status && some && !rows->code_count)
        return osp_fail(OSP_USAGE, "--arch: found %d, allowed are %s: this program has no machine code for others", arch, found);
    return status;
}

void rows_free(struct rows *rows)
{
    free(rows->climbs);
    free(rows->code);
    rows->climbs = NULL;
    rows->code = NULL;
}

static const struct sass_kernel *code_of(const struct rows *rows, const char *kernel)
{
    for (int i = 0; i < rows->code_count; i++)
        if (!strcmp(rows->code[i].name, kernel))
            return &rows->code[i];
    return NULL;
}

static struct occupancy fit(const struct rows *rows, const struct osp_kernel_counts *kernel, const struct sass_kernel *code)
{
    const struct occupancy_limits *limits = occupancy_limits_of(rows->arch);
    int threads = kernel->blocks ? (int)(kernel->threads / kernel->blocks) : 1;
    return limits ? occupancy_of(limits, threads, code->registers, code->shared_bytes) : (struct occupancy){0, 0, "unknown"};
}

/* ---- The table -------------------------------------------------------------------------------------- */

static double ratio(int64_t a, int64_t b) { return b ? (double)a / (double)b : 0; }

static void put_result(const struct climb *climb, FILE *stream)
{
    char text[32];
    if (climb->apart == 0 && climb->different == 0)
        snprintf(text, sizeof text, "same bits");
    else if (climb->different)
        snprintf(text, sizeof text, "%lld differ", (long long)climb->different);
    else
        snprintf(text, sizeof text, "relL2 %.1e", climb->apart);
    fprintf(stream, "%-14s", climb_is_good(climb) ? text : "WRONG");
}

static void put_time(const struct rows *rows, const struct climb *climb, FILE *stream)
{
    double macs = osp_call_macs(&rows->problem->call), work = macs > 0 ? 2 * macs : osp_call_bytes(&rows->problem->call);
    if (isnan(climb->seconds))
        return;
    fprintf(stream, " %10.4f ms %8.1f %s", climb->seconds * 1e3, work / climb->seconds / 1e9, macs > 0 ? "GFLOP/s" : "GB/s");
}

/* Requests, units for each and the fewest, lanes, MB that pass. */
static void put_space(const struct osp_space_counts *space, int unit, FILE *stream)
{
    if (!space->requests)
        fprintf(stream, " %9s %5s %5s %5s %8s", "-", "-", "-", "-", "-");
    else
        fprintf(stream, " %9lld %5.2f %5.2f %5.1f %8.3f", (long long)space->requests, ratio(space->units, space->requests),
                ratio(space->ideal, space->requests), ratio(space->lanes, space->requests), (double)space->units * unit / 1e6);
}

static void put_memory(const struct rows *rows, FILE *stream)
{
    fprintf(stream,
            "\nWhat the kernels ask of memory, counted by the emulator. A request is one instruction of a warp: `each` is the "
            "sectors of\n"
            "32 bytes, or the passes over 32 banks, that it takes, `least` the fewest that could hold what it moves, `lanes` how "
            "many\n"
            "of 32 take part, `MB` what passes; the problem's own tensors have %.3f MB.\n\n"
            "%-12s %-28s %6s | %9s %5s %5s %5s %8s | %9s %5s %5s %5s %8s\n"
            "%-12s %-28s %6s | %36s | %36s\n",
            osp_call_bytes(&rows->problem->call) / 1e6, "rung", "kernel", "blocks", "requests", "each", "least", "lanes", "MB",
            "requests", "each", "least", "lanes", "MB", "", "", "", "global memory", "shared memory");
    for (int i = 0; i < rows->count; i++)
        for (int k = 0; k < rows->climbs[i].kernel_count; k++) {
            const struct osp_kernel_counts *kernel = &rows->climbs[i].kernels[k];
            fprintf(stream, "%-12s %-28s %6lld |", k ? "" : rows->climbs[i].rung->name, kernel->kernel,
                    (long long)kernel->blocks);
            put_space(&kernel->global, SECTOR, stream);
            fputs(" |", stream);
            put_space(&kernel->shared, BANKS, stream);
            fputc('\n', stream);
        }
}

static void put_code(const struct rows *rows, FILE *stream)
{
    fprintf(stream,
            "\nWhat their machine code for sm_%d is made of. `blocks`: that a multiprocessor holds at once, `warps`: the share "
            "of its\n"
            "warps that these fill, `by`: what stops one more; `loop`: instructions once round the loop that does the work, by "
            "its\n"
            "longest way, and the share of FFMA or MMA in it. Spills would be instructions on local memory.\n\n"
            "%-12s %-28s %7s %5s %7s %6s %6s %-9s | %5s %5s %4s %4s %5s %6s\n",
            rows->arch, "rung", "kernel", "threads", "regs", "shared", "blocks", "warps", "by", "loop", "FMA", "LDS", "LDG",
            "local", "share");
    for (int i = 0; i < rows->count; i++)
        for (int k = 0; k < rows->climbs[i].kernel_count; k++) {
            const struct osp_kernel_counts *kernel = &rows->climbs[i].kernels[k];
            const struct sass_kernel *code = code_of(rows, kernel->kernel);
            fprintf(stream, "%-12s %-28s", k ? "" : rows->climbs[i].rung->name, kernel->kernel);
            if (!code) {
                fputs(" -\n", stream);
                continue;
            }
            struct occupancy o = fit(rows, kernel, code);
            fprintf(stream, " %7lld %5d %7d %6d %4.0f %% %-9s | %5d %5d %4d %4d %5d %4.1f %%\n",
                    kernel->blocks ? (long long)(kernel->threads / kernel->blocks) : 0, code->registers, code->shared_bytes,
                    o.blocks, o.warps * 100, o.limit, code->loop.count, code->loop.of[SASS_FFMA] + code->loop.of[SASS_MMA],
                    code->loop.of[SASS_LDS] + code->loop.of[SASS_LDSM], code->loop.of[SASS_LDG] + code->loop.of[SASS_LDGSTS],
                    code->all.of[SASS_LDL] + code->all.of[SASS_STL], sass_share(&code->loop) * 100);
        }
}

void rows_print(const struct rows *rows, FILE *stream)
{
    const struct osp_call *call = &rows->problem->call;
    bool counted = false;
    fprintf(stream, "%s %s on %s (%s)", osp_op_name(call->op), rows->problem->shape, rows->backend->name, rows->device);
    if (osp_call_macs(call) > 0)
        fprintf(stream, ": %.3f GFLOP", 2e-9 * osp_call_macs(call));
    fprintf(stream, "; osprey %s, commit %s\n\n", OSP_VERSION, commit_name());
    for (int i = 0; i < rows->count; i++) {
        const struct climb *climb = &rows->climbs[i];
        fprintf(stream, "%-12s ", climb->rung->name);
        if (climb->refusal)
            fprintf(stream, "does not run: %s", climb->refusal);
        else {
            put_result(climb, stream);
            put_time(rows, climb, stream);
        }
        fputc('\n', stream);
        counted |= climb->kernel_count > 0;
    }
    if (!counted)
        return;
    put_memory(rows, stream);
    if (rows->code_count)
        put_code(rows, stream);
    else
        fputs("\nNo machine code: this program was built without nvcc.\n", stream);
}

/* ---- JSON ------------------------------------------------------------------------------------------- */

static json_t *mix_json(const struct sass_mix *mix)
{
    json_t *object = json_pack("{si}", "instructions", mix->count);
    for (int i = 0; i < SASS_CLASSES; i++)
        json_object_set_new(object, sass_class_name((enum sass_class)i), json_integer(mix->of[i]));
    return object;
}

static json_t *kernel_json(const struct rows *rows, const struct osp_kernel_counts *kernel)
{
    const struct sass_kernel *code = code_of(rows, kernel->kernel);
    json_t *object = counts_kernel_json(kernel);
    if (!code)
        return object;
    struct occupancy o = fit(rows, kernel, code);
    json_object_set_new(object, "code",
                        json_pack("{si si si si sf ss so so sf}", "arch", code->arch, "registers", code->registers,
                                  "shared_bytes", code->shared_bytes, "blocks_per_multiprocessor", o.blocks, "occupancy", o.warps,
                                  "limited_by", o.limit, "all", mix_json(&code->all), "loop", mix_json(&code->loop), "fma_share",
                                  sass_share(&code->loop)));
    return object;
}

static json_t *rung_json(const struct rows *rows, const struct climb *climb)
{
    json_t *object = json_pack("{ss ss}", "rung", climb->rung->name, "precision", osp_precision_name(climb->rung->precision));
    if (climb->refusal) {
        json_object_set_new(object, "refusal", json_string(climb->refusal));
        return object;
    }
    json_t *kernels = json_array();
    for (int i = 0; i < climb->kernel_count; i++)
        json_array_append_new(kernels, kernel_json(rows, &climb->kernels[i]));
    json_object_set_new(object, "good", json_boolean(climb_is_good(climb)));
    json_object_set_new(object, "relative_l2", isfinite(climb->apart) ? json_real(climb->apart) : json_null());
    json_object_set_new(object, "integers_that_differ", json_integer(climb->different));
    if (!isnan(climb->seconds))
        json_object_set_new(object, "seconds", json_real(climb->seconds));
    json_object_set_new(object, "kernels", kernels);
    return object;
}

osp_status rows_write_json(const struct rows *rows, const char *path)
{
    const struct osp_call *call = &rows->problem->call;
    json_t *rungs = json_array();
    for (int i = 0; i < rows->count; i++)
        json_array_append_new(rungs, rung_json(rows, &rows->climbs[i]));
    json_t *all = json_pack("{ss ss ss ss ss ss sf sf so}", "version", OSP_VERSION, "commit", commit_name(), "op",
                            osp_op_name(call->op), "shape", rows->problem->shape, "backend", rows->backend->name, "device",
                            rows->device, "flop", 2 * osp_call_macs(call), "bytes", osp_call_bytes(call), "rungs", rungs);
    return result_write_json(path, all, JSON_INDENT(2));
}
