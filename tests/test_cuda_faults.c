/* What the cuda backend says when something is missing or fails: with a libcuda that answers as told (tests/fake/cuda.c), and
 * with every driver call of a whole detection failing in turn on the PTX driver. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "networks.h"
#include "runtime/backend.h"
#include "runtime/build.h"
#include "scratch.h"
#include "tools/ptx/api.h"

static char fake[1024], ptx[1024];

static const struct osp_backend *backend(const char *name)
{
    int i = 0;
    while (strcmp(osp_backends[i]->name, name) != 0)
        i++;
    return osp_backends[i];
}

static const struct osp_backend *cuda(void) { return backend("cuda"); }

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void expect_sentence(const char *what, osp_status status, osp_status wanted, const char *part)
{
    if (status != wanted || !strstr(osp_message(), part))
        print_error("%s: status %d, wanted %d; sentence \"%s\", wanted \"%s\"\n", what, status, wanted, osp_message(), part);
    assert_int_equal(status, wanted);
    assert_non_null(strstr(osp_message(), part));
}

static void expect_open(const struct osp_device_options *options, osp_status wanted, const char *part)
{
    struct osp_device *device;
    expect_sentence(options->driver ? options->driver : "the system's driver", cuda()->open(options, &device), wanted, part);
}

/* A program without kernels for a GPU says so, whatever the driver. */
static void need_kernels(void)
{
    struct osp_device *device;
    if (!strcmp(CUDA_NVCC, "")) {
        osp_status status = cuda()->open(&(struct osp_device_options){.driver = fake}, &device);
        expect_sentence("no nvcc", status, OSP_UNAVAILABLE, "built without nvcc");
        print_message("NOT RUN: %s\n", osp_message());
        skip();
    }
}

/* ---- Libraries ------------------------------------------------------------------------------------ */

static void a_library_is_missing(void **state)
{
    need_kernels();
    expect_open(&(struct osp_device_options){.driver = "/nowhere/libcuda.so.1"}, OSP_UNAVAILABLE,
                "the driver library cannot be opened (/nowhere/libcuda.so.1: cannot open shared object file");
    expect_open(&(struct osp_device_options){.driver = "libm.so.6"}, OSP_UNAVAILABLE,
                "libm.so.6 has no cuInit: a driver for CUDA 12.0 or newer is needed");
    expect_open(&(struct osp_device_options){.isa = "avx2"}, OSP_USAGE, "for the cpu backend only");
    void *system = dlopen("libcuda.so.1", RTLD_NOW);
    if (system) {
        print_message("NOT RUN: there is a libcuda.so.1 on this machine\n");
        return;
    }
    static const char sentence[] = "no NVIDIA driver on this machine (libcuda.so.1: cannot open shared object file: No such file "
                                   "or directory): install one, or run --backend emu, or --backend cuda --driver ptx";
    struct osp_device *device;
    expect_open(&(struct osp_device_options){0}, OSP_UNAVAILABLE, sentence);
    const struct osp_backend *cudnn = backend("cudnn");
    if (cudnn->ops[OSP_conv2d]) /* it is in this build; it refuses --driver ptx, so that alone would be no advice */
        expect_sentence("cudnn", cudnn->open(&(struct osp_device_options){0}, &device), OSP_UNAVAILABLE, sentence);
}

static void the_environment_names_a_driver(void **state)
{
    need_kernels();
    setenv("OSPREY_CUDA_DRIVER", "/nowhere/else.so", 1);
    expect_open(&(struct osp_device_options){0}, OSP_UNAVAILABLE, "/nowhere/else.so");
    expect_open(&(struct osp_device_options){.driver = fake, .device = 3}, OSP_USAGE, "device 3; this machine has 1");
    unsetenv("OSPREY_CUDA_DRIVER");
}

/* ---- Calls that fail while a device is opened ----------------------------------------------------------- */

