/* Tuning files: what is written and read, what is refused, that plans go by them, and `osprey bench --tune`. No test here looks
 * at how long anything took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "runtime/tune.h"
#include "schema.h"
#include "scratch.h"

#define PHOTO  OSP_SOURCE "/models/demo/astronaut.png"
#define SCHEMA OSP_SOURCE "/tools/measure/tuning.schema.json"

#define osprey(...) process_run((const char *const[]){__VA_ARGS__, NULL}, NULL, 0, NULL)

static const struct osp_tune_machine machine = {"cpu", "some processor", "avx2", "f32", 3};

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

static void refused(osp_status status, osp_status expected, const char *words)
{
    if (status != expected || !strstr(osp_message(), words))
        fail_msg("status %d, expected %d with \"%s\": %s", status, expected, words, osp_message());
}

static struct osp_tune_layer layer(const char *call, const char *rung)
{
    return (struct osp_tune_layer){call, rung, 1, {{rung, 0.001}}};
}

static void fits_schema(const char *path)
{
    char why[512];
    if (!schema_accepts_file(SCHEMA, path, why, sizeof why))
        fail_msg("%s", why);
}

/* ---- The file ------------------------------------------------------------------------------------- */

static void assert_rung(const char *path, const char *call, const char *rung)
{
    struct osp_tune *tune;
    must(osp_tune_open(path, &machine, &tune));
    assert_string_equal(osp_tune_path(tune), path);
    const char *found = osp_tune_rung(tune, call);
    if (rung)
        assert_string_equal(found, rung);
    else
        assert_null(found);
    osp_tune_close(tune);
}

static void written_and_read(void **state)
{
    const char *path = at("t.json");
    struct osp_tune_layer first[] = {layer("conv2d 1", "tile"), layer("nms 2", "serial")}, second = layer("nms 2", "survivors");
    must(osp_tune_save(path, 0, &machine, first, 2));
    fits_schema(path);
    assert_rung(path, "conv2d 1", "tile");
    assert_rung(path, "nms 2", "serial");
    assert_rung(path, "nms 3", NULL);
    must(osp_tune_save(path, 0, &machine, &second, 1)); /* what is not chosen anew stays */
    assert_rung(path, "conv2d 1", "tile");
    assert_rung(path, "nms 2", "survivors");

    struct osp_tune_machine other = machine;
    struct osp_tune *tune;
    other.threads = 4;
    refused(osp_tune_open(path, &other, &tune), OSP_USAGE, "\"threads\":3");
    must(osp_tune_save(path, 0, &other, first, 1)); /* for another setting it begins anew */
    refused(osp_tune_open(path, &machine, &tune), OSP_USAGE, "makes it anew");
    must(osp_tune_save(path, 0, &machine, &second, 1));
    assert_rung(path, "conv2d 1", NULL);
}

static void hostile(void **state)
{
#define HEAD "{\"osprey_tuning\": 1, \"version\": \"" OSP_VERSION "\", \"machine\": {}, \"layers\": "
    static const struct {
        const char *text, *words;
    } files[] = {
        {"", "no JSON"},
        {"{", "no JSON"},
        {"[]", "this is no tuning file"},
        {"{\"osprey_tuning\": \"1\"}", "this is no tuning file"},
        {"{\"osprey_tuning\": 2, \"version\": \"9\", \"machine\": {}}", "osprey_tuning: found 2, allowed is 1"},
        {HEAD "[]}", "layers: found something else or nothing, allowed is an object"},
        {HEAD "{\"a\": 1}}", "a: found something else or nothing, allowed is an object with the name of a rung"},
        {HEAD "{\"a\": {\"rung\": 7}}}", "the name of a rung"},
        {HEAD "{\"a\": {\"rung\": \"x\"}}}", "the seconds of every rung"},
        {HEAD "{\"a\": {\"rung\": \"x\", \"seconds\": {\"y\": 1}}}}", "the seconds of every rung"},
        {HEAD "{\"a\": {\"rung\": \"x\", \"seconds\": {\"x\": -1}}}}", "a rung with its seconds"},
        {HEAD "{\"a\": {\"rung\": \"x\", \"seconds\": {\"x\": \"1\"}}}}", "a rung with its seconds"},
        {HEAD "{\"a\": 1, \"a\": 1}}", "no JSON: duplicate object key"},
    };
#undef HEAD
    const char *path = at("t.json");
    const struct osp_tune_layer one = layer("a", "x");
    struct osp_tune *tune;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t size;
        put_file(path, files[i].text, strlen(files[i].text));
        refused(osp_tune_open(path, &machine, &tune), OSP_REFUSED, files[i].words);
        assert_non_null(strstr(osp_message(), path));
        refused(osp_tune_save(path, 0, &machine, &one, 1), OSP_REFUSED, files[i].words); /* it may be anything: it stays */
        char *text = get_file(path, &size);
        assert_string_equal(text, files[i].text);
        free(text);
        must(osp_tune_save(path, 1, &machine, &one, 1)); /* in the cache it can only be ours, damaged */
        assert_rung(path, "a", "x");
    }
    refused(osp_tune_open(at("absent.json"), &machine, &tune), OSP_USAGE, "osprey bench --tune=");
    refused(osp_tune_save("/dev/full", 0, &machine, &one, 1), OSP_UNREADABLE, "/dev/full");
    refused(osp_tune_save(at("no/folder.json"), 0, &machine, &one, 1), OSP_UNWRITTEN, "folder.json");
}

