/* What is concluded from measurements: agreement, lines and break-evens, studies merged, other programs' figures. No clock is
 * looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "scratch.h"
#include "tools/compare/compare.h"
#include "tools/report/view.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- Agreement ---------------------------------------------------------------------------------- */

static const struct agreement_cut no_cut = {0, 0};
static const struct agreement_bounds tight = {0.01, 1e-4};

static struct agreement match(const struct osp_detection *a, int count_a, const struct osp_detection *b, int count_b,
                              struct agreement_cut cut)
{
    const struct picture_result pa = {count_a, (struct osp_detection *)(uintptr_t)a},
                                pb = {count_b, (struct osp_detection *)(uintptr_t)b};
    struct agreement out = {0};
    assert_int_equal(agreement_of(&pa, &pb, 1, tight, cut, &out), OSP_OK);
    return out;
}

static void equal_results_agree(void **state)
{
    const struct osp_detection a[] = {{1, 0.9f, {0, 0, 10, 10}}, {2, 0.5f, {20, 20, 40, 50}}};
    struct agreement got = match(a, 2, a, 2, no_cut);
    assert_true(got.agree);
    assert_int_equal(got.matched, 2);
    assert_true(got.box == 0 && got.score == 0 && got.iou == 1);
    assert_true(match(a, 0, a, 0, no_cut).agree);
}

/* The best score takes its partner first, and the order of the others does not matter. */
static void matching_is_by_label_and_place(void **state)
{
    const struct osp_detection a[] = {{1, 0.9f, {0, 0, 10, 10}}, {1, 0.8f, {1, 0, 11, 10}}, {2, 0.7f, {0, 0, 10, 10}}};
    const struct osp_detection b[] = {{2, 0.7f, {0, 0, 10, 10}}, {1, 0.8f, {1, 0, 11, 10}}, {1, 0.9f, {0, 0, 10, 10.005f}}};
    struct agreement got = match(a, 3, b, 3, no_cut);
    assert_true(got.agree);
    assert_int_equal(got.matched, 3);
    assert_true(fabs(got.box - 0.005) < 1e-6);
}

static void each_kind_of_difference_is_counted(void **state)
{
    const struct osp_detection a[] = {{1, 0.9f, {0, 0, 10, 10}}, {1, 0.8f, {50, 0, 60, 10}}, {1, 0.7f, {80, 0, 90, 10}}};
    const struct osp_detection flipped[] = {{1, 0.9f, {0, 0, 10, 10}}, {2, 0.8f, {50, 0, 60, 10}}, {1, 0.7f, {80, 0, 90, 10}}};
    const struct osp_detection moved[] = {{1, 0.9f, {0, 0, 10, 10.5f}}, {1, 0.8f, {50, 0, 60, 10}}, {1, 0.7f, {80, 0, 90, 10}}};
    const struct osp_detection scored[] = {{1, 0.89f, {0, 0, 10, 10}}, {1, 0.8f, {50, 0, 60, 10}}, {1, 0.7f, {80, 0, 90, 10}}};
    struct agreement got = match(a, 3, a, 2, no_cut);
    assert_true(!got.agree && got.missing == 1 && got.extra == 0 && got.flips == 0 && got.matched == 2);
    got = match(a, 2, a, 3, no_cut);
    assert_true(!got.agree && got.missing == 0 && got.extra == 1 && got.flips == 0);
    got = match(a, 3, flipped, 3, no_cut);
    assert_true(!got.agree && got.flips == 1 && got.missing == 0 && got.extra == 0 && got.matched == 2);
    got = match(a, 3, moved, 3, no_cut);
    assert_true(!got.agree && got.matched == 3 && fabs(got.box - 0.5) < 1e-6 && fabs(got.iou - 1 / 1.05) < 1e-6);
    got = match(a, 3, scored, 3, no_cut);
    assert_true(!got.agree && got.matched == 3 && fabs(got.score - 0.01) < 1e-6);
}

