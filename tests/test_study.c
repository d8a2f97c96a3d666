/* Studies as files: what is written satisfies the schema and is read back whole; whatever breaks the schema is refused, and so
 * are indices of what is not there. */
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
#include "tools/measure/study.h"
#include "tools/measure/study_fields.h"

#define SCHEMA OSP_SOURCE "/tools/measure/study.schema.json"

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

/* ---- A study with something in every field -------------------------------------------------------- */

static void fill(const struct record *record, void *at, int *seed, int items);

static void fill_field(const struct field *f, void *at, int *seed, int items)
{
    char *value = (char *)at + f->offset, text[64];
    int n = ++*seed;
    if (f->kind == FIELD_TEXT || f->kind == FIELD_TEXT_OR_NULL) {
        snprintf(text, sizeof text, "caf\xc3\xa9 \"%d\"\n", n);
        char *copy = f->kind == FIELD_TEXT_OR_NULL && n % 2 ? NULL : strdup(text);
        free(record_pointer(value));
        memcpy(value, &copy, sizeof copy);
    } else if (f->kind == FIELD_BOOL) {
        *(bool *)value = n % 2;
    } else if (f->kind == FIELD_INT) {
        *(int *)(void *)value = 1;
    } else if (f->kind == FIELD_REAL || (f->kind == FIELD_REAL_OR_NULL && n % 3)) {
        *(double *)(void *)value = n / 7.0;
    } else if (f->kind == FIELD_FLOAT) {
        *(float *)(void *)value = (float)n / 7.0f;
    } else if (f->kind == FIELD_BOX) {
        for (int i = 0; i < 4; i++)
            ((float *)(void *)value)[i] = (float)(n + i) / 3.0f;
    } else if (f->kind == FIELD_SAMPLES) {
        for (int i = 0; i < n % 40; i++)
            must(samples_add((struct samples *)(void *)value, n / 1e5 + i));
    } else if (f->kind == FIELD_RECORD) {
        fill(f->of, value, seed, items);
    } else if (f->kind == FIELD_LIST) {
        for (int i = 0; i < items; i++) {
            void *item;
            must(record_append(f->of, value, (int *)(void *)((char *)at + f->count), &item));
            fill(f->of, item, seed, items);
        }
    }
}

static void fill(const struct record *record, void *at, int *seed, int items)
{
    for (const struct field *f = record->fields; f->name; f++)
        fill_field(f, at, seed, items);
}

/* Two of everything, so that 1 is an index of each. */
static struct study full(void)
{
    struct study study;
    int seed = 0;
    study_init(&study);
    fill(&study_record, &study, &seed, 2);
    for (int i = 0; i < study.workload_count; i++)
        study.workloads[i].pictures = 2;
    return study;
}

/* ---- Round trips ---------------------------------------------------------------------------------- */

static void a_full_study_comes_back_whole(void **state)
{
    struct study study = full(), again;
    char why[512];
    must(study_save(&study, at("a.json")));
    if (!schema_accepts_file(SCHEMA, at("a.json"), why, sizeof why))
        fail_msg("%s", why);
    must(study_load(at("a.json"), &again));
    must(study_save(&again, at("b.json")));
    size_t size_a, size_b;
    char *a = get_file(at("a.json"), &size_a), *b = get_file(at("b.json"), &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(a, b, size_a);
    assert_true(size_a > 10000); /* it is full indeed */
    assert_string_equal(again.columns[1].cells[1].layers[1].node, study.columns[1].cells[1].layers[1].node);
    assert_true(again.columns[0].cells[1].total.values[1] == study.columns[0].cells[1].total.values[1]);
    free(a);
    free(b);
    study_free(&study);
    study_free(&again);
}

static void columns_and_workloads_come_in_any_order(void **state)
{
    struct study study, again;
    struct column *column;
    struct workload *workload;
    char why[512];
    study_init(&study);
    must(study_add_column(&study, "cpu", &column));
    must(study_add_workload(&study, "1 picture", "single", &workload));
    must(study_add_workload(&study, "batch 8", "batch", &workload));
    must(study_add_column(&study, "cpu:naive", &column));
    struct machine *machine;
    must(study_add_machine(&study, &machine));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(study.columns[i].cell_count, 2);
        assert_false(study.columns[i].cells[1].measured);
        assert_true(isnan(study.columns[i].cells[1].peak_bytes) && isnan(study.columns[i].once.pack));
    }
    must(study_save(&study, at("a.json")));
    if (!schema_accepts_file(SCHEMA, at("a.json"), why, sizeof why))
        fail_msg("%s", why);
    must(study_load(at("a.json"), &again));
    assert_string_equal(again.columns[1].name, "cpu:naive");
    assert_string_equal(again.workloads[1].sweep, "batch");
    assert_true(isnan(again.columns[1].once.first_run));
    study_free(&study);
    study_free(&again);
}

/* ---- What is refused ------------------------------------------------------------------------------ */

struct broken {
    json_t *root, *schema;
    int tried;
};

/* The reader and the schema must both say no. */
static void expect_refused(struct broken *broken, const char *what)
{
    struct study study;
    char why[512];
    assert_int_equal(json_dump_file(broken->root, at("x.json"), JSON_COMPACT), 0);
    bool accepted = schema_accepts(broken->schema, broken->root, why, sizeof why);
    osp_status status = study_load(at("x.json"), &study);
    if (accepted || status != OSP_REFUSED)
        fail_msg("%s: the schema %s it, the reader gives %d: %s", what, accepted ? "accepts" : "refuses", (int)status,
                 osp_message());
    assert_non_null(strstr(osp_message(), "x.json: "));
    broken->tried++;
}

