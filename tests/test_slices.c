/* Batches in slices: when a plan takes them, and that they change no bit of any value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/build.h"
#include "runtime/plan.h"

extern const struct osp_backend cpu_backend;

static struct osp_model *model;

static int open_model(void **state) { return osp_model_open(NULL, &model); }

static int close_model(void **state)
{
    osp_model_close(model);
    return 0;
}

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

/* ---- The choice --------------------------------------------------------------------------------------- */

static struct osp_pace pace;

static void tell_pace(const struct osp_device *device, struct osp_pace *out) { *out = pace; }

/* A plan of the demo network by a device of that pace. */
static struct osp_plan *plan_by(int n, struct osp_plan_wish wish)
{
    struct osp_backend backend = cpu_backend;
    const struct osp_pins none = {.count = 0};
    struct osp_device *device;
    struct osp_plan *plan;
    backend.pace = tell_pace;
    must(cpu_backend.open(NULL, &device));
    must(osp_plan_new(osp_model_graph(model), &backend, device, &none, (struct osp_dims){n, 320, 320}, wish, &plan));
    cpu_backend.close(device);
    return plan;
}

static int slices_of(const struct osp_plan *plan, const char *name)
{
    return plan->nodes[osp_graph_find(plan->graph, name)].slices;
}

/* Every node is in one stretch, whose slices divide the batch; values that stay in one are held a slice at a time. */
static void assert_sound(const struct osp_plan *plan)
{
    int at = 0;
    for (int s = 0; s < plan->stretch_count; s++) {
        const struct osp_stretch *stretch = &plan->stretches[s];
        assert_int_equal(stretch->first, at);
        assert_true(stretch->end > at);
        assert_int_equal(plan->dims.n % stretch->slices, 0);
        for (; at < stretch->end; at++) {
            assert_int_equal(plan->nodes[at].slices, stretch->slices);
            int held = plan->held[plan->graph->nodes[at].out];
            assert_true(held == 1 || held == stretch->slices);
        }
    }
    assert_int_equal(at, plan->graph->node_count);
}

/* Made in the body, for the pyramid: one early, in the part that large maps are in, and one late. */
#define EARLY "backbone.body.blocks.2.depthwise_conv"
#define LATE  "backbone.body.blocks.15.depthwise_conv"

static void slices_where_a_slice_fits_the_cache_and_the_batch_does_not(void **state)
{
    pace = (struct osp_pace){.macs = 1e13, .bytes = 1e10, .start = 1e-8, .cache = 8e6};
    struct osp_plan *plan = plan_by(6, (struct osp_plan_wish){0}), *whole = plan_by(6, (struct osp_plan_wish){.whole = 1});
    assert_sound(plan);
    assert_sound(whole);
    assert_int_equal(slices_of(plan, EARLY), 6); /* 3.7 MB in, 3.7 MB out, of one picture */
    assert_int_equal(slices_of(plan, LATE), 1);  /* 0.5 MB in, 0.1 MB out: all six fit */
    assert_int_equal(slices_of(plan, "rpn.topk"), 1);
    assert_int_equal(slices_of(plan, "roi_heads.roi_align"), 1); /* looks at all pictures' sizes */
    assert_int_equal(whole->stretch_count, 1);
    assert_true(plan->memory.arena < whole->memory.arena);
    osp_plan_free(plan);
    pace.cache = 24e6; /* two pictures */
    plan = plan_by(6, (struct osp_plan_wish){0});
    assert_sound(plan);
    assert_int_equal(slices_of(plan, EARLY), 3);
    osp_plan_free(plan);
    osp_plan_free(whole);
}

static void no_slices_where_they_gain_nothing(void **state)
{
    static const struct osp_pace paces[] = {
        {.macs = 1e13, .bytes = 1e10, .start = 1e-8, .cache = 1e9}, /* everything fits */
        {.macs = 1e13, .bytes = 1e10, .start = 1e-8, .cache = 1e3}, /* nothing does */
        {.macs = 1e9, .bytes = 1e10, .start = 1e-8, .cache = 8e6},  /* arithmetic is the limit */
        {.macs = 1e13, .bytes = 1e10, .start = 1e-2, .cache = 8e6}, /* a start costs more than is gained */
    };
    for (size_t i = 0; i < sizeof paces / sizeof *paces; i++) {
        pace = paces[i];
        struct osp_plan *plan = plan_by(6, (struct osp_plan_wish){0});
        assert_sound(plan);
        assert_int_equal(plan->stretch_count, 1);
        osp_plan_free(plan);
    }
    pace = (struct osp_pace){.macs = 1e13, .bytes = 1e10, .start = 1e-8, .cache = 8e6};
    struct osp_plan *alone = plan_by(1, (struct osp_plan_wish){0});
    assert_int_equal(alone->stretch_count, 1);
    osp_plan_free(alone);
}

