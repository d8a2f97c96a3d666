/* Sections about more: more pictures, larger ones, more threads; and about layers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page.h"

enum { POINTS = 48 };

/* One row for each workload of the sweep, seconds a picture by column. */
static void sweep_table(struct page *page, const char *sweep, const char *first)
{
    const struct study *study = page->study;
    table_begin_many(page, "Table: time for a picture", false, page->study->column_count);
    table_head(page);
    table_title(page, first);
    for (int c = 0; c < study->column_count; c++)
        if (!study->columns[c].failure && !study->columns[c].emulated)
            table_column(page, c, false);
    for (int w = 0; w < study->workload_count; w++) {
        if (strcmp(text_or(study->workloads[w].sweep, ""), sweep) != 0)
            continue;
        table_row(page);
        table_name(page, text_or(study->workloads[w].name, "?"));
        for (int c = 0; c < study->column_count; c++)
            if (!study->columns[c].failure && !study->columns[c].emulated)
                table_figure(page, view_per_picture(study, c, w), UNIT_SECONDS);
    }
    table_end(page);
}

static bool fits_table(struct page *page, const char *sweep, const char *each)
{
    bool any = false;
    for (int i = 0; i < page->study->fit_count; i++) {
        const struct fit *fit = &page->study->fits[i];
        if (strcmp(text_or(fit->sweep, ""), sweep) != 0 || fit->column < 0 || fit->column >= page->study->column_count)
            continue;
        if (!any) {
            table_begin(page, "Table: the fitted line, a fixed cost of each run and a cost that grows", true);
            table_head(page);
            table_title(page, "column");
            table_title(page, "fixed, a run");
            table_title(page, each);
            table_title(page, "largest error of the fit");
            table_title(page, "points");
        }
        any = true;
        table_row(page);
        table_column(page, fit->column, true);
        table_figure(page, fit->fixed, UNIT_SECONDS);
        table_figure(page, fit->each, UNIT_SECONDS);
        table_figure(page, fit->points > 2 ? fit->error : NAN, UNIT_SHARE);
        html_element_say(page->html, "td", NULL, "%d", fit->points);
    }
    if (any)
        table_end(page);
    return any;
}

static void whole(struct page *page, double pictures)
{
    if (isfinite(pictures))
        html_element_say(page->html, "td", NULL, "%.0f", fmax(1, ceil(pictures)));
    else
        html_element(page->html, "td", NULL, "never");
}

static void break_even_table(struct page *page, bool swept)
{
    const struct study *study = page->study;
    if (study->break_even_count == 0)
        return;
    html_element(page->html, "h4", NULL, "Break-even");
    page_say(page, "soft", "From how many pictures on is a column done before the one it is compared with? %s",
             swept ? "Worked out from the fitted lines." : "One picture at a time, from the times of a single one.");
    table_begin(page, "Table: break-even", true);
    table_head(page);
    table_title(page, "column");
    table_title_text(page, "against");
    if (swept)
        table_title(page, "from a batch of");
    table_title(page, "from pictures, already running");
    table_title(page, "from pictures, start-up paid");
    for (int i = 0; i < study->break_even_count; i++) {
        const struct break_even *even = &study->break_evens[i];
        if (even->a < 0 || even->b < 0 || even->a >= study->column_count || even->b >= study->column_count ||
            (isnan(even->without_start) && isnan(even->with_start))) /* the other one is ahead: that is a row too */
            continue;
        table_row(page);
        table_column(page, even->b, true);
        table_other(page, even->a);
        if (swept && view_fit(study, even->a, "batch") && view_fit(study, even->b, "batch"))
            whole(page, even->batch);
        else if (swept)
            table_figure(page, NAN, UNIT_PLAIN);
        whole(page, even->without_start);
        whole(page, even->with_start);
    }
    table_end(page);
}

void section_batch(struct page *page)
{
    char when[VERDICT_ROOM];
    bool drawn = chart_batch(&page->view, -1, NULL);
    if (!drawn && page->study->break_even_count == 0)
        return;
    page_section(page, "batch", drawn ? "More pictures at a time" : "Who is done first");
    page_say(page, NULL, "%s", verdict_when(&page->view, when));
    if (page_chart(page, chart_batch, -1,
                   "Points: medians, with the middle 80 % of the rounds shaded. Dashed: the fitted line. A line that falls gains "
                   "from batches."))
        sweep_table(page, "batch", "batch");
    fits_table(page, "batch", "for each picture");
    break_even_table(page, drawn);
    page_end(page);
}

/* ---- Shape buckets ------------------------------------------------------------------------------ */

static void bucket_row(struct page *page, int w)
{
    const struct study *study = page->study;
    table_row(page);
    table_name(page, text_or(study->workloads[w].name, "?"));
    for (int c = 0; c < study->column_count; c++) {
        const struct cell *cell = view_cell(study, c, w);
        char drift[48];
        if (study->columns[c].failure || study->columns[c].emulated)
            continue;
        if (cell && isfinite(cell->drift))
            snprintf(drift, sizeof drift, "boxes move %.2g px", cell->drift);
        table_more(page, view_per_picture(study, c, w), UNIT_SECONDS, cell && isfinite(cell->drift) ? drift : NULL);
    }
}

