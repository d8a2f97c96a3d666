#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"

const char *chart_stage_class(const char *stage)
{
    static const char *const known[] = {"decode",    "upload",    "preprocess", "network",    "body",     "fpn",         "rpn",
                                        "proposals", "roi_align", "box_head",   "detections", "download", "postprocess", "host"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(stage, known[i]))
            return known[i];
    return "other";
}

/* Stages so dark that words on them are white. */
static const char *ink_on(const char *class)
{
    static const char *const dark[] = {"decode", "network", "body", "fpn", "roi_align", "download", "other", "p0", "p1", "p2"};
    for (size_t i = 0; i < sizeof dark / sizeof *dark; i++)
        if (!strcmp(class, dark[i]))
            return "in dark";
    return "in light";
}

static double sum(const struct bar *bar)
{
    double total = 0;
    for (int i = 0; i < bar->count; i++)
        total += bar->parts[i].value;
    return total;
}

enum { LABEL = 20, BAR = 18, ROW = 52, LEGEND = 18 };
enum { TOO_LONG = 10 }; /* times the middle bar */

/* The parts' names in the order in which they first appear, with a square of their colour. Returns the y below. */
static double legend(const struct canvas *canvas, const struct bars *bars, double y, bool draw)
{
    struct html *html = canvas->html;
    const char *seen[32];
    int count = 0;
    double x = 0;
    for (int r = 0; r < bars->count; r++) {
        for (int p = 0; p < bars->rows[r].count; p++) {
            const struct bar_part *part = &bars->rows[r].parts[p];
            bool known = false;
            for (int i = 0; i < count; i++)
                known |= !strcmp(seen[i], part->name);
            if (known || count == 32)
                continue;
            seen[count++] = part->name;
            double width = 16 + canvas_text_width(part->name) + 10;
            if (x > 0 && x + width > canvas->width) {
                x = 0;
                y += LEGEND;
            }
            if (draw) {
                html_open(html, "rect");
                html_attr(html, "class", "%s", part->class);
                html_attr(html, "x", "%.1f", x);
                html_attr(html, "y", "%.1f", y + 3);
                html_attr(html, "width", "11");
                html_attr(html, "height", "11");
                html_close(html, "rect");
                canvas_text(canvas, x + 16, y + 13, "soft", "start", 1e6, part->name);
            }
            x += width;
        }
    }
    return count ? y + LEGEND + 8 : y;
}

static void draw_bar(const struct canvas *canvas, const struct bar *bar, const struct axis *axis, double scale, enum unit unit,
                     double y)
{
    struct html *html = canvas->html;
    char value[FIGURE_ROOM], share[FIGURE_ROOM];
    double at = 0, total = sum(bar);
    for (int p = 0; p < bar->count; p++) {
        const struct bar_part *part = &bar->parts[p];
        double from = axis_at(axis, at * scale), to = axis_at(axis, (at + part->value) * scale);
        at += part->value;
        html_open(html, "rect");
        html_attr(html, "class", "part %s%s", part->class, bar->faint ? " faint" : "");
        html_attr(html, "x", "%.1f", from);
        html_attr(html, "y", "%.1f", y);
        html_attr(html, "width", "%.1f", fmax(to - from, 0.5));
        html_attr(html, "height", "%d", BAR);
        html_open(html, "title");
        html_say(html, "%s: %s", part->name, figure(value, part->value, unit));
        if (bar->count > 1)
            html_say(html, ", %s", figure(share, part->value / total, UNIT_SHARE));
        html_close(html, "title");
        html_close(html, "rect");
        if (bar->count > 1 && to - from > canvas_text_width(part->name) + 8)
            canvas_text(canvas, (from + to) / 2, y + 13, ink_on(part->class), "middle", 1e6, part->name);
    }
    if (isfinite(bar->low) && isfinite(bar->high) && bar->low < axis->high) {
        double middle = y + BAR / 2.0, low = axis_at(axis, bar->low), high = axis_at(axis, bar->high);
        canvas_line(canvas, "whisker", low, middle, high, middle);
        canvas_line(canvas, "whisker", low, middle - 4, low, middle + 4);
        canvas_line(canvas, "whisker", high, middle - 4, high, middle + 4);
    }
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The bar that decides whether others are too long for the chart: the middle one, of two the shorter. */
static double middle_bar(const struct bars *bars)
{
    double sums[CHART_STYLES];
    int count = bars->count < CHART_STYLES ? bars->count : CHART_STYLES;
    for (int r = 0; r < count; r++)
        sums[r] = sum(&bars->rows[r]);
    qsort(sums, (size_t)count, sizeof *sums, by_size);
    return count > 0 ? sums[(count - 1) / 2] : 0;
}

/* Such a bar would leave nothing of the others to see. */
static bool too_long(const struct bars *bars, const struct bar *bar)
{
    return !bars->share && sum(bar) > TOO_LONG * middle_bar(bars);
}

/* Two gaps across it: it goes on. */
static void draw_gaps(const struct canvas *canvas, double x, double y)
{
    for (int i = 0; i < 2; i++)
        canvas_line(canvas, "gap", x + 7 * i - 4, y + BAR + 2, x + 7 * i + 4, y - 2);
}

void chart_bars(const struct canvas *canvas, const struct bars *bars)
{
    double most = 0;
    for (int r = 0; r < bars->count; r++)
        if (!too_long(bars, &bars->rows[r]))
            most = fmax(most, fmax(sum(&bars->rows[r]), isfinite(bars->rows[r].high) ? bars->rows[r].high : 0));
    struct axis axis =
        axis_make(0, bars->share ? 1 : most, false, bars->share ? UNIT_SHARE : bars->unit, canvas->width > 500 ? 6 : 4);
    axis.from = 1;
    axis.to = canvas->width - 2;
    double top = bars->legend ? legend(canvas, bars, 0, false) : 0, bottom = top + bars->count * ROW;
    canvas_open(canvas, bottom + 26, bars->title);
    if (bars->legend)
        legend(canvas, bars, 0, true);
    canvas_axis_bottom(canvas, &axis, bottom, top + LABEL, "");
    for (int r = 0; r < bars->count; r++) {
        const struct bar *bar = &bars->rows[r];
        double y = top + r * ROW, total = sum(bar), right = canvas_text_width(bar->text);
        canvas_text(canvas, 0, y + 15, "bold", "start", canvas->width - right - 12, bar->label);
        canvas_text(canvas, canvas->width, y + 15, NULL, "end", canvas->width, bar->text);
        draw_bar(canvas, bar, &axis, bars->share && total > 0 ? 1 / total : 1, bars->unit, y + LABEL + 3);
        if (too_long(bars, bar))
            draw_gaps(canvas, axis.to - 40, y + LABEL + 3);
    }
    canvas_close(canvas);
}
