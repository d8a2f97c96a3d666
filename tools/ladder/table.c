/* A ladder as tables: one line for each rung; what each kernel was counted for; Markdown for a README. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "runtime/shape.h"
#include "tools/tools.h"

enum { SECTOR = 32, BANKS = 128 }; /* bytes: of a sector, and of a pass over shared memory */

static double ratio(int64_t a, int64_t b) { return b ? (double)a / (double)b : 0; }

static double bytes_of(const struct rows *rows) { return osp_call_bytes(&rows->problem->call); }

/* ---- One line for each rung -------------------------------------------------------------------------- */

enum { RESULT, TIME, LIMIT, SECTORS, PASSES, LANES, REGISTERS, SHARED, WARPS, SHARE, COLUMNS };
static const struct {
    const char *over, *under;
    int width; /* negative: to the left */
} columns[COLUMNS] = {
    [RESULT] = {"result", "", -13},        [TIME] = {"estimate", "ms", 10},     [LIMIT] = {"limited by", "", -13},
    [SECTORS] = {"sectors", "x least", 7}, [PASSES] = {"passes", "x least", 7}, [LANES] = {"lanes", "of 32", 5},
    [REGISTERS] = {"regs", "", 5},         [SHARED] = {"shared", "KiB", 6},     [WARPS] = {"warps", "fill", 5},
    [SHARE] = {"FMA", "share", 6},
};
enum { CELL = 24, NAME_WIDTH = 14 };
typedef char line[COLUMNS][CELL];

static void put_result(const struct climb *climb, char out[CELL])
{
    if (!climb_is_good(climb))
        snprintf(out, CELL, "WRONG");
    else if (climb->apart == 0 && climb->different == 0)
        snprintf(out, CELL, "same bits");
    else
        snprintf(out, CELL, "relL2 %.1e", climb->apart);
}

/* Three digits. */
static void put_ms(double seconds, char out[CELL])
{
    double ms = seconds * 1e3;
    snprintf(out, CELL, "%.*f", ms < 1 ? 4 : ms < 10 ? 3 : ms < 100 ? 2 : 1, ms);
}

static void put_counts(const struct osp_space_counts *global, const struct osp_space_counts *shared, line out)
{
    int64_t requests = global->requests + shared->requests;
    snprintf(out[SECTORS], CELL, global->requests ? "%.2f" : "-", ratio(global->units, global->ideal));
    snprintf(out[PASSES], CELL, shared->requests ? "%.2f" : "-", ratio(shared->units, shared->ideal));
    snprintf(out[LANES], CELL, "%.1f", ratio(global->lanes + shared->lanes, requests));
}

static void put_code(const struct rows *rows, const struct climb *climb, int k, line out)
{
    const struct osp_kernel_counts *kernel = &climb->kernels[k];
    const struct sass_kernel *code = rows_code(rows, climb, k);
    if (!code)
        return;
    snprintf(out[REGISTERS], CELL, "%d", code->registers);
    snprintf(out[SHARED], CELL, "%.1f", (double)(code->shared_bytes + kernel->dynamic_shared) / 1024);
    snprintf(out[WARPS], CELL, "%.0f %%", 100 * rows_fit(rows, kernel, code).warps);
    snprintf(out[SHARE], CELL, "%.0f %%", 100 * sass_share(&code->loop));
}

static void fill_kernel(const struct rows *rows, const struct climb *climb, int k, line out)
{
    const char *limit;
    double seconds = rows_kernel_estimate(rows->gpu, &rows->code, climb, k, bytes_of(rows), &limit);
    memset(out, 0, sizeof(line));
    put_counts(&climb->kernels[k].global, &climb->kernels[k].shared, out);
    put_code(rows, climb, k, out);
    if (!isnan(seconds))
        put_ms(seconds, out[TIME]);
    snprintf(out[LIMIT], CELL, "%s", limit);
}

static void add(struct osp_space_counts *sum, const struct osp_space_counts *space)
{
    sum->requests += space->requests;
    sum->lanes += space->lanes;
    sum->units += space->units;
    sum->ideal += space->ideal;
}

static void fill_rung(const struct rows *rows, const struct climb *climb, line out)
{
    struct osp_space_counts global = {0}, shared = {0};
    const char *limit;
    double seconds = rows_estimate(rows->gpu, &rows->code, climb, bytes_of(rows), &limit);
    memset(out, 0, sizeof(line));
    if (climb->kernel_count == 1)
        fill_kernel(rows, climb, 0, out);
    for (int k = 0; k < climb->kernel_count; k++) {
        add(&global, &climb->kernels[k].global);
        add(&shared, &climb->kernels[k].shared);
    }
    if (climb->kernel_count)
        put_counts(&global, &shared, out);
    put_result(climb, out[RESULT]);
    snprintf(out[LIMIT], CELL, "%s", limit);
    if (!isnan(climb->seconds)) {
        double macs = osp_call_macs(&rows->problem->call), work = macs > 0 ? 2 * macs : bytes_of(rows);
        seconds = climb->seconds;
        snprintf(out[LIMIT], CELL, "%.1f %s", work / seconds / 1e9, macs > 0 ? "GFLOP/s" : "GB/s");
    }
    if (!isnan(seconds))
        put_ms(seconds, out[TIME]);
}

