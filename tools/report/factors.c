/* The article's factors, each with the answer that was measured. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page.h"

/* The column that the page is about: the faster of the question's two, or the only one. */
static int subject(const struct view *view) { return view->after >= 0 ? view->after : view->reference; }

static const char *name_of(const struct view *view, int column) { return text_or(view->study->columns[column].name, "?"); }

/* ---- Architecture ------------------------------------------------------------------------------- */

/* Seconds of the layers that multiply, and those that the measured peaks allow them; false: not known. */
static bool against_roof(const struct column *column, const struct cell *cell, double *seconds, double *least)
{
    *seconds = *least = 0;
    for (int i = 0; i < cell->layer_count; i++)
        if (cell->layers[i].macs_done > 0) {
            *seconds += samples_median(&cell->layers[i].seconds);
            *least += layer_bound(&cell->layers[i], column);
        }
    return *seconds > 0 && isfinite(*least);
}

const char *factor_architecture(const struct view *view, char out[VERDICT_ROOM])
{
    const char *names[VIEW_STAGES];
    char share[FIGURE_ROOM];
    int column = subject(view), count = view_stages(view->study, view->main, names), told = 0;
    const struct cell *cell = view_cell(view->study, column, view->main);
    double seconds, least, total = cell ? samples_median(&cell->total) : 0;
    bool done[VIEW_STAGES] = {false};
    out[0] = 0;
    for (int k = 0; k < 3 && cell; k++) {
        int most = -1;
        for (int s = 0; s < count; s++)
            if (!done[s] && (most < 0 || view_stage_seconds(cell, names[s]) > view_stage_seconds(cell, names[most])))
                most = s;
        double part = most < 0 ? 0 : view_stage_seconds(cell, names[most]) / total;
        if (!(part > 0.02))
            break;
        done[most] = true;
        if (told++ == 0)
            text_add(out, VERDICT_ROOM, "Measured: of a run of %s", name_of(view, column));
        text_add(out, VERDICT_ROOM, "%s %s takes %s", told > 1 ? "," : "", names[most], figure(share, part, UNIT_SHARE));
    }
    if (told && against_roof(&view->study->columns[column], cell, &seconds, &least))
        text_add(out, VERDICT_ROOM, "; its convolutions and matrix products reach %s of what the machine's peaks allow",
                 figure(share, least / seconds, UNIT_SHARE));
    if (told)
        text_add(out, VERDICT_ROOM, ".");
    return out;
}

/* ---- Data size ---------------------------------------------------------------------------------- */

/* The batch of the sweep at which a picture costs least; -1: none was measured. */
static int best_batch(const struct view *view, int column)
{
    int best = -1;
    for (int w = 0; w < view->study->workload_count; w++) {
        double seconds = view_per_picture(view->study, column, w);
        if (!strcmp(text_or(view->study->workloads[w].sweep, ""), "batch") && isfinite(seconds) &&
            (best < 0 || seconds < view_per_picture(view->study, column, best)))
            best = w;
    }
    return best;
}

static void say_batches(const struct view *view, int column, char out[VERDICT_ROOM])
{
    int workloads[2];
    char alone[FIGURE_ROOM], batched[FIGURE_ROOM], gain[FIGURE_ROOM];
    int best = best_batch(view, column);
    if (best < 0 || sweep_workloads(view, column, "batch", workloads, 2) < 2)
        return;
    double first = view_per_picture(view->study, column, workloads[0]), least = view_per_picture(view->study, column, best);
    text_add(out, VERDICT_ROOM, "%s on %s a picture costs %s in batches of %d", out[0] ? ";" : "Measured:", name_of(view, column),
             figure(alone, first, UNIT_SECONDS), view->study->workloads[workloads[0]].batch);
    if (best == workloads[0])
        text_add(out, VERDICT_ROOM, ", and no larger batch makes it cheaper");
    else
        text_add(out, VERDICT_ROOM, " and least, %s, in batches of %d: batching gains %s", figure(batched, least, UNIT_SECONDS),
                 view->study->workloads[best].batch, figure(gain, first / least, UNIT_RATIO));
}

