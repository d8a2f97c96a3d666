#include <math.h>
#include <stdlib.h>

#include "chart.h"

enum { LEFT = 62, RIGHT = 16, TITLE = 26, PLOT_WIDE = 300, PLOT_NARROW = 240, FOOT = 46 };
enum { SPREAD = 2 }; /* a spread may widen the axis so many times */

/* The plot's corners. */
struct plot {
    const struct canvas *canvas;
    struct axis x, y;
};

static bool plain(const struct chart_point *p) { return isfinite(p->x) && isfinite(p->y); }

static void widen(double range[2], double value)
{
    if (isfinite(value)) {
        range[0] = fmin(range[0], value);
        range[1] = fmax(range[1], value);
    }
}

static double plot_height(const struct canvas *canvas) { return canvas->width > 500 ? PLOT_WIDE : PLOT_NARROW; }

static void place(struct plot *plot, double top)
{
    plot->x.from = LEFT;
    plot->x.to = plot->canvas->width - RIGHT;
    plot->y.from = top + plot_height(plot->canvas);
    plot->y.to = top;
}

/* A line through the points, in pieces, since it may have many. */
static void draw_run(const struct plot *plot, const struct series *series, const char *class)
{
    const struct chart_point *before = NULL;
    for (int i = 0; i < series->count; i++) {
        const struct chart_point *p = &series->points[i];
        if (!plain(p))
            continue;
        if (before)
            canvas_line(plot->canvas, class, axis_at(&plot->x, before->x), axis_at(&plot->y, before->y), axis_at(&plot->x, p->x),
                        axis_at(&plot->y, p->y));
        before = p;
    }
}

/* The interval between neighbouring points, as a quadrilateral for each pair. */
static void draw_spread(const struct plot *plot, const struct series *series)
{
    struct html *html = plot->canvas->html;
    const struct chart_point *a = NULL;
    for (int i = 0; i < series->count; i++) {
        const struct chart_point *b = &series->points[i];
        if (!plain(b) || !isfinite(b->low) || !isfinite(b->high))
            continue;
        if (a) {
            double x0 = axis_at(&plot->x, a->x), x1 = axis_at(&plot->x, b->x);
            html_open(html, "path");
            html_attr(html, "class", "spread s%d", series->style % CHART_STYLES);
            html_attr(html, "d", "M%.1f %.1fL%.1f %.1fL%.1f %.1fL%.1f %.1fz", x0, axis_at(&plot->y, a->low), x1,
                      axis_at(&plot->y, b->low), x1, axis_at(&plot->y, b->high), x0, axis_at(&plot->y, a->high));
            html_close(html, "path");
        }
        a = b;
    }
}

static void draw_fit(const struct plot *plot, const struct series *series)
{
    enum { STEPS = 24 };
    char class[24];
    double first = INFINITY, last = -INFINITY;
    for (int i = 0; i < series->count; i++) {
        first = fmin(first, series->points[i].x);
        last = fmax(last, series->points[i].x);
    }
    snprintf(class, sizeof class, "fit s%d", series->style % CHART_STYLES);
    double before_x = NAN, before_y = NAN;
    for (int i = 0; i <= STEPS && last > first; i++) {
        double t = (double)i / STEPS;
        double x = plot->x.log ? first * pow(last / first, t) : first + (last - first) * t;
        double y = series->fit_per_x ? series->fixed / x + series->each : series->fixed + series->each * x;
        if (axis_holds(&plot->y, y) && axis_holds(&plot->y, before_y))
            canvas_line(plot->canvas, class, axis_at(&plot->x, before_x), axis_at(&plot->y, before_y), axis_at(&plot->x, x),
                        axis_at(&plot->y, y));
        before_x = x;
        before_y = y;
    }
}

static void draw_marks(const struct plot *plot, const struct lines *lines)
{
    for (int i = 0; i < lines->mark_count; i++) {
        double x = axis_at(&plot->x, lines->marks[i].x), width = canvas_text_width(lines->marks[i].text);
        if (!axis_holds(&plot->x, lines->marks[i].x))
            continue;
        canvas_line(plot->canvas, "one", x, plot->y.to, x, plot->y.from);
        bool left = x + width + 8 > plot->canvas->width;
        canvas_text(plot->canvas, left ? x - 5 : x + 5, plot->y.to + 14 + i * 16, "soft", left ? "end" : "start",
                    left ? x - LEFT : plot->canvas->width - x, lines->marks[i].text);
    }
}

static void draw_series(const struct plot *plot, const struct series *series)
{
    char class[24];
    snprintf(class, sizeof class, "run s%d", series->style % CHART_STYLES);
    draw_spread(plot, series);
    if (series->fitted)
        draw_fit(plot, series);
    draw_run(plot, series, class);
    for (int i = 0; i < series->count; i++)
        if (plain(&series->points[i]))
            canvas_mark(plot->canvas, axis_at(&plot->x, series->points[i].x), axis_at(&plot->y, series->points[i].y), 4.5,
                        series->style, series->faint, series->points[i].title);
}

