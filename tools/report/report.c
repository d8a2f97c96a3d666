/* The page: its head, its answers, and its sections in order. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "runtime/file.h"

struct chapter { /* a factor of the article; heading NULL: sections without one */
    const char *heading, *lede;
    factor_function *answer;
    section_function *sections[13];
};

static const struct chapter plain[] = {
    {NULL,
     NULL,
     NULL,
     {section_time, section_stages, section_speedups, section_start, section_batch, section_buckets, section_size, section_layers,
      section_threads, section_agreement, section_findings, section_method}},
};

/* The factors of the article, in its order. */
static const struct chapter article[] = {
    {NULL, NULL, NULL, {section_experiments, section_time}},
    {"Architecture",
     "What the network asks for, stage by stage and layer by layer, and how near each layer comes to what the machine can do.",
     factor_architecture,
     {section_stages, section_speedups, section_layers}},
    {"Data size",
     "How the time of a picture changes with more pictures at a time and with larger ones.",
     factor_size,
     {section_batch, section_buckets, section_size}},
    {"Transfers and optimisation",
     "What is paid besides arithmetic, and what the rules found that could be better.",
     factor_transfers,
     {section_transfers, section_start, section_findings}},
    {"Hardware",
     "What the machine is worth: its cores, its peaks, its links.",
     factor_hardware,
     {section_threads, section_machines}},
    {"Results and method", "The detections, and how all of this was measured.", NULL, {section_agreement, section_method}},
};

static void answer(struct page *page, const char *question, const char *words)
{
    if (!words[0])
        return;
    html_open(page->html, "li");
    html_element(page->html, "strong", NULL, question);
    html_prose(page->html, words);
    html_close(page->html, "li");
}

static void notes(struct page *page)
{
    char words[VERDICT_ROOM];
    const struct study *study = page->study;
    page_say(page, "note", "%s", verdict_busy(&page->view, words));
    if (study->partial)
        page_say(page, "note", "The run was ended early. What was measured until then is shown.");
    if (study->machine_count > 1)
        page_say(page, "note",
                 "These are results of %d machines: differences between columns of different machines are differences of the "
                 "machines too.",
                 study->machine_count);
    for (int c = 0; c < study->column_count; c++)
        if (study->columns[c].failure)
            page_say(page, "note", "%s failed: %s", text_or(study->columns[c].name, "?"), study->columns[c].failure);
}

static void links(struct page *page)
{
    static const char *const targets[][2] = {{"time", "time"},         {"stages", "stages"},   {"speedups", "speed-ups"},
                                             {"batch", "batches"},     {"threads", "threads"}, {"agreement", "agreement"},
                                             {"findings", "findings"}, {"method", "method"}};
    const struct study *study = page->study;
    const char *names[VIEW_STAGES];
    int first[CHART_STYLES];
    bool stages = view_stages(study, page->view.main, names) > 0;
    html_open(page->html, "nav");
    html_attr(page->html, "aria-label", "sections");
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        bool there = i == 1 || i == 2 ? stages
                     : i == 3         ? chart_batch(&page->view, -1, NULL) || study->break_even_count > 0
                     : i == 4         ? thread_groups(&page->view, first) > 0
                     : i == 5         ? study->agreement_count > 0 || page->pictures
                                      : true;
        if (!there)
            continue;
        html_open(page->html, "a");
        html_attr(page->html, "href", "#%s", targets[i][0]);
        html_text(page->html, targets[i][1]);
        html_close(page->html, "a");
    }
    html_close(page->html, "nav");
}

static void page_header(struct page *page)
{
    char words[VERDICT_ROOM];
    const struct study *study = page->study;
    html_open(page->html, "header");
    page_say(page, "kicker", "osprey compare \xc2\xb7 %s \xc2\xb7 %.10s", text_or(study->architecture, "unknown network"),
             text_or(study->date, "undated"));
    html_element(page->html, "h1", NULL, verdict_sentence(&page->view, words));
    html_open(page->html, "ul");
    html_attr(page->html, "class", "answers");
    answer(page, "Where?", verdict_where(&page->view, words));
    answer(page, "From which batch on?", verdict_when(&page->view, words));
    answer(page, "Why not more?", verdict_why(&page->view, words));
    answer(page, "Are the boxes the same?", verdict_agree(&page->view, words));
    html_close(page->html, "ul");
    notes(page);
    links(page);
    html_close(page->html, "header");
}