const char *factor_size(const struct view *view, char out[VERDICT_ROOM])
{
    out[0] = 0;
    if (view->before >= 0)
        say_batches(view, view->before, out);
    if (subject(view) >= 0)
        say_batches(view, subject(view), out);
    if (out[0])
        text_add(out, VERDICT_ROOM, ".");
    return out;
}

/* ---- Transfers and optimisation ----------------------------------------------------------------- */

static int narrower(const struct view *view)
{
    int best = -1, w = -1;
    for (int i = 0; i < view->study->workload_count; i++)
        if (!strcmp(text_or(view->study->workloads[i].sweep, ""), "article-3"))
            w = i;
    for (int c = 0; c < view->study->column_count; c++)
        if (view_real(view->study, c, w) && strcmp(text_or(view->study->columns[c].precision, "f32"), "f32") != 0 &&
            (best < 0 || view_per_picture(view->study, c, w) < view_per_picture(view->study, best, w)))
            best = c;
    return best;
}

const char *factor_transfers(const struct view *view, char out[VERDICT_ROOM])
{
    char share[FIGURE_ROOM], start[FIGURE_ROOM];
    int column = subject(view);
    const struct cell *cell = view_cell(view->study, column, view->main);
    out[0] = 0;
    if (!cell)
        return out;
    double total = samples_median(&cell->total), outside = 0;
    static const char *const around[] = {"decode", "upload", "preprocess", "download", "postprocess"};
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        outside += view_stage_seconds(cell, around[i]);
    double copies = view_stage_seconds(cell, "upload") + view_stage_seconds(cell, "download");
    text_add(out, VERDICT_ROOM, "Measured: on %s copies take %s of a run", name_of(view, column),
             figure(share, copies / total, UNIT_SHARE));
    text_add(out, VERDICT_ROOM, " and everything around the network %s; start-up costs %s, as much as %.0f pictures.",
             figure(share, outside / total, UNIT_SHARE), figure(start, view_start(&view->study->columns[column]), UNIT_SECONDS),
             ceil(view_start(&view->study->columns[column]) / view_per_picture(view->study, column, view->main)));
    int narrow = narrower(view);
    text_add(out, VERDICT_ROOM,
             narrow >= 0 ? " The fastest narrower type is that of %s." : " No column had a type narrower than f32.",
             narrow >= 0 ? name_of(view, narrow) : "");
    return out;
}

/* ---- Hardware ----------------------------------------------------------------------------------- */

const char *factor_hardware(const struct view *view, char out[VERDICT_ROOM])
{
    enum { MEMBERS = 16 };
    char ratio[FIGURE_ROOM];
    int first[CHART_STYLES], members[MEMBERS];
    out[0] = 0;
    if (view->gpu) {
        struct estimate e = view_speedup(view->study, view->before, view->after, view->main);
        text_add(out, VERDICT_ROOM, "Measured: %s is %s as fast as %s.", name_of(view, view->after),
                 figure(ratio, e.value, UNIT_RATIO), name_of(view, view->before));
    } else {
        text_add(out, VERDICT_ROOM, "No GPU was measured.");
    }
    int count = thread_groups(view, first) > 0 ? thread_members(view, first[0], members, MEMBERS) : 0;
    if (count > 1) {
        const struct column *few = &view->study->columns[first[0]], *many = &view->study->columns[members[count - 1]];
        struct estimate e = view_speedup(view->study, first[0], members[count - 1], view->main);
        text_add(out, VERDICT_ROOM, " %d threads of %s are %s as fast as %d.", many->threads, text_or(few->backend, "?"),
                 figure(ratio, e.value, UNIT_RATIO), few->threads);
    }
    return out;
}