void chart_lines(const struct canvas *canvas, const struct lines *lines)
{
    double x[2] = {INFINITY, -INFINITY}, y[2] = {INFINITY, -INFINITY};
    for (int s = 0; s < lines->series_count; s++) {
        for (int i = 0; i < lines->series[s].count; i++) {
            const struct chart_point *p = &lines->series[s].points[i];
            if (!plain(p))
                continue;
            widen(x, p->x);
            widen(y, p->y);
        }
    }
    const double most = SPREAD * y[1]; /* longer spreads end at the border */
    for (int s = 0; s < lines->series_count; s++) {
        for (int i = 0; i < lines->series[s].count; i++) {
            const struct chart_point *p = &lines->series[s].points[i];
            widen(y, lines->y_log ? fmax(p->low, y[0] / SPREAD) : p->low);
            widen(y, fmin(p->high, most));
        }
    }
    if (lines->ideal)
        widen(y, x[1]);
    int ticks = canvas->width > 500 ? 9 : 5;
    struct plot plot = {canvas, axis_make(lines->x_log ? x[0] : 0, x[1], lines->x_log, lines->x_unit, ticks),
                        axis_make(lines->y_log ? y[0] : 0, y[1], lines->y_log, lines->y_unit, 7)};
    if (lines->x_ticks && lines->x_tick_count <= AXIS_TICKS && lines->x_tick_count > 1) {
        for (int i = 0; i < lines->x_tick_count; i++)
            plot.x.ticks[i] = lines->x_ticks[i];
        plot.x.tick_count = lines->x_tick_count;
        plot.x.high = lines->x_ticks[lines->x_tick_count - 1];
        plot.x.low = plot.x.log ? lines->x_ticks[0] : 0;
    }
    double legend = canvas_legend(canvas, 0, lines->series, lines->series_count, false), top = legend + TITLE + 4;
    place(&plot, top);
    canvas_open(canvas, plot.y.from + FOOT, lines->title);
    canvas_legend(canvas, 0, lines->series, lines->series_count, true);
    canvas_axis_left(canvas, &plot.y, plot.x.from, plot.x.to, lines->y_title);
    canvas_axis_bottom(canvas, &plot.x, plot.y.from, plot.y.to, lines->x_title);
    if (lines->ideal) {
        double low = fmax(plot.x.low, plot.y.low), high = fmin(plot.x.high, plot.y.high);
        canvas_line(canvas, "one", axis_at(&plot.x, low), axis_at(&plot.y, low), axis_at(&plot.x, high), axis_at(&plot.y, high));
    }
    draw_marks(&plot, lines);
    for (int s = 0; s < lines->series_count; s++)
        draw_series(&plot, &lines->series[s]);
    canvas_close(canvas);
}

/* ---- Roofline ----------------------------------------------------------------------------------- */

static void draw_roof(const struct plot *plot, const struct roofline *roof)
{
    if (!(roof->peak_flops > 0) || !(roof->peak_bytes > 0))
        return;
    double ridge = roof->peak_flops / roof->peak_bytes, low = plot->x.low, left = low * roof->peak_bytes;
    if (left < plot->y.low) { /* the slope enters the plot from below */
        low = plot->y.low / roof->peak_bytes;
        left = plot->y.low;
    }
    double corner = fmin(fmax(ridge, plot->x.low), plot->x.high), height = fmin(roof->peak_flops, corner * roof->peak_bytes);
    if (ridge > plot->x.low)
        canvas_line(plot->canvas, "roof", axis_at(&plot->x, low), axis_at(&plot->y, left), axis_at(&plot->x, corner),
                    axis_at(&plot->y, height));
    canvas_line(plot->canvas, "roof", axis_at(&plot->x, corner), axis_at(&plot->y, height), plot->x.to,
                axis_at(&plot->y, height));
}

void chart_roofline(const struct canvas *canvas, const struct roofline *roof)
{
    char flops[FIGURE_ROOM], bytes[FIGURE_ROOM], words[2 * FIGURE_ROOM + 32];
    double x[2] = {INFINITY, -INFINITY}, y[2] = {INFINITY, -INFINITY};
    for (int s = 0; s < roof->series_count; s++) {
        for (int i = 0; i < roof->series[s].count; i++) {
            if (plain(&roof->series[s].points[i])) {
                widen(x, roof->series[s].points[i].x);
                widen(y, roof->series[s].points[i].y * 0.8); /* no mark on the border */
                widen(y, roof->series[s].points[i].y * 1.25);
            }
        }
    }
    if (roof->peak_flops > 0 && roof->peak_bytes > 0) {
        widen(y, roof->peak_flops * 1.25);
        widen(x, roof->peak_flops / roof->peak_bytes);
    }
    struct plot plot = {canvas, axis_make(x[0], x[1], true, UNIT_PLAIN, canvas->width > 500 ? 9 : 6),
                        axis_make(y[0], y[1], true, UNIT_FLOPS, 7)};
    double top = canvas_legend(canvas, 0, roof->series, roof->series_count, false) + TITLE + 4;
    place(&plot, top);
    plot.x.from += 24; /* "100 GFLOP/s" is wide */
    canvas_open(canvas, plot.y.from + FOOT, roof->title);
    canvas_legend(canvas, 0, roof->series, roof->series_count, true);
    snprintf(words, sizeof words, "reached");
    if (roof->peak_flops > 0 && roof->peak_bytes > 0)
        snprintf(words, sizeof words, "reached; the roof: %s, %s", figure(flops, roof->peak_flops, UNIT_FLOPS),
                 figure(bytes, roof->peak_bytes, UNIT_BANDWIDTH));
    canvas_axis_left(canvas, &plot.y, plot.x.from, plot.x.to, words);
    canvas_axis_bottom(canvas, &plot.x, plot.y.from, plot.y.to, "FLOP for each byte moved");
    draw_roof(&plot, roof);
    for (int s = 0; s < roof->series_count; s++)
        for (int i = 0; i < roof->series[s].count; i++) {
            const struct chart_point *p = &roof->series[s].points[i];
            if (plain(p))
                canvas_mark(canvas, axis_at(&plot.x, p->x), axis_at(&plot.y, p->y), 3.5, roof->series[s].style,
                            roof->series[s].faint, p->title);
        }
    canvas_close(canvas);
}
