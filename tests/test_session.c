/* Sessions and plans on the demo model: caching, pins, errors, and nothing allocated while running. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/build.h"
#include "runtime/graph.h"
#include "runtime/plan.h"

/* Heap allocations by our own code: the Makefile links this program so that calls of these functions in its objects come here
 * first. What an OpenMP library allocates for its teams and loops is its own affair, and differs between libgomp and libomp. */
static atomic_long allocations;

#define COUNTED(result, name, parameters, arguments)                                                                             \
    result __real_##name parameters;                                                                                             \
    result __wrap_##name parameters;                                                                                             \
    result __wrap_##name parameters                                                                                              \
    {                                                                                                                            \
        atomic_fetch_add(&allocations, 1);                                                                                       \
        return __real_##name arguments;                                                                                          \
    }
COUNTED(void *, malloc, (size_t bytes), (bytes))
COUNTED(void *, calloc, (size_t count, size_t bytes), (count, bytes))
COUNTED(void *, realloc, (void *block, size_t bytes), (block, bytes))
COUNTED(char *, strdup, (const char *text), (text))
COUNTED(char *, strndup, (const char *text, size_t most), (text, most))

/* Tensors, weights and scratch come from this one, so their bytes are counted too. */
static atomic_size_t tensor_bytes;
void *__real_aligned_alloc(size_t align, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
    atomic_fetch_add(&allocations, 1);
    atomic_fetch_add(&tensor_bytes, bytes);
    return __real_aligned_alloc(align, bytes);
}

static struct osp_model *model;

static int open_model(void **state) { return osp_model_open("models/demo/demo.safetensors", &model); }

static int close_model(void **state)
{
    osp_model_close(model);
    return 0;
}

static struct osp_session *open_session(const struct osp_session_options *options)
{
    struct osp_session *session = NULL;
    osp_status status = osp_session_open(model, options, &session);
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
    return session;
}

/* A picture with something in it everywhere. */
static struct osp_image *make_picture(int width, int height)
{
    struct osp_image *image = malloc(sizeof *image);
    image->width = width;
    image->height = height;
    image->rgb = malloc((size_t)width * (size_t)height * 3);
    for (int i = 0; i < width * height * 3; i++)
        image->rgb[i] = (uint8_t)(i * 37 + (i / 97) * 11);
    return image;
}

static void free_picture(struct osp_image *image)
{
    free(image->rgb);
    free(image);
}

static void run_once(struct osp_session *session, const struct osp_image *picture)
{
    int64_t rows[OSP_IMAGE_FIELDS] = {0, picture->height, picture->width, 96, 128};
    assert_int_equal(osp_session_run(session, &picture, rows, 1, 96, 128), OSP_OK);
}

static void a_second_run_allocates_nothing(void **state)
{
    struct osp_image *picture = make_picture(128, 96);
    struct osp_session *session = open_session(&(struct osp_session_options){.threads = 2});
    long start = allocations;
    run_once(session, picture);
    assert_true(allocations > start); /* the counter counts */
    long before = allocations;
    run_once(session, picture);
    assert_int_equal(allocations - before, 0);
    struct osp_session_times times;
    osp_session_times(session, &times);
    assert_true(times.network > 0);
    assert_true(times.pack < times.network);
    osp_session_close(session);
    free_picture(picture);
}

/* ---- Packed weights are shared ------------------------------------------------------------------------ */

/* Bytes of tensors and weights that a new session and its first run take; the session stays open. */
static size_t bytes_of_first_run(const struct osp_session_options *options, const struct osp_image *picture,
                                 struct osp_session **out)
{
    size_t before = tensor_bytes;
    *out = open_session(options);
    run_once(*out, picture);
    return tensor_bytes - before;
}

static void sessions_of_one_model_share_packed_weights(void **state)
{
    static const struct osp_session_options same = {.threads = 1}, threads = {.threads = 3},
                                            isa = {.threads = 1, .isa = "portable"};
    struct osp_image *picture = make_picture(128, 96);
    struct osp_session *first, *second, *other, *again;
    size_t alone = bytes_of_first_run(&same, picture, &first), shared = bytes_of_first_run(&threads, picture, &second),
           packed_differently = bytes_of_first_run(&isa, picture, &other);
    const size_t weights = 6 << 20; /* the demo model's file has 8 MB of them, all but a few of which get packed */
    if (alone < shared + weights)
        print_error("a first session takes %zu bytes, a second one %zu\n", alone, shared);
    assert_true(alone >= shared + weights);
    assert_true(packed_differently >= shared + weights || !strcmp(osp_session_isa(first), "portable"));
    osp_session_close(first); /* what the second one still reads stays */
    run_once(second, picture);
    osp_session_close(second);
    osp_session_close(other);
    size_t anew = bytes_of_first_run(&same, picture, &again); /* nobody had it open any more: packed again */
    assert_true(anew >= shared + weights);
    osp_session_close(again);
    free_picture(picture);
}

