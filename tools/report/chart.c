#include "chart.h"

#include <math.h>
#include <string.h>

/* The colours are those of Okabe and Ito (Color Universal Design, 2008), a little darker on white and lighter on black; stages
 * have three families, what comes before the network, the network, and what comes after, each from dark to light in running
 * order. */
const char chart_css[] =
    "svg{--ink:#1b1f24;--soft:#57606a;--grid:#d8dee4;--back:#fff;--c0:#0072b2;--c1:#d55e00;--c2:#008a63;--c3:#b0578d;"
    "--c4:#a87400;--c5:#2a8fc7;--c6:#6e7781;--c7:#24292f;font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#9aa4ae;--grid:#30363d;--back:#0f1318;--c0:#4aa8e8;--c1:#ff8a3d;"
    "--c2:#2fc79a;--c3:#e29ac6;--c4:#f0b429;--c5:#8fd3f7;--c6:#9aa4ae;--c7:#e6edf3}}"
    "@media print{svg{--ink:#000;--soft:#333;--grid:#ccc;--back:#fff;--c0:#0072b2;--c1:#d55e00;--c2:#008a63;--c3:#b0578d;"
    "--c4:#a87400;--c5:#2a8fc7;--c6:#6e7781;--c7:#000}}"
    "svg text{fill:var(--ink);font-variant-numeric:tabular-nums}svg .gap{stroke:var(--back);"
    "stroke-width:3}svg .soft{fill:var(--soft);font-size:12px}svg "
    ".bold{font-weight:600}"
    "svg .in{font-size:11px}svg .in.dark{fill:#fff}svg .in.light{fill:#1b1f24}"
    "svg .grid{stroke:var(--grid)}svg .base{stroke:var(--soft)}svg .one{stroke:var(--ink);stroke-dasharray:2 3}"
    "svg .whisker{stroke:var(--ink);stroke-width:1.5}svg .band{fill:var(--grid);fill-opacity:.35}"
    "svg .roof{stroke:var(--ink);stroke-width:1.5;fill:none}svg .part{stroke:var(--back);stroke-width:1}"
    "svg .faint{fill-opacity:.25;stroke-dasharray:3 2}svg .run{fill:none;stroke-width:2}svg "
    ".fit{stroke-width:1.25;stroke-dasharray:5 4}"
    "svg .spread{stroke-width:0;fill-opacity:.18}svg .hair{stroke-width:1.25}"
    "svg .s0{fill:var(--c0);stroke:var(--c0)}svg .s1{fill:var(--c1);stroke:var(--c1)}svg .s2{fill:var(--c2);stroke:var(--c2)}"
    "svg .s3{fill:var(--c3);stroke:var(--c3)}svg .s4{fill:var(--c4);stroke:var(--c4)}svg .s5{fill:var(--c5);stroke:var(--c5)}"
    "svg .s6{fill:var(--c6);stroke:var(--c6)}svg .s7{fill:var(--c7);stroke:var(--c7)}svg .run{fill:none}"
    "svg .decode{fill:#b86e00}svg .upload{fill:#e69f00}svg .preprocess{fill:#f5cf7a}"
    "svg .network,svg .body{fill:#0b4a80}svg .fpn{fill:#1f77b4}svg .rpn{fill:#56a3dc}svg .proposals{fill:#a3d0f0}"
    "svg .roi_align{fill:#00734f}svg .box_head{fill:#2fa884}svg .detections{fill:#9fdcc6}"
    "svg .download{fill:#8a4a78}svg .postprocess{fill:#cc79a7}svg .host{fill:#8c959f}svg .other{fill:#57606a}"
    /* a start-up has its own: reading and building, the device, the plan, the weights, the first run */
    "svg .p0{fill:#57606a}svg .p1{fill:#b86e00}svg .p2{fill:#0b4a80}svg .p3{fill:#56a3dc}svg .p4{fill:#a3d0f0}svg "
    ".p5{fill:#2fa884}"
    "svg .p6{fill:#cc79a7}";

void canvas_open(const struct canvas *canvas, double height, const char *title)
{
    struct html *html = canvas->html;
    html_open(html, "svg");
    if (canvas->alone)
        html_attr(html, "xmlns", "http://www.w3.org/2000/svg");
    if (canvas->class)
        html_attr(html, "class", "%s", canvas->class);
    html_attr(html, "viewBox", "0 0 %d %.0f", canvas->width, height);
    html_attr(html, "width", "%d", canvas->width);
    html_attr(html, "height", "%.0f", height);
    html_attr(html, "role", "img");
    html_attr(html, "aria-label", "%s", title);
    if (!canvas->alone)
        return;
    html_element(html, "title", NULL, title);
    html_open(html, "style");
    html_raw(html, chart_css);
    html_close(html, "style");
    html_open(html, "rect");
    html_attr(html, "width", "100%%");
    html_attr(html, "height", "100%%");
    html_attr(html, "style", "fill:var(--back)");
    html_close(html, "rect");
}

void canvas_close(const struct canvas *canvas) { html_close(canvas->html, "svg"); }

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

enum { CHARACTER = 8 }; /* pixels of an average character at 13 px in a wide face */

double canvas_text_width(const char *text) { return (double)characters(text) * CHARACTER; }

