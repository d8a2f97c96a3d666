/* How it was measured, and on what: DESIGN section 9. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page.h"

static void fact(struct page *page, const char *what, const char *value)
{
    if (!value || !value[0])
        return;
    html_element(page->html, "dt", NULL, what);
    html_open(page->html, "dd");
    html_prose(page->html, value);
    html_close(page->html, "dd");
}

/* One row of the table of machines, bold where they differ. */
static void machine_row(struct page *page, const char *what, void (*tell)(const struct machine *, char[160]))
{
    char text[160], first[160];
    const struct study *study = page->study;
    bool differs = false;
    table_row(page);
    table_name(page, what);
    for (int m = 0; m < study->machine_count; m++) {
        tell(&study->machines[m], m ? text : first);
        differs |= m && strcmp(first, text) != 0;
    }
    for (int m = 0; m < study->machine_count; m++) {
        tell(&study->machines[m], text);
        html_element(page->html, "td", differs ? "text differs" : "text", text[0] ? text : "\xe2\x80\x93");
    }
}

#define TELL(field)                                                                                                              \
    static void tell_##field(const struct machine *m, char out[160]) { snprintf(out, 160, "%s", text_or(m->field, "")); }
TELL(cpu)
TELL(isa)
TELL(governor)
TELL(gpu)
TELL(driver)
TELL(os)

static void tell_cores(const struct machine *m, char out[160])
{
    if (m->cores_allowed > 0 && m->cores_allowed < m->cores)
        snprintf(out, 160, "%d, of which %d may be used", m->cores, m->cores_allowed);
    else
        snprintf(out, 160, "%d", m->cores);
}

static void tell_clock(const struct machine *m, char out[160])
{
    out[0] = 0;
    if (m->cpu_mhz > 0)
        snprintf(out, 160, "%.0f MHz", m->cpu_mhz);
}

static void tell_memory(const struct machine *m, char out[160])
{
    out[0] = 0;
    if (m->memory_bytes > 0)
        figure(out, m->memory_bytes, UNIT_BYTES);
}

static void tell_waits(const struct machine *m, char out[160])
{
    out[0] = 0;
    if (isfinite(m->core_wait))
        figure(out, m->core_wait, UNIT_SHARE);
}

static void machines_table(struct page *page)
{
    if (page->study->machine_count == 0)
        return;
    table_begin(page, page->study->machine_count > 1 ? "Table: the machines; what differs is bold" : "Table: the machine", true);
    table_head(page);
    table_title(page, "");
    for (int m = 0; m < page->study->machine_count; m++)
        html_element(page->html, "th", "text", text_or(page->study->machines[m].host, "unnamed"));
    machine_row(page, "CPU", tell_cpu);
    machine_row(page, "cores", tell_cores);
    machine_row(page, "instructions", tell_isa);
    machine_row(page, "clock", tell_clock);
    machine_row(page, "governor", tell_governor);
    machine_row(page, "memory", tell_memory);
    machine_row(page, "GPU", tell_gpu);
    machine_row(page, "driver", tell_driver);
    machine_row(page, "system", tell_os);
    machine_row(page, "waited for a core", tell_waits);
    table_end(page);
}

static void columns_table(struct page *page)
{
    const struct study *study = page->study;
    table_begin(page, "Table: the columns, what each ran on, and the peaks that were measured beside it", true);
    table_head(page);
    table_title(page, "column");
    table_title_text(page, "on");
    table_title_text(page, "kernels");
    table_title_text(page, "precision");
    table_title(page, "arithmetic");
    table_title(page, "memory");
    table_title(page, "clock, first and last");
    for (int c = 0; c < study->column_count; c++) {
        const struct column *of = &study->columns[c];
        const struct cell *cell = view_cell(study, c, page->view.main);
        table_row(page);
        table_column(page, c, true);
        table_text(page, text_or(of->device, ""));
        table_text(page, text_or(of->kernels, of->foreign ? "" : "the plan's choice"));
        table_text(page, text_or(of->precision, ""));
        table_figure(page, of->peak_flops, UNIT_FLOPS);
        table_figure(page, of->peak_bytes, UNIT_BANDWIDTH);
        if (cell && cell->clock_mhz_first > 0)
            html_element_say(page->html, "td", NULL, "%.0f, %.0f MHz", cell->clock_mhz_first, cell->clock_mhz_last);
        else
            table_figure(page, NAN, UNIT_PLAIN);
    }
    table_end(page);
}

