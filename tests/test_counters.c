/* What the checked build counts, against numbers worked out by hand: requests of a warp, active lanes, sectors of 32 bytes,
 * passes over the banks of shared memory. Exact, whichever compiler put in the hooks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu/builds.h"

/* One kind of access of a kernel. `parts` is of all its requests together: sectors where the memory is global, passes where it is
 * shared. `ideal`: the fewest possible. */
struct access {
    long requests, lanes, parts, ideal;
};

struct counter_case {
    const char *name, *kernel;
    unsigned grid[3], block[3];
    int n, stride, offset;
    struct access load, store, shared_load, shared_store, atomic, shared_atomic;
};

/* clang-format off */
#define COPY .grid = {4, 1, 1}, .block = {256, 1, 1}, .n = 1024
/* 32 warps write 1,024 neighbours of a size: one request each */
#define STORE(size) .store = {32, 1024, 32 * (size), 32 * (size)}
#define TILES .grid = {4, 4, 1}, .block = {32, 8, 1}, .n = 128
/* 16 blocks of 8 warps, 4 requests each */
#define TILE_ROWS {512, 16384, 512 * 4, 512 * 4}
#define ONE_WARP .grid = {1, 1, 1}, .block = {32, 1, 1}
/* One warp fills 16 KiB: 128 bytes a pass */
#define FILL_4 .shared_store = {128, 4096, 128, 128}, .store = {1, 32, 4, 4}
#define FILL_8 .shared_store = {64, 2048, 128, 128}, .store = {1, 32, 8, 8}
#define FILL_16 .shared_store = {32, 1024, 128, 128}, .store = {1, 32, 16, 16}

static const struct counter_case cases[] = {
    /* A sector holds 8 floats: 32 lanes, `stride` apart, touch 4 * stride sectors, and no more than 32. */
    {"copy, stride 1", "copy_4", COPY, .stride = 1, .load = {32, 1024, 32 * 4, 32 * 4}, STORE(4)},
    {"copy, stride 2", "copy_4", COPY, .stride = 2, .load = {32, 1024, 32 * 8, 32 * 4}, STORE(4)},
    {"copy, stride 4", "copy_4", COPY, .stride = 4, .load = {32, 1024, 32 * 16, 32 * 4}, STORE(4)},
    {"copy, stride 8", "copy_4", COPY, .stride = 8, .load = {32, 1024, 32 * 32, 32 * 4}, STORE(4)},
    {"copy, stride 32", "copy_4", COPY, .stride = 32, .load = {32, 1024, 32 * 32, 32 * 4}, STORE(4)},
    {"copy, 1 float off", "copy_4", COPY, .stride = 1, .offset = 1, .load = {32, 1024, 32 * 5, 32 * 4}, STORE(4)},
    {"copy, 8 floats off", "copy_4", COPY, .stride = 1, .offset = 8, .load = {32, 1024, 32 * 4, 32 * 4}, STORE(4)},
    {"copy of float4", "copy_16", COPY, .stride = 1, .load = {32, 1024, 32 * 16, 32 * 16}, STORE(16)},
    {"copy of float2", "copy_8", COPY, .stride = 1, .load = {32, 1024, 32 * 8, 32 * 8}, STORE(8)},
    {"copy of halves", "copy_2", COPY, .stride = 1, .load = {32, 1024, 32 * 2, 32 * 2}, STORE(2)},
    /* 31 whole warps and one of 8 lanes */
    {"copy, last warp in part", "copy_4", .grid = {5, 1, 1}, .block = {224, 1, 1}, .n = 1000, .stride = 1,
     .load = {32, 1000, 31 * 4 + 1, 31 * 4 + 1}, .store = {32, 1000, 31 * 4 + 1, 31 * 4 + 1}},

    {"transpose, naive", "transpose_naive", TILES, .load = TILE_ROWS, .store = {512, 16384, 512 * 32, 512 * 4}},
    /* A column of a tile 32 wide is in one bank; 33 wide, in 32 of them. */
    {"transpose, tile 32 wide", "transpose_32", TILES, .load = TILE_ROWS, .store = TILE_ROWS,
     .shared_load = {512, 16384, 512 * 32, 512}, .shared_store = {512, 16384, 512, 512}},
    {"transpose, tile 33 wide", "transpose_33", TILES, .load = TILE_ROWS, .store = TILE_ROWS,
     .shared_load = {512, 16384, 512, 512}, .shared_store = {512, 16384, 512, 512}},

    /* gcd(stride, 32) lanes meet in a bank. */
    {"shared floats, stride 1", "shared_4", ONE_WARP, .stride = 1, .shared_load = {1, 32, 1, 1}, FILL_4},
    {"shared floats, stride 2", "shared_4", ONE_WARP, .stride = 2, .shared_load = {1, 32, 2, 1}, FILL_4},
    {"shared floats, stride 3", "shared_4", ONE_WARP, .stride = 3, .shared_load = {1, 32, 1, 1}, FILL_4},
    {"shared floats, stride 6", "shared_4", ONE_WARP, .stride = 6, .shared_load = {1, 32, 2, 1}, FILL_4},
    {"shared floats, stride 16", "shared_4", ONE_WARP, .stride = 16, .shared_load = {1, 32, 16, 1}, FILL_4},
    {"shared floats, stride 32", "shared_4", ONE_WARP, .stride = 32, .shared_load = {1, 32, 32, 1}, FILL_4},
    {"shared floats, one for all", "shared_4", ONE_WARP, .stride = 0, .shared_load = {1, 32, 1, 1}, FILL_4},
    /* 8 bytes a lane go by half warps, 16 by quarters. */
    {"shared float2, stride 1", "shared_8", ONE_WARP, .stride = 1, .shared_load = {1, 32, 2, 2}, FILL_8},
    {"shared float2, stride 2", "shared_8", ONE_WARP, .stride = 2, .shared_load = {1, 32, 4, 2}, FILL_8},
    {"shared float2, stride 16", "shared_8", ONE_WARP, .stride = 16, .shared_load = {1, 32, 32, 2}, FILL_8},
    {"shared float4, stride 1", "shared_16", ONE_WARP, .stride = 1, .shared_load = {1, 32, 4, 4}, FILL_16},
    {"shared float4, stride 2", "shared_16", ONE_WARP, .stride = 2, .shared_load = {1, 32, 8, 4}, FILL_16},
    {"shared float4, stride 8", "shared_16", ONE_WARP, .stride = 8, .shared_load = {1, 32, 32, 4}, FILL_16},
};

