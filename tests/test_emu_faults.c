/* The emulated machine: its limits, what it says of kernels that do wrong, and what is left after them. Each test runs on the
 * fast build and on the checked one of each compiler; kernels in tests/emu/machine.cu. */
#include <stdlib.h>

#include "emu/rig.h"

/* ---- Limits ---------------------------------------------------------------------------------- */

static emu_status launch_of(unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, size_t shared)
{
    void *out = NULL;
    int n = 0;
    unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
    return emu->launch("dynamic", grid, block, shared, NULL, (void *[]){&out, &n});
}

static void limits_are_those_of_a_device(void **state)
{
    assert_int_equal(launch_of(1, 1, 1, 1025, 1, 1, 0), EMU_INVALID_VALUE);
    assert_int_equal(launch_of(1, 1, 1, 32, 32, 2, 0), EMU_INVALID_VALUE);
    assert_int_equal(launch_of(1, 1, 1, 1, 1, 65, 0), EMU_INVALID_VALUE);
    assert_int_equal(launch_of(1, 1, 1, 0, 1, 1, 0), EMU_INVALID_VALUE);
    assert_int_equal(launch_of(0, 1, 1, 1, 1, 1, 0), EMU_INVALID_VALUE);
    assert_int_equal(launch_of(1, 65536, 1, 1, 1, 1, 0), EMU_INVALID_VALUE);
    assert_int_equal(launch_of(1, 1, 65536, 1, 1, 1, 0), EMU_INVALID_VALUE);
    assert_int_equal(launch_of(0x80000000u, 1, 1, 1, 1, 1, 0), EMU_INVALID_VALUE);
    assert_int_equal(launch_of(1, 1, 1, 32, 1, 1, 48 * 1024 + 1), EMU_INVALID_VALUE);
    assert_int_equal(LAUNCH("no such kernel", 1, 1, NULL), EMU_NOT_FOUND);
    assert_false(emu->has_kernel("no such kernel"));
    assert_true(emu->has_kernel("dynamic"));
}

static void more_shared_memory_must_be_asked_for(void **state)
{
    int got[32], n = 200 * 256; /* words: 200 KiB */
    void *out = device_new(sizeof got);
    unsigned one[3] = {1, 1, 1}, warp[3] = {32, 1, 1};
    void *arguments[] = {&out, &n};
    assert_int_equal(emu->set_dynamic_shared("dynamic", 228 * 1024), EMU_INVALID_VALUE);
    assert_int_equal(emu->set_dynamic_shared("no such kernel", 1), EMU_NOT_FOUND);
    MUST(emu->set_dynamic_shared("dynamic", 200 * 1024));
    MUST(emu->launch("dynamic", one, warp, 200 * 1024, NULL, arguments));
    MUST(emu->copy_to_host(got, out, sizeof got, NULL));
    long long sum = 0;
    for (int i = 0; i < 32; i++)
        sum += got[i];
    assert_int_equal(sum, (long long)n * (n - 1) / 2);
    assert_int_equal(emu->launch("dynamic", one, warp, 200 * 1024 + 4, NULL, arguments), EMU_INVALID_VALUE);
    emu->set_shared_limit(99 * 1024);
    assert_int_equal(emu->set_dynamic_shared("dynamic", 100 * 1024), EMU_INVALID_VALUE);
    MUST(emu->set_dynamic_shared("dynamic", 0));
    assert_int_equal(emu->launch("dynamic", one, warp, 49 * 1024, NULL, arguments), EMU_INVALID_VALUE);
    MUST(emu->free(out));
}

static void static_shared_memory_has_a_limit(void **state)
{
    void *out = device_new(128);
    MUST(LAUNCH("too_much", 1, 32, &out));
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
    struct emu_error error = error_of("too-much-shared");
    assert_non_null(strstr(error.text, "'more'"));
    assert_string_equal(error.kernel, "too_much");
    emu->clear_errors();
    MUST(emu->free(out));
}

