/* Sections of words: agreement, findings, the article's experiments. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page.h"
#include "tools/compare/findings.h"

static const char *name_of(const struct page *page, int column)
{
    return column >= 0 && column < page->study->column_count ? text_or(page->study->columns[column].name, "?") : "?";
}

/* ---- Agreement ---------------------------------------------------------------------------------- */

static void agreement_row(struct page *page, const struct agreement *a)
{
    char text[160];
    table_row(page);
    table_column(page, a->b, true);
    table_other(page, a->a);
    html_open(page->html, "td");
    html_element(page->html, "span", a->agree ? "tag ok" : "tag", a->agree ? "agree" : "differ");
    html_close(page->html, "td");
    snprintf(text, sizeof text, "%d, %d, %d, %d", a->matched, a->missing, a->extra, a->flips);
    html_element(page->html, "td", NULL, text);
    html_open(page->html, "td");
    html_say(page->html, "%.2g px", a->box);
    html_element_say(page->html, "small", NULL, "allowed %.2g", a->box_bound);
    html_close(page->html, "td");
    html_open(page->html, "td");
    html_say(page->html, "%.2g", a->score);
    html_element_say(page->html, "small", NULL, "allowed %.2g", a->score_bound);
    html_close(page->html, "td");
    html_element_say(page->html, "td", NULL, "%.4f", a->iou);
}

void section_agreement(struct page *page)
{
    static const char *const titles[] = {"column",
                                         "against",
                                         "verdict",
                                         "matched, missing, extra, other label",
                                         "largest box difference",
                                         "largest score difference",
                                         "least IoU"};
    const struct study *study = page->study;
    char words[VERDICT_ROOM];
    int others = 0;
    if (study->agreement_count == 0 && !page->pictures)
        return;
    page_section(page, "agreement", "Are the boxes the same?");
    page_say(page, NULL, "%s", verdict_agree(&page->view, words));
    page_pictures(page);
    if (study->agreement_count > 0) {
        table_begin(page, "Table: agreement, detections matched by label and overlap, best score first", true);
        table_head(page);
        for (int i = 0; i < 7; i++)
            (i == 1 ? table_title_text : table_title)(page, titles[i]);
        for (int i = 0; i < study->agreement_count; i++) {
            const struct agreement *a = &study->agreements[i];
            bool known = a->a >= 0 && a->b >= 0 && a->a < study->column_count && a->b < study->column_count;
            if (known && (a->workload == page->view.main || !a->agree))
                agreement_row(page, a);
            else
                others++;
        }
        table_end(page);
    }
    if (others)
        page_say(page, "soft", "%d comparison%s on other workloads agree%s as well.", others, others == 1 ? "" : "s",
                 others == 1 ? "s" : "");
    for (int i = 0; i < study->agreement_count; i++) {
        const struct agreement *a = &study->agreements[i];
        if (a->first_node && a->first_node[0])
            page_say(page, "note", "%s first differs from %s at %s: by %.2g, where %.2g is allowed.", name_of(page, a->b),
                     name_of(page, a->a), a->first_node, a->first_difference, a->first_bound);
    }
    page_end(page);
}

/* ---- Findings ----------------------------------------------------------------------------------- */

static void rules_table(struct page *page)
{
    table_begin(page, "The rules and their thresholds", false);
    table_head(page);
    table_title(page, "rule");
    table_title(page, "threshold");
    table_title_text(page, "what is compared with it");
    for (int r = 0; r < finding_rule_count; r++) {
        table_row(page);
        table_name(page, finding_rules[r].name);
        html_element_say(page->html, "td", NULL, "%g", finding_rules[r].threshold);
        table_text(page, finding_rules[r].asks);
    }
    table_end(page);
}

void section_findings(struct page *page)
{
    const struct study *study = page->study;
    struct html *html = page->html;
    page_section(page, "findings", "Why is it not faster?");
    if (study->finding_count == 0) {
        page_say(page, NULL, "Nothing was found: none of the %d rules passed its threshold on any column.", finding_rule_count);
    } else {
        page_say(page, NULL, "%d rules looked at each column%s; these passed their thresholds.", finding_rule_count,
                 page->view.has_emulated ? " that was not emulated" : "");
        html_open(html, "ul");
        html_attr(html, "class", "findings");
        for (int i = 0; i < study->finding_count; i++) {
            const struct finding *f = &study->findings[i];
            html_open(html, "li");
            html_open(html, "p");
            html_element(html, "strong", NULL, name_of(page, f->column));
            html_say(html, ": %s", text_or(f->rule, "?"));
            html_close(html, "p");
            page_say(page, NULL, "%s", text_or(f->sentence, ""));
            page_say(page, "advice", "%s", text_or(f->advice, ""));
            html_close(html, "li");
        }
        html_close(html, "ul");
    }
    rules_table(page);
    page_end(page);
}

/* ---- The article's experiments ------------------------------------------------------------------ */

static const char *experiment(const char *sweep)
{
    return !strcmp(sweep, "article-1")   ? "1. One image"
           : !strcmp(sweep, "article-2") ? "2. A hundred images"
           : !strcmp(sweep, "article-3") ? "3. An optimised custom model"
                                         : NULL;
}

/* Why a real column has no time at an experiment. */
static void say_skipped(struct page *page)
{
    const struct study *study = page->study;
    for (int w = 0; w < study->workload_count; w++)
        for (int c = 0; c < study->column_count && experiment(text_or(study->workloads[w].sweep, "")); c++)
            if (!study->columns[c].emulated && c < study->column_count && w < study->columns[c].cell_count &&
                study->columns[c].cells[w].skipped && strcmp(text_or(study->columns[c].precision, "f32"), "f32") == 0)
                page_say(page, "soft", "%s, %s: not measured: %s.", name_of(page, c), text_or(study->workloads[w].name, "?"),
                         study->columns[c].cells[w].skipped);
}

void section_experiments(struct page *page)
{
    const struct study *study = page->study;
    page_section(page, "experiments", "The three experiments");
    page_say(page, NULL,
             "One image; a hundred images, one by one and batched; and an optimised custom model. Times are for one picture.");
    bool narrower = false;
    table_begin_many(page, "Table: the experiments", true, page->study->column_count);
    table_head(page);
    table_title(page, "experiment");
    table_title_text(page, "workload");
    for (int c = 0; c < study->column_count; c++)
        table_column(page, c, false);
    for (int w = 0; w < study->workload_count; w++) {
        const char *name = experiment(text_or(study->workloads[w].sweep, ""));
        if (!name)
            continue;
        table_row(page);
        table_name(page, name);
        table_text(page, text_or(study->workloads[w].name, "?"));
        for (int c = 0; c < study->column_count; c++) {
            char ratio[FIGURE_ROOM], more[FIGURE_ROOM + 16];
            struct estimate e = view_speedup(study, page->view.reference, c, w);
            snprintf(more, sizeof more, "%s as fast", figure(ratio, e.value, UNIT_RATIO));
            narrower |= isfinite(e.value) && strcmp(text_or(study->columns[c].precision, "f32"), "f32") != 0;
            bool compared = isfinite(e.value) && c != page->view.reference && !study->columns[c].emulated;
            table_more(page, view_per_picture(study, c, w), UNIT_SECONDS, compared ? more : NULL);
        }
    }
    table_end(page);
    if (!narrower)
        page_say(page, "soft", "No column here computes in less than f32: the third experiment is the network as it is.");
    say_skipped(page);
    page_end(page);
}
