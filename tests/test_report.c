/* The report: well-formed whatever a study holds, nothing fetched, nothing from outside becomes markup, all that must be said is
 * said. Charts: marks stand where the figures say. How it looks is for eyes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "markup.h"
#include "scratch.h"
#include "studies.h"
#include "tools/compare/findings.h"
#include "tools/report/report.h"
#include "tools/report/view.h"

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

/* Nothing that a browser would fetch or run. */
static void assert_stands_alone(const char *text)
{
    assert_null(strstr(text, "http:"));
    assert_null(strstr(text, "https:"));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "<link"));
    assert_null(strstr(text, "@import"));
    assert_null(strstr(text, "url("));
    assert_null(strstr(text, " on"
                             "click="));
    for (const char *at = text; (at = strstr(at, " src=\"")) != NULL; at++)
        assert_int_equal(strncmp(at + 6, "data:image/jpeg;base64,", 23), 0);
    for (const char *at = text; (at = strstr(at, " href=\"")) != NULL; at++)
        assert_int_equal(at[7], '#');
}

/* Each link leads to a section, and no id is there twice. */
static void assert_links_lead_somewhere(const char *text)
{
    char id[64], wanted[80];
    for (const char *at = text; (at = strstr(at, " href=\"#")) != NULL; at++) {
        assert_int_equal(sscanf(at + 8, "%63[^\"]", id), 1);
        snprintf(wanted, sizeof wanted, " id=\"%s\"", id);
        const char *found = strstr(text, wanted);
        if (!found)
            fail_msg("no section %s", id);
        assert_null(strstr(found + 1, wanted));
    }
}

static char *page_of(const struct study *study, const struct report_pictures *pictures)
{
    char *path = at("report.html");
    must(report_write(study, pictures, path));
    char *text = get_file(path, NULL);
    assert_well_formed(text);
    assert_stands_alone(text);
    assert_links_lead_somewhere(text);
    assert_int_equal(entries(at("")), 1); /* no temporary is left */
    return text;
}

/* ---- Pages -------------------------------------------------------------------------------------- */

/* Noise, which JPEG can do least with. */
static struct osp_image *noisy_picture(int width, int height)
{
    struct osp_image *image = malloc(sizeof *image);
    assert_non_null(image);
    *image = (struct osp_image){width, height, malloc((size_t)width * (size_t)height * 3)};
    assert_non_null(image->rgb);
    uint32_t seed = 1;
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++)
        image->rgb[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    return image;
}

static void the_full_page_says_all(void **state)
{
    static const char *const words[] = {
        "<h1>Yes: cuda (NVIDIA T4, driver 550.54) takes ", /* the verdict */
        "OpenVINO &lt;2026.4&gt; &amp; &quot;co&quot;",    /* a name that is markup */
        "&lt;b&gt;photos&lt;/b&gt;/a&amp;b.jpg",           /* a file's name that is */
        "<span class=\"tag\">emulated</span>",             /* marked */
        "<span class=\"tag\">another program</span>",      /* so is a peer */
        "With its start-up counted, from 32 pictures on.", /* break-even of 31.2 */
        "cudnn failed: libcudnn.so.9 cannot be opened",    /* a failure */
        "cuda:driver=ptx first differs from cpu at backbone.body.layer2.0.conv1: by 0.31, where 2e-05 is allowed.",
        "No: 1 of 6 comparisons of detections go beyond their bounds.",
        "Pinned to conv2d=naive it takes ", /* a finding */
        "AMD EPYC 9R14",                    /* provenance */
        "5f2b1c0de7a94b3c8d6e1f0a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e",
        "prefers-color-scheme:dark",
        "@media print",
    };
    struct study study;
    studies_full(&study);
    must(findings_find(&study));
    struct osp_image *image = noisy_picture(1600, 1200);
    static const char *const classes[] = {"background", "person", "a <b>", "cat"};
    struct report_pictures pictures = {image, 0, 0, classes, 4};
    char *text = page_of(&study, &pictures);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(text, words[i]))
            fail_msg("the page does not say: %s", words[i]);
    assert_true(strlen(text) < 1000000);
    int pictures_seen = 0;
    for (const char *p = text; (p = strstr(p, "<img ")) != NULL; p++)
        pictures_seen++;
    assert_int_equal(pictures_seen, 8);
    free(text);
    osp_image_free(image);
    study_free(&study);
}

/* Every mention of an emulated column as a heading of a table, or under a picture, has its mark beside it; no chart has the
 * column. */
static void emulated_columns_are_marked_everywhere(void **state)
{
    struct study study;
    studies_full(&study);
    char *text = page_of(&study, NULL);
    int seen = 0;
    for (const char *p = text; (p = strstr(p, ">emu")) != NULL; p += 4) {
        const char *mark = " <span class=\"tag\">emulated</span>";
        if (!strncmp(p, ">emulated", 9)) /* a mark itself */
            continue;
        assert_int_equal(strncmp(p + 4, mark, strlen(mark)), 0);
        seen++;
    }
    assert_true(seen >= 4);
    for (const char *p = text; (p = strstr(p, "<svg")) != NULL; p++) {
        const char *end = strstr(p, "</svg>"), *name = strstr(p, ">emu<");
        assert_non_null(end);
        assert_true(!name || name > end);
    }
    free(text);
    study_free(&study);
}

