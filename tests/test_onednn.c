/* The overlay onednn: whole networks against the cpu's own rungs, primitives that come and go with shapes, and threads. Its rungs
 * are held to every case of their ops by test_kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "networks.h"
#include "runtime/backend.h"
#include "runtime/constant.h"
#include "runtime/shape.h"
#include "sanitized.h"

static const struct osp_backend *backend(const char *name)
{
    int i = 0;
    while (strcmp(osp_backends[i]->name, name) != 0)
        i++;
    return osp_backends[i];
}

/* Without the library there is nothing to test: NULL, and it is said. */
static struct osp_device *open_device(const char *name, int threads)
{
    struct osp_device *device;
    osp_status status = backend(name)->open(&(struct osp_device_options){.threads = threads}, &device);
    if (status == OSP_UNAVAILABLE) {
        print_message("NOT RUN: %s\n", osp_message());
        assert_true(strstr(osp_message(), "install libdnnl") != NULL);
        return NULL;
    }
    if (status)
        fail_msg("%s: %s", name, osp_message());
    return device;
}

static int is_here(void)
{
    struct osp_device *device = open_device("onednn", 1);
    if (device)
        backend("onednn")->close(device);
    return device != NULL;
}

/* ---- Networks ---------------------------------------------------------------------------------------- */

/* Under a sanitizer one small network has to do. */
enum { FIRST = SANITIZED ? 2 : 0, END = SANITIZED ? 3 : 5 };

static void networks_agree_with_the_cpu(void **state)
{
    static const char *const uses[] = {NULL, "conv2d=direct"};
    assert_int_equal(network_count, 5);
    for (int i = FIRST; is_here() && i < END; i++) {
        for (int u = 0; u < 2; u++) {
            const struct osp_session_options options = {.backend = "onednn", .use = uses[u], .threads = 2};
            const char *how = uses[u] ? uses[u] : "the plan's choice";
            struct osp_model *model;
            struct osp_image *picture;
            struct network_outcome outcome;
            if (network_open(&networks[i], &model, &picture))
                fail_msg("%s: %s", networks[i].label, osp_message());
            osp_status status = network_compare(model, picture, &options, &outcome);
            osp_image_free(picture);
            osp_model_close(model);
            if (status)
                fail_msg("%s, %s: %s", networks[i].label, how, osp_message());
            print_message("%-28s %-18s %3d boxes, off by %.2g pixels and %.2g\n", networks[i].label, how, outcome.found,
                          outcome.box, outcome.score);
            if (!network_agrees(&outcome))
                fail_msg("%s, %s: %d boxes, the cpu has %d; %d labels or second runs differ; boxes by %g, scores by %g",
                         networks[i].label, how, outcome.found, outcome.wanted, outcome.labels_differ, outcome.box,
                         outcome.score);
            assert_true(outcome.wanted > 0);
        }
    }
}

/* ---- One node, many shapes --------------------------------------------------------------------------- */

enum { CHANNELS = 3, WIDTH = 5, TALLEST = 150 };

/* A node that is run with maps of one height after another. */
struct node {
    const struct osp_kernel *kernel;
    struct osp_device *device;
    struct osp_node_state state;
};

static void run_height(struct node *node, struct osp_call call, int height, float *out)
{
    call.in[0].shape.dim[1] = height;
    assert_int_equal(osp_infer(&call), OSP_OK);
    call.out[0].data = out;
    if (node->kernel->run(node->device, &call, &node->state))
        fail_msg("height %d: %s", height, osp_message());
}