/* A value that its type does not allow: null, or a text where null is allowed. */
static json_t *wrong(const json_t *right)
{
    return json_is_string(right) ? json_integer(7) : json_is_null(right) ? json_array() : json_string("seven");
}

/* Each member of this object, and of the first of each list below: left out, then of a wrong type. */
static void break_members(struct broken *broken, json_t *object)
{
    json_t *copy = json_copy(object), *value;
    const char *name;
    json_object_foreach(copy, name, value)
    {
        json_object_del(object, name);
        expect_refused(broken, name);
        json_object_set_new(object, name, wrong(value));
        expect_refused(broken, name);
        if (json_is_real(value)) {
            json_object_set_new(object, name, json_true());
            expect_refused(broken, name);
        }
        if (json_is_integer(value)) {
            json_object_set_new(object, name, json_integer(-2));
            expect_refused(broken, name);
        }
        json_object_set(object, name, value);
        json_t *first = json_array_get(value, 0);
        if (json_is_object(first))
            break_members(broken, first);
        else if (json_is_object(value))
            break_members(broken, value);
        else if (first) {
            json_t *kept = json_incref(first);
            json_array_set_new(value, 0, json_null());
            expect_refused(broken, name);
            json_array_set_new(value, 0, kept);
        }
    }
    json_object_set_new(object, "surplus", json_integer(1));
    expect_refused(broken, "surplus");
    json_object_del(object, "surplus");
    json_decref(copy);
}

static void what_breaks_the_schema_is_refused(void **state)
{
    struct study study = full();
    struct broken broken = {.schema = json_load_file(SCHEMA, 0, NULL)};
    must(study_save(&study, at("a.json")));
    broken.root = json_load_file(at("a.json"), 0, NULL);
    assert_non_null(broken.root);
    assert_non_null(broken.schema);
    break_members(&broken, broken.root);
    assert_true(broken.tried > 250); /* all records were reached */
    json_decref(broken.root);
    json_decref(broken.schema);
    study_free(&study);
}

/* Whole files, and pairs that do not fit. */
static void expect_sentence(struct study *study, const char *words)
{
    struct study read;
    must(study_save(study, at("x.json")));
    assert_int_equal(study_load(at("x.json"), &read), OSP_REFUSED);
    if (!strstr(osp_message(), words))
        fail_msg("expected \"%s\" in: %s", words, osp_message());
}

static void indices_of_nothing_are_refused(void **state)
{
    struct study study = full();
    study.columns[1].machine = 2;
    expect_sentence(&study, "columns[1].machine: found 2, but there are 2");
    study.columns[1].machine = 1;
    study.agreements[0].b = 2;
    expect_sentence(&study, "agreements[0].b: found 2");
    study.agreements[0].b = 0;
    study.agreements[0].workload = 9;
    expect_sentence(&study, "agreements[0].workload: found 9");
    study.agreements[0].workload = 0;
    study.fits[1].column = 2;
    expect_sentence(&study, "fits[1].column");
    study.fits[1].column = 0;
    study.break_evens[1].a = 2;
    expect_sentence(&study, "break_evens[1].a");
    study.break_evens[1].a = 0;
    study.findings[0].column = 3;
    expect_sentence(&study, "findings[0].column");
    study.findings[0].column = -1;
    study.workloads[1].pictures = 3;
    expect_sentence(&study, "cells[1].pictures: found 2, allowed are none or 3");
    study.workloads[1].pictures = 2;
    struct study read;
    must(study_save(&study, at("x.json")));
    must(study_load(at("x.json"), &read));
    study_free(&read);
    study_free(&study);
}

static void other_files_are_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } files[] = {
        {"", "x.json: an empty file"},
        {"{", "x.json: line 1"},
        {"[1]", "no study"},
        {"{\"schema\": 1, \"kind\": \"peers\"}", "no study"},
        {"{\"schema\": 2, \"kind\": \"study\"}", "schema: found 2, allowed is 1"},
        {"{\"kind\": \"study\"}", "schema: missing"},
        {"{\"schema\": 1, \"kind\": \"study\", \"kind\": \"study\"}", "duplicate"},
        {"{\"schema\": 1, \"kind\": \"study\"}", "command: missing"},
    };
    struct study study;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        put_file(at("x.json"), files[i].text, strlen(files[i].text));
        assert_int_equal(study_load(at("x.json"), &study), OSP_REFUSED);
        if (!strstr(osp_message(), files[i].words))
            fail_msg("expected \"%s\" in: %s", files[i].words, osp_message());
    }
    assert_int_equal(study_load(at("absent.json"), &study), OSP_UNREADABLE);
    study = full();
    assert_int_equal(study_save(&study, at("no/such/folder.json")), OSP_UNWRITTEN);
    study_free(&study);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_full_study_comes_back_whole, scratch_empty),
        cmocka_unit_test_teardown(columns_and_workloads_come_in_any_order, scratch_empty),
        cmocka_unit_test_teardown(what_breaks_the_schema_is_refused, scratch_empty),
        cmocka_unit_test_teardown(indices_of_nothing_are_refused, scratch_empty),
        cmocka_unit_test_teardown(other_files_are_refused, scratch_empty),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