static const struct {
    const char *call, *compute, *empty;
    osp_status status;
    const char *part;
} openings[] = {
    {"cuInit=35", NULL, NULL, OSP_UNAVAILABLE, "cuda: cuInit: CUDA_ERROR_FAKE (35), so says the fake; install a newer driver"},
    {"cuInit=100", NULL, NULL, OSP_UNAVAILABLE,
     "cuInit: CUDA_ERROR_NO_DEVICE (100), so says the fake; there is a driver but no GPU that it can use"},
    {"cuInit=803", NULL, NULL, OSP_UNAVAILABLE,
     "(803), so says the fake; libcuda.so and the driver in the kernel are of different"},
    {"cuInit=34", NULL, NULL, OSP_UNAVAILABLE, "the toolkit's stub of the driver"},
    {"cuInit=999", NULL, NULL, OSP_UNAVAILABLE, "cuda: cuInit: CUDA_ERROR_FAKE (999), so says the fake"},
    {"", NULL, "1", OSP_UNAVAILABLE,
     "cuDeviceGetCount: CUDA_ERROR_NO_DEVICE (100), so says the fake; there is a driver but no GPU"},
    {"", "70", NULL, OSP_UNAVAILABLE,
     "Fake GPU has compute capability 7.0; these kernels need 7.5 or newer: choose another by --device, or run --backend cpu"},
    {"cuDeviceGetCount=3", NULL, NULL, OSP_UNAVAILABLE, "cuDeviceGetCount"},
    {"cuDeviceGet=101", NULL, NULL, OSP_UNAVAILABLE, "cuDeviceGet: CUDA_ERROR_FAKE (101)"},
    {"cuDriverGetVersion=999", NULL, NULL, OSP_UNAVAILABLE, "cuDriverGetVersion"},
    {"cuDeviceGetName=999", NULL, NULL, OSP_UNAVAILABLE, "cuDeviceGetName"},
    {"cuDeviceGetAttribute=1", NULL, NULL, OSP_UNAVAILABLE,
     "cuDeviceGetAttribute: CUDA_ERROR_FAKE (1), so says the fake; a limit"},
    {"cuDevicePrimaryCtxRetain=214", NULL, NULL, OSP_UNAVAILABLE,
     "(214), so says the fake; the GPU's memory has an error that could not be corrected"},
    {"cuDevicePrimaryCtxRetain=2", NULL, NULL, OSP_MEMORY, "cuDevicePrimaryCtxRetain: CUDA_ERROR_FAKE (2)"},
    {"cuDevicePrimaryCtxRetain=46", NULL, NULL, OSP_UNAVAILABLE, "another program has this GPU for itself"},
    {"cuStreamCreate=999", NULL, NULL, OSP_UNAVAILABLE, "cuStreamCreate"},
    {"cuMemHostAlloc=2", NULL, NULL, OSP_MEMORY, "cuMemHostAlloc: CUDA_ERROR_FAKE (2), so says the fake; pinned host memory"},
    {"cuEventCreate=999", NULL, NULL, OSP_UNAVAILABLE, "cuEventCreate"},
};

static void opening_fails_in_a_sentence(void **state)
{
    struct osp_device *device;
    need_kernels();
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        set("FAKE_CUDA", openings[i].call);
        set("FAKE_CUDA_COMPUTE", openings[i].compute);
        set("FAKE_CUDA_EMPTY", openings[i].empty);
        expect_open(&(struct osp_device_options){.driver = fake}, openings[i].status, openings[i].part);
    }
    set("FAKE_CUDA", NULL);
    set("FAKE_CUDA_COMPUTE", NULL);
    set("FAKE_CUDA_EMPTY", NULL);
    assert_int_equal(cuda()->open(&(struct osp_device_options){.driver = fake}, &device), OSP_OK);
    assert_non_null(strstr(cuda()->isa(device), "Fake GPU, sm_90, driver 12.4"));
    cuda()->close(device);
}

