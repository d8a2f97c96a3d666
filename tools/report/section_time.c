/* Sections about time: of a picture, of its stages, of the start. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page.h"

static const char *name_of(const struct page *page, int column) { return text_or(page->study->columns[column].name, "?"); }

/* Names of the columns that are left out of a chart because they were emulated. */
static void say_left_out(struct page *page)
{
    char names[400] = "";
    int count = 0;
    for (int c = 0; c < page->study->column_count; c++)
        if (page->study->columns[c].emulated && view_cell(page->study, c, page->view.main) && page->view.reference >= 0 &&
            !page->study->columns[page->view.reference].emulated) {
            text_add(names, sizeof names, "%s%s", count ? ", " : "", name_of(page, c));
            count++;
        }
    if (count)
        page_say(page, "soft",
                 "Not drawn: %s. %s emulated on this machine's CPU: %s results can be trusted, %s times say nothing of a GPU.",
                 names, count == 1 ? "It was" : "They were", count == 1 ? "its" : "their", count == 1 ? "its" : "their");
}

static void time_row(struct page *page, int c)
{
    const struct study *study = page->study;
    const struct cell *cell = view_cell(study, c, page->view.main);
    double pictures = cell ? study->workloads[page->view.main].pictures : 1;
    table_row(page);
    table_column(page, c, true);
    if (!cell) {
        const struct cell *missing = page->view.main >= 0 && page->view.main < study->columns[c].cell_count
                                         ? &study->columns[c].cells[page->view.main]
                                         : NULL;
        html_open(page->html, "td");
        html_attr(page->html, "class", "text");
        html_attr(page->html, "colspan", "6");
        html_text(page->html, text_or(study->columns[c].failure, text_or(missing ? missing->skipped : NULL, "not measured")));
        html_close(page->html, "td");
        return;
    }
    static const double quantiles[] = {0.5, 0.1, 0.9, 0.99};
    for (int q = 0; q < 4; q++)
        table_figure(page, samples_quantile(&cell->total, quantiles[q]) / pictures, UNIT_SECONDS);
    html_element_say(page->html, "td", NULL, "%d%s", cell->total.count, cell->partial ? ", cut short" : "");
    struct estimate e = view_speedup(study, page->view.reference, c, page->view.main);
    if (c == page->view.reference || study->columns[c].emulated)
        html_element(page->html, "td", NULL, c == page->view.reference ? "reference" : "not compared");
    else
        table_estimate(page, &e);
}

void section_time(struct page *page)
{
    static const char *const titles[] = {"column", "median", "p10", "p90", "p99", "rounds"};
    page_section(page, "time", "How long a picture takes");
    if (page->view.main >= 0)
        page_say(page, NULL,
                 "%s, from the bytes of its file to boxes in its pixels. Rounds alternated between the columns, so that a noisy "
                 "machine is "
                 "noisy for all.",
                 text_or(page->study->workloads[page->view.main].name, "One picture"));
    page_chart(
        page, chart_time, -1,
        "Median of the rounds; the thin line spans the middle 80 % of them. The grey bar is the reference. A bar with gaps is "
        "longer than the chart.");
    say_left_out(page);
    table_begin(page, "Table: time of a picture, and times as fast as the reference with the 99 % interval of paired rounds",
                true);
    table_head(page);
    for (int i = 0; i < 6; i++)
        table_title(page, titles[i]);
    table_title(page, "times as fast");
    for (int c = 0; c < page->study->column_count; c++)
        time_row(page, c);
    table_end(page);
    page_end(page);
}

/* ---- Stages ------------------------------------------------------------------------------------- */

static void stage_table(struct page *page, const char *const *names, int stages)
{
    const struct study *study = page->study;
    table_begin_many(page, "Table: median time of each stage in a run, and its share of the run", true,
                     page->study->column_count);
    table_head(page);
    table_title(page, "stage");
    for (int c = 0; c < study->column_count; c++)
        if (view_cell(study, c, page->view.main))
            table_column(page, c, false);
    for (int s = -1; s <= stages; s++) {
        const char *name = s < 0 ? "all of it" : s < stages ? names[s] : view_drawing;
        table_row(page);
        table_name(page, name);
        for (int c = 0; c < study->column_count; c++) {
            const struct cell *cell = view_cell(study, c, page->view.main);
            char share[FIGURE_ROOM];
            if (!cell)
                continue;
            double total = samples_median(&cell->total), part = s < 0 ? total : view_stage_seconds(cell, name);
            bool absent = s >= 0 && !view_stage(cell, name);
            table_more(page, absent ? NAN : part, UNIT_SECONDS,
                       absent || s < 0 ? NULL
                       : s < stages    ? figure(share, part / total, UNIT_SHARE)
                                       : "after the run");
        }
    }
    table_end(page);
}

void section_stages(struct page *page)
{
    const char *names[VIEW_STAGES];
    int stages = view_stages(page->study, page->view.main, names);
    if (stages == 0)
        return;
    page_section(page, "stages", "Where the time goes");
    page_say(page, NULL,
             "Each bar is one run, divided into its stages in running order; the time of the whole run stands on the right.");
    page_chart(page, chart_stages, -1,
               "Orange: before the network; blue and green: the network; purple: after it; grey: the host in between.");
    stage_table(page, names, stages);
    page_end(page);
}

