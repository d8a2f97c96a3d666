/* Columns as they are typed: what they pin and set, and what is said of those that mean nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tools/measure/spec.h"

static struct spec parsed(const char *text)
{
    struct spec spec;
    osp_status status = spec_parse(text, &spec);
    if (status)
        fail_msg("%s: %s", text, osp_message());
    assert_string_equal(spec.name, text);
    return spec;
}

static void settings(void **state)
{
    struct spec spec = parsed("cpu");
    assert_string_equal(spec.options.backend, "cpu");
    assert_string_equal(spec.options.use, "");
    assert_string_equal(spec.kernels, "");
    assert_int_equal(spec.options.threads, 0);
    spec_free(&spec);

    spec = parsed("cpu:threads=3:isa=avx2:precision=f32");
    assert_int_equal(spec.options.threads, 3);
    assert_string_equal(spec.options.isa, "avx2");
    assert_string_equal(spec.options.precision, "f32");
    assert_string_equal(spec.kernels, "");
    spec_free(&spec);

    spec = parsed("cuda:driver=ptx:device=2:graph");
    assert_string_equal(spec.options.driver, "ptx");
    assert_int_equal(spec.options.device, 2);
    assert_int_equal(spec.options.graph, 1);
    spec_free(&spec);

    spec = parsed("cpu:whole");
    assert_int_equal(spec.options.whole, 1);
    spec_free(&spec);

    spec = parsed("emu:emu=shuffled=7");
    assert_string_equal(spec.options.emu, "shuffled=7");
    spec_free(&spec);
}

static void pins(void **state)
{
    struct spec spec = parsed("cpu:conv2d=naive");
    assert_string_equal(spec.options.use, "conv2d=naive");
    assert_string_equal(spec.kernels, "conv2d=naive");
    spec_free(&spec);

    spec = parsed("cpu:conv2d=winograd?");
    assert_string_equal(spec.options.use, "conv2d=winograd?");
    assert_string_equal(spec.kernels, "conv2d=winograd?");
    spec_free(&spec);

    spec = parsed("cpu:naive:threads=2:backbone.body.conv1:conv2d=tile:linear=tile");
    assert_string_equal(spec.kernels, "backbone.body.conv1:conv2d=tile,linear=tile,naive");
    assert_true(strstr(spec.options.use, "backbone.body.conv1:conv2d=tile,linear=tile,") == spec.options.use);
    assert_non_null(strstr(spec.options.use, ",conv2d=naive?")); /* a rung for all is soft, and comes after what is said of one */
    assert_non_null(strstr(spec.options.use, ",linear=naive?"));
    assert_null(strstr(spec.options.use, "nms=naive")); /* its ladder has no such rung */
    assert_int_equal(spec.options.threads, 2);
    spec_free(&spec);
}

static void refused(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"", "no backend is called ''; there is cpu"},
        {"gpu", "no backend is called 'gpu'; there is cpu"},
        {"cpu:magic", "'magic' is no rung of backend cpu, nor a setting; there are the rungs "},
        {"cpu:magic", "naive"},
        {"cpu:", "'' is no rung"},
        {"cpu:conv2d=magic?", "conv2d has no rung 'magic' on backend cpu"},
        {"cpu:conv2d=magic", "conv2d has no rung 'magic' on backend cpu; there are naive"},
        {"cpu:conv3d=naive", "'conv3d' is no rung"},
        {"cpu:threads=0", "threads=0; allowed is a whole number from 1 to 1024"},
        {"cpu:threads=two", "threads=two; allowed"},
        {"cpu:threads=", "threads=; allowed"},
        {"cpu:isa=", "isa= wants a value"},
        {"cuda:device=-1", "device=-1; allowed"},
        {"cpu:precision=f64", "precision=f64; backend cpu has f32"},
        {"cpu:some.node:conv2d=magic", "no rung 'magic'"},
        {"cpu:some.node:threads=2", "'some.node' is no rung"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spec spec;
        if (spec_parse(rows[i].text, &spec) != OSP_USAGE || !strstr(osp_message(), rows[i].words))
            fail_msg("\"%s\": expected \"%s\" in: %s", rows[i].text, rows[i].words, osp_message());
    }
}

/* What a soft pin does to a plan: it holds where the rung can run, and elsewhere the plan chooses. */
static void soft_pins(void **state)
{
    struct osp_model *model;
    const struct osp_plan *plan;
    struct spec spec = parsed("cpu:naive");
    assert_int_equal(osp_model_open(NULL, &model), OSP_OK);
    struct osp_session *session;
    assert_int_equal(osp_session_open(model, &spec.options, &session), OSP_OK);
    assert_int_equal(osp_session_plan(session, 1, 64, 64, &plan), OSP_OK);
    int pinned = 0;
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        const char *name, *refusal;
        osp_plan_line(plan, i, &line);
        for (int r = 0; osp_plan_rung(plan, i, r, &name, &refusal); r++) {
            if (strcmp(name, "naive") != 0)
                continue;
            assert_int_equal(!strcmp(strrchr(line.kernel, '/') + 1, "naive"), !refusal);
            pinned++;
        }
    }
    assert_true(pinned > 50);
    osp_session_close(session);
    osp_model_close(model);
    spec_free(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(settings), cmocka_unit_test(pins), cmocka_unit_test(refused),
                                       cmocka_unit_test(soft_pins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