static void a_study_of_emulations_says_what_it_cannot_answer(void **state)
{
    struct study study;
    studies_full(&study);
    for (int c = 0; c < study.column_count; c++)
        study.columns[c].emulated = true;
    char *text = page_of(&study, NULL);
    assert_non_null(strstr(text, "in emulation, which says nothing of a GPU"));
    assert_null(strstr(text, "<h1>Yes"));
    free(text);
    study_free(&study);
}

static void with_no_gpu_the_question_stays_open(void **state)
{
    struct study study;
    struct view view;
    char words[VERDICT_ROOM];
    studies_healthy(&study);
    study.columns[1].gpu = false;
    view = view_of(&study);
    assert_string_equal(
        verdict_sentence(&view, words),
        "cuda takes 10.0 ms for a picture where cpu takes 100 ms: it is 10.0\xc3\x97 as fast (99 % interval 10.0\xc3\x97 to "
        "10.0\xc3\x97); no GPU was measured, so whether one is faster is not answered.");
    study_free(&study);
}

static void a_slower_gpu_is_called_slower_and_noise_is_called_noise(void **state)
{
    struct study study;
    char words[VERDICT_ROOM];
    studies_healthy(&study);
    studies_samples(&study.columns[1].cells[0].total, 0.2, STUDIES_ROUNDS);
    struct view view = view_of(&study);
    assert_non_null(strstr(verdict_sentence(&view, words),
                           "No: cuda (NVIDIA T4, driver 550.54) takes 200 ms for a picture where cpu takes 100 ms: it "
                           "takes 2.00\xc3\x97 as long"));
    double values[] = {0.09, 0.11, 0.095, 0.105, 0.1, 0.108, 0.091, 0.104, 0.1, 0.096, 0.11, 0.093};
    memcpy(study.columns[1].cells[0].total.values, values, sizeof values);
    view = view_of(&study);
    assert_non_null(strstr(verdict_sentence(&view, words), "No difference beyond the noise: "));
    study_free(&study);
}

static void what_makes_times_doubtful_is_said(void **state)
{
    struct study study;
    char words[VERDICT_ROOM];
    studies_healthy(&study);
    struct view view = view_of(&study);
    assert_string_equal(verdict_busy(&view, words), "");
    study.machines[0].core_wait = 0.3;
    assert_non_null(strstr(verdict_busy(&view, words), "The machine was busy: 30 % of the time"));
    char *text = page_of(&study, NULL);
    assert_non_null(strstr(text, "The machine was busy: 30 %"));
    free(text);
    study.machines[0].core_wait = NAN;
    assert_string_equal(verdict_busy(&view, words), "");
    study.columns[1].cells[0].total.count = 1;
    assert_non_null(strstr(verdict_sentence(&view, words), "it is 10.0\xc3\x97 as fast (too few runs for an interval)"));
    study_free(&study);
}

/* One column is ahead for a picture, the other from 4 on; the line through one of them fits badly. */
static void where_lines_cross_is_said_from_both_sides(void **state)
{
    struct study study;
    struct break_even *even;
    struct fit *fit;
    char words[VERDICT_ROOM];
    studies_healthy(&study);
    struct view view = view_of(&study);
    study.break_evens[0] = (struct break_even){.a = 0, .b = 1, .with_start = NAN, .without_start = NAN, .batch = NAN};
    assert_non_null(strstr(verdict_when(&view, words), "Never: cuda stays behind"));
    assert_int_equal(study_add_break_even(&study, &even), OSP_OK);
    *even = (struct break_even){.a = 1, .b = 0, .with_start = 9, .without_start = 4, .batch = 4};
    assert_non_null(strstr(verdict_when(&view, words), "Only below a batch of 4: from there on cpu is the faster one."));
    assert_non_null(strstr(words, "With start-up counted, below 9 pictures."));
    assert_non_null(strstr(words, "batches were not measured"));
    for (int c = 0; c < 2; c++) {
        assert_int_equal(study_add_fit(&study, &fit), OSP_OK);
        fit->column = c;
        studies_set(&fit->sweep, "batch");
        fit->error = c ? 0.31 : 0.01;
        fit->points = 4;
    }
    assert_non_null(strstr(verdict_when(&view, words), "off the fitted lines by up to 31 %"));
    assert_null(strstr(words, "batches were not measured"));
    study_free(&study);
}