static void memory_has_a_limit(void **state)
{
    size_t in_use, total;
    long count;
    void *a, *b, *c;
    emu->set_memory(1000);
    MUST(emu->alloc(&a, 600));
    assert_int_equal(emu->alloc(&b, 401), EMU_OUT_OF_MEMORY);
    assert_null(b);
    MUST(emu->alloc(&b, 400));
    assert_int_equal(emu->alloc(&c, 1), EMU_OUT_OF_MEMORY);
    emu->memory_info(&in_use, &total, &count);
    assert_int_equal(in_use, 1000);
    assert_int_equal(total, 1000);
    assert_int_equal(count, 2);
    assert_non_null(strstr(emu->leaks(), "2 allocations, 1000 bytes"));
    assert_int_equal((uintptr_t)a % 256, 0);
    MUST(emu->free(a));
    MUST(emu->free(NULL));
    assert_int_equal(emu->alloc(&c, 0), EMU_INVALID_VALUE);
    MUST(emu->alloc(&c, 600));
    MUST(emu->free(b));
    MUST(emu->free(c));
    assert_int_equal(emu->free(c), EMU_INVALID_VALUE);
    error_of("bad-free");
    emu->clear_errors();
}

/* Addresses are not used again at once, and never run out. */
static void freed_memory_comes_back(void **state)
{
    enum { SIZE = 1 << 16, TIMES = 1000 };
    void *keep, *one, *seen[TIMES];
    int before = 0;
    emu->set_memory(4 * SIZE);
    MUST(emu->alloc(&keep, SIZE));
    for (int i = 0; i < TIMES; i++) {
        MUST(emu->alloc(&one, SIZE));
        assert_true((char *)one >= (char *)keep + SIZE || (char *)one + SIZE <= (char *)keep);
        seen[i] = one;
        for (int k = i < 10 ? 0 : i - 10; k < i; k++)
            assert_ptr_not_equal(seen[k], one);
        for (int k = 0; k < i; k++)
            before += seen[k] == one;
        MUST(emu->free(one));
    }
    assert_true(before > TIMES);
    MUST(emu->free(keep));
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static void hangs(const char *kernel, bool has_line)
{
    int zero = 0;
    void *stop = device_copy(&zero, sizeof zero);
    emu->set_watchdog(0.3);
    MUST(LAUNCH(kernel, 3, 32, &stop));
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
    struct emu_error error = error_of("hang");
    assert_string_equal(error.kernel, kernel);
    if (has_line)
        assert_true(line_marked(error.file, error.line, "turn", -1));
    emu->clear_errors();
    int one = 1, got = 0; /* and the device is as good as before */
    MUST(emu->copy_to_device(stop, &one, sizeof one, NULL));
    MUST(LAUNCH(kernel, 3, 32, &stop));
    MUST(emu->copy_to_host(&got, stop, sizeof got, NULL));
    MUST(emu->free(stop));
}

static void a_kernel_that_hangs_is_stopped(void **state)
{
    hangs("turn", !emu->checked);
    hangs("turn_atomic", false);
    hangs("turn_barrier", false);
}

static void a_deadlock_is_reported(void **state)
{
    void *out = device_new(4);
    MUST(LAUNCH("never", 1, 2, &out));
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
    struct emu_error error = error_of("deadlock");
    assert_non_null(strstr(error.text, "2 wait: thread 0 at the warp operation in line"));
    error_of("warp-mismatch");
    emu->clear_errors();
    MUST(emu->free(out));
}

static void an_error_names_its_place(void **state)
{
    if (!emu->checked)
        return;
    int *out = device_new(400), at = 103;
    MUST(LAUNCH("reach", 4, 32, &out, &at));
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
    struct emu_error error = error_of("out-of-bounds-global");
    assert_string_equal(error.kernel, "reach");
    assert_true(line_marked(error.file, error.line, "reach", -1));
    assert_int_equal(error.block[0], 2);
    assert_int_equal(error.thread[0], 7);
    assert_ptr_equal(error.address, out + 103);
    assert_int_equal(error.count, 1);
    assert_non_null(strstr(error.text, "12 bytes after the end of the 400 allocated"));
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED); /* it stays */
    MUST(LAUNCH("reach", 4, 32, &out, &at));
    assert_int_equal(emu->errors(), 1);
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
    assert_int_equal(emu->errors(), 2);
    error = error_of("out-of-bounds-global");
    assert_int_equal(error.count, 2);
    emu->clear_errors();
    MUST(emu->wait_all());
    MUST(emu->free(out));
}

