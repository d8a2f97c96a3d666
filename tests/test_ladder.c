/* A ladder's table: which columns it wants, what it says of figures that are known, and where it is put. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "studies.h"
#include "tools/measure/into.h"
#include "tools/measure/ladder.h"

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

static void refused(osp_status status, const char *words)
{
    assert_int_equal(status, OSP_USAGE);
    if (!strstr(osp_message(), words))
        fail_msg("\"%s\" is not in: %s", words, osp_message());
}

/* ---- Columns -------------------------------------------------------------------------------------- */

static void columns(void **state)
{
    char *list;
    must(ladder_columns("nms", NULL, "cpu", &list));
    assert_string_equal(list, "cpu:nms=serial?,cpu:nms=survivors?,cpu");
    free(list);
    must(ladder_columns("nms", NULL, "cpu:threads=1,cpu:isa=portable,emu", &list));
    assert_string_equal(list, "cpu:threads=1:nms=serial?,cpu:threads=1:nms=survivors?,cpu:threads=1,cpu:isa=portable,emu");
    free(list);
    refused(ladder_columns("sort", NULL, "cpu", &list), "no op is called 'sort'; there are resize");
    must(ladder_columns("nms", "survivors", "cpu,emu", &list));
    assert_string_equal(list, "cpu:nms=survivors?,cpu,emu");
    free(list);
    refused(ladder_columns("nms", NULL, "gpu", &list), "backend gpu has no rung of nms");
    refused(ladder_columns("nms", "fast", "cpu", &list), "--from: nms on backend cpu has no rung 'fast'");
}

/* ---- A study with known figures -------------------------------------------------------------------- */

static void add_samples(struct samples *samples, double median)
{
    must(samples_add(samples, median * 0.99));
    must(samples_add(samples, median));
    must(samples_add(samples, median * 1.02));
}

struct made {
    const char *node, *op, *shape;
    double macs;
};
static const struct made made[] = {
    {"a", "nms", "1x8x4 -> 1x2x4", 0},
    {"b", "topk", "1x9 -> 1x8", 0},
    {"c", "nms", "1x16x4 -> 1x2x4", 0},
    {"d", "nms", "1x8x4 -> 1x2x4", 0},
};
enum { MADE = sizeof made / sizeof *made };

/* ms: of each layer; the third is run by the rung below where `refuses`. */
static void add_column(struct study *study, const char *name, const char *backend, const char *rung, const double ms[MADE],
                       bool refuses)
{
    struct column *column;
    must(study_add_column(study, name, &column));
    studies_set(&column->backend, backend);
    studies_set(&column->device, "a machine");
    column->peak_flops = 1e9;
    column->peak_bytes = 1e6;
    struct cell *cell = &column->cells[0];
    cell->measured = true;
    add_samples(&cell->total, 1);
    cell->layers = calloc(MADE, sizeof *cell->layers);
    assert_non_null(cell->layers);
    cell->layer_count = MADE;
    for (int i = 0; i < MADE; i++) {
        struct layer *layer = &cell->layers[i];
        char kernel[64];
        snprintf(kernel, sizeof kernel, "cpu/%s/%s", made[i].op, refuses && i == 2 ? "serial" : rung);
        studies_set(&layer->node, made[i].node);
        studies_set(&layer->op, made[i].op);
        studies_set(&layer->shape, made[i].shape);
        studies_set(&layer->kernel, kernel);
        layer->bytes = 1000;
        add_samples(&layer->seconds, ms[i] / 1e3);
    }
}

/* from: the first rung that has a column. */
static void make_study_from(struct study *study, const char *from)
{
    struct workload *work;
    study_init(study);
    must(study_add_workload(study, "1 picture", "single", &work));
    work->height = work->width = 320;
    studies_set(&study->architecture, "a network");
    studies_set(&study->version, "0.1.0");
    studies_set(&study->commit, "abc");
    studies_set(&study->date, "2026-11-22T20:00:00Z");
    studies_set(&study->command, "osprey bench --ladder nms");
    if (!from)
        add_column(study, "cpu:nms=serial?", "cpu", "serial", (double[]){40, 7, 160, 60}, false);
    add_column(study, "cpu:nms=survivors?", "cpu", "survivors", (double[]){4, 7, 160, 6}, true);
    add_column(study, "cpu", "cpu", "survivors", (double[]){2, 7, 123.4, 2}, false);
    add_column(study, "other", "cpu", "survivors", (double[]){4, 7, 61.7, 4}, false);
}

static void make_study(struct study *study) { make_study_from(study, NULL); }

static char *table_of(const struct study *study, const char *from)
{
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    must(ladder_print(study, "nms", from, stream));
    assert_int_equal(fclose(stream), 0);
    return text;
}