static void the_article_has_its_factors(void **state)
{
    static const char *const headings[] = {"The three experiments", ">Architecture<", ">Data size<",
                                           ">Transfers and optimisation<", ">Hardware<"};
    struct study study;
    studies_full(&study);
    studies_set(&study.workloads[0].sweep, "article-1");
    studies_set(&study.workloads[6].sweep, "article-2");
    char *text = page_of(&study, NULL);
    const char *before = text;
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++) { /* in this order */
        before = strstr(before, headings[i]);
        assert_non_null(before);
    }
    assert_non_null(strstr(text, "2. A hundred images"));
    assert_non_null(strstr(text, "Measured: of a run of cuda"));
    assert_non_null(strstr(text, "Measured: on cpu a picture costs "));
    assert_non_null(strstr(text, "start-up costs "));
    assert_non_null(strstr(text, " as fast as cpu."));
    assert_non_null(strstr(text, "No column here computes in less than f32"));
    free(text);
    study_free(&study);
}

/* Studies that are hardly there: no columns; columns that all failed; one column; NaN wherever it is allowed; indices of nothing.
 */
static void thin_studies_make_pages_too(void **state)
{
    struct study study;
    struct column *column;
    struct agreement *agreement;
    study_init(&study);
    free(page_of(&study, NULL));
    assert_int_equal(study_add_column(&study, "cuda", &column), OSP_OK);
    studies_set(&column->failure, "no driver");
    char *text = page_of(&study, NULL);
    assert_non_null(strstr(text, "Nothing was measured"));
    free(text);
    study_free(&study);

    studies_healthy(&study);
    study.columns[1].cells[0].measured = false;
    study.columns[1].cells[1].measured = false;
    study.columns[0].once = (struct once){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    study.columns[0].peak_flops = study.columns[0].peak_bytes = NAN;
    study.columns[0].machine = 7;
    studies_set(&study.model_path, "\x01\xff\xef\xbf\xbe</title><script>");
    assert_int_equal(study_add_agreement(&study, &agreement), OSP_OK);
    agreement->a = 9;
    agreement->b = -1;
    text = page_of(&study, NULL);
    assert_non_null(strstr(text, "there is nothing to compare it with"));
    assert_non_null(strstr(text, "\\x01\\xff\xef\xbf\xbd&lt;/title&gt;"));
    free(text);
    study_free(&study);
}

static void many_columns_and_layers_stay_below_a_megabyte(void **state)
{
    enum { MORE = 12, LAYERS = 110 };
    struct study study;
    struct column *column;
    studies_healthy(&study);
    for (int i = 0; i < MORE; i++) {
        char name[32];
        snprintf(name, sizeof name, "cpu:rung=%d", i);
        assert_int_equal(study_add_column(&study, name, &column), OSP_OK);
        studies_set(&column->backend, "cpu");
        column->peak_flops = 200e9;
        column->peak_bytes = 34e9;
        studies_cell(column, 0, 0.1 + 0.01 * i, false);
    }
    for (int c = 0; c < study.column_count; c++) {
        struct cell *cell = &study.columns[c].cells[0];
        cell->layers = realloc(cell->layers, LAYERS * sizeof *cell->layers);
        assert_non_null(cell->layers);
        for (int i = cell->layer_count; i < LAYERS; i++) {
            struct layer *layer = &cell->layers[i];
            memset(layer, 0, sizeof *layer);
            studies_set(&layer->node, "backbone.body.layer4.2.a_rather_long_name_of_a_node.conv3");
            studies_set(&layer->op, "conv2d");
            studies_set(&layer->kernel, "cpu/conv2d/winograd");
            studies_set(&layer->shape, "1x100x136x2048 -> 1x100x136x2048");
            layer->macs = layer->macs_done = 1e6 * (i + 1);
            layer->bytes = 1e5;
            studies_samples(&layer->seconds, 1e-4, 3);
        }
        cell->layer_count = LAYERS;
        cell->pictures = calloc(1, sizeof *cell->pictures);
        cell->picture_count = 1;
    }
    struct osp_image *image = noisy_picture(3000, 2000);
    struct report_pictures pictures = {image, 0, 0, NULL, 0};
    char *text = page_of(&study, &pictures);
    assert_true(strlen(text) < 1000000);
    free(text);
    osp_image_free(image);
    study_free(&study);
}

static void what_cannot_be_written_leaves_the_old_file(void **state)
{
    struct study study;
    studies_healthy(&study);
    assert_int_equal(report_write(&study, NULL, at("nowhere/report.html")), OSP_UNWRITTEN);
    assert_int_equal(charts_write(&study, at("nowhere")), OSP_UNWRITTEN);
    assert_int_equal(report_write(&study, NULL, "/dev/full"), OSP_UNWRITTEN);
    study_free(&study);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, scratch_empty)
    const struct CMUnitTest tests[] = {
        TEST(the_full_page_says_all),
        TEST(emulated_columns_are_marked_everywhere),
        TEST(a_study_of_emulations_says_what_it_cannot_answer),
        TEST(with_no_gpu_the_question_stays_open),
        TEST(a_slower_gpu_is_called_slower_and_noise_is_called_noise),
        TEST(what_makes_times_doubtful_is_said),
        TEST(where_lines_cross_is_said_from_both_sides),
        TEST(the_article_has_its_factors),
        TEST(thin_studies_make_pages_too),
        TEST(many_columns_and_layers_stay_below_a_megabyte),
        TEST(what_cannot_be_written_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