/* A detection that a hair's breadth of score puts below the model's least, or past its last place, is no difference. */
static void what_the_cut_leaves_out_is_no_difference(void **state)
{
    const struct osp_detection a[] = {{1, 0.9f, {0, 0, 10, 10}}, {1, 0.05005f, {50, 0, 60, 10}}};
    const struct osp_detection low[] = {{1, 0.9f, {0, 0, 10, 10}}, {1, 0.0503f, {50, 0, 60, 10}}};
    assert_true(match(a, 2, a, 1, (struct agreement_cut){0.05, 100}).agree);
    assert_false(match(low, 2, low, 1, (struct agreement_cut){0.05, 100}).agree);
    const struct osp_detection other[] = {{1, 0.9f, {0, 0, 10, 10}}, {1, 0.05009f, {80, 0, 90, 10}}};
    assert_true(match(a, 2, other, 2, (struct agreement_cut){0, 2}).agree);
    assert_false(match(a, 2, other, 2, (struct agreement_cut){0, 3}).agree);
}

static void bounds_widen_with_what_computed(void **state)
{
    struct layer plain = {.kernel = (char[]){"cpu/conv2d/tile"}, .precision = (char[]){"f32"}};
    struct layer half = {.kernel = (char[]){"cuda/conv2d/mma"}, .precision = (char[]){"f16"}};
    struct layer winograd = {.kernel = (char[]){"cpu/conv2d/winograd"}, .precision = (char[]){"f32"}};
    const struct cell a = {.layers = &plain, .layer_count = 1}, b = {.layers = &half, .layer_count = 1},
                      c = {.layers = &winograd, .layer_count = 1};
    assert_true(agreement_bounds_of(&a, &a).box == 0.01 && agreement_bounds_of(&a, &a).score == 1e-4);
    assert_true(agreement_bounds_of(&a, &c).box > 0.01 && agreement_bounds_of(&c, &b).box > agreement_bounds_of(&a, &c).box);
    assert_true(agreement_bounds_of(&b, &a).score == agreement_bounds_of(&a, &b).score);
}

/* ---- Lines -------------------------------------------------------------------------------------- */

static void a_line_is_recovered(void **state)
{
    const double x[] = {1, 2, 4, 8, 16, 32}, noise[] = {1.01, 0.99, 1.01, 0.99, 1, 1.01};
    double exact[6], noisy[6];
    struct fit fit;
    for (int i = 0; i < 6; i++) {
        exact[i] = 0.030 + 0.002 * x[i];
        noisy[i] = exact[i] * noise[i];
    }
    assert_true(fit_line(x, exact, 6, &fit));
    assert_true(fabs(fit.fixed - 0.030) < 1e-12 && fabs(fit.each - 0.002) < 1e-12 && fit.error < 1e-9 && fit.points == 6);
    assert_true(fit_line(x, noisy, 6, &fit));
    assert_true(fabs(fit.fixed / 0.030 - 1) < 0.05 && fabs(fit.each / 0.002 - 1) < 0.05 && fit.error < 0.02);
    assert_false(fit_line(x, exact, 1, &fit));
    assert_false(fit_line((const double[]){3, 3}, exact, 2, &fit));
}

/* Against counting up from 1. */
static void break_evens_are_exact(void **state)
{
    static const double lines[][2] = {{0, 0.010}, {0.030, 0.002}, {0.5, 0.001}, {0.001, 0.010}, {0.1, 0.0099999}, {0, 0.002}};
    enum { LINES = sizeof lines / sizeof *lines };
    for (int a = 0; a < LINES; a++)
        for (int b = 0; b < LINES; b++) {
            double found = break_even_from(lines[a][0], lines[a][1], lines[b][0], lines[b][1]);
            if (lines[b][1] > lines[a][1] || (lines[b][1] == lines[a][1] && lines[b][0] >= lines[a][0])) {
                assert_true(isnan(found));
                continue;
            }
            double n = 1;
            while (!(lines[b][0] + lines[b][1] * n < lines[a][0] + lines[a][1] * n))
                n++;
            if (found != n)
                print_error("%d %d: %g, counted %g\n", a, b, found, n);
            assert_true(found == n);
        }
}

/* ---- A study of two columns --------------------------------------------------------------------- */

static void add_samples(struct study *study, int column, int workload, double seconds)
{
    struct cell *cell = &study->columns[column].cells[workload];
    for (int i = 0; i < 10; i++)
        assert_int_equal(samples_add(&cell->total, seconds), OSP_OK);
    cell->measured = true;
}

