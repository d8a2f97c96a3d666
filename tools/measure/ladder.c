#include "ladder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "into.h"
#include "roofline.h"
#include "runtime/file.h"
#include "statistics.h"

static osp_status no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory for a ladder's table"); }

/* ---- Columns -------------------------------------------------------------------------------------- */

static osp_status check_op(const char *op)
{
    char names[1024] = "";
    for (int i = 0; osp_op_word(i); i++) {
        size_t at = strlen(names);
        if (!strcmp(osp_op_word(i), op))
            return OSP_OK;
        snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", osp_op_word(i));
    }
    return osp_fail(OSP_USAGE, "no op is called '%s'; there are %s", op, names);
}

static int count_rungs(const char *backend, const char *op)
{
    int count = 0;
    while (osp_backend_rung(backend, op, count))
        count++;
    return count;
}

/* The rung of that name; the first where there is no name; -1: there is none. */
static int find_rung(const char *backend, const char *op, const char *name)
{
    int rung = 0;
    for (const char *word; name && (word = osp_backend_rung(backend, op, rung)) && strcmp(word, name);)
        rung++;
    return !name || osp_backend_rung(backend, op, rung) ? rung : -1;
}

osp_status ladder_columns(const char *op, const char *from, const char *columns, char **out)
{
    size_t size;
    int length = (int)strcspn(columns, ",");
    char *list = NULL, *backend = strndup(columns, strcspn(columns, ",:"));
    FILE *stream = backend ? open_memstream(&list, &size) : NULL;
    osp_status status = stream ? check_op(op) : no_memory();
    int rungs = status ? 0 : count_rungs(backend, op), first = status ? 0 : find_rung(backend, op, from);
    for (int i = first; i >= 0 && i < rungs; i++)
        fprintf(stream, "%.*s:%s=%s?,", length, columns, op, osp_backend_rung(backend, op, i));
    if (!status && rungs == 0)
        status = osp_fail(OSP_USAGE, "backend %s has no rung of %s", backend, op);
    if (!status && first < 0)
        status = osp_fail(OSP_USAGE, "--from: %s on backend %s has no rung '%s'", op, backend, from);
    if (stream)
        fputs(columns, stream);
    if (stream && fclose(stream) != 0 && !status)
        status = no_memory();
    free(backend);
    if (status)
        free(list);
    else
        *out = list;
    return status;
}

/* ---- Layers of one shape -------------------------------------------------------------------------- */

/* What a table is made of. */
struct table {
    const struct study *study;
    const char *op;
    int first; /* the ladder's rung in the first column */
    int rungs; /* columns before the plan's own */
    FILE *stream;
};

static const struct cell *cell_of(const struct table *t, int c) { return &t->study->columns[c].cells[0]; }

/* The plan's own column lists the layers, and is what the others are held against. */
static const struct cell *plan_cell(const struct table *t) { return cell_of(t, t->rungs); }

static bool same_kind(const struct layer *a, const struct layer *b)
{
    return !strcmp(a->op, b->op) && !strcmp(a->shape, b->shape) && a->macs == b->macs;
}

/* Is layer i of the plan's column the first of its kind? */
static bool is_first(const struct table *t, int i)
{
    const struct layer *layers = plan_cell(t)->layers;
    for (int k = 0; k < i; k++)
        if (same_kind(&layers[k], &layers[i]))
            return false;
    return !strcmp(layers[i].op, t->op);
}

/* Is layer i in it: of the same kind as layer `kind`, or, where that is -1, of the op? */
static bool is_in(const struct table *t, int i, int kind)
{
    const struct layer *layers = plan_cell(t)->layers;
    return kind < 0 ? !strcmp(layers[i].op, t->op) : same_kind(&layers[i], &layers[kind]);
}

static int count_in(const struct table *t, int kind)
{
    int count = 0;
    for (int i = 0; i < plan_cell(t)->layer_count; i++)
        count += is_in(t, i, kind);
    return count;
}

static const struct layer *find_layer(const struct cell *cell, const char *node)
{
    for (int i = 0; i < cell->layer_count; i++)
        if (!strcmp(cell->layers[i].node, node))
            return &cell->layers[i];
    return NULL;
}