static void own_path(void **state)
{
    char path[OSP_TUNE_PATH], *folder = strdup(at("")), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    cache = cache ? strdup(cache) : NULL;
    home = home ? strdup(home) : NULL;
    const struct osp_tune_layer one = layer("a", "x");
    struct osp_tune *tune;
    folder[strlen(folder) - 1] = 0;
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", folder, 1);
    must(osp_tune_own_path(&machine, path));
    assert_true(!strncmp(path, folder, strlen(folder)));
    assert_string_equal(path + strlen(folder), "/.cache/osprey/tune-cpu-avx2-f32-3-some-processor.json");
    must(osp_tune_save(path, 1, &machine, &one, 1)); /* both folders are made */
    must(osp_tune_open("", &machine, &tune));
    assert_string_equal(osp_tune_path(tune), path);
    osp_tune_close(tune);
    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    must(osp_tune_own_path(&machine, path));
    assert_string_equal(path, "/nowhere/osprey/tune-cpu-avx2-f32-3-some-processor.json");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    refused(osp_tune_open("", &machine, &tune), OSP_USAGE, "neither XDG_CACHE_HOME nor HOME");
    if (cache)
        setenv("XDG_CACHE_HOME", cache, 1);
    if (home)
        setenv("HOME", home, 1);
    free(cache);
    free(home);
    free(folder);
}

/* ---- Plans ---------------------------------------------------------------------------------------- */

static osp_status open_tuned(const struct osp_model *model, const char *path, const char *use, struct osp_session **out)
{
    return osp_session_open(model, &(struct osp_session_options){.threads = 2, .isa = "portable", .tuned = path, .use = use},
                            out);
}

static void assert_kernel(struct osp_session *session, int i, const char *kernel, const char *untuned)
{
    const struct osp_plan *plan;
    struct osp_line line;
    must(osp_session_plan(session, 1, 64, 64, &plan));
    osp_plan_line(plan, i, &line);
    assert_string_equal(line.kernel, kernel);
    if (untuned)
        assert_string_equal(line.untuned, untuned);
    else
        assert_null(line.untuned);
}

