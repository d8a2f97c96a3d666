/* The charts made of bars, and the roofline. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"

/* ---- Time by column ----------------------------------------------------------------------------- */

struct rows { /* of a bar chart, with what they point to */
    struct bar bars[CHART_STYLES];
    struct bar_part parts[CHART_STYLES][VIEW_STAGES];
    char text[CHART_STYLES][2 * FIGURE_ROOM + 32], class[CHART_STYLES][8], label[CHART_STYLES][120];
};

static struct rows *rows_new(const struct canvas *canvas)
{
    struct rows *rows = calloc(1, sizeof *rows);
    if (!rows)
        canvas->html->broken = true;
    return rows;
}

static struct bar *row(const struct view *view, struct rows *rows, int i, int column)
{
    const struct column *of = &view->study->columns[column];
    snprintf(rows->label[i], sizeof rows->label[i], "%.90s%s", text_or(of->name, "?"), of->emulated ? " (emulated)" : "");
    rows->bars[i] = (struct bar){
        .label = rows->label[i], .text = rows->text[i], .parts = rows->parts[i], .low = NAN, .high = NAN, .faint = of->emulated};
    return &rows->bars[i];
}

bool chart_time(const struct view *view, int column, const struct canvas *canvas)
{
    int columns[CHART_STYLES], count = charted_columns(view, view->main, columns);
    struct rows *rows = canvas && count > 0 ? rows_new(canvas) : NULL;
    if (!rows)
        return count > 0;
    double pictures = view->study->workloads[view->main].pictures;
    for (int i = 0; i < count; i++) {
        char seconds[FIGURE_ROOM], ratio[FIGURE_ROOM];
        struct bar *bar = row(view, rows, i, columns[i]);
        const struct samples *total = &view_cell(view->study, columns[i], view->main)->total;
        struct estimate e = view_speedup(view->study, view->reference, columns[i], view->main);
        double value = samples_median(total) / pictures;
        bar->count = 1;
        bar->low = samples_quantile(total, 0.1) / pictures;
        bar->high = samples_quantile(total, 0.9) / pictures;
        snprintf(rows->class[i], sizeof rows->class[i], "s%d", columns[i] == view->reference ? 6 : 0);
        rows->parts[i][0] = (struct bar_part){bar->label, rows->class[i], value};
        if (columns[i] == view->reference)
            snprintf(rows->text[i], sizeof rows->text[i], "%s", figure(seconds, value, UNIT_SECONDS));
        else
            snprintf(rows->text[i], sizeof rows->text[i], "%s, %s as %s", figure(seconds, value, UNIT_SECONDS),
                     figure(ratio, e.value < 1 ? 1 / e.value : e.value, UNIT_RATIO), e.value < 1 ? "long" : "fast");
    }
    struct bars bars = {.title = "Time for a picture by column: median, and the range of the middle 80 % of the rounds",
                        .rows = rows->bars,
                        .count = count,
                        .unit = UNIT_SECONDS};
    chart_bars(canvas, &bars);
    free(rows);
    return true;
}

bool chart_stages(const struct view *view, int column, const struct canvas *canvas)
{
    const char *names[VIEW_STAGES];
    int columns[CHART_STYLES], count = charted_columns(view, view->main, columns),
                               stages = view_stages(view->study, view->main, names);
    struct rows *rows = canvas && count > 0 && stages > 0 ? rows_new(canvas) : NULL;
    if (!rows)
        return count > 0 && stages > 0;
    int shown = 0;
    for (int i = 0; i < count; i++) {
        const struct cell *cell = view_cell(view->study, columns[i], view->main);
        if (cell->stage_count == 0) /* another program's total */
            continue;
        struct bar *bar = row(view, rows, shown, columns[i]);
        figure(rows->text[shown], samples_median(&cell->total), UNIT_SECONDS);
        for (int s = 0; s < stages; s++) {
            double seconds = view_stage_seconds(cell, names[s]);
            if (seconds > 0)
                rows->parts[shown][bar->count++] = (struct bar_part){names[s], chart_stage_class(names[s]), seconds};
        }
        shown++;
    }
    struct bars bars = {.title = "Share of each stage in a run, by column",
                        .rows = rows->bars,
                        .count = shown,
                        .share = true,
                        .legend = true,
                        .unit = UNIT_SECONDS};
    chart_bars(canvas, &bars);
    free(rows);
    return true;
}