/* ---- A small detection ---------------------------------------------------------------------------- */

static struct osp_model *model;
static uint8_t pixels[64 * 64 * 3];
static const struct osp_image picture = {64, 64, pixels};

static osp_status detect(const struct osp_session_options *options, struct osp_detections *found)
{
    struct osp_session *session;
    osp_status status = osp_session_open(model, options, &session);
    if (status)
        return status;
    status = osp_detect(session, &picture, found);
    osp_session_close(session);
    return status;
}

static void a_session_fails_in_a_sentence(void **state)
{
    static const struct {
        const char *call;
        osp_status status;
        const char *part, *also;
    } failures[] = {
        {"cuMemAlloc_v2=2", OSP_MEMORY, "cuMemAlloc: CUDA_ERROR_FAKE (2), so says the fake;",
         "bytes of device memory needed, 1000 free of 2000"},
        {"cuModuleLoadDataEx=222", OSP_UNAVAILABLE, "resize: cuda: cuModuleLoadDataEx: CUDA_ERROR_FAKE (222)",
         "it says: ptxas fatal : Unsupported .version 9.0; current version is '8.2'; install a driver that is as new"},
        {"cuModuleGetFunction=500", OSP_UNAVAILABLE, "resize: cuda: cuModuleGetFunction: CUDA_ERROR_FAKE (500)", "resize_"},
        {"cuLaunchKernel=701", OSP_UNAVAILABLE, "resize: cuda: cuLaunchKernel: CUDA_ERROR_FAKE (701)", "resize_"},
        {"cuMemcpyHtoDAsync_v2=719", OSP_UNAVAILABLE, "cuMemcpyHtoDAsync: CUDA_ERROR_FAKE (719)", ""},
        {"cuStreamSynchronize=700", OSP_UNAVAILABLE, "cuStreamSynchronize: CUDA_ERROR_FAKE (700)",
         "the wait for all work before it"},
    };
    struct osp_detections found;
    need_kernels();
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        set("FAKE_CUDA", failures[i].call);
        osp_status status = detect(&(struct osp_session_options){.backend = "cuda", .driver = fake}, &found);
        set("FAKE_CUDA", NULL);
        expect_sentence(failures[i].call, status, failures[i].status, failures[i].part);
        assert_non_null(strstr(osp_message(), failures[i].also));
    }
}

/* A kernel's fault shows at a wait; which kernel it was shows if each is waited for. */
static void a_fault_names_its_kernel_when_asked(void **state)
{
    const struct osp_session_options options = {.backend = "cuda", .driver = fake};
    struct osp_detections found;
    need_kernels();
    set("FAKE_CUDA", "cuStreamSynchronize=700");
    expect_sentence("no sync", detect(&options, &found), OSP_UNAVAILABLE, "with OSPREY_CUDA_SYNC=1 in the environment");
    set("OSPREY_CUDA_SYNC", "1");
    expect_sentence("sync", detect(&options, &found), OSP_UNAVAILABLE,
                    "resize: cuda: cuStreamSynchronize: CUDA_ERROR_FAKE (700), so says the fake; resize_");
    set("OSPREY_CUDA_SYNC", NULL);
    set("FAKE_CUDA", NULL);
}

static void a_graph_needs_a_gpu(void **state)
{
    struct osp_session *session;
    expect_sentence("cpu", osp_session_open(model, &(struct osp_session_options){.graph = 1}, &session), OSP_USAGE,
                    "backend cpu cannot capture a graph");
}

/* ---- Every call in turn --------------------------------------------------------------------------- */

struct driver {
    void (*fail_at)(uint64_t n, int code);
    uint64_t (*calls)(void);
    const char *(*name)(uint64_t n);
    void (*alive)(struct ptx_driver_alive *alive);
};

