/* Streams, events, copies and graphs of the emulated device, on the fast build and on the checked ones. The kernel `append` puts
 * a number at the end of a list: the list tells what ran, and in which order. */
#include <stdlib.h>

#include "emu/rig.h"

enum { LIST = 32 };
static int *list; /* on the device: how many, then they */

static int list_begin(void **state)
{
    int zero[LIST] = {0};
    machine_begin(state);
    list = device_copy(zero, sizeof zero);
    return 0;
}
static int list_end(void **state)
{
    MUST(emu->free(list));
    return machine_end(state);
}

static void append(struct emu_stream *stream, int value) { MUST(launch_in(stream, "append", 1, 1, (void *[]){&list, &value})); }

/* What ran so far, with nothing waited for: device memory is the program's own. */
static int length(void) { return list[0]; }
static int item(int i) { return list[1 + i]; }
static int place_of(int value)
{
    for (int i = 0; i < length(); i++)
        if (item(i) == value)
            return i;
    fail_msg("%d did not run", value);
    return -1;
}

static struct emu_stream *stream_new(void)
{
    struct emu_stream *stream;
    MUST(emu->stream_create(&stream));
    return stream;
}
static struct emu_event *event_new(void)
{
    struct emu_event *event;
    MUST(emu->event_create(&event));
    return event;
}

/* ---- Order ----------------------------------------------------------------------------------- */

static void nothing_runs_before_something_waits(void **state)
{
    struct emu_stream *a = stream_new(), *b = stream_new();
    MUST(emu->wait_all());
    append(a, 1);
    append(b, 2);
    append(a, 3);
    assert_int_equal(length(), 0);
    MUST(emu->stream_wait(a));
    assert_int_equal(length(), 2);
    assert_int_equal(item(0), 1);
    assert_int_equal(item(1), 3);
    MUST(emu->wait_all());
    assert_int_equal(item(2), 2);
    append(b, 4);
    MUST(emu->stream_destroy(b));
    assert_int_equal(item(3), 4);
    MUST(emu->stream_destroy(a));
    assert_int_equal(emu->stream_destroy(a), EMU_INVALID_HANDLE);
    assert_int_equal(emu->stream_wait(a), EMU_INVALID_HANDLE);
}

static void the_default_stream_waits_and_is_waited_for(void **state)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct emu_stream *a = stream_new(), *b = stream_new();
        MUST(emu->fill(list, 0, sizeof(int) * LIST, NULL));
        emu->set_seed(seed);
        append(a, 1);
        append(b, 2);
        append(NULL, 3);
        append(b, 4);
        append(a, 5);
        MUST(emu->stream_wait(a));
        assert_true(place_of(1) < place_of(3) && place_of(2) < place_of(3) && place_of(3) < place_of(5));
        MUST(emu->wait_all());
        assert_true(place_of(3) < place_of(4));
        MUST(emu->stream_destroy(a));
        MUST(emu->stream_destroy(b));
    }
}

static void events_order_streams(void **state)
{
    int shuffled = 0;
    for (uint64_t seed = 0; seed < 16; seed++) {
        struct emu_stream *a = stream_new(), *b = stream_new();
        struct emu_event *event = event_new();
        MUST(emu->fill(list, 0, sizeof(int) * LIST, NULL));
        MUST(emu->wait_all());
        emu->set_seed(seed);
        MUST(emu->stream_wait_event(b, event)); /* never recorded: nothing to wait for */
        append(a, 1);
        MUST(emu->event_record(event, a));
        append(a, 2);
        MUST(emu->stream_wait_event(b, event));
        append(b, 3);
        assert_int_equal(emu->event_query(event), EMU_NOT_READY);
        MUST(emu->stream_wait(b));
        MUST(emu->event_query(event));
        assert_true(place_of(1) < place_of(3));
        if (!seed)
            assert_int_equal(length(), 2);
        MUST(emu->wait_all());
        shuffled += place_of(2) < place_of(3);
        MUST(emu->event_destroy(event));
        assert_int_equal(emu->event_destroy(event), EMU_INVALID_HANDLE);
        MUST(emu->stream_destroy(a));
        MUST(emu->stream_destroy(b));
    }
    assert_in_range(shuffled, 1, 15);
}

