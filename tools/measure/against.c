#include "against.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"

enum { RANKED = 8, MOST = 512 };
static const double normal = 2.5758;     /* the normal distribution's 99.5 % point */
static const double least_share = 0.003; /* of the total that a difference must be */
static const double shortest = 1e-9;     /* what a clock could still tell from nothing */

/* ---- Statistics ----------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sample i of so many that are looked at: of a long run every so many-th. */
static double looked_at(const struct samples *s, int i, int count)
{
    return log(fmax(s->values[(size_t)i * (size_t)s->count / (size_t)count], shortest));
}

struct estimate samples_ratio_unpaired(const struct samples *new, const struct samples *old)
{
    struct estimate none = {samples_median(new) / samples_median(old), NAN, NAN};
    int n = new->count < MOST ? new->count : MOST, m = old->count < MOST ? old->count : MOST;
    if (n < RANKED || m < RANKED)
        return none;
    size_t pairs = (size_t)n * (size_t)m, at = 0;
    double *x = malloc(pairs * sizeof *x);
    if (!x)
        return none;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            x[at++] = looked_at(new, i, n) - looked_at(old, j, m);
    qsort(x, pairs, sizeof *x, ascending);
    double middle = (double)pairs / 2, spread = sqrt((double)pairs * (n + m + 1) / 12);
    size_t k = (size_t)fmax(0, floor(middle - normal * spread - 0.5));
    struct estimate out = {exp((x[(pairs - 1) / 2] + x[pairs / 2]) / 2), exp(x[k]), exp(x[pairs - 1 - k])};
    free(x);
    return out;
}

/* Is `slow` slower than `fast`, by the rule above? */
static bool is_slower(const struct samples *slow, const struct samples *fast, double least, double total, double low)
{
    if (samples_median(slow) - samples_median(fast) < least_share * total)
        return false;
    if (isnan(low))
        return samples_quantile(slow, 0) > samples_quantile(fast, 1) * (1 + least);
    return low > 1 && samples_quantile(slow, 0) > samples_quantile(fast, 0) * (1 + least) &&
           samples_quantile(slow, 0.25) > samples_quantile(fast, 0.25) * (1 + least);
}

enum verdict against_judge(const struct samples *new, const struct samples *old, double least, double total,
                           struct estimate *ratio)
{
    *ratio = samples_ratio_unpaired(new, old);
    if (is_slower(new, old, least, total, ratio->low))
        return VERDICT_SLOWER;
    return is_slower(old, new, least, total, 1 / ratio->high) ? VERDICT_FASTER : VERDICT_SAME;
}

/* ---- Studies -------------------------------------------------------------------------------------- */

static bool same_work(const struct workload *a, const struct workload *b)
{
    return a->pictures == b->pictures && a->batch == b->batch && a->chunks == b->chunks && a->megapixels == b->megapixels &&
           (!a->height || !b->height || (a->height == b->height && a->width == b->width));
}

/* The old cell of the same column and workload; NULL: none. */
static const struct cell *find_cell(const struct study *old, const char *column, const struct workload *workload)
{
    for (int c = 0; c < old->column_count; c++)
        for (int w = 0; !strcmp(old->columns[c].name, column) && w < old->workload_count; w++)
            if (same_work(&old->workloads[w], workload))
                return &old->columns[c].cells[w];
    return NULL;
}

static osp_status nothing_in_common(void)
{
    return osp_fail(
        OSP_USAGE,
        "--against: the earlier study has no column of the same name that did the same work (pictures, batch, input size)");
}

osp_status against_check(const struct study *old, const struct study *new)
{
    if (strcmp(old->model_sha256, new->model_sha256) != 0)
        return osp_fail(OSP_USAGE,
                        "--against: the earlier study measured another model (%s, sha256 %.12s), not this one (%s, %.12s)",
                        old->model_path, old->model_sha256, new->model_path, new->model_sha256);
    for (int c = 0; c < new->column_count; c++)
        for (int w = 0; w < new->workload_count; w++)
            if (find_cell(old, new->columns[c].name, &new->workloads[w]))
                return OSP_OK;
    return nothing_in_common();
}

