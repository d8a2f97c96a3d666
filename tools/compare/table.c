/* The comparison as text: stages by columns, speed-ups with their intervals, and where the gain is lost. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "findings.h"
#include "tools/report/view.h"
#include "tools/tools.h"

enum { STAGE_WIDTH = 13, COLUMN_WIDTH = 15, COLUMNS_BESIDE = 6, NAME_ROOM = 256 };

/* A column's name as it may be printed: names from files are anybody's. */
static const char *name_of(const struct study *study, int column, char room[NAME_ROOM])
{
    char *clean = clean_text(text_or(study->columns[column].name, "?"), false);
    snprintf(room, NAME_ROOM, "%s", clean ? clean : "?");
    free(clean);
    return room;
}

static void print_clean(FILE *out, const char *text)
{
    char *clean = clean_text(text_or(text, ""), false);
    fputs(clean ? clean : "", out);
    free(clean);
}

static const char *kind_of(const struct study *study, int column)
{
    const struct column *c = &study->columns[column];
    bool elsewhere = c->foreign && c->machine != 0;
    return c->emulated ? "(emulated)" : elsewhere ? "(other machine)" : c->foreign ? "(other program)" : "";
}

/* ---- Headings ----------------------------------------------------------------------------------- */

/* How much of a name stands on one line: all, or up to a ':' or '=', or as much as there is room for. */
static int line_length(const char *text)
{
    int length = 0;
    if (strlen(text) <= COLUMN_WIDTH)
        return (int)strlen(text);
    for (int i = 0; i < COLUMN_WIDTH; i++)
        if (text[i] == ':' || text[i] == '=')
            length = i + 1;
    return length ? length : COLUMN_WIDTH;
}

/* The columns' names, as many lines as the longest needs, and under them what kind of column it is. */
static void print_headings(const struct study *study, const int *columns, int count, const char *corner, FILE *out)
{
    char name[NAME_ROOM];
    int lines = 1;
    bool kinds = false;
    for (int i = 0; i < count; i++) {
        int needed = 1;
        for (const char *text = name_of(study, columns[i], name); text[line_length(text)]; needed++)
            text += line_length(text);
        lines = needed > lines ? needed : lines;
        kinds = kinds || *kind_of(study, columns[i]);
    }
    for (int line = 0; line < lines; line++) {
        fprintf(out, "%-*s", STAGE_WIDTH, line == 0 ? corner : "");
        for (int i = 0; i < count; i++) {
            const char *text = name_of(study, columns[i], name);
            for (int l = 0; l < line; l++)
                text += line_length(text);
            fprintf(out, "  %*.*s", COLUMN_WIDTH, line_length(text), text);
        }
        fputc('\n', out);
    }
    for (int i = 0; kinds && i < count; i++)
        fprintf(out, "%*s  %*s%s", i ? 0 : STAGE_WIDTH, "", COLUMN_WIDTH, kind_of(study, columns[i]), i + 1 == count ? "\n" : "");
}

/* ---- Stages by columns -------------------------------------------------------------------------- */

static void print_time(FILE *out, double seconds, double total)
{
    if (seconds > 0)
        fprintf(out, "  %9.2f %3.0f %%", seconds * 1e3, 100 * seconds / total);
    else
        fprintf(out, "  %*s", COLUMN_WIDTH, "-");
}

static void print_stage(const struct view *view, int workload, const int *columns, int count, const char *stage, FILE *out)
{
    fprintf(out, "%-*s", STAGE_WIDTH, stage);
    for (int i = 0; i < count; i++) {
        const struct cell *cell = view_cell(view->study, columns[i], workload);
        print_time(out, view_stage_seconds(cell, stage), samples_median(&cell->total));
    }
    fputc('\n', out);
}

static void print_stages(const struct view *view, int workload, const int *columns, int count, FILE *out)
{
    const char *stages[VIEW_STAGES];
    int stage_count = view_stages(view->study, workload, stages);
    print_headings(view->study, columns, count, "ms, share", out);
    for (int s = 0; s < stage_count; s++)
        print_stage(view, workload, columns, count, stages[s], out);
    fprintf(out, "%-*s", STAGE_WIDTH, "end to end");
    for (int i = 0; i < count; i++) {
        double total = samples_median(&view_cell(view->study, columns[i], workload)->total);
        print_time(out, total, total);
    }
    fputc('\n', out);
    bool drawn = false;
    for (int i = 0; i < count; i++)
        drawn = drawn || view_stage(view_cell(view->study, columns[i], workload), view_drawing);
    if (drawn) /* beside the run */
        print_stage(view, workload, columns, count, view_drawing, out);
}

/* "0.345x", "12.3x", "1234x" */
static const char *ratio_text(double value, char room[24])
{
    snprintf(room, 24,
             value < 0.00995 ? "%.2gx"
             : value < 1     ? "%.3fx"
             : value < 10    ? "%.2fx"
             : value < 100   ? "%.1fx"
                             : "%.0fx",
             value);
    return room;
}