static void events_tell_time(void **state)
{
    struct emu_stream *a = stream_new();
    struct emu_event *from = event_new(), *to = event_new();
    float milliseconds = -1;
    assert_int_equal(emu->event_elapsed(&milliseconds, from, to), EMU_INVALID_HANDLE);
    MUST(emu->event_record(from, a));
    append(a, 1);
    MUST(emu->event_record(to, a));
    assert_int_equal(emu->event_elapsed(&milliseconds, from, to), EMU_NOT_READY);
    MUST(emu->event_wait(to));
    MUST(emu->event_elapsed(&milliseconds, from, to));
    assert_true(milliseconds > 0 && milliseconds < 60000);
    assert_non_null(strstr(emu->leaks(), "1 streams\n2 events\n"));
    MUST(emu->stream_destroy(a));
    MUST(emu->event_wait(to)); /* its stream is gone, and what it recorded with it */
    MUST(emu->event_destroy(from));
    MUST(emu->event_destroy(to));
}

/* ---- Copies ---------------------------------------------------------------------------------- */

static void pinned_memory_is_read_when_its_turn_comes(void **state)
{
    struct emu_stream *a = stream_new();
    int *pinned, pageable = 1, got = 0, *device = device_new(2 * sizeof(int));
    MUST(emu->host_alloc((void **)&pinned, sizeof *pinned));
    *pinned = 1;
    MUST(emu->copy_to_device(device, &pageable, sizeof(int), a));
    MUST(emu->copy_to_device(device + 1, pinned, sizeof(int), a));
    pageable = *pinned = 2;
    MUST(emu->copy_to_host(&got, device, sizeof got, a)); /* to pageable memory: has waited when it returns */
    assert_int_equal(got, 1);
    MUST(emu->copy_to_host(&got, device + 1, sizeof got, a));
    assert_int_equal(got, 2);
    *pinned = 0;
    MUST(emu->copy_to_host(pinned, device, sizeof got, a));
    assert_int_equal(*pinned, 0);
    MUST(emu->stream_wait(a));
    assert_int_equal(*pinned, 1);
    MUST(emu->copy_on_device(device + 1, device, sizeof(int), a));
    MUST(emu->copy_to_host(&got, device + 1, sizeof got, a));
    assert_int_equal(got, 1);
    assert_non_null(strstr(emu->leaks(), "pinned host memory"));
    MUST(emu->host_free(pinned));
    MUST(emu->host_free(NULL));
    assert_int_equal(emu->host_free(&pageable), EMU_INVALID_VALUE);
    MUST(emu->free(device));
    MUST(emu->stream_destroy(a));
}

static void arguments_are_copied_at_the_call(void **state)
{
    struct emu_stream *a = stream_new();
    int value = 7;
    MUST(launch_in(a, "append", 1, 1, (void *[]){&list, &value}));
    value = 8;
    MUST(emu->stream_wait(a));
    assert_int_equal(item(0), 7);
    MUST(emu->stream_destroy(a));
}

/* ---- Graphs ---------------------------------------------------------------------------------- */

/* 1 in a; then 2 in a and 3 in b; then 4 in a. */
static struct emu_graph *forked(struct emu_stream *a, struct emu_stream *b)
{
    struct emu_event *fork = event_new(), *join = event_new();
    struct emu_graph *graph;
    MUST(emu->capture_begin(a));
    append(a, 1);
    MUST(emu->event_record(fork, a));
    append(a, 2);
    MUST(emu->stream_wait_event(b, fork));
    append(b, 3);
    MUST(emu->event_record(join, b));
    MUST(emu->stream_wait_event(a, join));
    append(a, 4);
    MUST(emu->capture_end(a, &graph));
    MUST(emu->event_destroy(fork));
    MUST(emu->event_destroy(join));
    return graph;
}