/* ---- The bits ----------------------------------------------------------------------------------------- */

enum { PICTURES = 4 };

static struct osp_image *pictures[PICTURES];

/* The photo, each time with some of its upper rows moved to the bottom. */
static void load_pictures(void)
{
    for (int i = 0; i < PICTURES; i++) {
        must(osp_image_load("models/demo/astronaut.png", NULL, &pictures[i]));
        size_t row = (size_t)pictures[i]->width * 3, moved = row * (size_t)(23 * i),
               rest = row * (size_t)pictures[i]->height - moved;
        uint8_t *upper = malloc(moved + 1);
        assert_non_null(upper);
        memcpy(upper, pictures[i]->rgb, moved);
        memmove(pictures[i]->rgb, pictures[i]->rgb + moved, rest);
        memcpy(pictures[i]->rgb + rest, upper, moved);
        free(upper);
    }
}

static struct osp_session *run(const struct osp_session_options *options, struct osp_detections *found)
{
    struct osp_session *session;
    must(osp_session_open(model, options, &session));
    must(osp_detect_batch(session, (const struct osp_image *const *)pictures, PICTURES, found));
    return session;
}

static int sliced_lines(const struct osp_plan *plan)
{
    int sliced = 0;
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        sliced += line.slices > 1;
        assert_true(line.seconds > 0); /* over all its slices */
    }
    return sliced;
}

static void assert_same_values(struct osp_session *one, struct osp_session *other)
{
    const struct osp_plan *plan = osp_session_last_plan(one);
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        float *a, *b;
        int64_t dims[4], again[4];
        int rank, rank_again;
        osp_plan_line(plan, i, &line);
        must(osp_session_value(one, line.node, &a, dims, &rank));
        must(osp_session_value(other, line.node, &b, again, &rank_again));
        size_t bytes = sizeof(float);
        assert_int_equal(rank, rank_again);
        for (int d = 0; d < rank; d++) {
            assert_int_equal(dims[d], again[d]);
            bytes *= (size_t)dims[d];
        }
        if (memcmp(a, b, bytes) != 0)
            fail_msg("%s has other bits in slices", line.node);
        free(a);
        free(b);
    }
}

static void assert_same_boxes(const struct osp_detections *a, const struct osp_detections *b)
{
    for (int i = 0; i < PICTURES; i++) {
        assert_int_equal(a[i].count, b[i].count);
        if (a[i].count)
            assert_memory_equal(a[i].items, b[i].items, (size_t)a[i].count * sizeof *a[i].items);
    }
}

static void free_found(struct osp_detections *found)
{
    for (int i = 0; i < PICTURES; i++)
        osp_detections_free(&found[i]);
}

/* Each value in memory of its own; then values that share the arena's, which a slice must not overwrite for the next. */
static void slices_change_no_bit(void **state)
{
    struct osp_detections whole[PICTURES], slices[PICTURES], shared[PICTURES], alone;
    load_pictures();
    struct osp_session *plain = run(&(struct osp_session_options){.threads = 2, .whole = 1, .keep = 1}, whole);
    struct osp_session *kept = run(&(struct osp_session_options){.threads = 8, .keep = 1}, slices);
    struct osp_session *tight = run(&(struct osp_session_options){.threads = 8}, shared);
    assert_int_equal(sliced_lines(osp_session_last_plan(plain)), 0);
    if (strcmp(osp_session_isa(kept), "portable") != 0) { /* by which arithmetic is the limit everywhere */
        assert_true(sliced_lines(osp_session_last_plan(kept)) > 0);
        assert_true(sliced_lines(osp_session_last_plan(tight)) > 0);
    }
    assert_same_values(plain, kept);
    assert_same_boxes(whole, slices);
    assert_same_boxes(whole, shared);
    assert_true(whole[0].count > 0);
    for (int i = 0; i < PICTURES; i++) { /* and of a batch of one */
        must(osp_detect(tight, pictures[i], &alone));
        assert_int_equal(alone.count, whole[i].count);
        if (alone.count)
            assert_memory_equal(alone.items, whole[i].items, (size_t)alone.count * sizeof *alone.items);
        osp_detections_free(&alone);
        osp_image_free(pictures[i]);
    }
    free_found(whole);
    free_found(slices);
    free_found(shared);
    osp_session_close(plain);
    osp_session_close(kept);
    osp_session_close(tight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_where_a_slice_fits_the_cache_and_the_batch_does_not),
        cmocka_unit_test(no_slices_where_they_gain_nothing),
        cmocka_unit_test(slices_change_no_bit),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