static void plans_go_by_it(void **state)
{
    struct osp_model *model;
    struct osp_session *session, *tuned;
    struct osp_tune_machine here;
    const struct osp_plan *plan;
    struct osp_line line;
    const char *path = at("t.json");
    char call[OSP_TUNE_CALL];
    must(osp_model_open(NULL, &model));
    must(open_tuned(model, NULL, NULL, &session));
    assert_null(osp_session_tuned(session));
    osp_session_machine(session, &here);
    assert_string_equal(here.backend, "cpu");
    assert_string_equal(here.isa, "portable");
    assert_int_equal(here.threads, 2);
    must(osp_session_plan(session, 1, 64, 64, &plan));
    int conv = 0;
    for (osp_plan_line(plan, conv, &line); strcmp(line.op, "conv2d") != 0; osp_plan_line(plan, conv, &line))
        conv++;
    assert_kernel(session, conv, "cpu/conv2d/tile", NULL);
    osp_plan_call(plan, conv, call);
    assert_string_equal(call, "conv2d 1x64x64x3 * 32x3x3x3 32 -> 1x32x32x32, 3x3 stride 2 pad 1");

    struct osp_tune_layer choice = layer(call, "lanes");
    must(osp_tune_save(path, 0, &here, &choice, 1));
    must(open_tuned(model, path, NULL, &tuned));
    assert_string_equal(osp_session_tuned(tuned), path);
    assert_kernel(tuned, conv, "cpu/conv2d/lanes", "tile");
    must(osp_session_plan(tuned, 1, 64, 64, &plan));
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        osp_plan_line(plan, i, &line);
        assert_true(i == conv || !line.untuned);
    }
    osp_session_close(tuned);
    must(open_tuned(model, path, "conv2d=threads", &tuned)); /* who pins, says what runs */
    assert_kernel(tuned, conv, "cpu/conv2d/threads", NULL);
    osp_session_close(tuned);

    const struct {
        const char *rung, *words;
    } wrong[] = {{"best", "found the rung best, but on backend cpu there is no such rung"},
                 {"winograd", "found the rung winograd, but on backend cpu it does 3x3 filters with stride 1 only"}};
    for (size_t i = 0; i < 2; i++) {
        choice = layer(call, wrong[i].rung);
        must(osp_tune_save(path, 0, &here, &choice, 1));
        must(open_tuned(model, path, NULL, &tuned));
        refused(osp_session_plan(tuned, 1, 64, 64, &plan), OSP_REFUSED, wrong[i].words);
        osp_session_close(tuned);
    }
    here.threads = 3;
    must(osp_tune_save(path, 0, &here, &choice, 1));
    refused(open_tuned(model, path, NULL, &tuned), OSP_USAGE, "\"threads\":3");
    osp_session_close(session);
    osp_model_close(model);
}

/* ---- The program ---------------------------------------------------------------------------------- */

static char *option(char text[512], const char *name, const char *path)
{
    snprintf(text, 512, "--%s=%s", name, path);
    return text;
}

#define tune(...) osprey("bench", "--size", "64x64", "--least", "2", "--most", "2", __VA_ARGS__)

static void usage(void **state)
{
    char file[512];
    option(file, "tune", at("t.json"));
    process_expect(tune("--backend", "cpu:conv2d=tile", file), 2, "", "pins rungs, which leaves nothing to choose");
    process_expect(tune("--backend", "emu", file), 2, "", "emulated");
    process_expect(tune("--backends", "cpu,cpu:threads=1", file), 2, "", "--tune takes one --backend");
    process_expect(tune("--size", "65x64", file), 2, "", "multiples of 32");
    process_expect(tune(option(file, "tune", at("no/t.json"))), 5, "", "t.json");
    process_expect(osprey("detect", option(file, "tuned", at("absent.json")), PHOTO), 2, "", "osprey bench --tune=");
    put_file(at("x.json"), "{}", 2);
    process_expect(osprey("detect", option(file, "tuned", at("x.json")), PHOTO), 3, "", "this is no tuning file");
    process_expect(tune(option(file, "tune", at("x.json"))), 3, "", "this is no tuning file");
    assert_int_equal(access(at("t.json"), F_OK), -1);
}

static void from_bench_to_detect(void **state)
{
    char path[512], tuned[512], file[512], column[600];
    snprintf(path, sizeof path, "%s", at("t.json"));
    option(tuned, "tuned", path);
    process_expect(tune("--backend", "cpu:threads=2", option(file, "tune", path)), 0, "the cost model loses", "wrote ");
    fits_schema(path);
    process_expect(osprey("info", "--plan", "64x64", "--threads", "2", tuned), 0, "chosen, as tuned", "");
    process_expect(osprey("info", "--plan", "64x96", "--threads", "2"), 0, "chosen\n", "");
    process_expect(osprey("info", "--plan", "64x64", "--threads", "1", tuned), 2, "", "it is for {");
    process_expect(osprey("detect", "--json", "--threads", "2", tuned, PHOTO), 0, "\"tuned\": \"", "has no choice for ");
    snprintf(column, sizeof column, "cpu:threads=2:tuned=%s", path);
    process_expect(tune("--backend", column, PHOTO), 0, "total", "");
}

int main(int argc, char **argv)
{
    process_find(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(written_and_read, scratch_empty),
        cmocka_unit_test_teardown(hostile, scratch_empty),
        cmocka_unit_test_teardown(own_path, scratch_empty),
        cmocka_unit_test_teardown(plans_go_by_it, scratch_empty),
        cmocka_unit_test_teardown(usage, scratch_empty),
        cmocka_unit_test_teardown(from_bench_to_detect, scratch_empty),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