static int open_ptx(struct driver *out)
{
    void *library = dlopen(ptx, RTLD_NOW);
    if (!library)
        return 0;
    *(void **)&out->fail_at = dlsym(library, "ptx_driver_fail_at");
    *(void **)&out->calls = dlsym(library, "ptx_driver_calls");
    *(void **)&out->name = dlsym(library, "ptx_driver_call_name");
    *(void **)&out->alive = dlsym(library, "ptx_driver_allocated");
    assert_true(out->fail_at && out->calls && out->name && out->alive);
    return 1;
}

/* Nothing that a client made is left. */
static void expect_released(const struct driver *driver, const char *when)
{
    static const struct ptx_driver_alive none;
    struct ptx_driver_alive alive;
    driver->alive(&alive);
    if (memcmp(&alive, &none, sizeof alive) != 0)
        print_error("%s: still there: %llu bytes of device memory in %llu, %llu of host memory, %llu contexts, %llu streams, "
                    "%llu events, "
                    "%llu modules, %llu graphs\n",
                    when, (unsigned long long)alive.device_bytes, (unsigned long long)alive.device_allocations,
                    (unsigned long long)alive.host_bytes, (unsigned long long)alive.contexts, (unsigned long long)alive.streams,
                    (unsigned long long)alive.events, (unsigned long long)alive.modules, (unsigned long long)alive.graphs);
    assert_memory_equal(&alive, &none, sizeof alive);
}

static void same_detections(const struct osp_detections *a, const struct osp_detections *b)
{
    assert_int_equal(a->count, b->count);
    if (a->count)
        assert_memory_equal(a->items, b->items, (size_t)a->count * sizeof *a->items);
}

/* A call whose failure cannot be told to anyone: it happens while everything is closed, or while the sentence of another failure
 * is made. Its failure must only leave nothing behind. */
static int may_pass(const char *name)
{
    static const char *const silent[] = {"cuEventDestroy",  "cuStreamDestroy",    "cuMemFree",
                                         "cuModuleUnload",  "cuMemFreeHost",      "cuDevicePrimaryCtxRelease",
                                         "cuCtxSetCurrent", "cuGraphExecDestroy", "cuStreamSynchronize",
                                         "cuGetErrorName",  "cuGetErrorString",   NULL};
    for (int i = 0; silent[i]; i++)
        if (!strncmp(name, silent[i], strlen(silent[i])))
            return 1;
    return 0;
}

/* Everyday, the first two calls and the last of each name; with OSPREY_LONG, all. */
static int worth_trying(const char *const *names, uint64_t calls, uint64_t n)
{
    int before = 0, after = 0;
    for (uint64_t i = 0; i < calls; i++)
        if (i + 1 != n && !strcmp(names[i], names[n - 1]))
            *(i + 1 < n ? &before : &after) += 1;
    return before < 2 || after == 0 || getenv("OSPREY_LONG");
}

static void each_call_fails(int graph)
{
    struct driver driver;
    need_kernels();
    if (!open_ptx(&driver)) {
        print_message("NOT RUN: %s is not there\n", ptx);
        return;
    }
    const struct osp_session_options options = {.backend = "cuda", .driver = ptx, .graph = graph};
    struct osp_detections right, found;
    driver.fail_at(0, 0);
    if (detect(&options, &right) != OSP_OK)
        fail_msg("%s", osp_message());
    uint64_t calls = driver.calls(), failed = 0, passed = 0;
    expect_released(&driver, "a run that works");
    const char **names = calloc(calls, sizeof *names);
    assert_non_null(names);
    for (uint64_t n = 1; n <= calls; n++)
        assert_non_null(names[n - 1] = driver.name(n));
    for (uint64_t n = 1; n <= calls; n++) {
        if (!worth_trying(names, calls, n))
            continue;
        driver.fail_at(n, 719);
        osp_status status = detect(&options, &found);
        const char *name = driver.name(n);
        char when[128];
        snprintf(when, sizeof when, "call %llu, %s", (unsigned long long)n, name ? name : "?");
        driver.fail_at(0, 0);
        assert_non_null(name);
        if (status == OSP_OK) {
            if (!may_pass(name))
                fail_msg("%s failed and nobody noticed", when);
            same_detections(&right, &found);
            osp_detections_free(&found);
            passed++;
        } else {
            expect_sentence(when, status, OSP_UNAVAILABLE, "(719)");
            failed++;
        }
        expect_released(&driver, when);
    }
    print_message("%llu driver calls; of those tried, %llu failed with a sentence, %llu passed unseen while closing\n",
                  (unsigned long long)calls, (unsigned long long)failed, (unsigned long long)passed);
    if (detect(&options, &found) != OSP_OK)
        fail_msg("afterwards: %s", osp_message());
    same_detections(&right, &found);
    osp_detections_free(&found);
    osp_detections_free(&right);
    free(names);
}

