/* Charts as SVG: pure functions of what they show. They know nothing of studies. Every chart is drawn for a width in pixels, so
 * that a phone gets one of its own and no text is scaled away; colours come from the style sheet, light or dark; series differ by
 * the shape of their marks too, for readers who cannot tell the colours apart. No scripts, no ids, no links. */
#ifndef OSPREY_TOOLS_REPORT_CHART_H
#define OSPREY_TOOLS_REPORT_CHART_H

#include "axis.h"
#include "html.h"

enum { CHART_WIDE = 740, CHART_NARROW = 340, CHART_STYLES = 8 };

struct canvas {
    struct html *html;
    int width;         /* pixels */
    const char *class; /* of the svg element: "wide" or "narrow" */
    bool alone;        /* a file of its own: with its name space and style sheet */
};

extern const char chart_css[]; /* colours and text of charts, for a <style> */

/* ---- Bars: one row for each thing, made of parts ------------------------------------------------ */

struct bar_part {
    const char *name, *class; /* class: chart_stage_class() or "s0".. */
    double value;             /* >= 0 */
};
struct bar {
    const char *label, *text; /* above the bar, on the left and on the right */
    const struct bar_part *parts;
    int count;
    double low, high; /* whisker; NaN: none */
    bool faint;       /* emulated */
};
struct bars {
    const char *title; /* what a reader who hears the page is told */
    const struct bar *rows;
    int count;
    bool share;  /* each row is scaled to 100 % */
    bool legend; /* name the parts */
    enum unit unit;
};
void chart_bars(const struct canvas *canvas, const struct bars *bars);

/* The class that colours a stage: the same for a stage in every chart. Unknown ones are grey. */
const char *chart_stage_class(const char *stage);

/* ---- Series: dots by row, lines, scatter -------------------------------------------------------- */

struct chart_point {
    double x, y;       /* NaN: nothing there */
    double low, high;  /* of x in dots, of y in lines; NaN: no interval */
    const char *title; /* what it is, shown when pointed at; NULL */
};
struct series {
    const char *name;
    int style; /* 0..CHART_STYLES-1: colour and mark */
    bool faint;
    const struct chart_point *points;
    int count;
    bool fitted, fit_per_x; /* lines: a dashed line fixed + each * x; per_x: that over x */
    double fixed, each;
};
struct mark { /* lines: a value of x, with words */
    double x;
    const char *text;
};

struct dots { /* point i of each series belongs to rows[i] and stands at its x */
    const char *title, *axis_title;
    const char *const *rows;
    int row_count;
    const struct series *series;
    int series_count;
    enum unit unit;
    double line; /* a value to compare with, 1 for ratios; NaN: none */
};
void chart_dots(const struct canvas *canvas, const struct dots *dots);

struct lines {
    const char *title, *x_title, *y_title;
    const struct series *series;
    int series_count;
    enum unit x_unit, y_unit;
    bool x_log, y_log;     /* asked for; a linear axis starts at 0 */
    const double *x_ticks; /* where the points stand, if they are few; NULL: round numbers */
    int x_tick_count;
    bool ideal; /* also the line y = x */
    const struct mark *marks;
    int mark_count;
};
void chart_lines(const struct canvas *canvas, const struct lines *lines);

struct roofline { /* x: FLOP per byte, y: FLOP/s */
    const char *title;
    const struct series *series;
    int series_count;
    double peak_flops, peak_bytes; /* the roof; NaN: none */
};
void chart_roofline(const struct canvas *canvas, const struct roofline *roofline);

/* ---- What the charts share ---------------------------------------------------------------------- */

void canvas_open(const struct canvas *canvas, double height, const char *title);
void canvas_close(const struct canvas *canvas);
/* Text, cut with an ellipsis to at most `room` pixels; anchor "start", "middle", "end". */
void canvas_text(const struct canvas *canvas, double x, double y, const char *class, const char *anchor, double room,
                 const char *text);
void canvas_line(const struct canvas *canvas, const char *class, double x0, double y0, double x1, double y1);
void canvas_mark(const struct canvas *canvas, double x, double y, double size, int style, bool faint, const char *title);
double canvas_text_width(const char *text); /* an estimate, in pixels */

/* Names of series with their marks, in as many lines as they need, from y down; returns the y below. draw false: only measures.
 */
double canvas_legend(const struct canvas *canvas, double y, const struct series *series, int count, bool draw);

/* Grid, ticks and title of an axis along the bottom (at y, grid up to `top`) or on the left (at x, grid to `right`). */
void canvas_axis_bottom(const struct canvas *canvas, const struct axis *axis, double y, double top, const char *title);
void canvas_axis_left(const struct canvas *canvas, const struct axis *axis, double x, double right, const char *title);

#endif