/* Beyond the 27: lanes that part, atomics, instrumentation that leaves something out, asynchronous copies. */
static const struct counter_case others[] = {
    /* 16 odd floats, then 16 even ones, are in 4 sectors each. */
    {"odd and even lanes part", "odd_even", ONE_WARP, .load = {2, 32, 8, 4}, .store = {1, 32, 4, 4}},
    /* In round k are lanes k to 31, from float 32 k + k: 1 sector for each 8 begun, the last 8 for k = 24 and up. */
    {"lane t goes round t + 1 times", "triangle", ONE_WARP, .load = {32, 528, 80, 80}, .store = {1, 32, 4, 4}},
    {"atomics on one shared word", "same_word", .grid = {1, 1, 1}, .block = {256, 1, 1},
     .shared_store = {1, 32, 1, 1}, .shared_load = {1, 32, 1, 1}, .shared_atomic = {8, 256, 256, 8}, .atomic = {1, 32, 4, 4}},
    {"+= reads and writes", "increment", COPY, .load = {32, 1024, 128, 128}, STORE(4)},
    {"asynchronous copy", "async_copy", ONE_WARP, .load = {1, 32, 16, 16}, .shared_store = {1, 32, 4, 4},
     .shared_load = {1, 32, 4, 4}, .store = {1, 32, 16, 16}},
};
/* clang-format on */

enum { CASES = sizeof cases / sizeof cases[0], OTHERS = sizeof others / sizeof others[0], BYTES = 1 << 18 };

static void need(emu_status status)
{
    if (status != EMU_OK)
        fail_msg("the emulator answers %d", status);
}

static struct access *slot_of(struct counter_case *got, const struct emu_access *access)
{
    if (access->atomic)
        return access->shared ? &got->shared_atomic : &got->atomic;
    if (access->shared)
        return access->store ? &got->shared_store : &got->shared_load;
    return access->store ? &got->store : &got->load;
}