/* ---- Start-up ----------------------------------------------------------------------------------- */

const char *start_part(const struct column *column, int i, double *seconds)
{
    const struct once *o = &column->once;
    const struct {
        const char *name;
        double seconds;
    } parts[] = {{"program", o->program_start}, {"model", o->open_model}, {"device", o->open_device},
                 {"kernels", o->load_modules},  {"plan", o->plan},        {"weights", o->pack},
                 {"first run", o->first_run}};
    if (i < 0 || i >= (int)(sizeof parts / sizeof *parts))
        return NULL;
    *seconds = parts[i].seconds;
    return parts[i].name;
}

bool chart_start(const struct view *view, int column, const struct canvas *canvas)
{
    int columns[CHART_STYLES], count = charted_columns(view, view->main, columns), shown = 0;
    bool any = false;
    for (int i = 0; i < count; i++)
        any |= view_start(&view->study->columns[columns[i]]) > 0;
    struct rows *rows = canvas && any ? rows_new(canvas) : NULL;
    if (!rows)
        return any;
    for (int i = 0; i < count; i++) {
        const struct column *of = &view->study->columns[columns[i]];
        static const char *const classes[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6"};
        const char *name;
        double seconds;
        if (!(view_start(of) > 0))
            continue;
        struct bar *bar = row(view, rows, shown, columns[i]);
        figure(rows->text[shown], view_start(of), UNIT_SECONDS);
        for (int p = 0; (name = start_part(of, p, &seconds)) != NULL; p++)
            if (seconds > 0)
                rows->parts[shown][bar->count++] = (struct bar_part){name, classes[p], seconds};
        shown++;
    }
    struct bars bars = {.title = "What is paid once before the first picture, by column",
                        .rows = rows->bars,
                        .count = shown,
                        .legend = true,
                        .unit = UNIT_SECONDS};
    chart_bars(canvas, &bars);
    free(rows);
    return true;
}

/* ---- Roofline ----------------------------------------------------------------------------------- */

static int op_group(const char *op)
{
    static const char *const groups[] = {"conv2d", "depthwise", "linear"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(text_or(op, ""), groups[i]))
            return i;
    return 3;
}

bool chart_layers(const struct view *view, int column, const struct canvas *canvas)
{
    static const char *const names[] = {"convolutions", "depthwise convolutions", "matrix products", "others"};
    const struct cell *cell = view_cell(view->study, column, view->main);
    int usable = 0;
    for (int i = 0; cell && i < cell->layer_count; i++)
        usable += isfinite(layer_flops(&cell->layers[i])) && isfinite(layer_intensity(&cell->layers[i]));
    if (usable == 0 || !canvas)
        return usable > 0;
    struct chart_point *points = calloc(4 * (size_t)usable, sizeof *points);
    char(*titles)[200] = calloc((size_t)usable, sizeof *titles);
    if (!points || !titles) {
        canvas->html->broken = true;
        free(points);
        free(titles);
        return true;
    }
    struct series series[4] = {0}, shown[4];
    int at = 0, count = 0;
    for (int i = 0; i < cell->layer_count; i++) {
        const struct layer *layer = &cell->layers[i];
        char flops[FIGURE_ROOM], seconds[FIGURE_ROOM];
        double x = layer_intensity(layer), y = layer_flops(layer);
        if (!isfinite(x) || !isfinite(y))
            continue;
        int g = op_group(layer->op);
        snprintf(titles[at], sizeof titles[at], "%.80s, %.40s: %s, %s", text_or(layer->node, "?"), text_or(layer->kernel, "?"),
                 figure(flops, y, UNIT_FLOPS), figure(seconds, samples_median(&layer->seconds), UNIT_SECONDS));
        points[g * usable + series[g].count++] = (struct chart_point){x, y, NAN, NAN, titles[at++]};
    }
    for (int g = 0; g < 4; g++)
        if (series[g].count > 0)
            shown[count++] =
                (struct series){.name = names[g], .style = g, .points = points + g * usable, .count = series[g].count};
    const struct column *of = &view->study->columns[column];
    struct roofline roof = {"Roofline: what each layer reached over its FLOP for each byte", shown, count, of->peak_flops,
                            of->peak_bytes};
    chart_roofline(canvas, &roof);
    free(points);
    free(titles);
    return true;
}
