/* What the charts of a study share, and those of its sweeps. charts_stages.c has those of its stages, start-up and layers. */
#include "charts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 48 };

int charted_columns(const struct view *view, int workload, int columns[CHART_STYLES])
{
    int count = 0;
    for (int emulated = 0; emulated < 2 && count == 0; emulated++)
        for (int c = 0; c < view->study->column_count && count < CHART_STYLES; c++)
            if (view_cell(view->study, c, workload) && view->study->columns[c].emulated == emulated)
                columns[count++] = c;
    return count;
}

/* The same colour and mark for a column in every chart. */
static int style_of(const struct view *view, int column)
{
    int style = 0;
    for (int c = 0; c < column; c++)
        style += view->study->columns[c].emulated == view->study->columns[column].emulated;
    return style % CHART_STYLES;
}

/* Room for the series of one chart; what they point to is freed with it. */
struct set {
    int count;
    struct series series[CHART_STYLES];
    struct chart_point points[CHART_STYLES][POINTS];
    char titles[CHART_STYLES][POINTS][112];
};

static struct set *set_new(const struct canvas *canvas)
{
    struct set *set = calloc(1, sizeof *set);
    if (!set)
        canvas->html->broken = true;
    return set;
}

static struct series *set_add(const struct view *view, struct set *set, int column)
{
    struct series *series = &set->series[set->count];
    *series = (struct series){.name = text_or(view->study->columns[column].name, "?"),
                              .style = style_of(view, column),
                              .faint = view->study->columns[column].emulated,
                              .points = set->points[set->count]};
    set->count++;
    return series;
}

/* One more point, with its words. */
static void put(struct set *set, struct chart_point point, enum unit x_unit, enum unit y_unit, bool x_only)
{
    char x[FIGURE_ROOM], y[FIGURE_ROOM];
    struct series *series = &set->series[set->count - 1];
    if (series->count >= POINTS)
        return;
    char *title = set->titles[set->count - 1][series->count];
    figure_tick(x, point.x, x_unit);
    snprintf(title, sizeof set->titles[0][0], x_only ? "%.60s: %s" : "%.60s: %s, %s", series->name, x,
             figure(y, point.y, y_unit));
    point.title = title;
    set->points[set->count - 1][series->count++] = point;
}

/* ---- Sweeps ------------------------------------------------------------------------------------- */

static double sweep_x(const struct workload *workload, const char *sweep)
{
    return strcmp(sweep, "size") == 0 ? 1e-6 * workload->height * workload->width : workload->batch;
}

int sweep_workloads(const struct view *view, int column, const char *sweep, int *workloads, int room)
{
    int count = 0;
    for (int w = 0; w < view->study->workload_count && count < room; w++) {
        if (strcmp(text_or(view->study->workloads[w].sweep, ""), sweep) != 0 || !view_cell(view->study, column, w))
            continue;
        int at = count++;
        for (; at > 0 && sweep_x(&view->study->workloads[workloads[at - 1]], sweep) > sweep_x(&view->study->workloads[w], sweep);
             at--)
            workloads[at] = workloads[at - 1];
        workloads[at] = w;
    }
    return count;
}

/* Adds the points of one column: seconds a picture. */
static void add_sweep(const struct view *view, struct set *set, int column, const char *sweep, const int *workloads, int count)
{
    struct series *series = set_add(view, set, column);
    bool size = strcmp(sweep, "size") == 0;
    for (int i = 0; i < count; i++) {
        const struct workload *workload = &view->study->workloads[workloads[i]];
        const struct samples *total = &view_cell(view->study, column, workloads[i])->total;
        double pictures = workload->pictures > 0 ? workload->pictures : 1;
        put(set,
            (struct chart_point){sweep_x(workload, sweep), samples_median(total) / pictures,
                                 samples_quantile(total, 0.1) / pictures, samples_quantile(total, 0.9) / pictures, NULL},
            UNIT_PLAIN, UNIT_SECONDS, false);
    }
    const struct fit *fit = view_fit(view->study, column, sweep);
    if (fit && isfinite(fit->fixed) && isfinite(fit->each)) {
        series->fitted = true;
        series->fit_per_x = !size;
        series->fixed = fit->fixed;
        series->each = fit->each;
    }
}

/* Where the points of any column stand, if they are few enough to be the ticks. */
static int points_of(const struct set *set, double ticks[AXIS_TICKS])
{
    int count = 0;
    for (int s = 0; s < set->count; s++) {
        for (int i = 0; i < set->series[s].count; i++) {
            double x = set->points[s][i].x;
            int at = 0;
            while (at < count && ticks[at] < x)
                at++;
            if (at < count && ticks[at] == x)
                continue;
            if (count == AXIS_TICKS)
                return 0;
            memmove(&ticks[at + 1], &ticks[at], (size_t)(count - at) * sizeof *ticks);
            ticks[at] = x;
            count++;
        }
    }
    return count;
}

