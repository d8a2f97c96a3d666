/* The overlay cudnn, on a stand-in for NVIDIA's libraries (tests/fake/nvidia.h) and the driver that interprets PTX: every case of
 * its ops, which engines it takes, and what it says when something is missing. The real libraries are only looked at: whether
 * they have what is called. tests/test_cudnn_faults.c has every call failing in turn. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cudnn_fake.h"

#if CUDNN_FAKE
#include "cases/harness.h"
#include "networks.h"

/* ---- The real libraries ------------------------------------------------------------------------------ */

static void *real_library(const char *file)
{
    void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    if (!library)
        print_message("NOT RUN: %s\n", dlerror());
    return library;
}

static void the_libraries_have_what_is_called(void **state)
{
    void *cudnn = real_library(CUDNN_LIBRARY), *cublas = real_library(CUBLAS_LIBRARY);
    struct cudnn_library table;
    memset(&table, 0, sizeof table);
#define CALL(name)                                                                                                               \
    if (library && !(*(void **)&table.name = dlsym(library, #name)))                                                             \
        fail_msg("%s", dlerror());
    void *library = cudnn;
    CUDNN_CALLS(CALL)
    library = cublas;
    CUBLAS_CALLS(CALL)
#undef CALL
    if (cudnn)
        assert_true(table.cudnnGetVersion() >= CUDNN_OLDEST && table.cudnnGetVersion() / 10000 == CUDNN_MAJOR);
    if (cublas)
        assert_true(table.cublasLtGetVersion() >= CUBLAS_OLDEST);
    if (cudnn)
        assert_string_equal(table.cudnnGetErrorString(CUDNN_STATUS_NOT_SUPPORTED_SHAPE), "CUDNN_STATUS_NOT_SUPPORTED_SHAPE");
}

/* Without a GPU there are no handles, and the first call that wants one ends it. Until then the real libraries judge every
 * descriptor and attribute of a convolution with all that can be fused, and of a product. */
static void the_libraries_take_the_descriptions(void **state)
{
    static const enum osp_activation activations[] = {OSP_LINEAR, OSP_RELU, OSP_RELU6};
    struct cudnn_part part = {.library = NULL};
    struct cuda_device device = {.backend = "cuda", .overlay = &part};
    size_t workspace;
    if (cudnn_library_open(&part.library)) {
        print_message("NOT RUN: %s\n", osp_message());
        return;
    }
    for (int i = 0; i < 3; i++) {
        struct cudnn_plan plan = {.plan = NULL};
        const struct cudnn_key conv = {
            CUDNN_FORM_FUSED, OSP_PRECISION_F32, activations[i], 1, 1, 2, 9, 7, 16, 24, 3, 3, 5, 4, 2, 1};
        assert_int_not_equal(cudnn_plan_make(&device, &conv, 1 << 20, &plan, &workspace), OSP_OK);
        assert_non_null(strstr(osp_message(), "; the graph of operations"));
        assert_int_equal(plan.parts.count, 0);
        struct cudnn_product product = {.description = NULL};
        const struct cudnn_key rows = {CUDNN_FORM_MATMUL, i, activations[i], 1, 0, .n = 64, .c = 17, .k = 91};
        assert_int_not_equal(cudnn_product_make(&device, &rows, 1 << 20, &product, &workspace), OSP_OK);
        assert_non_null(strstr(osp_message(), "cublasLtMatmulAlgoGetHeuristic: "));
        assert_null(product.description);
    }
}

/* ---- What is refused when a device is opened ----------------------------------------------------------- */

static void expect_open(const char *driver, osp_status wanted, const char *part)
{
    struct osp_device *device = NULL;
    osp_status status = cudnn_fake_backend("cudnn")->open(&(struct osp_device_options){.driver = driver}, &device);
    if (status != wanted || !strstr(osp_message(), part))
        fail_msg("status %d, wanted %d; sentence \"%s\", wanted \"%s\"", status, wanted, osp_message(), part);
    cudnn_expect_clean(part);
}

static void only_the_systems_driver_will_do(void **state)
{
    expect_open("ptx", OSP_UNAVAILABLE,
                "cudnn: driver 'ptx'; cuDNN and cuBLAS use the system's libcuda.so.1 and no other: leave --driver");
    setenv("OSPREY_CUDA_DRIVER", cudnn_fake_driver, 1);
    expect_open(NULL, OSP_UNAVAILABLE, "libcuda-ptx.so'; cuDNN and cuBLAS use the system's");
    unsetenv("OSPREY_CUDA_DRIVER");
}

static void libraries_are_missing_or_too_old(void **state)
{
    cudnn_stand_in("/nowhere/libcudnn.so.9", cudnn_fake_path);
    expect_open(cudnn_fake_driver, OSP_UNAVAILABLE,
                "cudnn: /nowhere/libcudnn.so.9 cannot be opened (/nowhere/libcudnn.so.9: cannot open shared");
    cudnn_stand_in(cudnn_fake_path, "/nowhere/libcublasLt.so");
    expect_open(cudnn_fake_driver, OSP_UNAVAILABLE, "cudnn: /nowhere/libcublasLt.so cannot be opened");
    cudnn_stand_in("libm.so.6", cudnn_fake_path);
    expect_open(cudnn_fake_driver, OSP_UNAVAILABLE, "cudnn: libm.so.6 has no cudnnGetVersion: a newer one is needed");
    cudnn_stand_in(cudnn_fake_path, "libm.so.6");
    expect_open(cudnn_fake_driver, OSP_UNAVAILABLE, "cudnn: libm.so.6 has no cublasLtGetVersion");
    cudnn_stand_in(cudnn_fake_path, cudnn_fake_path);
    fake.versions(8907, 120000);
    expect_open(cudnn_fake_driver, OSP_UNAVAILABLE, "is cuDNN 8.9; 9.0 or newer is needed: install that, or run --backend cuda");
    fake.versions(90100, 111003);
    expect_open(cudnn_fake_driver, OSP_UNAVAILABLE, "is cuBLAS 11.10; 12.0 or newer is needed");
    fake.versions(90100, 120000);
    struct osp_device *device;
    assert_int_equal(cudnn_fake_backend("cudnn")->open(&(struct osp_device_options){.driver = cudnn_fake_driver}, &device),
                     OSP_OK);
    assert_non_null(strstr(cudnn_fake_backend("cudnn")->isa(device), ", cuDNN 9.1.0, cuBLAS 12.0.0"));
    cudnn_fake_backend("cudnn")->close(device);
    cudnn_expect_clean("opened and closed");
    assert_int_equal(
        cudnn_fake_backend("cudnn")->open(&(struct osp_device_options){.driver = cudnn_fake_driver, .isa = "avx2"}, &device),
        OSP_USAGE);
}

/* ---- Every case of its ops --------------------------------------------------------------------------- */

static void run_cases(const struct case_table *table, enum osp_op op)
{
    const struct osp_backend *const backends[] = {cudnn_fake_backend("cpu"), cudnn_fake_backend("cudnn"), NULL};
    struct harness harness = {.backends = backends};
    harness_add(&harness, "cpu", &(struct osp_device_options){.threads = 1});
    harness_add(&harness, "cudnn", &(struct osp_device_options){.driver = cudnn_fake_driver});
    assert_int_equal(harness.count, 2);
    int failures = harness_run(&harness, table, op);
    harness_close(&harness);
    cudnn_expect_clean("cases");
    if (failures)
        fail_msg("%d failures", failures);
}

static void every_case_of_conv2d(void **state) { run_cases(&cases_conv2d, OSP_conv2d); }
static void every_case_of_linear(void **state)
{
    uint64_t exact = fake.products(0), rounded = fake.products(1);
    run_cases(&cases_linear, OSP_linear);
    assert_true(fake.products(0) > exact && fake.products(1) > rounded);
}

static void layers_are_the_cpus(void **state)
{
    struct cudnn_outcome found;
    for (int i = 0; i < CUDNN_LAYERS; i++) {
        cudnn_run_layer(&cudnn_layers[i], &found);
        cudnn_expect_right(&cudnn_layers[i], &found);
        cudnn_expect_clean(cudnn_layers[i].rung);
    }
}

/* ---- Engines ----------------------------------------------------------------------------------------- */

static void expect_engine(const char *rung, int engine, int operations)
{
    struct cudnn_outcome found;
    const struct cudnn_layer layer = {rung, 3, OSP_RELU, 0};
    cudnn_run_layer(&layer, &found);
    cudnn_expect_right(&layer, &found);
    cudnn_expect_clean(rung);
    if (fake.engine() != engine || fake.operations() != operations)
        fail_msg("%s: engine %d ran %d operations, wanted %d and %d", rung, fake.engine(), fake.operations(), engine, operations);
}

static void expect_refusal(const struct cudnn_layer *layer, const char *part)
{
    struct cudnn_outcome found;
    cudnn_run_layer(layer, &found);
    cudnn_expect_clean(part);
    if (!found.refused || !strstr(found.sentence, part))
        fail_msg("%s: \"%s\", wanted \"%s\"", layer->rung, found.sentence, part);
}

static void an_engine_keeps_the_precision(void **state)
{
    enum { ALL = (1u << FAKE_ENGINES) - 1 };
    expect_engine("fused", FAKE_WORKSPACE, 4); /* f32: nothing of mode A, none in mode B */
    expect_engine("fused_tf32", FAKE_TF32, 4);
    expect_engine("plain", FAKE_WORKSPACE, 1);
    fake.offer(0, 1u << FAKE_TF32 | 1u << FAKE_F32, ALL);
    expect_engine("fused", FAKE_F32, 4);
    fake.offer(ALL, 0, 0);
    expect_engine("fused", FAKE_F32, 4);
    fake.offer(1u << FAKE_ROUNDED | 1u << FAKE_F32, 0, 0);
    expect_engine("plain_tf32", FAKE_F32, 1);
    fake.offer(ALL & ~(1u << FAKE_F32 | 1u << FAKE_WORKSPACE), 1u << FAKE_LARGE, 0);
    expect_refusal(
        &(struct cudnn_layer){"fused", 3, OSP_RELU, 0},
        "cuDNN offers 7 engines for this shape and none fits f32: 2 round their inputs or use tensor cores, 1 transform "
        "(Winograd, FFT), 1 may give other bits in another run, 1 do not run on this GPU, 2 need more than 1073741824 bytes");
    fake.offer(0, 0, 0);
    expect_refusal(&(struct cudnn_layer){"plain", 3, OSP_RELU, 0}, "cuDNN offers 0 engines");
}

static void what_cannot_be_fused_is_refused(void **state)
{
    expect_refusal(&(struct cudnn_layer){"fused", 3, OSP_HARDSWISH, 0}, "cuDNN has no hard-swish to fuse");
    expect_refusal(&(struct cudnn_layer){"fused_tf32", 1, OSP_HARDSIGMOID, 0}, "cuDNN has no hard-sigmoid to fuse");
    expect_refusal(&(struct cudnn_layer){"matmul", 3, OSP_RELU, 0},
                   "only a 1x1 filter of stride 1 without padding is a matrix product");
    setenv("PTX_DRIVER_SM", "75", 1);
    expect_refusal(&(struct cudnn_layer){"matmul_tf32", 1, OSP_RELU, 1}, "tf32 needs compute capability 8.0 or newer");
    unsetenv("PTX_DRIVER_SM");
}

/* More shapes than are kept, twice: those that were dropped are made again, and say what they said. */
static void a_device_takes_any_number_of_shapes(void **state)
{
    enum { SHAPES = 600 };
    const struct osp_device_options options = {.driver = cudnn_fake_driver};
    const struct osp_kernel *kernel = cudnn_fake_backend("cudnn")->ops[OSP_linear]->rungs[0];
    const union osp_attrs attrs = {.linear = {OSP_LINEAR}};
    struct osp_device *device;
    assert_int_equal(cudnn_fake_backend("cudnn")->open(&options, &device), OSP_OK);
    size_t first = 0;
    int most = 0;
    for (int i = 0; i < 2 * SHAPES; i++) {
        struct osp_call call = {.op = OSP_linear, .attrs = &attrs, .inputs = 1, .outputs = 1};
        call.in[0] = (struct osp_tensor){.dtype = OSP_F32, .shape = {2, {1 + i % SHAPES, 3}}};
        call.out[0] = (struct osp_tensor){.dtype = OSP_F32, .shape = {2, {1 + i % SHAPES, 2}}};
        assert_null(kernel->refuses(device, &call));
        size_t scratch = kernel->scratch(device, &call);
        first = i ? first : scratch;
        assert_int_equal(scratch, first);
        most = fake.alive() > most ? fake.alive() : most;
    }
    assert_true(first > 0);
    assert_true(most >= 512 * 4 && most < SHAPES * 4);
    cudnn_fake_backend("cudnn")->close(device);
    cudnn_expect_clean("many shapes");
}

/* ---- Networks ---------------------------------------------------------------------------------------- */

static void a_network_agrees_with_the_cpu(void **state)
{
    static const char *const precisions[] = {"f32", "tf32"};
    for (int p = 0; p < 2; p++) {
        const struct osp_session_options options = {.backend = "cudnn", .driver = cudnn_fake_driver, .precision = precisions[p]};
        struct osp_model *model;
        struct osp_image *picture;
        struct network_outcome outcome;
        uint64_t exact = fake.products(0), rounded = fake.products(1);
        if (network_open(&networks[2], &model, &picture))
            fail_msg("%s: %s", networks[2].label, osp_message());
        osp_status status = network_compare(model, picture, &options, &outcome);
        osp_image_free(picture);
        osp_model_close(model);
        if (status)
            fail_msg("%s: %s", precisions[p], osp_message());
        print_message("%s, %s: %d boxes of %d, off by %.2g pixels and %.2g\n", networks[2].label, precisions[p], outcome.found,
                      outcome.wanted, outcome.box, outcome.score);
        cudnn_expect_clean(precisions[p]);
        assert_true(outcome.wanted > 0);
        if (p == 0 && !network_agrees(&outcome))
            fail_msg("%d boxes, the cpu has %d; boxes by %g, scores by %g", outcome.found, outcome.wanted, outcome.box,
                     outcome.score);
        /* Precision is never silent: only what was asked for has run. */
        assert_true(p ? fake.products(1) > rounded && fake.products(0) == exact
                      : fake.products(0) > exact && fake.products(1) == rounded);
    }
}

static void a_plan_says_why_a_layer_is_refused(void **state)
{
    const struct osp_session_options options = {.backend = "cudnn", .driver = cudnn_fake_driver};
    const struct osp_plan *plan;
    struct osp_session *session;
    struct osp_model *model;
    int refused = 0, served = 0, products = 0;
    fake.offer(1u << FAKE_TF32, 0, 0);
    assert_int_equal(osp_model_open(NULL, &model), OSP_OK);
    assert_int_equal(osp_session_open(model, &options, &session), OSP_OK);
    if (osp_session_plan(session, 1, 64, 64, &plan))
        fail_msg("%s", osp_message());
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        const char *name, *refusal;
        osp_plan_line(plan, i, &line);
        products += !strcmp(line.kernel, "cudnn/linear/matmul") || !strcmp(line.kernel, "cudnn/conv2d/matmul");
        if (strncmp(line.kernel, "cuda/conv2d/", 12) != 0)
            continue;
        served++;
        assert_true(osp_plan_rung(plan, i, 0, &name, &refusal));
        assert_string_equal(name, "plain");
        assert_non_null(refusal);
        refused += strstr(refusal, "none fits f32: 1 round their inputs or use tensor cores") != NULL;
        int rungs = 0;
        while (osp_plan_rung(plan, i, rungs, &name, &refusal))
            rungs++;
        assert_int_equal(rungs, cudnn_fake_backend("cudnn")->ops[OSP_conv2d]->count +
                                    cudnn_fake_backend("cuda")->ops[OSP_conv2d]->count);
    }
    osp_session_close(session);
    assert_true(served > 5 && refused == served && products > 2);
    assert_int_equal(
        osp_session_open(
            model, &(struct osp_session_options){.backend = "cudnn", .driver = cudnn_fake_driver, .precision = "f16"}, &session),
        OSP_USAGE);
    assert_string_equal(osp_message(), "precision 'f16'; backend cudnn has f32, tf32");
    assert_int_equal(osp_session_open(model,
                                      &(struct osp_session_options){.backend = "cudnn", .driver = cudnn_fake_driver, .graph = 1},
                                      &session),
                     OSP_USAGE);
    assert_string_equal(osp_message(), "backend cudnn cannot capture a graph");
    osp_model_close(model);
    cudnn_expect_clean("plans");
}

#define WITH_STAND_IN(test) cmocka_unit_test_setup_teardown(test, cudnn_fake_open, cudnn_fake_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_libraries_have_what_is_called),
        cmocka_unit_test(the_libraries_take_the_descriptions),
        cmocka_unit_test(only_the_systems_driver_will_do),
        WITH_STAND_IN(libraries_are_missing_or_too_old),
        WITH_STAND_IN(layers_are_the_cpus),
        WITH_STAND_IN(an_engine_keeps_the_precision),
        WITH_STAND_IN(what_cannot_be_fused_is_refused),
        WITH_STAND_IN(a_device_takes_any_number_of_shapes),
        WITH_STAND_IN(a_plan_says_why_a_layer_is_refused),
        WITH_STAND_IN(every_case_of_conv2d),
        WITH_STAND_IN(every_case_of_linear),
        WITH_STAND_IN(a_network_agrees_with_the_cpu),
    };
    return cudnn_fake_runs() ? cmocka_run_group_tests(tests, cudnn_fake_begin, NULL) : 0;
}
#else
static void it_is_in_this_build(void **state)
{
    print_message("NOT RUN: no headers of cuDNN 9 and cuBLAS here\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_in_this_build)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