void canvas_text(const struct canvas *canvas, double x, double y, const char *class, const char *anchor, double room,
                 const char *text)
{
    struct html *html = canvas->html;
    size_t most = room < CHARACTER ? 1 : (size_t)(room / CHARACTER), bytes = strlen(text);
    bool cut = characters(text) > most;
    if (cut)
        for (bytes = 0, most--; text[bytes] && (most > 0 || (text[bytes] & 0xc0) == 0x80); bytes++)
            most -= (text[bytes] & 0xc0) != 0x80;
    html_open(html, "text");
    html_attr(html, "x", "%.1f", x);
    html_attr(html, "y", "%.1f", y);
    if (class)
        html_attr(html, "class", "%s", class);
    if (strcmp(anchor, "start") != 0)
        html_attr(html, "text-anchor", "%s", anchor);
    html_say(html, "%.*s%s", (int)bytes, text, cut ? "\xe2\x80\xa6" : "");
    html_close(html, "text");
}

void canvas_line(const struct canvas *canvas, const char *class, double x0, double y0, double x1, double y1)
{
    struct html *html = canvas->html;
    html_open(html, "line");
    html_attr(html, "class", "%s", class);
    html_attr(html, "x1", "%.1f", x0);
    html_attr(html, "y1", "%.1f", y0);
    html_attr(html, "x2", "%.1f", x1);
    html_attr(html, "y2", "%.1f", y1);
    html_close(html, "line");
}

/* Every style has a shape of its own; the last two are hollow. */
static void shape(struct html *html, double x, double y, double r, int style)
{
    double w = r * 0.9, t = r * 1.2;
    switch (style) {
    case 1: /* a square */
        html_attr(html, "d", "M%.1f %.1fh%.1fv%.1fh%.1fz", x - w, y - w, 2 * w, 2 * w, -2 * w);
        return;
    case 2: /* a triangle */
        html_attr(html, "d", "M%.1f %.1fl%.1f %.1fh%.1fz", x, y - t, t, 2 * r, -2 * t);
        return;
    case 3:
    case 7: /* a diamond */
        html_attr(html, "d", "M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz", x, y - t, t, t, -t, t, -t, -t);
        return;
    case 4: /* a triangle on its head */
        html_attr(html, "d", "M%.1f %.1fl%.1f %.1fh%.1fz", x, y + t, t, -2 * r, -2 * t);
        return;
    case 5: /* a cross */
        html_attr(html, "d", "M%.1f %.1fl%.1f %.1fm0 %.1fl%.1f %.1f", x - w, y - w, 2 * w, 2 * w, -2 * w, -2 * w, 2 * w);
        return;
    default: /* a circle */
        html_attr(html, "d", "M%.1f %.1fa%.1f %.1f 0 1 0 %.1f 0a%.1f %.1f 0 1 0 %.1f 0z", x - r, y, r, r, 2 * r, r, r, -2 * r);
        return;
    }
}

void canvas_mark(const struct canvas *canvas, double x, double y, double size, int style, bool faint, const char *title)
{
    struct html *html = canvas->html;
    style = style % CHART_STYLES;
    html_open(html, "path");
    html_attr(html, "class", "s%d%s", style, faint ? " faint" : "");
    if (style >= 5)
        html_attr(html, "style", "fill:%s;stroke-width:2", style == 5 ? "none" : "var(--back)");
    shape(html, x, y, size, style);
    if (title)
        html_element(html, "title", NULL, title);
    html_close(html, "path");
}

double canvas_legend(const struct canvas *canvas, double y, const struct series *series, int count, bool draw)
{
    enum { LINE = 20, MARK = 16, GAP = 18 };
    double x = 0;
    for (int i = 0; i < count; i++) {
        double width = MARK + fmin(canvas_text_width(series[i].name), canvas->width - MARK);
        if (x > 0 && x + width > canvas->width) {
            x = 0;
            y += LINE;
        }
        if (draw) {
            canvas_mark(canvas, x + 6, y + 9, 4.5, series[i].style, series[i].faint, NULL);
            canvas_text(canvas, x + MARK, y + 14, NULL, "start", canvas->width - MARK, series[i].name);
        }
        x += width + GAP;
    }
    return count > 0 ? y + LINE : y;
}

void canvas_axis_bottom(const struct canvas *canvas, const struct axis *axis, double y, double top, const char *title)
{
    char text[FIGURE_ROOM];
    double last = -1e9;
    for (int i = 0; i < axis->tick_count; i++) {
        double x = axis_at(axis, axis->ticks[i]);
        canvas_line(canvas, "grid", x, top, x, y);
        figure_tick(text, axis->ticks[i], axis->unit);
        double half = canvas_text_width(text) / 2, at = fmin(fmax(x, half), canvas->width - half);
        if (at - half < last + 4) /* it would touch its neighbour */
            continue;
        canvas_text(canvas, at, y + 17, "soft", "middle", 1e6, text);
        last = at + half;
    }
    canvas_line(canvas, "base", axis->from, y, axis->to, y);
    canvas_text(canvas, (axis->from + axis->to) / 2, y + 36, "soft", "middle", canvas->width, title);
}

void canvas_axis_left(const struct canvas *canvas, const struct axis *axis, double x, double right, const char *title)
{
    char text[FIGURE_ROOM];
    for (int i = 0; i < axis->tick_count; i++) {
        double y = axis_at(axis, axis->ticks[i]);
        canvas_line(canvas, "grid", x, y, right, y);
        canvas_text(canvas, x - 6, y + 4, "soft", "end", 1e6, figure_tick(text, axis->ticks[i], axis->unit));
    }
    canvas_text(canvas, 0, axis->to - 15, "soft", "start", canvas->width, title);
}