static void range_of(const struct set *set, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int s = 0; s < set->count; s++)
        for (int i = 0; i < set->series[s].count; i++) {
            *low = fmin(*low, set->points[s][i].y);
            *high = fmax(*high, set->points[s][i].y);
        }
}

static bool chart_sweep(const struct view *view, const char *sweep, const struct lines *shape, const struct canvas *canvas)
{
    int workloads[POINTS];
    struct set *set = canvas ? set_new(canvas) : NULL;
    bool any = false;
    for (int c = 0; c < view->study->column_count; c++) {
        int count = view->study->columns[c].emulated ? 0 : sweep_workloads(view, c, sweep, workloads, POINTS);
        any |= count > 1;
        if (count > 1 && set && set->count < CHART_STYLES)
            add_sweep(view, set, c, sweep, workloads, count);
    }
    if (any && set) {
        struct lines lines = *shape;
        double ticks[AXIS_TICKS], low, high;
        char text[64];
        struct mark mark = {NAN, text};
        const struct break_even *even = view->after >= 0 ? view_break_even(view->study, view->before, view->after) : NULL;
        if (!strcmp(sweep, "batch") && even && even->batch > 1) {
            snprintf(text, sizeof text, "%.24s ahead from %.0f on", text_or(view->study->columns[view->after].name, "?"),
                     even->batch);
            mark.x = even->batch;
            lines.marks = &mark;
            lines.mark_count = 1;
        }
        range_of(set, &low, &high);
        lines.series = set->series;
        lines.series_count = set->count;
        lines.y_log = axis_wants_log(low, high);
        lines.x_tick_count = points_of(set, ticks);
        lines.x_ticks = ticks;
        chart_lines(canvas, &lines);
    }
    free(set);
    return any;
}

bool chart_batch(const struct view *view, int column, const struct canvas *canvas)
{
    static const struct lines shape = {.title =
                                           "Time for a picture over the number of pictures at a time, one line for each column",
                                       .x_title = "pictures at a time",
                                       .y_title = "time for a picture",
                                       .x_unit = UNIT_PLAIN,
                                       .y_unit = UNIT_SECONDS,
                                       .x_log = true};
    return chart_sweep(view, "batch", &shape, canvas);
}

bool chart_size(const struct view *view, int column, const struct canvas *canvas)
{
    static const struct lines shape = {.title =
                                           "Time for a picture over the size of the network's input, one line for each column",
                                       .x_title = "megapixels of the network's input",
                                       .y_title = "time for a picture",
                                       .x_unit = UNIT_PLAIN,
                                       .y_unit = UNIT_SECONDS,
                                       .x_log = true};
    return chart_sweep(view, "size", &shape, canvas);
}

/* ---- Threads ------------------------------------------------------------------------------------ */

static bool differ_in_threads(const struct column *a, const struct column *b)
{
    return a->machine == b->machine && !strcmp(text_or(a->backend, ""), text_or(b->backend, "")) &&
           !strcmp(text_or(a->kernels, ""), text_or(b->kernels, "")) &&
           !strcmp(text_or(a->precision, ""), text_or(b->precision, "")) && a->emulated == b->emulated &&
           a->foreign == b->foreign && a->threads != b->threads;
}

int thread_members(const struct view *view, int first, int *members, int room)
{
    const struct study *study = view->study;
    int count = 0;
    for (int c = 0; c < study->column_count && count < room; c++) {
        const struct column *column = &study->columns[c];
        bool same = c == first || differ_in_threads(&study->columns[first], column);
        for (int i = 0; i < count; i++)
            same &= study->columns[members[i]].threads != column->threads;
        if (!same || column->threads < 1 || column->gpu || !view_real(study, c, view->main))
            continue;
        int at = count++;
        for (; at > 0 && study->columns[members[at - 1]].threads > column->threads; at--)
            members[at] = members[at - 1];
        members[at] = c;
    }
    return count;
}

int thread_groups(const struct view *view, int first[CHART_STYLES])
{
    int count = 0, members[POINTS];
    for (int c = 0; c < view->study->column_count && count < CHART_STYLES; c++) {
        int n = view_real(view->study, c, view->main) ? thread_members(view, c, members, POINTS) : 0;
        if (n > 1 && members[0] == c)
            first[count++] = c;
    }
    return count;
}