/* The reference's time of a stage over a column's; "-" where neither spends a hundredth of its run there. */
static void print_stage_ratio(const struct view *view, int workload, int column, const char *name, FILE *out)
{
    const struct cell *before = view_cell(view->study, view->reference, workload),
                      *after = view_cell(view->study, column, workload);
    const struct stage *a = view_stage(before, name), *b = view_stage(after, name);
    char text[24];
    bool matters = view_stage_seconds(before, name) > 0.01 * samples_median(&before->total) ||
                   view_stage_seconds(after, name) > 0.01 * samples_median(&after->total);
    struct estimate e = a && b && matters && column != view->reference ? samples_ratio(&a->seconds, &b->seconds)
                                                                       : (struct estimate){NAN, NAN, NAN};
    if (!isfinite(e.value))
        fprintf(out, "  %*s", COLUMN_WIDTH, "-");
    else
        fprintf(out, "  %*s%9s", COLUMN_WIDTH - 9, isfinite(e.low) ? estimate_is_noise(&e) ? "~" : "" : "?",
                ratio_text(e.value, text));
}

/* The reference's time over the column's, stage by stage. */
static void print_stage_ratios(const struct view *view, int workload, const int *columns, int count, FILE *out)
{
    const char *stages[VIEW_STAGES];
    char name[NAME_ROOM];
    int stage_count = view_stages(view->study, workload, stages);
    fprintf(out, "\ntimes as fast as %s, by stage (~: within the noise; ?: too few runs to tell; -: under 1 %% of a run)\n",
            name_of(view->study, view->reference, name));
    for (int s = 0; s < stage_count; s++) {
        fprintf(out, "%-*s", STAGE_WIDTH, stages[s]);
        for (int i = 0; i < count; i++)
            print_stage_ratio(view, workload, columns[i], stages[s], out);
        fputc('\n', out);
    }
}

/* ---- End to end --------------------------------------------------------------------------------- */

static void print_speedup(const struct view *view, int workload, int column, FILE *out)
{
    char name[NAME_ROOM], text[2][24];
    struct estimate e = view_speedup(view->study, view->reference, column, workload);
    fprintf(out, "  %-24s %9s", name_of(view->study, column, name), ratio_text(e.value, text[0]));
    if (isfinite(e.low))
        fprintf(out, "  %s to %s", ratio_text(e.low, text[0]), ratio_text(e.high, text[1]));
    else
        fprintf(out, "  too few runs for an interval");
    if (view->study->columns[column].emulated)
        fprintf(out, "; emulated: its time says nothing of a GPU's");
    else if (isfinite(e.low) && estimate_is_noise(&e))
        fprintf(out, "; within the noise");
    fputc('\n', out);
}

/* How many times as fast a column is in the stage where it gains most, among those that matter. */
static double best_stage(const struct view *view, int workload, const struct cell *before, const struct cell *after,
                         const char **out)
{
    const char *stages[VIEW_STAGES];
    int count = view_stages(view->study, workload, stages);
    double best = 0, total = samples_median(&before->total);
    for (int s = 0; s < count; s++) {
        double a = view_stage_seconds(before, stages[s]), b = view_stage_seconds(after, stages[s]);
        if (a > 0.05 * total && b > 0 && a / b > best) {
            best = a / b;
            *out = stages[s];
        }
    }
    return best;
}

/* Of a column that is `best` times as fast in one stage, the stages that keep the whole from being so: the time that each takes
 * beyond the reference's over `best`. The largest three. */
static void print_loss(const struct view *view, int workload, int column, FILE *out)
{
    const char *stages[VIEW_STAGES], *where = NULL;
    char name[NAME_ROOM], text[2][24];
    const struct cell *before = view_cell(view->study, view->reference, workload),
                      *after = view_cell(view->study, column, workload);
    double total = samples_median(&after->total), whole = samples_median(&before->total) / total;
    double best = best_stage(view, workload, before, after, &where), lost[VIEW_STAGES];
    int count = view_stages(view->study, workload, stages);
    if (!(best > 1.05 * whole) || best < 1.05)
        return;
    fprintf(out, "  %s: %s in %s, %s end to end; the gain is lost in", name_of(view->study, column, name),
            ratio_text(best, text[0]), where, ratio_text(whole, text[1]));
    for (int s = 0; s < count; s++)
        lost[s] = view_stage_seconds(after, stages[s]) - view_stage_seconds(before, stages[s]) / best;
    for (int k = 0; k < 3; k++) {
        int most = 0;
        for (int s = 1; s < count; s++)
            if (lost[s] > lost[most])
                most = s;
        if (k > 0 && lost[most] < 0.05 * total)
            break;
        fprintf(out, "%s %s (%.2f ms, %.0f %% of a run)", k ? "," : "", stages[most],
                1e3 * view_stage_seconds(after, stages[most]), 100 * view_stage_seconds(after, stages[most]) / total);
        lost[most] = -1;
    }
    fputc('\n', out);
}

