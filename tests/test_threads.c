/* Whole networks on 1, 2, 3, 5 and 8 threads: the same bits in every value of every node, and in what is detected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "networks.h"

enum { NODES = 512, DIMS = 4 };

struct value {
    char name[128];
    float *data;
    size_t bytes;
};

struct outcome {
    struct value value[NODES];
    int count;
    struct osp_detections found;
};

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

static void run(const struct osp_model *model, const struct osp_image *picture, int threads, struct outcome *out)
{
    struct osp_session *session;
    must(osp_session_open(model, &(struct osp_session_options){.threads = threads, .keep = 1}, &session));
    assert_int_equal(osp_session_threads(session), threads);
    must(osp_detect(session, picture, &out->found));
    const struct osp_plan *plan = osp_session_last_plan(session);
    out->count = osp_plan_lines(plan);
    assert_in_range(out->count, 1, NODES);
    for (int i = 0; i < out->count; i++) {
        struct osp_line line;
        int64_t dims[DIMS];
        int rank;
        osp_plan_line(plan, i, &line);
        snprintf(out->value[i].name, sizeof out->value[i].name, "%s", line.node);
        must(osp_session_value(session, line.node, &out->value[i].data, dims, &rank));
        out->value[i].bytes = sizeof(float);
        for (int d = 0; d < rank; d++)
            out->value[i].bytes *= (size_t)dims[d];
    }
    osp_session_close(session);
}

static void outcome_free(struct outcome *outcome)
{
    for (int i = 0; i < outcome->count; i++)
        free(outcome->value[i].data);
    osp_detections_free(&outcome->found);
}

/* The first node whose values differ, NULL: none. */
static const char *first_difference(const struct outcome *a, const struct outcome *b)
{
    for (int i = 0; i < a->count; i++)
        if (a->value[i].bytes != b->value[i].bytes || memcmp(a->value[i].data, b->value[i].data, a->value[i].bytes) != 0)
            return a->value[i].name;
    return NULL;
}

static void any_number_of_threads(void **state)
{
    static const int threads[] = {2, 3, 5, 8};
    struct osp_model *model;
    struct osp_image *picture;
    struct outcome alone, many;
    must(network_open(*state, &model, &picture));
    run(model, picture, 1, &alone);
    assert_true(alone.found.count > 0);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        run(model, picture, threads[i], &many);
        assert_int_equal(many.count, alone.count);
        const char *node = first_difference(&alone, &many);
        if (node)
            print_error("%d threads: %s has other bits than on one\n", threads[i], node);
        assert_null(node);
        assert_int_equal(many.found.count, alone.found.count);
        assert_memory_equal(many.found.items, alone.found.items, (size_t)alone.found.count * sizeof *alone.found.items);
        outcome_free(&many);
    }
    outcome_free(&alone);
    osp_image_free(picture);
    osp_model_close(model);
}

int main(void)
{
    enum { MOST = 16 };
    struct CMUnitTest tests[MOST];
    assert_in_range(network_count, 1, MOST);
    for (int i = 0; i < network_count; i++)
        tests[i] = (struct CMUnitTest){networks[i].label, any_number_of_threads, NULL, NULL, (void *)(uintptr_t)&networks[i]};
    return _cmocka_run_group_tests("threads", tests, (size_t)network_count, NULL, NULL);
}