static void add_boxes(struct study *study, int column, int workload, float shift)
{
    struct cell *cell = &study->columns[column].cells[workload];
    int pictures = study->workloads[workload].pictures;
    cell->pictures = calloc((size_t)pictures, sizeof *cell->pictures);
    cell->picture_count = pictures;
    for (int i = 0; i < pictures; i++) {
        cell->pictures[i] = (struct picture_result){1, calloc(1, sizeof(struct osp_detection))};
        cell->pictures[i].items[0] = (struct osp_detection){1, 0.9f, {0, 0, 10 + shift, 10}};
    }
}

static void set(char **to, const char *text)
{
    free(*to);
    *to = strdup(text);
}

/* Two columns, one picture and batches of 1, 2 and 4: a costs 10 ms a picture, b 21 ms and 1 ms a picture. */
static void make_study(struct study *study, const char *a, const char *b, const char *host)
{
    static const int batches[] = {1, 2, 4};
    struct column *column;
    struct workload *workload;
    struct machine *machine;
    study_init(study);
    assert_int_equal(study_add_machine(study, &machine), OSP_OK);
    set(&machine->host, host);
    set(&machine->cpu, "a processor");
    set(&study->model_sha256, SHA);
    set(&study->images, "photo.jpg");
    assert_int_equal(study_add_workload(study, "1 picture", "single", &workload), OSP_OK);
    *workload = (struct workload){workload->name, workload->sweep, 1, 1, 1, 320, 320, 0.1};
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "batch %d", batches[i]);
        assert_int_equal(study_add_workload(study, name, "batch", &workload), OSP_OK);
        *workload = (struct workload){workload->name, workload->sweep, batches[i], batches[i], 1, 320, 320, 0.1 * batches[i]};
    }
    assert_int_equal(study_add_column(study, a, &column), OSP_OK);
    assert_int_equal(study_add_column(study, b, &column), OSP_OK);
    column->once.open_device = 0.090;
    for (int w = 0; w < 4; w++) {
        add_samples(study, 0, w, 0.010 * study->workloads[w].pictures);
        add_samples(study, 1, w, 0.021 + 0.001 * study->workloads[w].pictures);
        add_boxes(study, 0, w, 0);
        add_boxes(study, 1, w, 0.005f);
    }
}

static void a_study_gets_its_fits_and_break_evens(void **state)
{
    struct study study;
    make_study(&study, "a", "b", "here");
    assert_int_equal(fits_find(&study), OSP_OK);
    const struct fit *fit = view_fit(&study, 1, "batch");
    assert_non_null(fit);
    assert_true(fabs(fit->fixed - 0.021) < 1e-9 && fabs(fit->each - 0.001) < 1e-9 && fit->points == 3);
    const struct break_even *even = view_break_even(&study, 0, 1), *back = view_break_even(&study, 1, 0);
    assert_non_null(even);
    assert_true(even->without_start == 3 && even->batch == 3); /* 9 n > 21 */
    assert_true(even->with_start == 13);                       /* 9 n > 111 */
    assert_true(isnan(back->without_start) && isnan(back->with_start) && isnan(back->batch));
    study_free(&study);
}

static void emulated_columns_have_no_lines(void **state)
{
    struct study study;
    make_study(&study, "a", "b", "here");
    study.columns[1].emulated = true;
    assert_int_equal(fits_find(&study), OSP_OK);
    assert_null(view_fit(&study, 1, "batch"));
    assert_null(view_break_even(&study, 0, 1));
    assert_non_null(view_fit(&study, 0, "batch"));
    study_free(&study);
}

static void every_pair_s_agreement_is_found_and_printed(void **state)
{
    struct study study;
    char *text;
    size_t size;
    make_study(&study, "a", "b", "here");
    assert_int_equal(agreements_find(&study, no_cut), OSP_OK);
    assert_int_equal(study.agreement_count, 4);
    for (int i = 0; i < 4; i++)
        assert_true(study.agreements[i].agree && study.agreements[i].workload == i);
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(agreements_print(&study, out), 0);
    fclose(out);
    assert_non_null(strstr(text, "agree    a and b: 8 boxes in both, apart by 0.005 pixels (bound 0.01)"));
    free(text);
    study_free(&study);
}