/* Of a rung with several kernels: the code of the one that takes longest. */
static void put_longest(const struct rows *rows, const struct climb *climb, line out)
{
    double longest = -1;
    const char *limit;
    for (int k = 0; k < climb->kernel_count; k++) {
        double seconds = rows_kernel_estimate(rows->gpu, &rows->code, climb, k, bytes_of(rows), &limit);
        if (seconds > longest) {
            longest = seconds;
            put_code(rows, climb, k, out);
        }
    }
}

static void put_line(const char *name, const line cells, int count, FILE *stream)
{
    fprintf(stream, "%-*s", NAME_WIDTH, name);
    for (int c = 0; c < count; c++)
        fprintf(stream, " %*s", columns[c].width, cells[c]);
    fputc('\n', stream);
}

/* "conv2d_winograd_input" to "  input" */
static const char *short_name(const struct climb *climb, const char *op, const char *kernel, char out[64])
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s_%s_", op, climb->rung->name);
    snprintf(out, 64, "  %s", strncmp(kernel, prefix, strlen(prefix)) ? kernel : kernel + strlen(prefix));
    return out;
}

static bool is_timed(const struct rows *rows)
{
    for (int i = 0; i < rows->count; i++)
        if (!isnan(rows->climbs[i].seconds))
            return true;
    return false;
}

static bool is_counted(const struct rows *rows)
{
    for (int i = 0; i < rows->count; i++)
        if (rows->climbs[i].kernel_count)
            return true;
    return false;
}

static const char *heading(int column, bool timed)
{
    return timed && column == TIME ? "measured" : timed && column == LIMIT ? "rate" : columns[column].over;
}

static void put_rungs(const struct rows *rows, FILE *stream)
{
    const bool timed = is_timed(rows);
    const int count = is_counted(rows) ? COLUMNS : LIMIT + 1;
    char name[64];
    line cells;
    fprintf(stream, "%-*s", NAME_WIDTH, "rung");
    for (int c = 0; c < count; c++)
        fprintf(stream, " %*s", columns[c].width, heading(c, timed));
    fprintf(stream, "\n%-*s", NAME_WIDTH, "");
    for (int c = 0; c < count; c++)
        fprintf(stream, " %*s", columns[c].width, columns[c].under);
    fputc('\n', stream);
    for (int i = 0; i < rows->count; i++) {
        const struct climb *climb = &rows->climbs[i];
        if (climb->refusal) {
            fprintf(stream, "%-*s does not run: %s\n", NAME_WIDTH, climb->rung->name, climb->refusal);
            continue;
        }
        fill_rung(rows, climb, cells);
        put_line(climb->rung->name, cells, count, stream);
        for (int k = 0; climb->kernel_count > 1 && k < climb->kernel_count; k++) {
            fill_kernel(rows, climb, k, cells);
            put_line(short_name(climb, osp_op_name(rows->problem->call.op), climb->kernels[k].kernel, name), cells, count,
                     stream);
        }
    }
}

/* What the columns mean, and whose machine code it is. */
static void put_legend(const struct rows *rows, FILE *stream)
{
    char archs[64];
    int shown = 0;
    for (int i = 0; i < rows->count && !shown; i++)
        for (int k = 0; k < rows->climbs[i].kernel_count && !shown; k++) {
            const struct sass_kernel *code = rows_code(rows, &rows->climbs[i], k);
            shown = code ? code->arch : 0;
        }
    fputs("\nsectors of 32 bytes, and passes over the 32 banks of shared memory: over the fewest that could do.", stream);
    if (rows->blocks)
        fprintf(stream, " Counted: %d blocks\nof each launch, for all.", rows->blocks);
    fputc('\n', stream);
    if (!shown) {
        fputs("No machine code, and so no estimates: this program was built without nvcc.\n", stream);
        return;
    }
    code_archs(&rows->code, archs, sizeof archs);
    fputs("warps: the share of a multiprocessor's that its blocks fill; FMA: multiply-adds, or matrix instructions, in the\n"
          "loop that does the work.",
          stream);
    if (shown == rows->arch)
        fprintf(stream, " Machine code for sm_%d.\n", shown);
    else
        fprintf(stream, " Machine code for sm_%d stands for sm_%d: this program has it for %s.\n", shown, rows->arch, archs);
    if (rows->gpu)
        fprintf(stream, "estimate: computed from these counts for %s, not measured; osprey ladder --published has its errors.\n",
                rows->gpu->name);
}