static void print_end_to_end(const struct view *view, int workload, const int *columns, int count, FILE *out)
{
    char name[NAME_ROOM];
    bool others = false;
    for (int i = 0; i < count; i++)
        others = others || columns[i] != view->reference;
    if (!others)
        return;
    fprintf(out, "\ntimes as fast as %s, end to end, with the 99 %% interval\n", name_of(view->study, view->reference, name));
    for (int i = 0; i < count; i++)
        if (columns[i] != view->reference)
            print_speedup(view, workload, columns[i], out);
    for (int i = 0; i < count; i++)
        if (columns[i] != view->reference && view_real(view->study, columns[i], workload))
            print_loss(view, workload, columns[i], out);
}

/* ---- One workload in full, the others in a line each -------------------------------------------- */

static void print_main(const struct view *view, FILE *out)
{
    const struct workload *w = &view->study->workloads[view->main];
    int *columns = calloc((size_t)view->study->column_count, sizeof *columns), count = 0;
    if (!columns)
        return;
    for (int c = 0; c < view->study->column_count; c++)
        if (view_cell(view->study, c, view->main))
            columns[count++] = c;
    fprintf(out, "\n%s, %dx%d of the network\n", w->name, w->height, w->width);
    if (count > 1)
        fprintf(out, "columns take turns and find the caches full of each other's weights: alone, each can be faster\n");
    for (int from = 0; from < count; from += COLUMNS_BESIDE)
        print_stages(view, view->main, columns + from, count - from < COLUMNS_BESIDE ? count - from : COLUMNS_BESIDE, out);
    for (int from = 0; from < count && count > 1; from += COLUMNS_BESIDE)
        print_stage_ratios(view, view->main, columns + from, count - from < COLUMNS_BESIDE ? count - from : COLUMNS_BESIDE, out);
    print_end_to_end(view, view->main, columns, count, out);
    free(columns);
}

static void print_workload(const struct view *view, int workload, FILE *out)
{
    char name[NAME_ROOM], text[24];
    const struct workload *w = &view->study->workloads[workload];
    fprintf(out, "  %s", w->name);
    if (w->height > 0)
        fprintf(out, ", %dx%d", w->height, w->width);
    if (w->chunks > 1)
        fprintf(out, ", in %d parts for want of memory", w->chunks);
    fputc('\n', out);
    for (int c = 0; c < view->study->column_count; c++) {
        const struct cell *cell = view_cell(view->study, c, workload);
        if (!cell && (!view->study->columns[c].cells[workload].skipped || view->study->columns[c].emulated))
            continue;
        fprintf(out, "    %-24s", name_of(view->study, c, name));
        if (!cell) {
            fprintf(out, " not measured: ");
            print_clean(out, view->study->columns[c].cells[workload].skipped);
            fputc('\n', out);
            continue;
        }
        struct estimate e = view_speedup(view->study, view->reference, c, workload);
        fprintf(out, " %10.2f ms a picture", 1e3 * view_per_picture(view->study, c, workload));
        if (c != view->reference && isfinite(e.value))
            fprintf(out, "  %9s%s", ratio_text(e.value, text),
                    isfinite(e.low) && estimate_is_noise(&e) ? ", within the noise" : "");
        if (isfinite(cell->drift))
            fprintf(out, "  boxes drift by %.2g pixels", cell->drift);
        fprintf(out, "%s\n", cell->partial ? "  (partial)" : "");
    }
}

static void print_failures(const struct study *study, FILE *out)
{
    char name[NAME_ROOM];
    for (int c = 0; c < study->column_count; c++)
        if (study->columns[c].failure) {
            fprintf(out, "\n%s failed: ", name_of(study, c, name));
            print_clean(out, study->columns[c].failure);
            fputc('\n', out);
        }
}

void table_print(const struct study *study, FILE *out)
{
    char sentence[VERDICT_ROOM];
    struct view view = view_of(study);
    int others = 0;
    fprintf(out, "%s\n", verdict_sentence(&view, sentence));
    if (verdict_busy(&view, sentence)[0])
        fprintf(out, "%s\n", sentence);
    if (study->partial)
        fprintf(out, "Partial: it was stopped before all was measured.\n");
    fprintf(out, "\nmodel      ");
    print_clean(out, study->architecture);
    fprintf(out, ", ");
    print_clean(out, study->model_path);
    fprintf(out, "\npictures   ");
    print_clean(out, study->images);
    for (int c = 0; c < study->column_count; c++) {
        char name[NAME_ROOM];
        fprintf(out, "\n%s %-*s  ", c ? "          " : "columns   ", 20, name_of(study, c, name));
        print_clean(out, study->columns[c].device);
        if (*kind_of(study, c))
            fprintf(out, " %s", kind_of(study, c));
    }
    fputc('\n', out);
    if (view.main >= 0)
        print_main(&view, out);
    for (int w = 0; w < study->workload_count; w++)
        if (w != view.main) {
            if (others++ == 0)
                fprintf(out, "\nother work\n");
            print_workload(&view, w, out);
        }
    fits_print(study, out);
    agreements_print(study, out);
    print_failures(study, out);
    fputc('\n', out);
    findings_print(study, out);
}
