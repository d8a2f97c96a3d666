/* What goes wrong on the PTX driver: kernels that fail and the sticky error, arguments that are nothing, handles that are
 * nobody's, and each call of a whole client failing in turn with nothing left behind. */
#include "ptx_client.h"

#include <stdio.h>

static void a_fault_is_sticky(void **state)
{
    static const struct {
        const char *what;
        int offset, code; /* of the address stored to, from the start of an allocation of 16 bytes */
        const char *says;
    } faults[] = {
        {"past the end", 16, CUDA_ERROR_ILLEGAL_ADDRESS, "16 bytes"}, {"far away", 1 << 30, CUDA_ERROR_ILLEGAL_ADDRESS, "store"},
        {"misaligned", 2, CUDA_ERROR_MISALIGNED_ADDRESS, "align"},    {"freed", -1, CUDA_ERROR_ILLEGAL_ADDRESS, "freed"},
        {"the host's", -2, CUDA_ERROR_ILLEGAL_ADDRESS, "host"},       {"trap", -3, CUDA_ERROR_LAUNCH_FAILED, "trap"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct client c;
        CUdeviceptr p, q;
        CUstream stream, other;
        CUevent event;
        void *host;
        unsigned word = 0;
        client_open(&c, "0");
        OK(cuMemAlloc_v2(&p, 16));
        OK(cuMemAlloc_v2(&q, 16));
        OK(cuMemHostAlloc(&host, 16, 0));
        OK(cuStreamCreate(&stream, 0));
        OK(cuStreamCreate(&other, 0));
        OK(cuEventCreate(&event, 0));
        CUdeviceptr target = p + (CUdeviceptr)faults[i].offset;
        if (faults[i].offset == -1) {
            target = q;
            OK(cuMemFree_v2(q));
        } else if (faults[i].offset == -2) {
            target = (uintptr_t)host;
        }
        if (faults[i].offset == -3)
            OK(cuLaunchKernel(c.stop, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
        else
            OK(store(&c, target, 1));
        OK(add_one(&c, p, 4, stream));
        OK(cuEventRecord(event, stream));
        FAILS(cuStreamSynchronize(NULL), faults[i].code);
        const char *story = ptx_driver_last_fault();
        if (!strstr(story, faults[i].says) || !strstr(story, "line") || !strstr(story, faults[i].offset == -3 ? "stop" : "store"))
            fail_msg("%s: %s", faults[i].what, story);

        /* Every call returns it from now on. */
        FAILS(cuCtxSynchronize(), faults[i].code);
        FAILS(cuMemAlloc_v2(&q, 16), faults[i].code);
        FAILS(cuMemcpyDtoH_v2(&word, p, 4), faults[i].code);
        FAILS(add_one(&c, p, 4, stream), faults[i].code);
        FAILS(cuStreamSynchronize(stream), faults[i].code);
        FAILS(cuEventSynchronize(event), faults[i].code);
        FAILS(cuEventQuery(event), faults[i].code);
        FAILS(cuStreamCreate(&stream, 0), faults[i].code);
        FAILS(cuModuleLoadData(&c.module, PTX), faults[i].code);
        FAILS(cuMemFree_v2(p), faults[i].code);
        FAILS(cuStreamDestroy_v2(other), faults[i].code);
        int version = 0;
        const char *name = NULL;
        OK(cuDriverGetVersion(&version));
        OK(cuGetErrorName((CUresult)faults[i].code, &name));

        /* It goes with the context, and so does all that the context held. */
        OK(cuCtxSetCurrent(NULL));
        OK(cuDevicePrimaryCtxRelease_v2(0));
        expect_nothing_left();
        client_open(&c, "0");
        OK(cuMemAlloc_v2(&p, 16));
        OK(store(&c, p, 3));
        assert_int_equal(first_of(p), 3);
        OK(cuMemFree_v2(p));
        client_close(&c);
    }
}

static void a_reset_heals(void **state)
{
    struct client c;
    client_open(&c, "0");
    OK(cuLaunchKernel(c.stop, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
    FAILS(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
    OK(cuDevicePrimaryCtxReset_v2(0));
    OK(cuCtxSynchronize());
    OK(cuDevicePrimaryCtxRelease_v2(0));
    OK(cuCtxSetCurrent(NULL));
    expect_nothing_left();
}

static void another_context_is_spared(void **state)
{
    struct client c;
    CUcontext other;
    CUdeviceptr p;
    client_open(&c, "0");
    OK(cuCtxCreate_v2(&other, 0, 0));
    OK(cuMemAlloc_v2(&p, 4));
    FAILS(cuLaunchKernel(c.stop, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), CUDA_ERROR_INVALID_HANDLE); /* the other's function */
    OK(cuCtxPushCurrent_v2(c.context));
    OK(cuLaunchKernel(c.stop, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
    FAILS(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
    OK(cuCtxPopCurrent_v2(NULL));
    OK(cuMemsetD32_v2(p, 1, 1));
    assert_int_equal(first_of(p), 1);
    OK(cuCtxDestroy_v2(other));
    OK(cuCtxSetCurrent(NULL));
    OK(cuDevicePrimaryCtxRelease_v2(0));
    expect_nothing_left();
}

/* Page-locked memory that is unregistered while a graph still names it; the free itself waits for what is in streams. */
static void a_graph_that_outlives_its_memory(void **state)
{
    struct client c;
    CUstream stream;
    CUdeviceptr p;
    CUgraph graph;
    CUgraphExec executable;
    void *host;
    client_open(&c, "0");
    OK(cuStreamCreate(&stream, 0));
    OK(cuMemAlloc_v2(&p, 16));
    OK(cuMemHostAlloc(&host, 16, 0));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuMemcpyHtoDAsync_v2(p, host, 16, stream));
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cuMemFreeHost(host));
    OK(cuGraphLaunch(executable, stream));
    FAILS(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
    assert_non_null(strstr(ptx_driver_last_fault(), "page-locked"));
    OK(cuCtxSetCurrent(NULL));
    OK(cuDevicePrimaryCtxRelease_v2(0));
    expect_nothing_left();
}

/* ---- Nothing as an argument -------------------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    void *function;
} entries[] = {
#define API(base, symbol, since, arguments) {#symbol, (void *)symbol},
#include "tools/ptx/api.def"
#undef API
};

typedef CUresult any_call(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                          uint64_t);

static CUresult call_with_nothing(void *function)
{
    any_call *call;
    memcpy(&call, &function, sizeof call);
    return call(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

/* These have nothing to refuse in zeros. */
static bool may_succeed(const char *name)
{
    static const char *const fine[] = {"cuInit",
                                       "cuCtxSynchronize",
                                       "cuCtxSynchronize_v2",
                                       "cuCtxSetCurrent",
                                       "cuCtxPopCurrent_v2",
                                       "cuDevicePrimaryCtxRelease",
                                       "cuDevicePrimaryCtxRelease_v2",
                                       "cuDevicePrimaryCtxReset",
                                       "cuDevicePrimaryCtxReset_v2",
                                       "cuDevicePrimaryCtxSetFlags",
                                       "cuDevicePrimaryCtxSetFlags_v2",
                                       "cuCtxSetFlags",
                                       "cuCtxSetLimit",
                                       "cuCtxSetCacheConfig",
                                       "cuCtxSetSharedMemConfig",
                                       "cuCtxGetStreamPriorityRange",
                                       "cuMemFree_v2",
                                       "cuMemFreeAsync",
                                       "cuStreamSynchronize",
                                       "cuStreamQuery"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (!strcmp(fine[i], name))
            return true;
    return !strncmp(name, "cuMemcpy", 8) || !strncmp(name, "cuMemset", 8); /* of no bytes */
}

static void nothing_as_an_argument(void **state)
{
    CUcontext context;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        OK(cuDevicePrimaryCtxRetain(&context, 0));
        OK(cuCtxSetCurrent(context));
        CUresult code = call_with_nothing(entries[i].function);
        if (!code && !may_succeed(entries[i].name))
            fail_msg("%s with nothing but zeros succeeds", entries[i].name);
        OK(cuCtxSetCurrent(NULL));
        cuDevicePrimaryCtxRelease_v2(0); /* it may be gone already */
    }
    OK(cuDevicePrimaryCtxSetFlags_v2(0, 0));
    expect_nothing_left();
}

static void nobodys_handles(void **state)
{
    struct client c;
    CUgraphExec executable = NULL;
    unsigned flags;
    int value;
    char memory[256] = {0};
    client_open(&c, "0");
    void *wrong[] = {(void *)8,
                     (void *)-1,
                     memory,
                     c.context,
                     c.module,
                     (char *)(void *)c.add_one + 1,
                     (void *)((uintptr_t)c.module + (1 << 24))};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FAILS(cuStreamSynchronize(wrong[i]), CUDA_ERROR_INVALID_HANDLE);
        FAILS(cuStreamDestroy_v2(wrong[i]), CUDA_ERROR_INVALID_HANDLE);
        FAILS(cuStreamGetFlags(wrong[i], &flags), CUDA_ERROR_INVALID_HANDLE);
        FAILS(cuEventRecord(wrong[i], NULL), CUDA_ERROR_INVALID_HANDLE);
        FAILS(cuEventDestroy_v2(wrong[i]), CUDA_ERROR_INVALID_HANDLE);
        FAILS(cuFuncGetAttribute(&value, 0, wrong[i]), CUDA_ERROR_INVALID_HANDLE);
        FAILS(cuGraphInstantiateWithFlags(&executable, wrong[i], 0), CUDA_ERROR_INVALID_VALUE);
        FAILS(cuGraphLaunch(wrong[i], NULL), CUDA_ERROR_INVALID_VALUE);
        FAILS(cuGraphExecDestroy(wrong[i]), CUDA_ERROR_INVALID_VALUE);
        if (wrong[i] != (void *)c.module)
            FAILS(cuModuleUnload(wrong[i]), CUDA_ERROR_INVALID_HANDLE);
        if (wrong[i] != (void *)c.context)
            FAILS(cuCtxSetCurrent(wrong[i]), CUDA_ERROR_INVALID_CONTEXT);
    }
    client_close(&c);
}

/* ---- Each call failing in turn ------------------------------------------------------------------------------------------- */
/* A client that makes one of everything, checks every call, and releases what it has. Its result: the first call that failed. */
struct all {
    bool retained;
    CUcontext context;
    CUmodule module;
    CUfunction f;
    CUdeviceptr p;
    void *host;
    CUstream stream;
    CUevent event;
    CUgraph graph;
    CUgraphExec executable;
};

static CUresult work(struct all *a)
{
    CUresult code;
    unsigned n = 4;
#define TRY(call)                                                                                                                \
    if ((code = (call)))                                                                                                         \
    return code
    TRY(cuInit(0));
    TRY(cuDevicePrimaryCtxRetain(&a->context, 0));
    a->retained = true;
    TRY(cuCtxSetCurrent(a->context));
    TRY(cuModuleLoadDataEx(&a->module, PTX, 0, NULL, NULL));
    TRY(cuModuleGetFunction(&a->f, a->module, "add_one"));
    TRY(cuMemAlloc_v2(&a->p, 16));
    TRY(cuMemHostAlloc(&a->host, 16, 0));
    memset(a->host, 0, 16);
    TRY(cuStreamCreate(&a->stream, CU_STREAM_NON_BLOCKING));
    TRY(cuEventCreate(&a->event, 0));
    TRY(cuStreamBeginCapture_v2(a->stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    TRY(cuMemcpyHtoDAsync_v2(a->p, a->host, 16, a->stream));
    void *arguments[] = {&a->p, &n};
    TRY(cuLaunchKernel(a->f, 1, 1, 1, 4, 1, 1, 0, a->stream, arguments, NULL));
    TRY(cuMemcpyDtoHAsync_v2(a->host, a->p, 16, a->stream));
    TRY(cuStreamEndCapture(a->stream, &a->graph));
    TRY(cuGraphInstantiateWithFlags(&a->executable, a->graph, 0));
    TRY(cuGraphLaunch(a->executable, a->stream));
    TRY(cuEventRecord(a->event, a->stream));
    TRY(cuEventSynchronize(a->event));
    TRY(cuStreamSynchronize(a->stream));
#undef TRY
    return CUDA_SUCCESS;
}

static CUresult release(struct all *a)
{
    CUresult first = CUDA_SUCCESS, code;
#define TRY(have, call)                                                                                                          \
    if ((have) && (code = (call)) && !first)                                                                                     \
    first = code
    TRY(a->executable, cuGraphExecDestroy(a->executable));
    TRY(a->graph, cuGraphDestroy(a->graph));
    TRY(a->stream, cuStreamDestroy_v2(a->stream));
    TRY(a->event, cuEventDestroy_v2(a->event));
    TRY(a->host, cuMemFreeHost(a->host));
    TRY(a->p, cuMemFree_v2(a->p));
    TRY(a->module, cuModuleUnload(a->module));
    TRY(a->retained, cuCtxSetCurrent(NULL));
    TRY(a->retained, cuDevicePrimaryCtxRelease_v2(0));
#undef TRY
    return first;
}

static void each_call_fails_in_turn(void **state)
{
    static const int codes[] = {CUDA_ERROR_OUT_OF_MEMORY, 999};
    setenv("PTX_DRIVER_SEED", "0", 1);
    for (size_t k = 0; k < 2; k++) {
        uint64_t failed = 0;
        for (uint64_t n = 1;; n++) {
            struct all all = {0};
            ptx_driver_fail_at(n, codes[k]);
            CUresult code = work(&all), later = release(&all);
            if (ptx_driver_calls() < n) {
                OK(code);
                OK(later);
                assert_int_equal(failed, n - 1);
                break;
            }
            failed++;
            assert_non_null(ptx_driver_call_name(n));
            if ((int)(code ? code : later) != codes[k])
                fail_msg("call %d, %s: the client saw %d and %d", (int)n, ptx_driver_call_name(n), (int)code, (int)later);
            ptx_driver_fail_at(0, 0);
            cuCtxSetCurrent(NULL);
            expect_nothing_left();
        }
        assert_true(failed > 20);
        ptx_driver_fail_at(0, 0);
        expect_nothing_left();
    }
    assert_null(ptx_driver_call_name(1));
}

static void names_of_errors(void **state)
{
    const char *name = NULL, *text = NULL;
    OK(cuGetErrorName((CUresult)700, &name));
    OK(cuGetErrorString((CUresult)700, &text));
    assert_string_equal(name, "CUDA_ERROR_ILLEGAL_ADDRESS");
    assert_true(strlen(text) > 10);
    FAILS(cuGetErrorName((CUresult)12345, &name), CUDA_ERROR_INVALID_VALUE);
    assert_null(name);
    FAILS(cuGetErrorString((CUresult)12345, &text), CUDA_ERROR_INVALID_VALUE);
}

static void not_before_cuInit(void **state)
{
    int count;
    CUcontext context;
    FAILS(cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
    FAILS(cuDevicePrimaryCtxRetain(&context, 0), CUDA_ERROR_NOT_INITIALIZED);
    FAILS(cuCtxSynchronize(), CUDA_ERROR_NOT_INITIALIZED);
    OK(cuDriverGetVersion(&count));
    OK(cuInit(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_before_cuInit),         cmocka_unit_test(names_of_errors),
        cmocka_unit_test(a_fault_is_sticky),         cmocka_unit_test(a_reset_heals),
        cmocka_unit_test(another_context_is_spared), cmocka_unit_test(a_graph_that_outlives_its_memory),
        cmocka_unit_test(nothing_as_an_argument),    cmocka_unit_test(nobodys_handles),
        cmocka_unit_test(each_call_fails_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