enum { SESSIONS = 4 };

struct one_of_many {
    const struct osp_image *picture;
    struct osp_detections found;
    int failed;
};

static void *open_and_detect(void *opaque)
{
    struct one_of_many *one = opaque;
    struct osp_session *session = NULL;
    one->failed = osp_session_open(model, &(struct osp_session_options){.threads = 1}, &session) ||
                  osp_detect(session, one->picture, &one->found);
    osp_session_close(session);
    return NULL;
}

static void threads_that_open_sessions_at_once_find_the_same(void **state)
{
    struct osp_image *picture = NULL;
    struct osp_detections alone;
    assert_int_equal(osp_image_load("models/demo/astronaut.png", NULL, &picture), OSP_OK);
    struct osp_session *session = open_session(&(struct osp_session_options){.threads = 1});
    assert_int_equal(osp_detect(session, picture, &alone), OSP_OK);
    assert_true(alone.count > 0);
    osp_session_close(session);
    for (int round = 0; round < 3; round++) {
        struct one_of_many each[SESSIONS];
        pthread_t thread[SESSIONS];
        for (int i = 0; i < SESSIONS; i++) {
            each[i] = (struct one_of_many){.picture = picture};
            assert_int_equal(pthread_create(&thread[i], NULL, open_and_detect, &each[i]), 0);
        }
        for (int i = 0; i < SESSIONS; i++)
            assert_int_equal(pthread_join(thread[i], NULL), 0);
        for (int i = 0; i < SESSIONS; i++) {
            assert_int_equal(each[i].failed, 0);
            assert_int_equal(each[i].found.count, alone.count);
            assert_memory_equal(each[i].found.items, alone.items, (size_t)alone.count * sizeof *alone.items);
            osp_detections_free(&each[i].found);
        }
    }
    osp_detections_free(&alone);
    osp_image_free(picture);
}

static void plans_are_cached_and_the_oldest_goes(void **state)
{
    struct osp_session *session = open_session(&(struct osp_session_options){.plans = 2});
    const struct osp_plan *a, *b, *c, *again;
    assert_int_equal(osp_session_plan(session, 1, 64, 64, &a), OSP_OK);
    assert_int_equal(osp_session_plan(session, 1, 64, 96, &b), OSP_OK);
    assert_int_equal(osp_session_plan(session, 1, 64, 64, &again), OSP_OK);
    assert_ptr_equal(a, again);
    assert_int_equal(osp_session_plan(session, 2, 64, 64, &c), OSP_OK); /* drops b, which was used longer ago than a */
    assert_int_equal(osp_session_plan(session, 1, 64, 64, &again), OSP_OK);
    assert_ptr_equal(a, again);
    struct osp_plan_memory memory;
    osp_plan_memory(c, &memory);
    assert_int_equal(memory.n, 2);
    osp_session_close(session);
}

static void levels_of_one_head_share_their_weights(void **state)
{
    const struct osp_graph *graph = osp_model_graph(model);
    int first = osp_graph_find(graph, "rpn.head.conv.0.0/level0"), second = osp_graph_find(graph, "rpn.head.conv.0.0/level1");
    assert_true(first >= 0 && second > first);
    assert_int_equal(graph->nodes[second].twin, first);
}

/* Seconds that the levels of the RPN's convolution take by one of the cpu's rungs, by its own account. */
static double head_seconds(const struct osp_plan *plan, int first, const char *rung)
{
    const char *owner;
    const struct osp_kernel *kernel;
    double sum = 0;
    for (int r = 0; (kernel = osp_backend_kernel(plan->backend, OSP_conv2d, r, &owner)) != NULL; r++)
        for (int i = first; !strcmp(kernel->name, rung) && i < plan->graph->node_count; i++)
            if (plan->graph->nodes[i].twin == first)
                sum += kernel->cost(plan->device, &plan->nodes[i].call);
    assert_true(sum > 0);
    return sum;
}