/* ---- What each kernel was counted for ---------------------------------------------------------------- */

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

static void put_machine(const struct rows *rows, FILE *stream)
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
            const struct sass_kernel *code = rows_code(rows, &rows->climbs[i], k);
            fprintf(stream, "%-12s %-28s", k ? "" : rows->climbs[i].rung->name, kernel->kernel);
            if (!code) {
                fputs(" -\n", stream);
                continue;
            }
            struct occupancy o = rows_fit(rows, kernel, code);
            fprintf(stream, " %7lld %5d %7d %6d %4.0f %% %-9s | %5d %5d %4d %4d %5d %4.1f %%\n",
                    kernel->blocks ? (long long)(kernel->threads / kernel->blocks) : 0, code->registers,
                    code->shared_bytes + (int)kernel->dynamic_shared, o.blocks, o.warps * 100, o.limit, code->loop.count,
                    code->loop.of[SASS_FFMA] + code->loop.of[SASS_MMA], code->loop.of[SASS_LDS] + code->loop.of[SASS_LDSM],
                    code->loop.of[SASS_LDG] + code->loop.of[SASS_LDGSTS], code->all.of[SASS_LDL] + code->all.of[SASS_STL],
                    sass_share(&code->loop) * 100);
        }
}

void rows_print(const struct rows *rows, bool all, FILE *stream)
{
    const struct osp_call *call = &rows->problem->call;
    fprintf(stream, "%s %s on %s (%s)", osp_op_name(call->op), rows->problem->shape, rows->backend->name, rows->device);
    if (osp_call_macs(call) > 0)
        fprintf(stream, ": %.3f GFLOP", 2e-9 * osp_call_macs(call));
    fprintf(stream, "\nosprey %s, commit %s\n\n", OSP_VERSION, commit_name());
    put_rungs(rows, stream);
    if (!is_counted(rows))
        return;
    put_legend(rows, stream);
    if (all) {
        put_memory(rows, stream);
        put_machine(rows, stream);
    }
}

/* ---- Markdown ---------------------------------------------------------------------------------------- */

/* Who refuses the problem, and why: a line for each reason. */
static void put_refusals(const struct rows *rows, FILE *stream)
{
    for (int i = 0; i < rows->count; i++) {
        const char *why = rows->climbs[i].refusal;
        int before = 0;
        for (int k = 0; why && k < i; k++)
            before += rows->climbs[k].refusal && !strcmp(rows->climbs[k].refusal, why);
        if (!why || before)
            continue;
        fprintf(stream, "\nRefused by `%s`", rows->climbs[i].rung->name);
        for (int k = i + 1; k < rows->count; k++)
            if (rows->climbs[k].refusal && !strcmp(rows->climbs[k].refusal, why))
                fprintf(stream, ", `%s`", rows->climbs[k].rung->name);
        fprintf(stream, ": %s.\n", why);
    }
}

osp_status rows_print_markdown(const void *user, FILE *stream)
{
    const struct rows *rows = user;
    line cells;
    fprintf(stream,
            "`osprey ladder %s --shape %s --gpu '%s'`, commit %s. Counted by the emulator%s and read from the machine code for "
            "sm_%d; the estimate is computed from these, not measured.\n\n| rung |",
            osp_op_name(rows->problem->call.op), rows->problem->shape, rows->gpu ? rows->gpu->name : "none", commit_name(),
            rows->blocks ? ", some blocks of each launch for all," : "", rows->arch);
    for (int c = 0; c < COLUMNS; c++)
        fprintf(stream, " %s%s%s |", columns[c].over, *columns[c].under ? " " : "", columns[c].under);
    fputs("\n|---|", stream);
    for (int c = 0; c < COLUMNS; c++)
        fputs(columns[c].width < 0 ? "---|" : "---:|", stream);
    fputc('\n', stream);
    for (int i = 0; i < rows->count; i++) {
        if (rows->climbs[i].refusal)
            continue;
        fill_rung(rows, &rows->climbs[i], cells);
        if (rows->climbs[i].kernel_count > 1)
            put_longest(rows, &rows->climbs[i], cells);
        fprintf(stream, "| %s |", rows->climbs[i].rung->name);
        for (int c = 0; c < COLUMNS; c++)
            fprintf(stream, " %s |", cells[c]);
        fputc('\n', stream);
    }
    put_refusals(rows, stream);
    return OSP_OK;
}