/* Layers of one kind share a row, as a layer's mean; another op's layers stay out; a rung that did not run has a dash. */
static void table(void **state)
{
    static const char *const lines[] = {
        "a network, 1 picture, network input 320x320, on a machine, which does at most 1.0 GFLOP/s and 0.0 GB/s, as measured; "
        "osprey 0.1.0, commit abc, 2026-11-22, written by `osprey bench --ladder nms`.",
        "| layer | shape | `serial` | `survivors` | plan | GB/s | of roof | other | plan / other "
        "|\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n",
        "| a and 1 more | 1x8x4 -> 1x2x4 | 50.0 | 5.00 | 2.00 | 0.001 | 50 % | 4.00 | 0.50 |\n",
        "| c | 1x16x4 -> 1x2x4 | 160 | - | 123 | 0.000 | 1 % | 61.7 | 2.00 |\n",
        "| all, with the plan's choice where a rung does not run | | 260 | 170 | 127 | | | 69.7 | 1.83 |\n",
        "| times as fast as the first | | 1.00 | 1.53 | 2.04 | | | 3.73 | |\n",
    };
    struct study study;
    make_study(&study);
    char *text = table_of(&study, NULL);
    const char *at = text;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        at = strstr(at, lines[i]);
        if (!at)
            fail_msg("not there, or not in its place: %s\n%s", lines[i], text);
    }
    assert_null(strstr(text, "topk"));
    free(text);
    study_free(&study);
}

static void table_from_a_rung_on(void **state)
{
    struct study study;
    make_study_from(&study, "survivors");
    char *text = table_of(&study, "survivors");
    assert_non_null(strstr(text, "| layer | shape | `survivors` | plan | GB/s |"));
    assert_non_null(strstr(text, "| a and 1 more | 1x8x4 -> 1x2x4 | 5.00 | 2.00 |"));
    assert_non_null(strstr(text, "| c | 1x16x4 -> 1x2x4 | - | 123 |"));
    free(text);
    study_free(&study);
}

static void studies_without_a_table(void **state)
{
    struct study study;
    make_study(&study);
    refused(ladder_print(&study, "scale", NULL, stderr), "has no node of op scale");
    study.columns[3].emulated = true;
    refused(ladder_print(&study, "nms", NULL, stderr), "other is emulated");
    study.columns[3].emulated = false;
    study.columns[1].cells[0].measured = false;
    refused(ladder_print(&study, "nms", NULL, stderr), "cpu:nms=survivors? failed");
    study.columns[1].cells[0].measured = true;
    study.partial = true;
    refused(ladder_print(&study, "nms", NULL, stderr), "stopped by a signal");
    study_free(&study);
}

/* ---- The README ----------------------------------------------------------------------------------- */

#define BEFORE "# nms\n\n<!-- results: topk -->\nkept\n<!-- /results -->\n\n<!-- results: nms -->\n"
#define AFTER  "<!-- /results -->\n\nlast line"

static void files(void **state)
{
    struct study study;
    char *path = at("README.md"), expected[4096];
    make_study(&study);
    put_file(path, BEFORE "old\n" AFTER, strlen(BEFORE "old\n" AFTER));
    must(into_check("nms", path));
    char *text = table_of(&study, NULL);
    snprintf(expected, sizeof expected, BEFORE "%s" AFTER, text);
    for (int i = 0; i < 2; i++) { /* the second time the same again */
        must(ladder_write(&study, "nms", NULL, "nms", path));
        char *now = get_file(path, NULL);
        assert_string_equal(now, expected);
        free(now);
    }
    study.partial = true;
    refused(ladder_write(&study, "nms", NULL, "nms", path), "stopped by a signal");
    char *now = get_file(path, NULL);
    assert_string_equal(now, expected); /* as it was */
    free(now);
    free(text);
    study_free(&study);
}

static void files_without_a_place(void **state)
{
    static const char *const texts[] = {"", "# nms\n", "<!-- results: nms -->\n", "<!-- /results -->\n<!-- results: nms -->\n",
                                        "<!-- results: topk -->\n<!-- /results -->\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_file(at("README.md"), texts[i], strlen(texts[i]));
        refused(into_check("nms", at("README.md")), "has no place for the results: a line \"<!-- results: nms -->\"");
    }
    assert_int_equal(into_check("nms", at("absent.md")), OSP_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns),
        cmocka_unit_test(table),
        cmocka_unit_test(table_from_a_rung_on),
        cmocka_unit_test(studies_without_a_table),
        cmocka_unit_test_teardown(files, scratch_empty),
        cmocka_unit_test_teardown(files_without_a_place, scratch_empty),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
