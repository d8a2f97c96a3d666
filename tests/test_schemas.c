/* Every JSON that osprey writes is what its schema says; bench, compare and convert are held to theirs in their own tests. And
 * the schemas are strict: what is missing, or unknown, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "schema.h"
#include "scratch.h"

#define PHOTO   OSP_SOURCE "/models/demo/astronaut.png"
#define OTHER   OSP_SOURCE "/models/demo/camera.png"
#define SCHEMAS OSP_SOURCE "/tools/"

/* The standard output of osprey(argument, ...). */
#define osprey(...) output_of((const char *const[]){__VA_ARGS__, NULL})

static char *output_of(const char *const *arguments)
{
    struct outcome outcome = process_run(arguments, NULL, 0, NULL);
    if (outcome.status)
        fail_msg("%s", outcome.err);
    char *out = strdup(outcome.out);
    process_free(&outcome);
    assert_non_null(out);
    return out;
}

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s: %s", path, error.text);
    return json;
}

static bool accepts(const json_t *schema, const json_t *value)
{
    char why[512] = "";
    bool good = schema_accepts(schema, value, why, sizeof why);
    if (!good)
        print_message("%s\n", why);
    return good;
}

/* It is accepted, and not any more without one of its members, or with one that is not known. */
static void check(const json_t *schema, const json_t *value, const char *member)
{
    assert_true(accepts(schema, value));
    json_t *other = json_deep_copy(value);
    assert_int_equal(json_object_set_new(other, "xyzzy", json_true()), 0);
    assert_false(accepts(schema, other));
    assert_int_equal(json_object_del(other, "xyzzy"), 0);
    assert_int_equal(json_object_del(other, member), 0);
    assert_false(accepts(schema, other));
    json_decref(other);
}

static void check_lines(const char *schema_path, char *text, const char *member, int expected)
{
    json_t *schema = load(schema_path);
    int lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        json_t *value = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(value);
        check(schema, value, member);
        json_decref(value);
    }
    assert_int_equal(lines, expected);
    json_decref(schema);
    free(text);
}

static void detect(void **state)
{
    check_lines(SCHEMAS "detect.schema.json", osprey("detect", "--json", PHOTO, OTHER), "provenance", 2);
    check_lines(SCHEMAS "detect.schema.json",
                osprey("detect", "--json", "--score", "1", "--batch", "2", "--resize", "f32-reciprocal", PHOTO), "detections", 1);
}

static void coco(void **state)
{
    free(osprey("detect", "--score", "0.1", "--coco", at("coco.json"), PHOTO, OTHER));
    json_t *schema = load(SCHEMAS "coco.schema.json"), *value = load(at("coco.json"));
    check(schema, value, "categories");
    assert_true(json_array_size(json_object_get(value, "annotations")) > 1);
    json_decref(schema);
    json_decref(value);
}

static void check_info(char *text)
{
    json_t *schema = load(SCHEMAS "info.schema.json"), *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    check(schema, value, "classes");
    json_decref(schema);
    json_decref(value);
    free(text);
}

static void info(void **state)
{
    check_info(osprey("info", "--json"));
    check_info(osprey("info", "--json", "--flops", "64x96"));
    check_info(osprey("info", "--json", "--flops", "64x96", "--layers", "--plan", "64x64", "--memory", "320x320"));
}

int main(int argc, char **argv)
{
    process_find(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detect),
        cmocka_unit_test_teardown(coco, scratch_empty),
        cmocka_unit_test(info),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