static void print_line(FILE *stream, const char *column, const char *what, const struct estimate *ratio, enum verdict verdict)
{
    if (verdict == VERDICT_SAME)
        return;
    fprintf(stream, "  %s, %s: %.3f times as long", column, what, ratio->value);
    if (!isnan(ratio->low))
        fprintf(stream, " (99 %%: %.3f to %.3f)", ratio->low, ratio->high);
    fprintf(stream, ": %s\n", verdict == VERDICT_SLOWER ? "SLOWER" : "faster");
}

static int count_quiet(const struct cell *cell)
{
    int count = 0;
    for (int r = 0; r < cell->total.count; r++)
        count += !run_was_disturbed(cell, r);
    return count;
}

/* Those runs of one figure of the cell; all where `all`. Free the values; without memory for them, none. */
static struct samples pick(const struct cell *cell, const struct samples *samples, bool all)
{
    struct samples out = {calloc((size_t)samples->count + 1, sizeof *out.values), 0, samples->count};
    for (int r = 0; out.values && r < samples->count; r++)
        if (all || !run_was_disturbed(cell, r))
            out.values[out.count++] = samples->values[r];
    return out;
}

static enum verdict judge_cells(const struct cell *new, const struct cell *old, const struct samples *new_samples,
                                const struct samples *old_samples, double least, struct estimate *ratio)
{
    bool all = new->total.count < RANKED || old->total.count < RANKED;
    struct samples a = pick(new, new_samples, all), b = pick(old, old_samples, all);
    enum verdict verdict = against_judge(&a, &b, least, samples_median(&old->total), ratio);
    free(a.values);
    free(b.values);
    return verdict;
}

static int print_cell(const char *column, const struct cell *new, const struct cell *old, double least, FILE *stream)
{
    struct estimate ratio;
    int slower = 0, now = count_quiet(new), then = count_quiet(old);
    if (new->total.count >= RANKED && old->total.count >= RANKED && (now < RANKED || then < RANKED)) {
        fprintf(stream, "  %s: not judged: other programs took the cores in %d of %d runs then, and in %d of %d now\n", column,
                old->total.count - then, old->total.count, new->total.count - now, new->total.count);
        return 0;
    }
    for (int i = 0; i < new->stage_count; i++) {
        int k = 0;
        while (k < old->stage_count && strcmp(old->stages[k].name, new->stages[i].name) != 0)
            k++;
        if (k == old->stage_count)
            continue;
        enum verdict verdict = judge_cells(new, old, &new->stages[i].seconds, &old->stages[k].seconds, least, &ratio);
        slower += verdict == VERDICT_SLOWER;
        print_line(stream, column, new->stages[i].name, &ratio, verdict);
    }
    enum verdict verdict = judge_cells(new, old, &new->total, &old->total, least, &ratio);
    print_line(stream, column, "total", &ratio, verdict);
    if (verdict == VERDICT_SAME)
        fprintf(stream, "  %s, total: %.3f times as long: no difference of %g %% or more is shown\n", column, ratio.value,
                least * 100);
    return slower + (verdict == VERDICT_SLOWER);
}

/* What else may be the reason for a difference. */
static void print_remarks(const struct study *old, const struct study *new, FILE *stream)
{
    if (old->partial)
        fprintf(stream, "  the earlier study was stopped by a signal: it has fewer runs\n");
    for (int c = 0; c < new->column_count; c++)
        for (int i = 0; i < old->column_count; i++)
            if (!strcmp(old->columns[i].name, new->columns[c].name) && old->columns[i].device && new->columns[c].device &&
                strcmp(old->columns[i].device, new->columns[c].device) != 0)
                fprintf(stream, "  %s ran on %s then, and on %s now\n", new->columns[c].name, old->columns[i].device,
                        new->columns[c].device);
}

osp_status against_print(const struct study *old, const struct study *new, double least, FILE *stream, int *slower)
{
    int compared = 0;
    *slower = 0;
    fprintf(stream, "against %s, commit %s\n", old->date, old->commit);
    print_remarks(old, new, stream);
    for (int c = 0; c < new->column_count; c++)
        for (int w = 0; w < new->workload_count; w++) {
            const struct cell *cell = &new->columns[c].cells[w];
            const struct cell *before = find_cell(old, new->columns[c].name, &new->workloads[w]);
            if (!cell->measured || !before || !before->measured)
                continue;
            *slower += print_cell(new->columns[c].name, cell, before, least, stream);
            compared++;
        }
    return compared ? OSP_OK : nothing_in_common();
}
