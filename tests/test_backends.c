/* Whole networks on the emulator and on the PTX driver, launch by launch and as one captured graph, against the cpu backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "networks.h"
#include "process.h"
#include "sanitized.h"
#include "scratch.h"

#define PHOTO OSP_SOURCE "/models/demo/camera.png"

static void expect_same(const struct network *network, const struct osp_session_options *options, const char *how)
{
    struct osp_model *model;
    struct osp_image *picture;
    struct network_outcome outcome;
    if (network_open(network, &model, &picture))
        fail_msg("%s: %s", network->label, osp_message());
    osp_status status = network_compare(model, picture, options, &outcome);
    osp_image_free(picture);
    osp_model_close(model);
    if (status == OSP_UNAVAILABLE && options->driver && strstr(osp_message(), "built without nvcc")) {
        print_message("NOT RUN: %s\n", osp_message());
        skip();
    }
    if (status)
        fail_msg("%s %s: %s", network->label, how, osp_message());
    print_message("%-28s %-12s %3d boxes, off by %.2g pixels and %.2g; network %.3f s\n", network->label, how, outcome.found,
                  outcome.box, outcome.score, outcome.again);
    if (!network_agrees(&outcome))
        fail_msg("%s %s: %d boxes, the cpu has %d; %d labels or second runs differ; boxes by %g, scores by %g", network->label,
                 how, outcome.found, outcome.wanted, outcome.labels_differ, outcome.box, outcome.score);
    assert_true(outcome.wanted > 0);
}

/* Under a sanitizer one small network has to do. */
enum { FIRST = SANITIZED ? 2 : 0, END = SANITIZED ? 3 : 5 };

static void all_networks_on_the_emulator(void **state)
{
    assert_int_equal(network_count, 5);
    for (int i = FIRST; i < END; i++)
        expect_same(&networks[i], &(struct osp_session_options){.backend = "emu"}, "emu");
    expect_same(&networks[FIRST], &(struct osp_session_options){.backend = "emu", .graph = 1}, "emu, graph");
    expect_same(&networks[FIRST], &(struct osp_session_options){.backend = "emu", .use = "conv2d=winograd?"}, "emu, winograd");
    expect_same(&networks[FIRST], &(struct osp_session_options){.backend = "emu", .use = "conv2d=warp?"}, "emu, direct");
}

static void all_networks_on_the_ptx_driver(void **state)
{
    for (int i = FIRST; i < END; i++)
        expect_same(&networks[i], &(struct osp_session_options){.backend = "cuda", .driver = "ptx"}, "ptx");
    expect_same(&networks[2], &(struct osp_session_options){.backend = "cuda", .driver = "ptx", .graph = 1}, "ptx, graph");
}

/* upsample_add at 64 x 64: maps of 4 x 4 and 8 x 8 with 64 channels, each value two reads and a write, a warp for 128 of them:
 * two pixels. These are one pixel of the map above, so that of the three requests one is of 8 sectors, where two are of 16. */
static void kernels_are_counted(void **state)
{
    enum { VALUES = (4 * 4 + 8 * 8) * 64, WARPS = VALUES / 128 };
    static uint8_t pixels[64 * 64 * 3];
    const struct osp_image picture = {64, 64, pixels};
    struct osp_model *model;
    struct osp_session *session;
    struct osp_kernel_counts counts;
    struct osp_detections found;
    int seen = 0;
    assert_int_equal(network_open_small(&model), OSP_OK);
    for (int count = 0; count < 2; count++) {
        const struct osp_session_options options = {.backend = "emu", .emu = count ? "count" : "fast"};
        if (osp_session_open(model, &options, &session))
            fail_msg("%s", osp_message());
        for (int run = 0; run < 2; run++) { /* the counts are of the last one */
            assert_int_equal(osp_detect(session, &picture, &found), OSP_OK);
            osp_detections_free(&found);
        }
        assert_int_equal(osp_session_counts(session, 0, &counts), count);
        for (int i = 0; osp_session_counts(session, i, &counts); i++) {
            assert_true(counts.launches > 0 && counts.global.requests > 0);
            if (strcmp(counts.kernel, "upsample_add_wide") != 0)
                continue;
            seen++;
            assert_int_equal(counts.launches, 2);
            assert_int_equal(counts.global.requests, WARPS * 3);
            assert_int_equal(counts.global.lanes, WARPS * 3 * 32);
            assert_int_equal(counts.global.bytes, VALUES * 3 * 4);
            assert_int_equal(counts.global.units, WARPS * (16 + 16 + 8));
            assert_int_equal(counts.global.ideal, WARPS * (16 + 16 + 8));
            assert_int_equal(counts.shared.requests, 0);
        }
        osp_session_close(session);
    }
    assert_int_equal(seen, 1);
    osp_model_close(model);
}

/* The program prints them as a table, and adds them to the JSON. */
static void counts_are_printed(void **state)
{
    const char *const words[] = {"detect", PHOTO,    "--model", at("small.safetensors"), "--backend", "emu", "--emu",
                                 "count",  "--json", NULL};
    struct osp_model *model;
    json_error_t error;
    assert_int_equal(network_open_small(&model), OSP_OK);
    osp_model_close(model);
    struct outcome outcome = process_run(words, NULL, 0, NULL);
    assert_int_equal(outcome.status, 0);
    assert_non_null(
        strstr(outcome.err, "\nupsample_add_wide                         2         120  13.33  13.33  32.0     0.061 "));
    json_t *object = json_loads(outcome.out, JSON_DISABLE_EOF_CHECK, &error), *kernel,
           *counts = json_object_get(object, "counts");
    size_t i;
    int seen = 0;
    json_array_foreach(counts, i, kernel)
    {
        json_t *global = json_object_get(kernel, "global");
        if (strcmp(json_string_value(json_object_get(kernel, "kernel")), "upsample_add_wide") != 0)
            continue;
        seen++;
        assert_int_equal(json_integer_value(json_object_get(kernel, "launches")), 2);
        assert_int_equal(json_integer_value(json_object_get(global, "requests")), 120);
        assert_int_equal(json_integer_value(json_object_get(global, "sectors")), 40 * (16 + 16 + 8));
    }
    assert_int_equal(seen, 1);
    json_decref(object);
    process_free(&outcome);
}

int main(int count, char **arguments)
{
    process_find(arguments[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_networks_on_the_emulator),
                                       cmocka_unit_test(all_networks_on_the_ptx_driver), cmocka_unit_test(kernels_are_counted),
                                       cmocka_unit_test(counts_are_printed)};
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