/* Seconds of all those layers in column c, round by round. Free the values. */
static osp_status sum_layers(const struct table *t, int c, int kind, struct samples *out)
{
    const struct cell *cell = cell_of(t, c), *plan = plan_cell(t);
    *out = (struct samples){calloc((size_t)cell->total.count, sizeof *out->values), cell->total.count, cell->total.count};
    if (!out->values)
        return no_memory();
    for (int i = 0; i < plan->layer_count; i++) {
        const struct layer *layer = is_in(t, i, kind) ? find_layer(cell, plan->layers[i].node) : NULL;
        for (int r = 0; layer && r < out->count && r < layer->seconds.count; r++)
            out->values[r] += layer->seconds.values[r];
    }
    return OSP_OK;
}

/* Does column c run the layers of this kind with the rung that it is named after? */
static bool runs_rung(const struct table *t, int c, int kind)
{
    const struct layer *layer = find_layer(cell_of(t, c), plan_cell(t)->layers[kind].node);
    const char *slash = layer ? strrchr(layer->kernel, '/') : NULL;
    const char *rung = osp_backend_rung(t->study->columns[c].backend, t->op, t->first + c);
    return slash && rung && !strcmp(slash + 1, rung);
}

/* ---- The table ------------------------------------------------------------------------------------ */

/* Three digits, and no more than that many decimals. */
static void put_number(const struct table *t, double value)
{
    int decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
    fprintf(t->stream, " %.*f |", decimals, value);
}

static bool has_work(const struct table *t)
{
    const struct cell *cell = plan_cell(t);
    for (int i = 0; i < cell->layer_count; i++)
        if (!strcmp(cell->layers[i].op, t->op) && cell->layers[i].macs > 0)
            return true;
    return false;
}

static void put_head(const struct table *t)
{
    const struct study *study = t->study;
    const struct column *plan = &study->columns[t->rungs];
    const struct workload *work = &study->workloads[0];
    int numbers = study->column_count + (study->column_count - t->rungs - 1) + 2;
    fprintf(t->stream, "%s, %s, network input %dx%d, on %s", study->architecture, work->name, work->height, work->width,
            plan->device);
    if (!isnan(plan->peak_flops) && !isnan(plan->peak_bytes))
        fprintf(t->stream, ", which does at most %.1f GFLOP/s and %.1f GB/s, as measured", plan->peak_flops / 1e9,
                plan->peak_bytes / 1e9);
    fprintf(t->stream,
            "; osprey %s, commit %s, %.10s, written by `%s`. Median milliseconds of a layer; columns took turns. `plan`: what"
            " a plan takes by itself; -: the rung does not run that shape.\n\n| layer | shape |",
            study->version, study->commit, study->date, study->command);
    for (int c = 0; c < t->rungs; c++)
        fprintf(t->stream, " `%s` |", osp_backend_rung(plan->backend, t->op, t->first + c));
    fprintf(t->stream, " plan | %s | of roof |", has_work(t) ? "GFLOP/s" : "GB/s");
    for (int c = t->rungs + 1; c < study->column_count; c++)
        fprintf(t->stream, " %s | plan / %s |", study->columns[c].name, study->columns[c].name);
    fputs("\n|---|---|", t->stream);
    for (int i = 0; i < numbers; i++)
        fputs("--:|", t->stream);
    fputc('\n', t->stream);
}

/* The rate of the plan's choice, and how near that is to what the machine can do. */
static void put_rate(const struct table *t, int kind, double seconds)
{
    const struct layer *layer = &plan_cell(t)->layers[kind];
    double share = roofline_share(&t->study->columns[t->rungs], layer, seconds);
    if (!(seconds > 0)) {
        fputs(" - | - |", t->stream);
        return;
    }
    put_number(t, (has_work(t) ? 2 * layer->macs_done : layer->bytes) / seconds / 1e9);
    if (isnan(share))
        fputs(" - |", t->stream);
    else
        fprintf(t->stream, " %.0f %% |", share * 100);
}