static void levels_of_one_head_take_one_rung(void **state)
{
    static const int sizes[][2] = {{32, 32}, {64, 64}, {64, 128}, {96, 96}, {128, 128}, {320, 320}, {640, 320}};
    const struct osp_graph *graph = osp_model_graph(model);
    const int first = osp_graph_find(graph, "rpn.head.conv.0.0/level0"), last = osp_graph_find(graph, "rpn.head.conv.0.0/level3");
    struct osp_session *session = open_session(NULL);
    const struct osp_plan *plan;
    int against_its_own = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(osp_session_plan(session, 1, sizes[i][0], sizes[i][1], &plan), OSP_OK);
        double tile = head_seconds(plan, first, "tile"), winograd = head_seconds(plan, first, "winograd");
        const char *expected = winograd <= tile ? "winograd" : "tile", *owner;
        for (int n = first; n < graph->node_count; n++) {
            if (graph->nodes[n].twin != first)
                continue;
            const struct osp_plan_node *node = &plan->nodes[n];
            const struct osp_kernel *above = osp_backend_kernel(plan->backend, OSP_conv2d, node->rung + 1, &owner),
                                    *other =
                                        above ? above : osp_backend_kernel(plan->backend, OSP_conv2d, node->rung - 1, &owner);
            assert_string_equal(node->kernel->name, expected);
            against_its_own += other->cost(plan->device, &node->call) < node->kernel->cost(plan->device, &node->call);
        }
    }
    assert_true(against_its_own > 0); /* some level alone would have taken another */
    osp_session_close(session);

    session = open_session(&(struct osp_session_options){.use = "rpn.head.conv.0.0/level3:conv2d=lanes"});
    assert_int_equal(osp_session_plan(session, 1, 320, 320, &plan), OSP_OK);
    assert_string_equal(plan->nodes[first].kernel->name, "winograd");
    assert_string_equal(plan->nodes[last].kernel->name, "lanes"); /* a pin is a pin */
    osp_session_close(session);
}

static void the_arena_is_near_its_lower_bound(void **state)
{
    static const int sizes[][3] = {{1, 320, 320}, {1, 320, 640}, {4, 320, 416}, {1, 32, 32}};
    struct osp_session *session = open_session(NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct osp_plan *plan;
        struct osp_plan_memory memory;
        assert_int_equal(osp_session_plan(session, sizes[i][0], sizes[i][1], sizes[i][2], &plan), OSP_OK);
        osp_plan_memory(plan, &memory);
        assert_true((double)memory.arena <= 1.01 * (double)memory.lower_bound);
        assert_true(memory.unshared > memory.arena);
    }
    osp_session_close(session);
}

static void expect_usage(const struct osp_session_options *options, const char *words)
{
    struct osp_session *session = NULL;
    assert_int_equal(osp_session_open(model, options, &session), OSP_USAGE);
    assert_null(session);
    if (!strstr(osp_message(), words))
        print_error("'%s' lacks '%s'\n", osp_message(), words);
    assert_non_null(strstr(osp_message(), words));
}

static void wrong_options_get_a_sentence(void **state)
{
    expect_usage(&(struct osp_session_options){.backend = "tpu"}, "no backend is called 'tpu'; there is cpu");
    expect_usage(&(struct osp_session_options){.use = "conv2d"}, "'conv2d' pins nothing");
    expect_usage(
        &(struct osp_session_options){.use = "scale=naive"},
        "'scale=naive' pins nothing: the network has no scale; it has resize, conv2d, depthwise, maxpool, upsample_add, ");
    expect_usage(&(struct osp_session_options){.use = "conv3d=naive"}, "no op is called 'conv3d'; there are resize, conv2d");
    expect_usage(&(struct osp_session_options){.precision = "f16"}, "precision 'f16'; backend cpu has f32");
    expect_usage(&(struct osp_session_options){.use = "conv2d=quantum"},
                 "conv2d has no rung 'quantum' on backend cpu; there are naive");
    expect_usage(&(struct osp_session_options){.use = "nowhere:conv2d=naive"}, "the network has no node 'nowhere'");
    expect_usage(&(struct osp_session_options){.use = "resize:conv2d=naive"}, "node 'resize' is a resize, not a conv2d");
    expect_usage(&(struct osp_session_options){.resize = "triple"}, "resize rule 'triple'");
    expect_usage(&(struct osp_session_options){.threads = -1}, "threads -1");
}