static void head(struct page *page)
{
    struct html *html = page->html;
    html_open(html, "head");
    html_open(html, "meta");
    html_attr(html, "charset", "utf-8");
    html_open(html, "meta");
    html_attr(html, "name", "viewport");
    html_attr(html, "content", "width=device-width, initial-scale=1");
    html_open(html, "meta");
    html_attr(html, "name", "color-scheme");
    html_attr(html, "content", "light dark");
    html_open(html, "meta"); /* nothing may be fetched, and no script may run, whatever a name in the study says */
    html_attr(html, "http-equiv", "Content-Security-Policy");
    html_attr(html, "content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    html_open(html, "title");
    html_say(html, "osprey compare: %s", text_or(page->study->architecture, "a study"));
    html_close(html, "title");
    html_open(html, "style");
    html_raw(html, page_css);
    html_raw(html, chart_css);
    html_close(html, "style");
    html_close(html, "head");
}

static void body(struct page *page)
{
    struct html *html = page->html;
    const struct chapter *chapters = page->view.has_article ? article : plain;
    char words[VERDICT_ROOM];
    size_t count = page->view.has_article ? sizeof article / sizeof *article : sizeof plain / sizeof *plain;
    html_open(html, "body");
    html_open(html, "main");
    page_header(page);
    for (size_t i = 0; i < count; i++) {
        page->heading = chapters[i].heading ? "h3" : "h2";
        if (chapters[i].heading) {
            html_element(html, "h2", "factor", chapters[i].heading);
            page_say(page, NULL, "%s", chapters[i].lede);
            if (chapters[i].answer)
                page_say(page, "answer", "%s", chapters[i].answer(&page->view, words));
        }
        for (int k = 0; chapters[i].sections[k]; k++)
            chapters[i].sections[k](page);
    }
    html_open(html, "footer");
    html_say(html, "Written by osprey %s (commit %s). This page needs no network and runs no scripts.",
             text_or(page->study->version, "?"), text_or(page->study->commit, "unknown"));
    html_close(html, "footer");
    html_close(html, "main");
    html_close(html, "body");
}

enum { PAGE_BYTES = 960000 };

static bool write_page(const struct study *study, const struct report_pictures *pictures, size_t picture_bytes, FILE *stream)
{
    struct html html;
    struct page page = {&html, study, view_of(study), pictures, picture_bytes, "h2"};
    html_begin(&html, stream);
    html_doctype(&html);
    html_open(&html, "html");
    html_attr(&html, "lang", "en");
    head(&page);
    body(&page);
    html_close(&html, "html");
    return html_done(&html);
}

/* What the pictures may take, so that the whole page keeps to PAGE_BYTES: base64 makes four bytes of three. */
static size_t room_for_pictures(const struct study *study)
{
    char *text = NULL;
    size_t size = PAGE_BYTES;
    FILE *stream = open_memstream(&text, &size);
    if (stream) {
        write_page(study, NULL, 0, stream);
        fclose(stream);
    }
    free(text);
    return size < PAGE_BYTES ? (PAGE_BYTES - size) / 4 * 3 : 0;
}

osp_status report_write(const struct study *study, const struct report_pictures *pictures, const char *path)
{
    struct osp_writer writer;
    osp_status status = osp_writer_open(path, &writer);
    if (status != OSP_OK)
        return status;
    if (write_page(study, pictures, pictures ? room_for_pictures(study) : 0, writer.stream))
        return osp_writer_commit(&writer);
    osp_writer_abandon(&writer);
    return osp_fail(OSP_MEMORY, "%s: out of memory while the report was made", path);
}

/* ---- Charts as files ---------------------------------------------------------------------------- */

static osp_status write_chart(const struct view *view, chart_function *chart, int column, const char *path)
{
    struct osp_writer writer;
    osp_status status = osp_writer_open(path, &writer);
    if (status != OSP_OK)
        return status;
    struct html html;
    const struct canvas canvas = {&html, CHART_WIDE, NULL, true};
    html_begin(&html, writer.stream);
    chart(view, column, &canvas);
    if (html_done(&html))
        return osp_writer_commit(&writer);
    osp_writer_abandon(&writer);
    return osp_fail(OSP_MEMORY, "%s: out of memory while the chart was made", path);
}

osp_status charts_write(const struct study *study, const char *folder)
{
    static const struct {
        const char *name;
        chart_function *chart;
        bool by_column;
    } charts[] = {
        {"time", chart_time, false},     {"stages", chart_stages, false},   {"speedups", chart_speedups, false},
        {"amdahl", chart_amdahl, false}, {"start", chart_start, false},     {"batch", chart_batch, false},
        {"size", chart_size, false},     {"threads", chart_threads, false}, {"layers", chart_layers, true},
    };
    struct view view = view_of(study);
    osp_status status = OSP_OK;
    for (size_t i = 0; i < sizeof charts / sizeof *charts; i++) {
        for (int c = 0; c < (charts[i].by_column ? study->column_count : 1) && status == OSP_OK; c++) {
            char *path = NULL;
            if (!charts[i].chart(&view, c, NULL) || (charts[i].by_column && study->columns[c].emulated))
                continue;
            int made = charts[i].by_column ? asprintf(&path, "%s/%s-%d.svg", folder, charts[i].name, c + 1)
                                           : asprintf(&path, "%s/%s.svg", folder, charts[i].name);
            if (made < 0)
                return osp_fail(OSP_MEMORY, "out of memory: a chart's name");
            status = write_chart(&view, charts[i].chart, c, path);
            free(path);
        }
    }
    return status;
}
