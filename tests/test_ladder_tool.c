/* osprey ladder, as its users run it: every op that it climbs is right on every rung, what it prints is what its JSON says, and
 * what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "climbs.h"
#include "scratch.h"

static char self[512]; /* this program */

static void ends(struct outcome run, int status, const char *words)
{
    if (run.status != status || !strstr(status ? run.err : run.out, words))
        fail_msg("exit %d, want %d with \"%s\"; out: %s\nerr: %s", run.status, status, words, run.out, run.err);
    process_free(&run);
}

static void every_op(void **state)
{
    static const struct {
        const char *op, *shape;
    } small[] = {
        {"conv2d", "1x7x9x5,13,3,1"}, {"conv2d", "2x8x8x4,32,1,2"}, {"depthwise", "1x7x9x5,3,2"}, {"linear", "5x33,17"},
        {"maxpool", "1x9x7x5,3,2"},   {"avgpool", "2x5x7x9"},       {"scale", "2x5x7x9"},         {"upsample_add", "1x7x9x5"},
        {"softmax", "7x91"},          {"topk", "1x9x11x3,50"},      {"nms", "2x70,30"},           {"roi_align", "1x13x17x5,6"},
        {"resize", "2x7x9,13x17"},    {"rpn_decode", "2x7x9x3,50"}, {"box_decode", "2x9,21"},
    };
    static const char *const backends[] = {"cpu", "emu"};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        for (int b = 0; b < 2; b++) {
            json_t *json = climb_json(small[i].op, small[i].shape, backends[b]), *rung;
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
    json_t *json = climb_json("scale", "1x8x8x32", "emu");
    const json_t *rung = json_array_get(json_object_get(json, "rungs"), 0);
    const json_t *kernel = json_array_get(json_object_get(rung, "kernels"), 0), *global = json_object_get(kernel, "global");
    assert_true(number_of(json, "flop") == 0);
    assert_true(number_of(json, "bytes") == (2 * 8 * 8 * 32 + 32) * 4);
    assert_string_equal(text_of(kernel, "kernel"), "scale_naive");
    assert_true(number_of(global, "bytes") == 3 * 8 * 8 * 32 * 4); /* x, its factor, the output */
    assert_true(number_of(global, "sectors") == number_of(global, "ideal_sectors"));
    assert_true(number_of(global, "lanes") == 32 * number_of(global, "requests"));
    json_decref(json);
    json = climb_json("conv2d", "1x6x10x4,8,3,1", "emu");
    assert_true(number_of(json, "flop") == 2.0 * 6 * 10 * 8 * 3 * 3 * 4);
    json_decref(json);
}

static void table(void **state)
{
    struct outcome run = ladder("conv2d", "--shape", "1x7x9x5,13,3,1", "--gpu", "t4", "--counts");
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "conv2d 1x7x9x5,13,3,1 on emu (emulator, count,multiprocessors=40,arch=75)"));
    assert_non_null(strstr(run.out, "\nnaive          same bits "));
    assert_non_null(strstr(run.out, "conv2d_coalesced"));
    if (*CUDA_NVCC)
        assert_non_null(strstr(run.out, "computed from these counts for T4, not measured"));
    const char *details = strstr(run.out, "\nWhat the kernels ask");
    assert_non_null(details);
    for (const char *line = run.out; line < details; line += strcspn(line, "\n") + 1) /* what is above fits on a slide */
        if (strcspn(line, "\n") > 118)
            fail_msg("a line of %zu characters: %.120s", strcspn(line, "\n"), line);
    process_free(&run);
    ends(ladder("conv2d", "--shape", "1x7x9x5,13,3,1", "--backend", "cpu"), 0, "GFLOP/s");
}

/* A README's tables: each problem's own stays where its markers are, and the others as they were. */
static void into(void **state)
{
    static const char text[] = "# scale\n<!-- results: counts scale 1x7x9x5 -->\nold\n<!-- /results -->\nbetween\n"
                               "<!-- results: counts scale -->\nkept\n<!-- /results -->\nend\n";
    char *readme = at("README.md"), *written;
    put_file(readme, text, sizeof text - 1);
    ends(ladder("scale", "--shape", "1x7x9x5", "--into", readme), 0, "");
    written = get_file(readme, NULL);
    assert_int_equal(strncmp(written, text, strcspn(text, "\n") + 1), 0);
    assert_non_null(strstr(written, "\n`osprey ladder scale --shape 1x7x9x5 --gpu 'A100'`, commit "));
    assert_non_null(strstr(written, "\n| naive | same bits |"));
    assert_non_null(strstr(written, "\nRefused by `wide`: "));
    assert_null(strstr(written, "old"));
    assert_string_equal(strstr(written, "between\n"), strstr(text, "between\n"));
    free(written);
    ends(ladder("scale", "--shape", "1x7x9x6", "--into", readme), 2, "has no place for the results");
}