bool chart_threads(const struct view *view, int column, const struct canvas *canvas)
{
    int first[CHART_STYLES], members[POINTS], groups = thread_groups(view, first);
    struct set *set = canvas && groups > 0 ? set_new(canvas) : NULL;
    if (!set)
        return groups > 0;
    for (int g = 0; g < groups; g++) {
        int count = thread_members(view, first[g], members, POINTS);
        set_add(view, set, members[count - 1]);
        for (int i = 0; i < count; i++) {
            struct estimate e = view_speedup(view->study, first[g], members[i], view->main);
            double threads = view->study->columns[members[i]].threads;
            put(set, (struct chart_point){threads, e.value, e.low, e.high, NULL}, UNIT_PLAIN, UNIT_RATIO, false);
        }
    }
    double ticks[AXIS_TICKS];
    struct lines lines = {.title = "Times as fast as with the fewest threads, over threads",
                          .x_title = "threads (the dotted line: as many times as fast as there are threads)",
                          .y_title = "times as fast",
                          .x_unit = UNIT_PLAIN,
                          .y_unit = UNIT_RATIO,
                          .series = set->series,
                          .series_count = set->count,
                          .ideal = true};
    if (canvas->width < 500)
        lines.x_title = "threads (dotted: ideal)";
    lines.x_tick_count = points_of(set, ticks);
    lines.x_ticks = ticks;
    chart_lines(canvas, &lines);
    free(set);
    return true;
}

/* ---- By stage, as dots -------------------------------------------------------------------------- */

bool chart_speedups(const struct view *view, int column, const struct canvas *canvas)
{
    const char *names[VIEW_STAGES], *rows[VIEW_STAGES + 1] = {"all of it"};
    int columns[CHART_STYLES], count = charted_columns(view, view->main, columns), stages = view_stages_that_matter(view, names);
    const struct cell *reference = view_cell(view->study, view->reference, view->main);
    struct set *set = canvas && count > 1 && reference ? set_new(canvas) : NULL;
    if (!set)
        return count > 1 && reference;
    for (int s = 0; s < stages; s++)
        rows[s + 1] = names[s];
    for (int i = 0; i < count; i++) {
        if (columns[i] == view->reference)
            continue;
        const struct cell *cell = view_cell(view->study, columns[i], view->main);
        set_add(view, set, columns[i]);
        struct estimate e = samples_ratio(&reference->total, &cell->total);
        put(set, (struct chart_point){e.value, 0, e.low, e.high, NULL}, UNIT_RATIO, UNIT_PLAIN, true);
        for (int s = 0; s < stages; s++) {
            const struct stage *then = view_stage(reference, names[s]), *now = view_stage(cell, names[s]);
            e = then && now ? samples_ratio(&then->seconds, &now->seconds) : (struct estimate){NAN, NAN, NAN};
            put(set, (struct chart_point){e.value, 0, e.low, e.high, NULL}, UNIT_RATIO, UNIT_PLAIN, true);
        }
    }
    char title[160];
    snprintf(title, sizeof title, "times as fast as %.60s", text_or(view->study->columns[view->reference].name, "?"));
    struct dots dots = {"Speed-up of each stage with its 99 % interval, one mark for each column",
                        title,
                        rows,
                        stages + 1,
                        set->series,
                        set->count,
                        UNIT_RATIO,
                        1};
    chart_dots(canvas, &dots);
    free(set);
    return true;
}

bool chart_amdahl(const struct view *view, int column, const struct canvas *canvas)
{
    const char *names[VIEW_STAGES];
    int columns[CHART_STYLES], count = charted_columns(view, view->main, columns), stages = view_stages_that_matter(view, names);
    struct set *set = canvas && count > 0 && stages > 1 ? set_new(canvas) : NULL;
    if (!set)
        return count > 0 && stages > 1;
    for (int i = 0; i < count; i++) {
        const struct cell *cell = view_cell(view->study, columns[i], view->main);
        bool asked = columns[i] == view->reference || columns[i] == view->before || columns[i] == view->after;
        if (!asked)
            continue;
        double total = samples_median(&cell->total);
        set_add(view, set, columns[i]);
        for (int s = 0; s < stages; s++) {
            double part = view_stage_seconds(cell, names[s]), gain = part > 0 && part < total ? total / (total - part) : NAN;
            put(set, (struct chart_point){gain, 0, NAN, NAN, NULL}, UNIT_RATIO, UNIT_PLAIN, true);
        }
    }
    struct dots dots = {"How many times as fast the whole would be if one stage cost nothing",
                        "times as fast, were the stage free",
                        names,
                        stages,
                        set->series,
                        set->count,
                        UNIT_RATIO,
                        1};
    chart_dots(canvas, &dots);
    free(set);
    return true;
}