static void addresses_that_end_a_launch(void **state)
{
    if (!emu->checked)
        return;
    static int host[64];
    int *device = device_new(256), at = 0, *null = NULL, *outside = malloc(256), *odd = (int *)((char *)device + 2);
    struct {
        int *pointer;
        const char *kind;
    } cases[] = {{null, "null-pointer"}, {outside, "host-pointer"}, {odd, "misaligned"}};
    for (int i = 0; i < 3; i++) {
        MUST(LAUNCH("reach", 3, 32, &cases[i].pointer, &at));
        assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
        assert_true(line_marked(error_of(cases[i].kind).file, error_of(cases[i].kind).line, "reach", -1));
        emu->clear_errors();
    }
    assert_int_equal(host[0], 0);
    MUST(emu->free(device));
    MUST(LAUNCH("reach", 3, 32, &device, &at)); /* what is freed is gone */
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
    error_of("out-of-bounds-global");
    emu->clear_errors();
    free(outside);
}

static void copies_stay_in_their_allocation(void **state)
{
    char host[64] = {0};
    char *device = device_new(60);
    assert_int_equal(emu->copy_to_device(device, host, 64, NULL), EMU_OK);
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
    error_of("out-of-bounds-copy");
    emu->clear_errors();
    MUST(emu->fill(host, 0, 4, NULL));
    assert_int_equal(emu->wait_all(), EMU_LAUNCH_FAILED);
    error_of("not-device-memory");
    emu->clear_errors();
    if (emu->checked) {
        MUST(emu->copy_to_device(device, host, 20, NULL));
        assert_int_equal(emu->copy_to_host(host, device, 60, NULL), EMU_LAUNCH_FAILED);
        assert_non_null(strstr(error_of("uninitialised-copy").text, "byte 20 was never written"));
        emu->clear_errors();
    }
    MUST(emu->free(device));
}

/* ---- Mutation -------------------------------------------------------------------------------- */

static void stage_once(void)
{
    float in[256] = {1};
    void *from = device_copy(in, sizeof in), *out = device_new(sizeof in);
    MUST(LAUNCH("stage", 1, 32, &from, &out));
    emu->wait_all();
    MUST(emu->free(from));
    MUST(emu->free(out));
}

static void waits_are_listed_and_taken_away(void **state)
{
    static const struct {
        const char *mark;
        enum emu_wait_kind what;
    } expected[4] = {{"wait first", EMU_COPY_WAIT},
                     {"wait warp", EMU_WARP_BARRIER},
                     {"wait second", EMU_COPY_WAIT},
                     {"wait block", EMU_BARRIER}};
    struct emu_wait found[4], wait;
    emu->clear_waits();
    stage_once();
    assert_int_equal(emu->errors(), 0);
    for (int i = 0; i < 4; i++) {
        assert_true(emu->waits(i, &found[i]));
        assert_string_equal(found[i].kernel, "stage");
        assert_int_equal(found[i].count, 32);
        int at = 0;
        while (at < 4 && !line_marked(found[i].file, found[i].line, expected[at].mark, -1))
            at++;
        assert_in_range(at, 0, 3);
        assert_int_equal(found[i].what, expected[at].what);
    }
    assert_false(emu->waits(4, &wait));
    for (int i = 0; i < 4; i++) {
        for (int loosen = 0; loosen < (found[i].what == EMU_COPY_WAIT ? 2 : 1); loosen++) {
            (loosen ? emu->loosen : emu->omit)(found[i].file, found[i].line);
            stage_once();
            /* A copy that nobody waited for is noticed by every build; a missing barrier by the checked ones */
            if (emu->checked || line_marked(found[i].file, found[i].line, "wait second", -1))
                assert_int_not_equal(emu->errors(), 0);
            emu->clear_errors();
        }
    }
    emu->omit(NULL, 0);
    stage_once();
    assert_int_equal(emu->errors(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(limits_are_those_of_a_device, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(more_shared_memory_must_be_asked_for, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(static_shared_memory_has_a_limit, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(memory_has_a_limit, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(freed_memory_comes_back, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(a_kernel_that_hangs_is_stopped, machine_begin_cores, machine_end),
        cmocka_unit_test_setup_teardown(a_deadlock_is_reported, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(an_error_names_its_place, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(addresses_that_end_a_launch, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(copies_stay_in_their_allocation, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(waits_are_listed_and_taken_away, machine_begin, machine_end),
    };
    return machine_run("limits and faults", tests, sizeof tests / sizeof *tests);
}