static void wrong_sizes_get_a_sentence(void **state)
{
    struct osp_session *session = open_session(NULL);
    const struct osp_plan *plan = NULL;
    assert_int_equal(osp_session_plan(session, 1, 100, 64, &plan), OSP_USAGE);
    assert_non_null(strstr(osp_message(), "multiples of 32"));
    assert_int_equal(osp_session_plan(session, 0, 64, 64, &plan), OSP_USAGE);
    assert_null(plan);
    osp_session_close(session);
}

static void a_pin_changes_one_node_or_all(void **state)
{
    struct osp_session *session = open_session(&(struct osp_session_options){.use = "conv2d=naive,nms=serial"});
    const struct osp_plan *plan;
    assert_int_equal(osp_session_plan(session, 1, 64, 64, &plan), OSP_OK);
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        if (!strcmp(line.op, "conv2d"))
            assert_string_equal(line.kernel, "cpu/conv2d/naive");
        if (!strcmp(line.op, "nms"))
            assert_string_equal(line.kernel, "cpu/nms/serial");
    }
    osp_session_close(session);
    session = open_session(&(struct osp_session_options){.use = "rpn.head.conv.0.0/level1:conv2d=naive"});
    assert_int_equal(osp_session_plan(session, 1, 64, 64, &plan), OSP_OK);
    int pinned = 0;
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        pinned += !strcmp(line.kernel, "cpu/conv2d/naive");
    }
    assert_int_equal(pinned, 1);
    osp_session_close(session);
}

static void a_second_thread_is_told_that_the_session_is_busy(void **state)
{
    struct osp_image *picture = make_picture(64, 48);
    struct osp_session *session = open_session(NULL);
    struct osp_detections found;
    assert_int_equal(osp_session_enter(session), OSP_OK); /* as if another thread were inside */
    assert_int_equal(osp_detect(session, picture, &found), OSP_BUSY);
    osp_session_leave(session);
    assert_int_equal(osp_detect(session, picture, &found), OSP_OK);
    osp_detections_free(&found);
    osp_session_close(session);
    free_picture(picture);
}

static void values_are_there_when_kept(void **state)
{
    struct osp_image *picture = make_picture(128, 96);
    struct osp_session *session = open_session(&(struct osp_session_options){.keep = 1});
    float *data;
    int64_t dims[4];
    int rank;
    run_once(session, picture);
    assert_int_equal(osp_session_value(session, "resize", &data, dims, &rank), OSP_OK);
    assert_int_equal(rank, 4);
    assert_int_equal(dims[1], 96);
    assert_int_equal(dims[3], 3);
    free(data);
    assert_int_equal(osp_session_value(session, "rpn.nms:3", &data, dims, &rank), OSP_OK);
    assert_int_equal(rank, 1);
    free(data);
    assert_int_equal(osp_session_value(session, "rpn.nms:4", &data, dims, &rank), OSP_USAGE);
    assert_int_equal(osp_session_value(session, "nobody", &data, dims, &rank), OSP_USAGE);
    osp_session_close(session);
    free_picture(picture);
}

static void a_session_knows_its_device_s_memory(void **state)
{
    static const struct osp_session_options devices[] = {{.backend = "cpu"}, {.backend = "emu"}};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        struct osp_session *session = open_session(&devices[i]);
        size_t free_bytes = 0, total = 0;
        assert_int_equal(osp_session_memory(session, &free_bytes, &total), OSP_OK);
        assert_true(free_bytes > 0 && free_bytes <= total);
        osp_session_close(session);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_run_allocates_nothing),
        cmocka_unit_test(sessions_of_one_model_share_packed_weights),
        cmocka_unit_test(threads_that_open_sessions_at_once_find_the_same),
        cmocka_unit_test(plans_are_cached_and_the_oldest_goes),
        cmocka_unit_test(levels_of_one_head_share_their_weights),
        cmocka_unit_test(levels_of_one_head_take_one_rung),
        cmocka_unit_test(the_arena_is_near_its_lower_bound),
        cmocka_unit_test(wrong_options_get_a_sentence),
        cmocka_unit_test(wrong_sizes_get_a_sentence),
        cmocka_unit_test(a_pin_changes_one_node_or_all),
        cmocka_unit_test(a_second_thread_is_told_that_the_session_is_busy),
        cmocka_unit_test(values_are_there_when_kept),
        cmocka_unit_test(a_session_knows_its_device_s_memory),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
