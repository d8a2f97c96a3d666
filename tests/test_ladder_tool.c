/* osprey ladder, as its users run it: every op that it climbs is right on every rung, what it prints is what its JSON says, and
 * what it refuses; and the budgets of the rungs: sectors, passes and instructions that a change must not make more. */
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

#define SCHEMA OSP_SOURCE "/tools/ladder/ladder.schema.json"

#define ladder(...) process_run((const char *const[]){"ladder", __VA_ARGS__, NULL}, NULL, 0, NULL)

static void ends(struct outcome run, int status, const char *words)
{
    if (run.status != status || !strstr(status ? run.err : run.out, words))
        fail_msg("exit %d, want %d with \"%s\"; out: %s\nerr: %s", run.status, status, words, run.out, run.err);
    process_free(&run);
}

/* The JSON of a run, held against the schema. Free with json_decref(). */
static json_t *json_of(const char *op, const char *shape, const char *backend)
{
    char why[512];
    json_error_t error;
    struct outcome run = shape ? ladder(op, "--backend", backend, "--shape", shape, "--json", "-")
                               : ladder(op, "--backend", backend, "--json", "-");
    if (run.status)
        fail_msg("%s on %s: exit %d: %s", op, backend, run.status, run.err);
    json_t *json = json_loads(run.out, 0, &error), *schema = json_load_file(SCHEMA, 0, &error);
    assert_non_null(json);
    assert_non_null(schema);
    if (!schema_accepts(schema, json, why, sizeof why))
        fail_msg("%s on %s: %s", op, backend, why);
    json_decref(schema);
    process_free(&run);
    return json;
}

static const char *text_of(const json_t *object, const char *key) { return json_string_value(json_object_get(object, key)); }
static double number_of(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

static void every_op(void **state)
{
    static const struct {
        const char *op, *shape;
    } small[] = {
        {"conv2d", "1x7x9x5,13,3,1"}, {"conv2d", "2x8x8x4,32,1,2"}, {"depthwise", "1x7x9x5,3,2"}, {"linear", "5x33,17"},
        {"maxpool", "1x9x7x5,3,2"},   {"avgpool", "2x5x7x9"},       {"scale", "2x5x7x9"},         {"upsample_add", "1x7x9x5"},
        {"softmax", "7x91"},          {"topk", "1x9x11x3,50"},      {"nms", "2x70,30"},           {"roi_align", "1x13x17x5,6"},
    };
    static const char *const backends[] = {"cpu", "emu"};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        for (int b = 0; b < 2; b++) {
            json_t *json = json_of(small[i].op, small[i].shape, backends[b]), *rung;
            size_t k, ran = 0;
            assert_string_equal(text_of(json, "shape"), small[i].shape);
            json_array_foreach(json_object_get(json, "rungs"), k, rung)
            {
                if (json_object_get(rung, "refusal"))
                    continue;
                assert_true(json_is_true(json_object_get(rung, "good")));
                assert_int_equal(json_object_get(rung, "seconds") != NULL, b == 0); /* an emulator's time says nothing */
                assert_int_equal(json_array_size(json_object_get(rung, "kernels")) > 0, b == 1);
                ran++;
            }
            assert_true(ran > 0);
            json_decref(json);
        }
}

/* The numbers of a problem that can be counted by hand. */
static void figures(void **state)
{
    json_t *json = json_of("scale", "1x8x8x32", "emu");
    const json_t *rung = json_array_get(json_object_get(json, "rungs"), 0);
    const json_t *kernel = json_array_get(json_object_get(rung, "kernels"), 0), *global = json_object_get(kernel, "global");
    assert_true(number_of(json, "flop") == 0);
    assert_true(number_of(json, "bytes") == (2 * 8 * 8 * 32 + 32) * 4);
    assert_string_equal(text_of(kernel, "kernel"), "scale_naive");
    assert_true(number_of(global, "bytes") == 3 * 8 * 8 * 32 * 4); /* x, its factor, the output */
    assert_true(number_of(global, "sectors") == number_of(global, "ideal_sectors"));
    assert_true(number_of(global, "lanes") == 32 * number_of(global, "requests"));
    json_decref(json);
    json = json_of("conv2d", "1x6x10x4,8,3,1", "emu");
    assert_true(number_of(json, "flop") == 2.0 * 6 * 10 * 8 * 3 * 3 * 4);
    json_decref(json);
}

static void table(void **state)
{
    struct outcome run = ladder("conv2d", "--shape", "1x7x9x5,13,3,1");
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "conv2d 1x7x9x5,13,3,1 on emu (emulator, count)"));
    assert_non_null(strstr(run.out, "\nnaive        same bits"));
    assert_non_null(strstr(run.out, "conv2d_coalesced"));
    assert_null(strstr(run.out, " ms")); /* no time of an emulator */
    process_free(&run);
    ends(ladder("conv2d", "--shape", "1x7x9x5,13,3,1", "--backend", "cpu"), 0, "GFLOP/s");
}