/* One cell for each column, of one kind of layer or (-1) of all layers of the op. */
static osp_status put_times(const struct table *t, int kind)
{
    struct samples plan, samples;
    int layers = kind < 0 ? 1 : count_in(t, kind);
    osp_status status = sum_layers(t, t->rungs, kind, &plan);
    for (int c = 0; !status && c < t->study->column_count; c++) {
        if (kind >= 0 && c < t->rungs && !runs_rung(t, c, kind)) {
            fputs(" - |", t->stream);
            continue;
        }
        status = sum_layers(t, c, kind, &samples);
        if (status)
            break;
        put_number(t, samples_median(&samples) / layers * 1e3);
        if (c == t->rungs && kind >= 0)
            put_rate(t, kind, samples_median(&samples) / layers);
        else if (c == t->rungs)
            fputs(" | |", t->stream);
        if (c > t->rungs)
            fprintf(t->stream, " %.2f |", samples_ratio(&plan, &samples).value);
        free(samples.values);
    }
    fputc('\n', t->stream);
    free(plan.values);
    return status;
}

/* How many times as fast as the plainest rung, all layers together. */
static osp_status put_speedups(const struct table *t)
{
    struct samples first, samples;
    osp_status status = sum_layers(t, 0, -1, &first);
    fputs("| times as fast as the first | |", t->stream);
    for (int c = 0; !status && c < t->study->column_count; c++) {
        status = sum_layers(t, c, -1, &samples);
        if (status)
            break;
        put_number(t, samples_ratio(&first, &samples).value);
        fputs(c == t->rungs ? " | |" : c > t->rungs ? " |" : "", t->stream);
        free(samples.values);
    }
    fputc('\n', t->stream);
    free(first.values);
    return status;
}

static osp_status put_table(const struct table *t)
{
    const struct cell *cell = plan_cell(t);
    osp_status status = OSP_OK;
    put_head(t);
    for (int i = 0; !status && i < cell->layer_count; i++) {
        if (!is_first(t, i))
            continue;
        int count = count_in(t, i);
        fprintf(t->stream, "| %s", cell->layers[i].node);
        if (count > 1)
            fprintf(t->stream, " and %d more", count - 1);
        fprintf(t->stream, " | %s |", cell->layers[i].shape);
        status = put_times(t, i);
    }
    if (status)
        return status;
    fputs("| all, with the plan's choice where a rung does not run | |", t->stream);
    status = put_times(t, -1);
    return status ? status : put_speedups(t);
}

static osp_status check_study(const struct study *study)
{
    if (study->partial)
        return osp_fail(OSP_USAGE, "stopped by a signal: a table of a ladder wants all of its columns");
    for (int c = 0; c < study->column_count; c++) {
        const struct column *column = &study->columns[c];
        if (column->failure || !column->cell_count || !column->cells[0].measured)
            return osp_fail(OSP_USAGE, "%s failed: a table of a ladder wants all of its columns", column->name);
        if (column->emulated)
            return osp_fail(OSP_USAGE, "%s is emulated: a table of a ladder holds times, and an emulator's say nothing of a GPU",
                            column->name);
    }
    return OSP_OK;
}

osp_status ladder_print(const struct study *study, const char *op, const char *from, FILE *stream)
{
    osp_status status = check_study(study);
    if (status)
        return status;
    const char *backend = study->columns[0].backend;
    int first = find_rung(backend, op, from);
    struct table t = {study, op, first, count_rungs(backend, op) - first, stream};
    return count_in(&t, -1) ? put_table(&t)
                            : osp_fail(OSP_USAGE, "%s has no node of op %s that is timed", study->architecture, op);
}

/* ---- The README ----------------------------------------------------------------------------------- */

struct asked {
    const struct study *study;
    const char *op, *from;
};

static osp_status print_asked(const void *user, FILE *stream)
{
    const struct asked *asked = user;
    return ladder_print(asked->study, asked->op, asked->from, stream);
}

osp_status ladder_write(const struct study *study, const char *op, const char *from, const char *place, const char *path)
{
    return into_write(place, path, print_asked, &(struct asked){study, op, from});
}