/* More heights than primitives are kept, twice: those that were dropped are made again, and give what they gave. */
static void a_node_takes_any_number_of_shapes(void **state)
{
    struct node onednn = {.kernel = NULL}, cpu = {.kernel = backend("cpu")->ops[OSP_depthwise]->rungs[0]};
    if (!(onednn.device = open_device("onednn", 2)))
        return;
    onednn.kernel = backend("onednn")->ops[OSP_depthwise]->rungs[0];
    cpu.device = open_device("cpu", 1);
    static const float weights[CHANNELS * 9] = {1,  -2, 3,  -4, 5, -6, 7, -8, 9, 2, 4, 6, 8, -1,
                                                -3, -5, -7, -9, 3, 1,  4, 1,  5, 9, 2, 6, 5};
    float *x = malloc(TALLEST * WIDTH * CHANNELS * sizeof *x), *found = malloc(TALLEST * WIDTH * CHANNELS * sizeof *found),
          *wanted = malloc(TALLEST * WIDTH * CHANNELS * sizeof *wanted);
    assert_true(x && found && wanted);
    for (int i = 0; i < TALLEST * WIDTH * CHANNELS; i++)
        x[i] = (float)(i * 7 % 31 - 15);
    struct osp_constant *constant;
    assert_int_equal(osp_constant_new(weights, &(struct osp_shape){4, {CHANNELS, 1, 3, 3}}, &constant), OSP_OK);
    const union osp_attrs attrs = {.depthwise = {3, 3, 1, 1, OSP_RELU}};
    struct osp_call call = {.op = OSP_depthwise, .attrs = &attrs, .dims = {1, 0, 0}, .inputs = 1, .constant = {constant}};
    call.in[0] = (struct osp_tensor){.dtype = OSP_F32, .shape = {4, {1, 1, WIDTH, CHANNELS}}, .data = x};
    assert_int_equal(onednn.kernel->prepare(onednn.device, &call, &onednn.state), OSP_OK);
    assert_int_equal(cpu.kernel->prepare(cpu.device, &call, &cpu.state), OSP_OK);
    for (int i = 0; i < 2 * TALLEST; i++) {
        int height = 1 + i % TALLEST;
        run_height(&onednn, call, height, found);
        run_height(&cpu, call, height, wanted);
        assert_memory_equal(found, wanted, (size_t)height * WIDTH * CHANNELS * sizeof *found);
    }
    onednn.kernel->release(onednn.device, &onednn.state);
    cpu.kernel->release(cpu.device, &cpu.state);
    backend("onednn")->close(onednn.device);
    backend("cpu")->close(cpu.device);
    osp_constant_free(constant);
    free(x);
    free(found);
    free(wanted);
}

/* ---- Threads, and what is refused ---------------------------------------------------------------------- */

static void the_callers_threads_are_left_alone(void **state)
{
    struct osp_model *model;
    struct osp_session *session;
    struct osp_image *picture;
    struct osp_detections found;
    int before = omp_get_max_threads();
    if (!is_here())
        return;
    assert_int_equal(osp_model_open(NULL, &model), OSP_OK);
    assert_int_equal(osp_image_load(OSP_SOURCE "/models/demo/astronaut.png", NULL, &picture), OSP_OK);
    assert_int_equal(osp_session_open(model, &(struct osp_session_options){.backend = "onednn", .threads = 3}, &session), OSP_OK);
    assert_int_equal(osp_session_threads(session), 3);
    assert_non_null(strstr(osp_session_isa(session), "oneDNN 2."));
    assert_int_equal(osp_detect(session, picture, &found), OSP_OK);
    assert_int_equal(omp_get_max_threads(), before);
    osp_detections_free(&found);
    osp_session_close(session);
    osp_image_free(picture);
    osp_model_close(model);
}

static void an_instruction_set_cannot_be_pinned(void **state)
{
    struct osp_device *device;
    if (!is_here())
        return;
    assert_int_equal(backend("onednn")->open(&(struct osp_device_options){.isa = "avx2"}, &device), OSP_USAGE);
    assert_string_equal(osp_message(),
                        "onednn: the instruction set cannot be pinned to avx2: oneDNN takes the best this machine has");
    assert_int_equal(backend("onednn")->open(&(struct osp_device_options){.threads = -1}, &device), OSP_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_agree_with_the_cpu), cmocka_unit_test(a_node_takes_any_number_of_shapes),
        cmocka_unit_test(the_callers_threads_are_left_alone), cmocka_unit_test(an_instruction_set_cannot_be_pinned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