void section_buckets(struct page *page)
{
    const struct study *study = page->study;
    bool begun = false;
    for (int w = 0; w < study->workload_count; w++) {
        if (strcmp(text_or(study->workloads[w].sweep, ""), "bucket") != 0)
            continue;
        if (!begun) {
            page_section(page, "buckets", "Pictures of different shapes");
            page_say(page, NULL,
                     "A batch is padded to its largest picture, which costs time and can move boxes. Batches of pictures of one "
                     "shape need no padding, but there are more of them.");
            table_begin_many(page, "Table: time for a picture, and how far boxes move from where they are alone", true,
                             study->column_count);
            table_head(page);
            table_title(page, "pictures");
            for (int c = 0; c < study->column_count; c++)
                if (!study->columns[c].failure && !study->columns[c].emulated)
                    table_column(page, c, false);
        }
        begun = true;
        bucket_row(page, w);
    }
    if (begun) {
        table_end(page);
        page_end(page);
    }
}

void section_size(struct page *page)
{
    if (!chart_size(&page->view, -1, NULL))
        return;
    page_section(page, "size", "Larger pictures");
    page_chart(page, chart_size, -1, "Points: medians, with the middle 80 % of the rounds shaded. Dashed: the fitted line.");
    sweep_table(page, "size", "network input");
    fits_table(page, "size", "for each megapixel");
    page_end(page);
}

/* ---- Threads ------------------------------------------------------------------------------------ */

void section_threads(struct page *page)
{
    int first[CHART_STYLES], members[POINTS], groups = thread_groups(&page->view, first);
    if (groups == 0)
        return;
    page_section(page, "threads", "Threads of the CPU");
    page_say(page, NULL, "The honest baseline of a GPU is all cores with the best kernels, so here is what the cores are worth.");
    page_chart(page, chart_threads, -1, "Against the fewest threads of the same backend; shaded: the 99 % interval.");
    table_begin(page, "Table: threads", true);
    table_head(page);
    table_title(page, "column");
    table_title(page, "threads");
    table_title(page, "time for a picture");
    table_title(page, "times as fast");
    table_title(page, "share of ideal");
    for (int g = 0; g < groups; g++) {
        int count = thread_members(&page->view, first[g], members, POINTS);
        for (int i = 0; i < count; i++) {
            int threads = page->study->columns[members[i]].threads;
            struct estimate e = view_speedup(page->study, first[g], members[i], page->view.main);
            table_row(page);
            table_column(page, members[i], true);
            html_element_say(page->html, "td", NULL, "%d", threads);
            table_figure(page, view_per_picture(page->study, members[i], page->view.main), UNIT_SECONDS);
            if (i == 0)
                html_element(page->html, "td", NULL, "reference");
            else
                table_estimate(page, &e);
            table_figure(page, e.value * page->study->columns[first[g]].threads / threads, UNIT_SHARE);
        }
    }
    table_end(page);
    page_end(page);
}

/* ---- Layers ------------------------------------------------------------------------------------- */

static void layer_table(struct page *page, int column, const struct cell *cell)
{
    static const char *const titles[] = {"node", "kernel", "shape", "time", "FLOP/s", "bytes/s", "share of roofline"};
    table_begin(page, "Table: the layers", false);
    table_head(page);
    for (int i = 0; i < 7; i++)
        table_title(page, titles[i]);
    for (int i = 0; i < cell->layer_count; i++) {
        const struct layer *layer = &cell->layers[i];
        double seconds = samples_median(&layer->seconds);
        table_row(page);
        table_name(page, text_or(layer->node, "?"));
        table_text(page, text_or(layer->kernel, ""));
        table_text(page, text_or(layer->shape, ""));
        table_figure(page, seconds, UNIT_SECONDS);
        table_figure(page, layer_flops(layer), UNIT_FLOPS);
        table_figure(page, seconds > 0 ? layer->bytes / seconds : NAN, UNIT_BANDWIDTH);
        table_figure(page, seconds > 0 ? layer_bound(layer, &page->study->columns[column]) / seconds : NAN, UNIT_SHARE);
    }
    table_end(page);
}

void section_layers(struct page *page)
{
    enum { SHOWN = 4 };
    int columns[SHOWN], count = 0, left = 0;
    for (int pass = 0; pass < 2; pass++) /* those that the answer is about come first */
        for (int c = 0; c < page->study->column_count; c++) {
            bool asked = c == page->view.before || c == page->view.after || c == page->view.reference;
            if (asked != (pass == 0) || !view_real(page->study, c, page->view.main) || !chart_layers(&page->view, c, NULL))
                continue;
            if (count < SHOWN)
                columns[count++] = c;
            else
                left++;
        }
    for (int i = 0; i < count; i++) {
        int c = columns[i];
        if (i == 0) {
            page_section(page, "layers", "Each layer against what the machine can do");
            page_say(
                page, NULL,
                "A layer can be no faster than its arithmetic at the measured peak, nor than its bytes at the measured "
                "bandwidth: the "
                "roof. Below the slope memory sets the pace, below the flat part arithmetic does; the distance to the roof is "
                "what better kernels could win. Winograd kernels may stand above it: they do fewer operations than are counted.");
        }
        html_open(page->html, "h4");
        html_text(page->html, text_or(page->study->columns[c].name, "?"));
        column_marks(page, c);
        html_close(page->html, "h4");
        page_chart(page, chart_layers, c, "One mark for each layer; both axes are logarithmic.");
        layer_table(page, c, view_cell(page->study, c, page->view.main));
    }
    if (left)
        page_say(page, "soft", "%d more column%s with layers: see osprey bench --layers.", left, left == 1 ? "" : "s");
    if (count)
        page_end(page);
}