static void a_graph_is_captured_and_replayed(void **state)
{
    struct emu_stream *a = stream_new(), *b = stream_new();
    struct emu_graph *graph = forked(a, b);
    struct emu_graph_exec *exec;
    int swapped = 0;
    MUST(emu->wait_all());
    assert_int_equal(length(), 0); /* captured, not run */
    MUST(emu->graph_instantiate(&exec, graph));
    assert_non_null(strstr(emu->leaks(), "1 graphs\n1 instantiated graphs\n"));
    MUST(emu->graph_destroy(graph));
    for (uint64_t seed = 0; seed < 16; seed++) {
        MUST(emu->fill(list, 0, sizeof(int) * LIST, NULL));
        emu->set_seed(seed);
        MUST(emu->graph_launch(exec, b));
        append(b, 5);
        MUST(emu->stream_wait(b));
        assert_int_equal(length(), 5);
        assert_int_equal(item(0), 1);
        assert_int_equal(item(3), 4);
        assert_int_equal(item(4), 5);
        swapped += item(1) == 3;
        if (!seed)
            assert_int_equal(item(1), 2);
    }
    assert_in_range(swapped, 1, 15);
    MUST(emu->graph_exec_destroy(exec));
    assert_int_equal(emu->graph_launch(exec, b), EMU_INVALID_HANDLE);
    assert_int_equal(emu->graph_destroy(graph), EMU_INVALID_HANDLE);
    MUST(emu->stream_destroy(a));
    MUST(emu->stream_destroy(b));
}

static void captures_that_go_wrong(void **state)
{
    struct emu_stream *a = stream_new(), *b = stream_new();
    struct emu_event *fork = event_new();
    struct emu_graph *graph;
    assert_int_equal(emu->capture_end(a, &graph), EMU_CAPTURE_UNMATCHED);
    assert_int_equal(emu->capture_begin(NULL), EMU_INVALID_HANDLE);
    MUST(emu->capture_begin(a));
    assert_int_equal(emu->capture_begin(a), EMU_CAPTURE_UNMATCHED);
    append(a, 1);
    assert_int_equal(emu->stream_wait(a), EMU_CAPTURE_UNSUPPORTED); /* which spoils it */
    assert_int_equal(emu->stream_destroy(a), EMU_CAPTURE_UNSUPPORTED);
    assert_int_equal(emu->capture_end(a, &graph), EMU_CAPTURE_INVALIDATED);
    assert_null(graph);

    MUST(emu->capture_begin(a));
    append(a, 1);
    MUST(emu->event_record(fork, a));
    MUST(emu->stream_wait_event(b, fork));
    append(b, 2);
    assert_int_equal(emu->capture_end(b, &graph), EMU_CAPTURE_UNMATCHED);
    assert_int_equal(emu->capture_end(a, &graph), EMU_CAPTURE_UNJOINED);

    append(a, 3); /* both streams are as before */
    append(b, 4);
    MUST(emu->wait_all());
    assert_int_equal(length(), 2);
    MUST(emu->event_destroy(fork));
    MUST(emu->stream_destroy(a));
    MUST(emu->stream_destroy(b));
}

static void what_is_done_is_counted(void **state)
{
    struct emu_totals before, after;
    int host = 0;
    MUST(emu->wait_all());
    emu->totals(&before);
    append(NULL, 1);
    MUST(emu->copy_to_host(&host, list, sizeof host, NULL));
    MUST(emu->fill(list, 0, sizeof(int), NULL));
    emu->totals(&after);
    assert_int_equal(after.fills, before.fills); /* not run yet */
    MUST(emu->wait_all());
    emu->totals(&after);
    assert_int_equal(after.launches, before.launches + 1);
    assert_int_equal(after.threads, before.threads + 1);
    assert_int_equal(after.copies, before.copies + 1);
    assert_int_equal(after.fills, before.fills + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_runs_before_something_waits, list_begin, list_end),
        cmocka_unit_test_setup_teardown(the_default_stream_waits_and_is_waited_for, list_begin, list_end),
        cmocka_unit_test_setup_teardown(events_order_streams, list_begin, list_end),
        cmocka_unit_test_setup_teardown(events_tell_time, list_begin, list_end),
        cmocka_unit_test_setup_teardown(pinned_memory_is_read_when_its_turn_comes, list_begin, list_end),
        cmocka_unit_test_setup_teardown(arguments_are_copied_at_the_call, list_begin, list_end),
        cmocka_unit_test_setup_teardown(a_graph_is_captured_and_replayed, list_begin, list_end),
        cmocka_unit_test_setup_teardown(captures_that_go_wrong, list_begin, list_end),
        cmocka_unit_test_setup_teardown(what_is_done_is_counted, list_begin, list_end),
    };
    return machine_run("streams", tests, sizeof tests / sizeof *tests);
}