static void speedup_table(struct page *page, const char *const *names, int stages)
{
    const struct study *study = page->study;
    const struct cell *reference = view_cell(study, page->view.reference, page->view.main);
    table_begin_many(page, "Table: speed-up of each stage with its 99 % interval", false, page->study->column_count);
    table_head(page);
    table_title(page, "stage");
    for (int c = 0; c < study->column_count; c++)
        if (c != page->view.reference && view_real(study, c, page->view.main))
            table_column(page, c, false);
    for (int s = -1; s < stages; s++) {
        table_row(page);
        table_name(page, s < 0 ? "all of it" : names[s]);
        for (int c = 0; c < study->column_count; c++) {
            const struct cell *cell = view_cell(study, c, page->view.main);
            if (c == page->view.reference || !view_real(study, c, page->view.main))
                continue;
            const struct stage *then = s < 0 ? NULL : view_stage(reference, names[s]),
                               *now = s < 0 ? NULL : view_stage(cell, names[s]);
            struct estimate e = {NAN, NAN, NAN};
            if (s < 0)
                e = samples_ratio(&reference->total, &cell->total);
            else if (then && now)
                e = samples_ratio(&then->seconds, &now->seconds);
            table_estimate(page, &e);
        }
    }
    table_end(page);
}

static void amdahl_table(struct page *page, const char *const *names, int stages)
{
    const struct study *study = page->study;
    table_begin_many(page, "Table: times as fast, were the stage free", false, page->study->column_count);
    table_head(page);
    table_title(page, "stage");
    for (int c = 0; c < study->column_count; c++)
        if (view_real(study, c, page->view.main))
            table_column(page, c, false);
    for (int s = 0; s < stages; s++) {
        table_row(page);
        table_name(page, names[s]);
        for (int c = 0; c < study->column_count; c++) {
            if (!view_real(study, c, page->view.main))
                continue;
            const struct cell *cell = view_cell(study, c, page->view.main);
            double total = samples_median(&cell->total), part = view_stage_seconds(cell, names[s]);
            table_figure(page, part > 0 && part < total ? total / (total - part) : NAN, UNIT_RATIO);
        }
    }
    table_end(page);
}

void section_speedups(struct page *page)
{
    char where[VERDICT_ROOM];
    const char *names[VIEW_STAGES];
    int stages = view_stages(page->study, page->view.main, names);
    if (stages == 0)
        return;
    page_section(page, "speedups", "What each stage gains, and what the whole can gain");
    page_say(page, NULL, "%s", verdict_where(&page->view, where));
    if (page_chart(page, chart_speedups, -1,
                   "Right of the dotted line is faster than the reference. The thin lines are 99 % intervals: one that crosses "
                   "the dotted line is noise."))
        speedup_table(page, names, stages);
    page_say(
        page, NULL,
        "A stage limits the whole by its share (Amdahl's law). If one stage cost nothing and all else stayed, a run would be "
        "this many times as fast; no work on that stage can gain more.");
    if (page_chart(page, chart_amdahl, -1,
                   "The stages with marks far to the right are the ones worth working on. Drawn are the columns that the answer "
                   "is about; the table has all."))
        amdahl_table(page, names, stages);
    page_end(page);
}

/* ---- Start-up ----------------------------------------------------------------------------------- */

void section_start(struct page *page)
{
    const struct study *study = page->study;
    const char *part;
    double seconds;
    bool any = false;
    for (int c = 0; c < study->column_count; c++)
        any |= view_start(&study->columns[c]) > 0 && !study->columns[c].failure;
    if (!any)
        return;
    page_section(page, "start", "What is paid once, before the first picture");
    page_say(page, NULL, "A process that does one picture and ends pays all of this for it; one that stays pays it once.");
    page_chart(
        page, chart_start, -1,
        "The first run costs more than later ones: caches are cold, memory is touched for the first time, clocks are low.");
    table_begin(page, "Table: what is paid once", false);
    table_head(page);
    table_title(page, "column");
    for (int i = 0; (part = start_part(&study->columns[0], i, &seconds)) != NULL; i++)
        table_title(page, part);
    table_title(page, "all");
    for (int c = 0; c < study->column_count; c++) {
        if (!(view_start(&study->columns[c]) > 0))
            continue;
        table_row(page);
        table_column(page, c, true);
        for (int i = 0; start_part(&study->columns[c], i, &seconds); i++)
            table_figure(page, seconds, UNIT_SECONDS);
        table_figure(page, view_start(&study->columns[c]), UNIT_SECONDS);
    }
    table_end(page);
    page_end(page);
}

/* ---- Transfers ---------------------------------------------------------------------------------- */

void section_transfers(struct page *page)
{
    const struct study *study = page->study;
    bool any = false;
    for (int c = 0; c < study->column_count; c++)
        any |= view_stage(view_cell(study, c, page->view.main), "upload") != NULL;
    if (!any)
        return;
    page_section(page, "transfers", "Copies to the device and back");
    page_say(page, NULL, "For a CPU these are copies within its own memory.");
    table_begin(page, "Table: copies in a run of the first workload", true);
    table_head(page);
    table_title(page, "column");
    table_title(page, "to the device");
    table_title(page, "back");
    table_title(page, "share of the run");
    table_title(page, "bandwidth of the link");
    table_title(page, "waits between kernels");
    for (int c = 0; c < study->column_count; c++) {
        const struct cell *cell = view_cell(study, c, page->view.main);
        if (!cell || cell->stage_count == 0)
            continue;
        double up = view_stage_seconds(cell, "upload"), down = view_stage_seconds(cell, "download");
        table_row(page);
        table_column(page, c, true);
        table_figure(page, up, UNIT_SECONDS);
        table_figure(page, down, UNIT_SECONDS);
        table_figure(page, (up + down) / samples_median(&cell->total), UNIT_SHARE);
        table_figure(page, study->columns[c].link_bytes, UNIT_BANDWIDTH);
        table_figure(page, study->columns[c].gpu ? cell->gaps : NAN, UNIT_SECONDS);
    }
    table_end(page);
    page_end(page);
}
