/* What sections are made of: paragraphs, charts, tables. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

void page_section(struct page *page, const char *id, const char *heading)
{
    html_open(page->html, "section");
    html_attr(page->html, "id", "%s", id);
    html_element(page->html, page->heading, NULL, heading);
}

void page_end(struct page *page) { html_close(page->html, "section"); }

void page_say(struct page *page, const char *class, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    page->html->broken |= !text;
    if (text && text[0]) {
        html_open(page->html, "p");
        if (class)
            html_attr(page->html, "class", "%s", class);
        html_prose(page->html, text);
        html_close(page->html, "p");
    }
    free(text);
}

bool page_chart(struct page *page, chart_function *chart, int column, const char *caption)
{
    const struct canvas wide = {page->html, CHART_WIDE, "wide", false}, narrow = {page->html, CHART_NARROW, "narrow", false};
    if (!chart(&page->view, column, NULL))
        return false;
    html_open(page->html, "figure");
    chart(&page->view, column, &wide);
    chart(&page->view, column, &narrow);
    html_element(page->html, "figcaption", NULL, caption);
    html_close(page->html, "figure");
    return true;
}

/* ---- Tables: <div><table>, or the same in <details> ---------------------------------------------- */

void table_begin(struct page *page, const char *caption, bool open) { table_begin_many(page, caption, open, 0); }

void table_begin_many(struct page *page, const char *caption, bool open, int columns)
{
    struct html *html = page->html;
    html_open(html, "details");
    if (open)
        html_attr(html, "open", "open");
    html_element(html, "summary", NULL, caption);
    html_open(html, "div");
    html_attr(html, "class", "scroll");
    html_open(html, "table");
    if (columns > 6)
        html_attr(html, "class", "many");
}

/* Closes the row, or the head with its row, that is open. */
static void end_row(struct page *page)
{
    struct html *html = page->html;
    if (html->depth < 2 || strcmp(html->open[html->depth - 1], "tr") != 0)
        return;
    html_close(html, "tr");
    if (strcmp(html->open[html->depth - 1], "thead") == 0)
        html_close(html, "thead");
}

void table_head(struct page *page)
{
    html_open(page->html, "thead");
    html_open(page->html, "tr");
}

void table_row(struct page *page)
{
    struct html *html = page->html;
    end_row(page);
    if (strcmp(html->open[html->depth - 1], "tbody") != 0)
        html_open(html, "tbody");
    html_open(html, "tr");
}

void table_end(struct page *page)
{
    struct html *html = page->html;
    end_row(page);
    if (strcmp(html->open[html->depth - 1], "tbody") == 0)
        html_close(html, "tbody");
    html_close(html, "table");
    html_close(html, "div");
    html_close(html, "details");
}

static void heading(struct page *page, const char *scope, const char *class)
{
    html_open(page->html, "th");
    html_attr(page->html, "scope", "%s", scope);
    if (class)
        html_attr(page->html, "class", "%s", class);
}

void table_title(struct page *page, const char *text)
{
    heading(page, "col", NULL);
    html_text(page->html, text);
    html_close(page->html, "th");
}

void table_title_text(struct page *page, const char *text)
{
    heading(page, "col", "text");
    html_text(page->html, text);
    html_close(page->html, "th");
}

void table_name(struct page *page, const char *text)
{
    heading(page, "row", NULL);
    html_text(page->html, text);
    html_close(page->html, "th");
}

void column_marks(struct page *page, int column)
{
    const struct column *of = &page->study->columns[column];
    const struct column *reference = page->view.reference >= 0 ? &page->study->columns[page->view.reference] : of;
    bool elsewhere = of->machine != reference->machine && of->machine >= 0 && of->machine < page->study->machine_count;
    if (of->emulated) {
        html_text(page->html, " ");
        html_element(page->html, "span", "tag", "emulated");
    }
    if (elsewhere) {
        html_text(page->html, " ");
        html_element(page->html, "span", "tag", text_or(page->study->machines[of->machine].host, "another machine"));
    } else if (of->foreign) {
        html_text(page->html, " ");
        html_element(page->html, "span", "tag", "another program");
    }
    if (of->failure) {
        html_text(page->html, " ");
        html_element(page->html, "span", "tag", "failed");
    }
}

/* A name that may be broken after a colon or a comma. */
static void breakable(struct html *html, const char *name)
{
    while (*name) {
        size_t length = strcspn(name, ":,");
        length += name[length] != 0;
        html_say(html, "%.*s", (int)length, name);
        name += length;
        if (*name)
            html_raw(html, "<wbr>");
    }
}

void table_column(struct page *page, int column, bool row)
{
    heading(page, row ? "row" : "col", "col");
    breakable(page->html, text_or(page->study->columns[column].name, "?"));
    column_marks(page, column);
    html_close(page->html, "th");
}

void table_other(struct page *page, int column)
{
    html_open(page->html, "td");
    html_attr(page->html, "class", "name");
    breakable(page->html,
              column >= 0 && column < page->study->column_count ? text_or(page->study->columns[column].name, "?") : "?");
    html_close(page->html, "td");
}

void table_text(struct page *page, const char *text) { html_element(page->html, "td", "text", text); }

void table_more(struct page *page, double value, enum unit unit, const char *more)
{
    char text[FIGURE_ROOM];
    html_open(page->html, "td");
    html_text(page->html, figure(text, value, unit));
    if (more)
        html_element(page->html, "small", NULL, more);
    html_close(page->html, "td");
}

void table_figure(struct page *page, double value, enum unit unit) { table_more(page, value, unit, NULL); }

void table_estimate(struct page *page, const struct estimate *e)
{
    char low[FIGURE_ROOM], high[FIGURE_ROOM], more[3 * FIGURE_ROOM];
    if (!isfinite(e->low) || !isfinite(e->high)) {
        table_figure(page, e->value, UNIT_RATIO);
        return;
    }
    snprintf(more, sizeof more, "%s to %s%s", figure(low, e->low, UNIT_RATIO), figure(high, e->high, UNIT_RATIO),
             estimate_is_noise(e) ? ", noise" : "");
    table_more(page, e->value, UNIT_RATIO, more);
}