static void the_table_says_it_all(void **state)
{
    static const char *const words[] = {"a takes 10.0 ms",
                                        "1 picture, 320x320",
                                        "end to end",
                                        "times as fast as a, end to end",
                                        "0.455x",
                                        "batch 4",
                                        "21.00 ms + 1.00 ms a picture",
                                        "b before a: from 3 pictures on; start-up counted, from 13",
                                        "agree    a and b",
                                        "(emulated)",
                                        "c failed: it broke",
                                        "why is it not faster?"};
    struct study study;
    struct column *column;
    char *text;
    size_t size;
    make_study(&study, "a", "b", "here");
    assert_int_equal(study_add_column(&study, "c", &column), OSP_OK);
    set(&column->failure, "it broke\x1b[2J");
    column->emulated = true;
    assert_int_equal(agreements_find(&study, no_cut), OSP_OK);
    assert_int_equal(fits_find(&study), OSP_OK);
    FILE *out = open_memstream(&text, &size);
    table_print(&study, out);
    fclose(out);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(text, words[i]))
            fail_msg("the table lacks \"%s\":\n%s", words[i], text);
    assert_null(strchr(text, '\x1b'));
    free(text);
    study_free(&study);
}

/* ---- Merging ------------------------------------------------------------------------------------ */

static void studies_of_two_machines_become_one(void **state)
{
    struct study here, there;
    char *text;
    size_t size;
    make_study(&here, "cpu", "cuda", "laptop");
    make_study(&there, "cpu", "gpu", "server");
    struct workload *extra;
    assert_int_equal(study_add_workload(&there, "batch 64", "batch", &extra), OSP_OK);
    add_samples(&there, 0, 4, 0.64);
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(merge_studies(&here, &there, out), OSP_OK);
    fclose(out);
    study_free(&there);
    assert_non_null(strstr(text, "laptop  |  server"));
    assert_null(strstr(text, "a processor"));
    free(text);
    assert_int_equal(here.column_count, 4);
    assert_int_equal(here.workload_count, 5);
    assert_int_equal(here.machine_count, 2);
    assert_string_equal(here.columns[2].name, "cpu @ server");
    assert_string_equal(here.columns[3].name, "gpu");
    assert_true(here.columns[2].foreign && !here.columns[0].foreign);
    assert_int_equal(here.columns[2].machine, 1);
    assert_int_equal(here.columns[2].cells[3].total.count, 10);
    assert_int_equal(here.columns[2].cells[4].total.count, 10);
    assert_false(here.columns[0].cells[4].measured);
    char *path = at("merged.json");
    assert_int_equal(study_save(&here, path), OSP_OK);
    study_free(&here);
    assert_int_equal(study_load(path, &here), OSP_OK);
    study_free(&here);
}

static void different_models_are_not_merged(void **state)
{
    struct study here, there;
    make_study(&here, "a", "b", "x");
    make_study(&there, "a", "b", "y");
    there.model_sha256[0] = 'f';
    assert_int_equal(merge_studies(&here, &there, stderr), OSP_USAGE);
    assert_non_null(strstr(osp_message(), "different models"));
    study_free(&here);
    study_free(&there);
}

/* ---- Other programs ----------------------------------------------------------------------------- */

static const char peers[] =
    "{\"schema\": 1, \"kind\": \"peers\", \"model_sha256\": \"" SHA "\", \"programs\": ["
    "{\"name\": \"other\", \"version\": \"1.2\", \"threads\": 2, \"open_model\": 0.5, \"work\": ["
    "{\"batch\": 1, \"height\": 320, \"width\": 320, \"covers\": \"end-to-end\", \"seconds\": [0.02, 0.021],"
    " \"pictures\": [[{\"label\": 1, \"score\": 0.9, \"box\": [0, 0, 10, 10]}]]},"
    "{\"batch\": 7, \"height\": 320, \"width\": 320, \"covers\": \"network\", \"seconds\": [0.1]}]}]}";