static bool same(const struct access *a, const struct access *b) { return memcmp(a, b, sizeof *a) == 0; }

static void run_case(const struct emu_table *emu, const char *build, const struct counter_case *test, void *a, void *b)
{
    struct counter_case got = {0};
    struct emu_access access;
    void *arguments[] = {&a, &b, (void *)&test->n, (void *)&test->stride, (void *)&test->offset};
    emu->clear_accesses();
    need(emu->fill(b, 0, BYTES, NULL));
    need(emu->launch(test->kernel, test->grid, test->block, 0, NULL, arguments));
    need(emu->wait_all());
    for (int i = 0; emu->access(i, &access); i++) {
        struct access *slot = slot_of(&got, &access);
        if (strcmp(access.kernel, test->kernel) != 0 || !strstr(access.file, "tests/emu/counters.cu"))
            fail_msg("%s, %s: an access in %s, %s:%d", build, test->name, access.kernel, access.file, access.line);
        assert_int_equal(access.bytes, access.lanes * access.size);
        slot->requests += access.requests;
        slot->lanes += access.lanes;
        slot->parts += access.shared ? access.wavefronts : access.sectors;
        slot->ideal += access.shared ? access.ideal_wavefronts : access.ideal_sectors;
    }
    const struct {
        const char *name;
        const struct access *got, *want;
    } slots[] = {{"load", &got.load, &test->load},
                 {"store", &got.store, &test->store},
                 {"shared load", &got.shared_load, &test->shared_load},
                 {"shared store", &got.shared_store, &test->shared_store},
                 {"atomic", &got.atomic, &test->atomic},
                 {"shared atomic", &got.shared_atomic, &test->shared_atomic}};
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        if (!same(slots[i].got, slots[i].want))
            fail_msg("%s, %s, %s: %ld requests, %ld lanes, %ld parts (%ld at best); want %ld, %ld, %ld (%ld)", build, test->name,
                     slots[i].name, slots[i].got->requests, slots[i].got->lanes, slots[i].got->parts, slots[i].got->ideal,
                     slots[i].want->requests, slots[i].want->lanes, slots[i].want->parts, slots[i].want->ideal);
}

static void run_cases(const struct counter_case *table, int count)
{
    for (const char *const *build = builds_checked(); *build; build++) {
        const struct emu_table *emu = build_open(*build);
        void *a, *b;
        emu->set_checks(EMU_CHECK_MEMORY | EMU_COUNT);
        need(emu->alloc(&a, BYTES));
        need(emu->alloc(&b, BYTES));
        need(emu->fill(a, 0, BYTES, NULL));
        for (int i = 0; i < count; i++)
            run_case(emu, *build, &table[i], a, b);
        need(emu->free(a));
        need(emu->free(b));
        print_message("%s: %d of %d counter cases exact\n", *build, count, count);
    }
}

static void test_cases(void **state) { run_cases(cases, CASES); }
static void test_others(void **state) { run_cases(others, OTHERS); }

/* A line's accesses are put to that line, also through a function that was inlined. */
static void test_lines(void **state)
{
    static const unsigned one[3] = {1, 1, 1}, warp[3] = {32, 1, 1};
    for (const char *const *build = builds_checked(); *build; build++) {
        const struct emu_table *emu = build_open(*build);
        struct emu_access access;
        void *a, *b;
        int zero = 0, found = 0;
        emu->set_checks(EMU_CHECK_MEMORY | EMU_COUNT);
        need(emu->alloc(&a, BYTES));
        need(emu->alloc(&b, BYTES));
        need(emu->fill(a, 0, BYTES, NULL));
        emu->clear_accesses();
        need(emu->launch("odd_even", one, warp, 0, NULL, (void *[]){&a, &b, &zero, &zero, &zero}));
        need(emu->wait_all());
        for (int i = 0; emu->access(i, &access); i++) {
            assert_true(line_marked(access.file, access.line, access.store ? "store" : "load", -1));
            found++;
        }
        assert_int_equal(found, 3);
        need(emu->free(a));
        need(emu->free(b));
    }
}

int main(void)
{
    _Static_assert(CASES == 27, "the cases of the specification");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_others), cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