static void each_call_of_a_detection_fails(void **state) { each_call_fails(0); }
static void each_call_of_a_graph_fails(void **state) { each_call_fails(1); }

/* A launch that a failed run left behind, larger than the first node's, is not taken for the first node's of the next run. */
static void a_failed_run_leaves_no_occupancy(void **state)
{
    struct driver driver;
    struct osp_session *session;
    struct osp_detections found;
    struct osp_line first, again;
    uint64_t n = 1;
    need_kernels();
    if (!open_ptx(&driver)) {
        print_message("NOT RUN: %s is not there\n", ptx);
        return;
    }
    driver.fail_at(0, 0);
    assert_int_equal(osp_session_open(model, &(struct osp_session_options){.backend = "cuda", .driver = ptx}, &session), OSP_OK);
    assert_int_equal(osp_detect(session, &picture, &found), OSP_OK);
    osp_detections_free(&found);
    osp_plan_line(osp_session_last_plan(session), 0, &first);
    driver.fail_at(0, 0);
    assert_int_equal(osp_detect(session, &picture, &found), OSP_OK);
    osp_detections_free(&found);
    for (int launches = 0; launches < 2; n++)
        launches += !strcmp(driver.name(n), "cuLaunchKernel");
    driver.fail_at(n - 1, 719); /* the first convolution */
    expect_sentence("the second launch", osp_detect(session, &picture, &found), OSP_UNAVAILABLE, "cuLaunchKernel");
    driver.fail_at(0, 0);
    assert_int_equal(osp_detect(session, &picture, &found), OSP_OK);
    osp_detections_free(&found);
    osp_plan_line(osp_session_last_plan(session), 0, &again);
    assert_true(first.waves > 0 && first.waves == again.waves && first.occupancy == again.occupancy);
    osp_session_close(session);
}

/* -------------------------------------------------------------------------------------------------- */

static int begin(void **state)
{
    const char *build = getenv("BUILD");
    snprintf(fake, sizeof fake, "%s/tests/libcuda-fake.so", build ? build : "build");
    snprintf(ptx, sizeof ptx, "%s/libcuda-ptx.so", build ? build : "build");
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * i / 64 + i / 7);
    if (scratch_begin(state))
        return 1;
    return network_open_small(&model) != OSP_OK;
}

static int end(void **state)
{
    osp_model_close(model);
    return scratch_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_library_is_missing),
        cmocka_unit_test(the_environment_names_a_driver),
        cmocka_unit_test(opening_fails_in_a_sentence),
        cmocka_unit_test(a_session_fails_in_a_sentence),
        cmocka_unit_test(a_fault_names_its_kernel_when_asked),
        cmocka_unit_test(a_graph_needs_a_gpu),
        cmocka_unit_test(each_call_of_a_detection_fails),
        cmocka_unit_test(each_call_of_a_graph_fails),
        cmocka_unit_test(a_failed_run_leaves_no_occupancy),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