static void other_programs_become_columns(void **state)
{
    struct study study;
    char *path = at("peers.json");
    put_file(path, peers, strlen(peers));
    char why[256];
    if (!schema_accepts_file(OSP_SOURCE "/tools/measure/peers.schema.json", path, why, sizeof why))
        fail_msg("%s", why);
    make_study(&study, "a", "b", "here");
    assert_int_equal(with_programs(&study, path), OSP_OK);
    assert_int_equal(study.column_count, 3);
    const struct column *other = &study.columns[2];
    assert_string_equal(other->name, "other");
    assert_true(other->foreign && !other->emulated && other->threads == 2 && other->once.open_model == 0.5);
    assert_int_equal(other->cells[0].total.count, 2);
    assert_int_equal(other->cells[1].total.count, 2); /* "batch 1" is the same work */
    assert_false(other->cells[2].measured);
    assert_int_equal(agreements_find(&study, no_cut), OSP_OK);
    assert_int_equal(study.agreement_count, 4 + 2 + 2);
    study_free(&study);
}

/* Each is the good file with one thing changed, and the sentence that it gets. */
static void bad_files_of_other_programs_are_refused(void **state)
{
    static const struct {
        const char *from, *to;
        osp_status status;
        const char *words;
    } faults[] = {
        {"{\"schema\": 1", "{\"schema\": 2", OSP_REFUSED, "schema: allowed is a number from 1 to 1"},
        {"\"peers\"", "\"pears\"", OSP_REFUSED, "kind"},
        {"\"model_sha256\": \"0", "\"model_sha256\": \"f", OSP_USAGE, "only the same work"},
        {"\"name\": \"other\"", "\"name\": \"\"", OSP_REFUSED, "name"},
        {"[0.02, 0.021]", "[0.02, -1]", OSP_REFUSED, "seconds"},
        {"[0.02, 0.021]", "[]", OSP_REFUSED, "seconds"},
        {"[0.02, 0.021]", "\"fast\"", OSP_REFUSED, "seconds"},
        {"\"batch\": 1,", "\"batch\": 0,", OSP_REFUSED, "batch"},
        {"\"end-to-end\"", "\"most of it\"", OSP_REFUSED, "covers"},
        {"[0, 0, 10, 10]", "[0, 0, 10]", OSP_REFUSED, "box"},
        {"\"label\": 1", "\"label\": \"face\"", OSP_REFUSED, "label"},
        {"\"pictures\": [[", "\"pictures\": [[], [", OSP_REFUSED, "pictures"},
        {"]}]}]}", "]}]}]", OSP_REFUSED, "no JSON"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct study study;
        char text[sizeof peers + 64], *path = at("bad.json");
        const char *place = strstr(peers, faults[i].from);
        assert_non_null(place);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(place - peers), peers, faults[i].to, place + strlen(faults[i].from));
        put_file(path, text, strlen(text));
        make_study(&study, "a", "b", "here");
        osp_status status = with_programs(&study, path);
        if (status != faults[i].status || !strstr(osp_message(), faults[i].words))
            fail_msg("\"%s\": status %d, \"%s\"", faults[i].to, status, osp_message());
        study_free(&study);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_results_agree),
        cmocka_unit_test(matching_is_by_label_and_place),
        cmocka_unit_test(each_kind_of_difference_is_counted),
        cmocka_unit_test(what_the_cut_leaves_out_is_no_difference),
        cmocka_unit_test(bounds_widen_with_what_computed),
        cmocka_unit_test(a_line_is_recovered),
        cmocka_unit_test(break_evens_are_exact),
        cmocka_unit_test(a_study_gets_its_fits_and_break_evens),
        cmocka_unit_test(emulated_columns_have_no_lines),
        cmocka_unit_test(every_pair_s_agreement_is_found_and_printed),
        cmocka_unit_test(the_table_says_it_all),
        cmocka_unit_test_teardown(studies_of_two_machines_become_one, scratch_empty),
        cmocka_unit_test(different_models_are_not_merged),
        cmocka_unit_test_teardown(other_programs_become_columns, scratch_empty),
        cmocka_unit_test_teardown(bad_files_of_other_programs_are_refused, scratch_empty),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