static void memory_table(struct page *page)
{
    const struct study *study = page->study;
    table_begin(page, "Table: memory, and the drift of boxes in batches", false);
    table_head(page);
    table_title(page, "column");
    table_title_text(page, "workload");
    table_title(page, "activations");
    table_title(page, "peak");
    table_title(page, "runs of a batch");
    table_title(page, "drift");
    for (int c = 0; c < study->column_count; c++) {
        for (int w = 0; w < study->workload_count; w++) {
            const struct cell *cell = view_cell(study, c, w);
            if (!cell || (!(cell->arena_bytes > 0) && !(cell->peak_bytes > 0)))
                continue;
            table_row(page);
            table_column(page, c, true);
            table_text(page, text_or(study->workloads[w].name, "?"));
            table_figure(page, cell->arena_bytes > 0 ? cell->arena_bytes : NAN, UNIT_BYTES);
            table_figure(page, cell->peak_bytes > 0 ? cell->peak_bytes : NAN, UNIT_BYTES);
            html_element_say(page->html, "td", NULL, "%d", study->workloads[w].chunks);
            if (isfinite(cell->drift))
                html_element_say(page->html, "td", NULL, "%.2g px", cell->drift);
            else
                table_figure(page, NAN, UNIT_PLAIN);
        }
    }
    table_end(page);
}

void section_machines(struct page *page)
{
    page_section(page, "machines", "Machines and columns");
    machines_table(page);
    columns_table(page);
    page_end(page);
}

void section_method(struct page *page)
{
    const struct study *study = page->study;
    page_section(page, "method", "How this was measured");
    page_say(
        page, NULL,
        "After warming up, rounds go through the columns in turn, so that what disturbs the machine disturbs all of them. A time "
        "is the median of "
        "its rounds. A ratio is formed from the pairs of the same round; its interval holds the true ratio 99 times in 100 "
        "(Wilcoxon's signed "
        "ranks; Student's t below 8 rounds). An interval that holds 1 is called noise. Times of a device are those of its own "
        "events, not of the host's clock. Peaks of arithmetic and memory were measured on the spot with the column's threads.");
    if (study->column_count > 1)
        page_say(page, NULL,
                 "Columns that take turns find the caches full of each other's weights: a run can take somewhat longer here than "
                 "one of many runs of that column alone, which bench with a single column measures.");
    if (page->view.has_emulated)
        page_say(page, "note",
                 "Columns marked \xe2\x80\x9c"
                 "emulated\xe2\x80\x9d ran CUDA kernels on this machine's CPU. They show that results are right and count what "
                 "is done. "
                 "Their times are those of an emulator; nothing about a GPU's speed follows from them.");
    if (!page->view.has_article) {
        machines_table(page);
        columns_table(page);
    }
    memory_table(page);
    html_open(page->html, "dl");
    html_attr(page->html, "class", "facts");
    fact(page, "command", study->command);
    fact(page, "date", study->date);
    fact(page, "osprey", study->version);
    fact(page, "commit", study->commit);
    fact(page, "network", study->architecture);
    fact(page, "model file", study->model_path);
    fact(page, "its sha256", study->model_sha256);
    fact(page, "resize rule", study->resize);
    fact(page, "pictures", study->images);
    html_close(page->html, "dl");
    page_end(page);
}
