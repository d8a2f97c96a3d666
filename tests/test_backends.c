/* Whole networks on the emulator and on the PTX driver, launch by launch and as one captured graph, against the cpu backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "networks.h"

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
    if (status == OSP_UNAVAILABLE && options->driver && strstr(osp_message(), "is not beside the program")) {
        print_message("NOT RUN: %s\n", osp_message());
        return;
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
#ifdef __SANITIZE_ADDRESS__
enum { FIRST = 2, END = 3 };
#else
enum { FIRST = 0, END = 5 };
#endif

static void all_networks_on_the_emulator(void **state)
{
    assert_int_equal(network_count, 5);
    for (int i = FIRST; i < END; i++)
        expect_same(&networks[i], &(struct osp_session_options){.backend = "emu"}, "emu");
    expect_same(&networks[FIRST], &(struct osp_session_options){.backend = "emu", .graph = 1}, "emu, graph");
}

static void all_networks_on_the_ptx_driver(void **state)
{
    for (int i = FIRST; i < END; i++)
        expect_same(&networks[i], &(struct osp_session_options){.backend = "cuda", .driver = "ptx"}, "ptx");
    expect_same(&networks[2], &(struct osp_session_options){.backend = "cuda", .driver = "ptx", .graph = 1}, "ptx, graph");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_networks_on_the_emulator),
                                       cmocka_unit_test(all_networks_on_the_ptx_driver)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