/* Beside a program lies a checked emulator that another build left: a sentence, not a call at the wrong place. */
static void stale(void **state)
{
    char from[600], program[512], *named = getenv("OSPREY");
    const int folder = (int)(strrchr(self, '/') - self) + 1;
    snprintf(program, sizeof program, "%s", at("osprey"));
    snprintf(from, sizeof from, "%.*s../osprey", folder, self);
    copy_file(from, program);
    assert_int_equal(chmod(program, 0755), 0);
    snprintf(from, sizeof from, "%.*slibemu-stale.so", folder, self);
    copy_file(from, at("libosprey-emu-check.so"));
    named = named ? strdup(named) : NULL;
    setenv("OSPREY", program, 1);
    process_find(self);
    ends(ladder("scale", "--shape", "1x7x9x5"), 4, "libosprey-emu-check.so was not built with this program");
    if (named)
        setenv("OSPREY", named, 1);
    else
        unsetenv("OSPREY");
    process_find(self);
    free(named);
}

static void refusals(void **state)
{
    ends(ladder(NULL), 2, "ladder wants one OP, or network");
    ends(ladder("conv2d", "linear"), 2, "found 2");
    ends(ladder("conv"), 2, "no op is called conv; is conv2d meant?");
    ends(ladder("rpn_decode", "--shape", "1x9x9x16,5"), 2, "found 16 anchors, allowed are 15");
    ends(ladder("box_decode", "--shape", "1x9,1"), 2, "found 1 class, allowed are 2 and more");
    ends(ladder("conv2d", "--shape", "1x2x3"), 2, "--shape: found '1x2x3', allowed is NxHxWxC,K,R,STRIDE");
    ends(ladder("conv2d", "--shape", "1x2x3x0,1,1,1"), 2, "numbers of 1 to 65536");
    ends(ladder("conv2d", "--shape", "1x2x3x4,1,1,1,9"), 2, "allowed is NxHxWxC,K,R,STRIDE");
    ends(ladder("conv2d", "--shape", "-1x2x3x4,1,1,1"), 2, "allowed is NxHxWxC,K,R,STRIDE");
    ends(ladder("conv2d", "--shape", "65536x65536x65536x65536,1,1,1"), 2, "product");
    ends(ladder("conv2d", "--shape", "64x1024x1024x64,1,1,1"), 2, "bytes of tensors");
    ends(ladder("linear", "--shape", "1x60000,60000"), 2, "bytes of weights");
    ends(ladder("scale", "--backend", "gpu"), 2, "--backend: found 'gpu', allowed are cpu,");
    ends(ladder("scale", "--json", "/nowhere/x.json"), 5, "/nowhere");
    ends(ladder("scale", "--gpu", "T5"), 2, "--gpu: found 'T5', allowed are T4, ");
    ends(ladder("scale", "--gpu", "list"), 2, "neither with --published and --gpu list");
    ends(ladder("scale", "--published"), 2, "neither with --published");
    ends(ladder("scale", "--arch", "11"), *CUDA_NVCC ? 2 : 0, *CUDA_NVCC ? "--arch: found 11, allowed are " : "");
    ends(ladder("network", "--gpu", "none"), 2, "network wants a GPU's name");
    ends(ladder("network", "--shape", "1x1"), 2, "network wants a GPU's name");
    ends(ladder("network", "--size", "31x32"), 2, "32");
    ends(ladder("network", "--model", "/nowhere"), 3, "/nowhere");
    ends(ladder("scale", "--into", "/nowhere"), 1, "/nowhere");
    ends(ladder("--help"), 0, "osprey bench --ladder OP");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op), cmocka_unit_test(figures),
        cmocka_unit_test(table),    cmocka_unit_test_teardown(into, scratch_empty),
        cmocka_unit_test(refusals), cmocka_unit_test_teardown(stale, scratch_empty),
    };
    process_find(argv[0]);
    snprintf(self, sizeof self, "%s%s", strchr(argv[0], '/') ? "" : "./", argv[0]);
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
