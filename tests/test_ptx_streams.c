/* The PTX driver's streams: nothing runs before something waits, missing waits show, events, callbacks, capture and replay. */
#include "ptx_client.h"

#include <pthread.h>

static void nothing_runs_before_a_wait(void **state)
{
    struct client c;
    CUstream stream;
    CUdeviceptr p;
    unsigned *pinned;
    client_open(&c, "0");
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuMemAlloc_v2(&p, 4));
    OK(cuMemHostAlloc((void **)&pinned, 8, 0));
    pinned[0] = 5;
    pinned[1] = 77;
    OK(cuMemcpyHtoDAsync_v2(p, pinned, 4, stream));
    OK(add_one(&c, p, 1, stream));
    OK(cuMemcpyDtoHAsync_v2(pinned + 1, p, 4, stream));
    assert_int_equal(pinned[1], 77); /* a client that reads now reads the old value */
    pinned[0] = 10;                  /* and one that writes now changes what is copied */
    OK(cuStreamSynchronize(stream));
    assert_int_equal(pinned[1], 11);

    OK(cuMemsetD32Async(p, 1, 1, stream));
    OK(cuMemsetD32Async(p, 2, 1, stream));
    OK(cuMemsetD32Async(p, 3, 1, stream));
    FAILS(cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
    FAILS(cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
    OK(cuStreamQuery(stream));
    OK(cuMemFreeHost(pinned));
    OK(cuMemFree_v2(p));
    OK(cuStreamDestroy_v2(stream));
    FAILS(cuStreamDestroy_v2(stream), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
    client_close(&c);
}

/* One stream makes 8, another makes 8 + 1 of it: with a wait always 9, without one not for every seed. */
static unsigned two_streams(const char *seed, bool wait)
{
    struct client c;
    CUstream a, b;
    CUevent made;
    CUdeviceptr p;
    client_open(&c, seed);
    OK(cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
    OK(cuStreamCreateWithPriority(&b, CU_STREAM_NON_BLOCKING, -1));
    OK(cuEventCreate(&made, CU_EVENT_DISABLE_TIMING));
    OK(cuMemAlloc_v2(&p, 4));
    OK(cuMemsetD32_v2(p, 0, 1));
    OK(cuCtxSynchronize());
    OK(cuMemsetD32Async(p, 8, 1, a));
    OK(cuEventRecord(made, a));
    if (wait)
        OK(cuStreamWaitEvent(b, made, 0));
    OK(add_one(&c, p, 1, b));
    OK(cuStreamSynchronize(b));
    OK(cuStreamSynchronize(a));
    unsigned value = first_of(p);
    OK(cuEventDestroy_v2(made));
    OK(cuStreamDestroy_v2(a));
    OK(cuStreamDestroy_v2(b));
    OK(cuMemFree_v2(p));
    client_close(&c);
    return value;
}

static void a_missing_wait_shows(void **state)
{
    int wrong = 0;
    assert_int_equal(two_streams("0", true), 9);
    assert_int_equal(two_streams("0", false), 8); /* the plainest order is the one that shows it */
    for (int seed = 1; seed <= 8; seed++) {
        char text[2] = {(char)('0' + seed), 0};
        assert_int_equal(two_streams(text, true), 9);
        wrong += two_streams(text, false) != 9;
    }
    assert_true(wrong > 0);
}

static void the_null_stream_waits_for_all(void **state)
{
    struct client c;
    CUstream blocking, other;
    CUdeviceptr p;
    for (int seed = 0; seed < 4; seed++) {
        char text[2] = {(char)('0' + seed), 0};
        client_open(&c, text);
        OK(cuStreamCreate(&blocking, 0));
        OK(cuStreamCreate(&other, 0));
        OK(cuMemAlloc_v2(&p, 4));
        OK(cuMemsetD32Async(p, 3, 1, blocking));
        OK(times(&c, p, 1, 7, NULL));
        OK(add_one(&c, p, 1, other));
        OK(cuStreamSynchronize(other));
        assert_int_equal(first_of(p), 22);
        OK(cuMemsetD32Async(p, 3, 1, blocking));
        assert_int_equal(first_of(p), 3);
        OK(cuStreamDestroy_v2(blocking));
        OK(cuStreamDestroy_v2(other));
        OK(cuMemFree_v2(p));
        client_close(&c);
    }
}

static void what_a_stream_tells(void **state)
{
    struct client c;
    CUstream stream;
    int priority = 9;
    unsigned flags = 9;
    unsigned long long id = 0, other = 0;
    CUcontext context = NULL;
    CUgreenCtx green = (CUgreenCtx)&c;
    CUdevice device = 9;
    client_open(&c, "0");
    OK(cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, -99));
    OK(cuStreamGetPriority(stream, &priority));
    assert_int_equal(priority, -5);
    OK(cuStreamGetFlags(stream, &flags));
    assert_int_equal(flags, CU_STREAM_NON_BLOCKING);
    OK(cuStreamGetId(stream, &id));
    OK(cuStreamGetId(NULL, &other));
    assert_true(id != other);
    OK(cuStreamGetCtx(stream, &context));
    assert_ptr_equal(context, c.context);
    OK(cuStreamGetCtx_v2(CU_STREAM_LEGACY, &context, &green));
    assert_null(green);
    OK(cuStreamGetDevice(stream, &device));
    assert_int_equal(device, 0);
    FAILS(cuStreamSynchronize(CU_STREAM_PER_THREAD), CUDA_ERROR_NOT_SUPPORTED);
    FAILS(cuStreamCreate(&stream, 8), CUDA_ERROR_INVALID_VALUE);
    OK(cuStreamDestroy_v2(stream));
    client_close(&c);
}

static void events(void **state)
{
    struct client c;
    CUevent from, to, plain;
    CUstream stream;
    CUdeviceptr p;
    float milliseconds = -1;
    client_open(&c, "0");
    OK(cuStreamCreate(&stream, 0));
    OK(cuMemAlloc_v2(&p, 4000));
    OK(cuMemsetD8_v2(p, 0, 4000));
    OK(cuEventCreate(&from, 0));
    OK(cuEventCreate(&to, CU_EVENT_BLOCKING_SYNC));
    OK(cuEventCreate(&plain, CU_EVENT_DISABLE_TIMING));
    FAILS(cuEventCreate(&plain, 64), CUDA_ERROR_INVALID_VALUE);
    OK(cuEventQuery(from)); /* never recorded */
    OK(cuEventSynchronize(from));
    OK(cuStreamWaitEvent(stream, from, 0));
    FAILS(cuEventElapsedTime(&milliseconds, from, to), CUDA_ERROR_INVALID_HANDLE);
    OK(cuEventRecord(from, stream));
    OK(add_one(&c, p, 1000, stream));
    OK(cuEventRecordWithFlags(to, stream, 0));
    FAILS(cuEventElapsedTime_v2(&milliseconds, from, to), CUDA_ERROR_NOT_READY);
    FAILS(cuEventQuery(to), CUDA_ERROR_NOT_READY);
    OK(cuEventSynchronize(to));
    OK(cuEventQuery(to));
    OK(cuEventElapsedTime_v2(&milliseconds, from, to));
    assert_true(milliseconds > 0);
    OK(cuEventRecord(plain, stream));
    OK(cuEventSynchronize(plain));
    FAILS(cuEventElapsedTime(&milliseconds, from, plain), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cuEventRecord(plain, (CUstream)c.module), CUDA_ERROR_INVALID_HANDLE);
    OK(cuEventRecord(from, stream));
    OK(cuEventDestroy_v2(from)); /* with its record still to come */
    FAILS(cuEventDestroy_v2(from), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cuEventQuery(from), CUDA_ERROR_INVALID_HANDLE);
    OK(cuEventDestroy_v2(to));
    OK(cuEventDestroy_v2(plain));
    OK(cuMemFree_v2(p));
    OK(cuStreamDestroy_v2(stream));
    client_close(&c);
}

static void note(void *data) { ((int *)data)[0] = 10 * ((int *)data)[0] + (cuCtxSynchronize() == CUDA_ERROR_NOT_PERMITTED); }

static void note_status(CUstream stream, CUresult status, void *data)
{
    ((int *)data)[0] = 10 * ((int *)data)[0] + 2 + (int)status;
}

static void host_functions(void **state)
{
    struct client c;
    int notes = 0;
    client_open(&c, "0");
    OK(cuLaunchHostFunc(NULL, note, &notes));
    OK(cuStreamAddCallback(NULL, note_status, &notes, 0));
    assert_int_equal(notes, 0);
    OK(cuStreamSynchronize(NULL));
    assert_int_equal(notes, 12);
    FAILS(cuLaunchHostFunc(NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuStreamAddCallback(NULL, note_status, NULL, 1), CUDA_ERROR_INVALID_VALUE);
    client_close(&c);
}

static void capture_and_replay(void **state)
{
    struct client c;
    CUstream a, b;
    CUevent fork, join;
    CUgraph graph = NULL;
    CUgraphExec executable, again;
    CUgraphNode nodes[8];
    CUgraphNodeType type = 9;
    CUstreamCaptureStatus status = 9;
    CUDA_GRAPH_INSTANTIATE_PARAMS params = {.flags = 2};
    cuuint64_t id = 0, flags = 9;
    CUdeviceptr p;
    size_t count = 0;
    int notes = 0;
    char log[8] = "x";
    for (int seed = 0; seed < 4; seed++) {
        char text[2] = {(char)('0' + seed), 0};
        client_open(&c, text);
        OK(cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
        OK(cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
        OK(cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING));
        OK(cuEventCreate(&join, CU_EVENT_DISABLE_TIMING));
        OK(cuMemAlloc_v2(&p, 8));
        OK(cuMemsetD32_v2(p, 0, 2));
        OK(cuStreamBeginCapture_v2(a, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
        OK(cuStreamIsCapturing(a, &status));
        assert_int_equal(status, CU_STREAM_CAPTURE_STATUS_ACTIVE);
        OK(cuStreamGetCaptureInfo_v2(a, &status, &id, NULL, NULL, NULL));
        OK(cuStreamGetCaptureInfo_v3(a, &status, &id, NULL, NULL, NULL, NULL));
        assert_true(id != 0);
        OK(add_one(&c, p, 2, a)); /* p = 1 1 */
        OK(cuEventRecord(fork, a));
        OK(cuStreamWaitEvent(b, fork, 0));
        OK(times(&c, p + 4, 1, 5, b)); /* p = . 5, beside */
        OK(add_one(&c, p, 1, a));      /* p = 2 . */
        OK(cuEventRecord(join, b));
        OK(cuStreamWaitEvent(a, join, 0));
        OK(times(&c, p, 2, 3, a)); /* p = 6 15 */
        notes = 0;
        OK(cuLaunchHostFunc(a, note, &notes));
        OK(cuStreamEndCapture(a, &graph));
        OK(cuStreamIsCapturing(b, &status));
        assert_int_equal(status, CU_STREAM_CAPTURE_STATUS_NONE);
        OK(cuGraphGetNodes(graph, NULL, &count));
        assert_int_equal(count, 5);
        count = 8;
        OK(cuGraphGetNodes(graph, nodes, &count));
        assert_true(count == 5 && !nodes[5]);
        OK(cuGraphNodeGetType(nodes[4], &type));
        assert_int_equal(type, 3);
        OK(cuCtxSynchronize());
        assert_int_equal(first_of(p), 0); /* nothing has run */
        OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
        OK(cuGraphInstantiate_v2(&again, graph, NULL, log, sizeof log));
        OK(cuGraphExecDestroy(again));
        OK(cuGraphInstantiateWithParams(&again, graph, &params));
        OK(cuGraphExecGetFlags(again, &flags));
        assert_int_equal(flags, 2);
        OK(cuGraphDestroy(graph));
        FAILS(cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
        OK(cuGraphUpload(executable, a));
        OK(cuGraphLaunch(executable, a));
        OK(cuGraphLaunch(executable, a));   /* p = 7 16, then 8 80, then 24 240 */
        OK(cuGraphExecDestroy(executable)); /* with launches still to come */
        FAILS(cuGraphLaunch(executable, a), CUDA_ERROR_INVALID_VALUE);
        OK(cuStreamSynchronize(a));
        assert_int_equal(first_of(p), 24);
        assert_int_equal(first_of(p + 4), 240);
        assert_int_equal(notes, 11);
        OK(cuGraphExecDestroy(again));
        OK(cuGraphCreate(&graph, 0));
        OK(cuGraphDestroy(graph));
        OK(cuEventDestroy_v2(fork));
        OK(cuEventDestroy_v2(join));
        OK(cuStreamDestroy_v2(a));
        OK(cuStreamDestroy_v2(b));
        OK(cuMemFree_v2(p));
        client_close(&c);
    }
}

/* What ends a capture in an error; every row does one thing wrong between begin and end. */
static void wrong_captures(void **state)
{
    enum { SYNC, QUERY, ALLOC, CONTEXT_SYNC, NULL_STREAM, BLOCKING_COPY, FOREIGN_EVENT, UNJOINED, OWN_EVENT_QUERY, WRONGS };
    static const struct {
        int during, at_end;
    } expected[WRONGS] = {
        [SYNC] = {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED},
        [QUERY] = {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED},
        [ALLOC] = {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED},
        [CONTEXT_SYNC] = {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED},
        [NULL_STREAM] = {CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED},
        [BLOCKING_COPY] = {CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED},
        [FOREIGN_EVENT] = {CUDA_ERROR_STREAM_CAPTURE_ISOLATION, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED},
        [UNJOINED] = {CUDA_SUCCESS, CUDA_ERROR_STREAM_CAPTURE_UNJOINED},
        [OWN_EVENT_QUERY] = {CUDA_ERROR_CAPTURED_EVENT, CUDA_SUCCESS},
    };
    struct client c;
    CUstream a, b;
    CUevent event;
    CUdeviceptr p, q;
    CUgraph graph;
    client_open(&c, "0");
    OK(cuStreamCreate(&a, 0));
    OK(cuStreamCreate(&b, 0));
    OK(cuEventCreate(&event, 0));
    OK(cuMemAlloc_v2(&p, 4));
    for (int wrong = 0; wrong < WRONGS; wrong++) {
        CUresult code = CUDA_SUCCESS;
        unsigned word = 0;
        OK(cuEventRecord(event, b));
        OK(cuStreamBeginCapture_v2(a, CU_STREAM_CAPTURE_MODE_GLOBAL));
        OK(add_one(&c, p, 1, a));
        switch (wrong) {
        case SYNC:
            code = cuStreamSynchronize(a);
            break;
        case QUERY:
            code = cuStreamQuery(a);
            break;
        case ALLOC:
            code = cuMemAlloc_v2(&q, 4);
            break;
        case CONTEXT_SYNC:
            code = cuCtxSynchronize();
            break;
        case NULL_STREAM:
            code = add_one(&c, p, 1, NULL);
            break;
        case BLOCKING_COPY:
            code = cuMemcpyHtoD_v2(p, &word, 4);
            break;
        case FOREIGN_EVENT:
            code = cuStreamWaitEvent(a, event, 0);
            break;
        case UNJOINED:
            OK(cuEventRecord(event, a));
            OK(cuStreamWaitEvent(b, event, 0));
            OK(add_one(&c, p, 1, b));
            break;
        default:
            OK(cuEventRecord(event, a));
            code = cuEventQuery(event);
            break;
        }
        FAILS(code, expected[wrong].during);
        FAILS(cuStreamEndCapture(b, &graph), wrong == UNJOINED ? CUDA_ERROR_STREAM_CAPTURE_UNMATCHED : CUDA_ERROR_ILLEGAL_STATE);
        FAILS(cuStreamEndCapture(a, &graph), expected[wrong].at_end);
        if (expected[wrong].at_end == CUDA_SUCCESS)
            OK(cuGraphDestroy(graph));
        OK(cuStreamSynchronize(a)); /* the stream is as good as new */
    }
    FAILS(cuStreamBeginCapture_v2(NULL, 0), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    OK(cuStreamBeginCapture_v2(a, CU_STREAM_CAPTURE_MODE_RELAXED));
    FAILS(cuStreamBeginCapture_v2(a, 0), CUDA_ERROR_ILLEGAL_STATE);
    OK(cuMemAlloc_v2(&q, 4)); /* relaxed: allowed */
    OK(cuMemFree_v2(q));
    OK(cuStreamDestroy_v2(a)); /* the capture goes with it */
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    OK(cuThreadExchangeStreamCaptureMode(&mode));
    assert_int_equal(mode, CU_STREAM_CAPTURE_MODE_GLOBAL);
    OK(cuStreamBeginCapture_v2(b, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuMemAlloc_v2(&q, 4));
    OK(cuStreamEndCapture(b, &graph));
    OK(cuThreadExchangeStreamCaptureMode(&mode));
    OK(cuGraphDestroy(graph));
    OK(cuMemFree_v2(q));
    OK(cuEventDestroy_v2(event));
    OK(cuStreamDestroy_v2(b));
    OK(cuMemFree_v2(p));
    client_close(&c);
}

struct work {
    struct client *client;
    CUdeviceptr p;
};

static void *add_a_hundred(void *data)
{
    struct work *w = data;
    CUstream stream;
    if (cuCtxSetCurrent(w->client->context) || cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING))
        return NULL;
    for (int i = 0; i < 100; i++)
        if (add_one(w->client, w->p, 1, stream) || (i % 7 == 0 && cuStreamSynchronize(stream)))
            return NULL;
    return cuStreamDestroy_v2(stream) ? NULL : data;
}

static void threads(void **state)
{
    struct client c;
    pthread_t thread[4];
    struct work work[4];
    client_open(&c, "5");
    for (int i = 0; i < 4; i++) {
        work[i].client = &c;
        OK(cuMemAlloc_v2(&work[i].p, 4));
        OK(cuMemsetD32_v2(work[i].p, 0, 1));
    }
    OK(cuCtxSynchronize());
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, add_a_hundred, &work[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *done = NULL;
        pthread_join(thread[i], &done);
        assert_non_null(done);
        assert_int_equal(first_of(work[i].p), 100);
        OK(cuMemFree_v2(work[i].p));
    }
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_runs_before_a_wait),
        cmocka_unit_test(a_missing_wait_shows),
        cmocka_unit_test(the_null_stream_waits_for_all),
        cmocka_unit_test(what_a_stream_tells),
        cmocka_unit_test(events),
        cmocka_unit_test(host_functions),
        cmocka_unit_test(capture_and_replay),
        cmocka_unit_test(wrong_captures),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