static void refusals(void **state)
{
    ends(ladder(NULL), 2, "wants one OP, found 0");
    ends(ladder("conv2d", "linear"), 2, "wants one OP, found 2");
    ends(ladder("conv"), 2, "no op is called conv; is conv2d meant?");
    ends(ladder("rpn_decode"), 2, "osprey bench --ladder rpn_decode");
    ends(ladder("conv2d", "--shape", "1x2x3"), 2, "--shape: found '1x2x3', allowed is NxHxWxC,K,R,STRIDE");
    ends(ladder("conv2d", "--shape", "1x2x3x0,1,1,1"), 2, "numbers of 1 to 65536");
    ends(ladder("conv2d", "--shape", "1x2x3x4,1,1,1,9"), 2, "allowed is NxHxWxC,K,R,STRIDE");
    ends(ladder("conv2d", "--shape", "-1x2x3x4,1,1,1"), 2, "allowed is NxHxWxC,K,R,STRIDE");
    ends(ladder("conv2d", "--shape", "65536x65536x65536x65536,1,1,1"), 2, "product");
    ends(ladder("conv2d", "--shape", "64x1024x1024x64,1,1,1"), 2, "bytes of tensors");
    ends(ladder("linear", "--shape", "1x60000,60000"), 2, "bytes of weights");
    ends(ladder("scale", "--backend", "gpu"), 2, "--backend: found 'gpu', allowed are cpu,");
    ends(ladder("scale", "--json", "/nowhere/x.json"), 5, "/nowhere");
    ends(ladder("--help"), 0, "osprey bench --ladder OP");
}

/* ---- Budgets ---------------------------------------------------------------------------------------- */

/* Most that a kernel may take of what could serve it: sectors, passes over the banks; the least share of FFMA or MMA in its loop;
 * the most registers. As measured, with no room: what gets worse must be looked at, what gets better is written here. */
#ifdef __clang__ /* the emulator counts the loads that the host's compiler left: each has a budget of its own */
#define PASSES(gcc, clang) clang
#else
#define PASSES(gcc, clang) gcc
#endif
static const struct budget {
    const char *op, *shape, *kernel;
    double sectors, wavefronts, share;
    int registers;
} budgets[] = {
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_coalesced", 1.01, 0, 0.20, 48},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_shared", 1.01, 1.04, 0.30, 32},
    {"conv2d", "1x16x16x32,64,3,1", "conv2d_register_middle", 1.05, PASSES(1.02, 1.03), 0.80, 96},
    {"conv2d", "1x128x160x4,128,1,1", "conv2d_register_large", 1.05, PASSES(1.02, 1.09), 0.89, 128},
    {"linear", "32x128,128", "linear_register_small", 1.05, 1.02, 0.70, 64},
    {"roi_align", "1x25x34x256,8", "roi_align_channels_by_four", 1.05, 1.02, 0, 64},
};

static const json_t *find_kernel(const json_t *json, const char *name)
{
    const json_t *rung, *kernel;
    size_t i, k;
    json_array_foreach(json_object_get(json, "rungs"), i, rung) json_array_foreach(
        json_object_get(rung, "kernels"), k, kernel) if (!strcmp(text_of(kernel, "kernel"), name)) return kernel;
    return NULL;
}

static void within(const struct budget *b, const json_t *kernel, const char *space, const char *units, const char *ideal,
                   double most)
{
    const json_t *counts = json_object_get(kernel, space);
    double found = number_of(counts, units), least = number_of(counts, ideal);
    if (most > 0 ? !(least > 0 && found <= most * least) : found > 0)
        fail_msg("%s %s: %s: %.0f %s, where %.0f could do: more than %.2f times", b->op, b->shape, b->kernel, found, units, least,
                 most);
}

static void kept(void **state)
{
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        const struct budget *b = &budgets[i];
        json_t *json = json_of(b->op, b->shape, "emu");
        const json_t *kernel = find_kernel(json, b->kernel), *code = kernel ? json_object_get(kernel, "code") : NULL;
        if (!kernel)
            fail_msg("%s %s launches no %s: the table of budgets wants a look", b->op, b->shape, b->kernel);
        within(b, kernel, "global", "sectors", "ideal_sectors", b->sectors);
        within(b, kernel, "shared", "wavefronts", "ideal_wavefronts", b->wavefronts);
        if (!code)
            print_message("NOT RUN: the machine code of %s: built without nvcc\n", b->kernel);
        else if (number_of(code, "fma_share") < b->share || number_of(code, "registers") > b->registers ||
                 number_of(json_object_get(code, "all"), "LDL") > 0 || number_of(json_object_get(code, "all"), "STL") > 0)
            fail_msg("%s: FMA share %.3f (%.2f or more), %g registers (%d or fewer), local memory %g and %g (none)", b->kernel,
                     number_of(code, "fma_share"), b->share, number_of(code, "registers"), b->registers,
                     number_of(json_object_get(code, "all"), "LDL"), number_of(json_object_get(code, "all"), "STL"));
        json_decref(json);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op), cmocka_unit_test(figures), cmocka_unit_test(table),
        cmocka_unit_test(refusals), cmocka_unit_test(kept),
    };
    process_find(argv[0]);
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
