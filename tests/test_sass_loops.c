/* What is read out of machine code: the main loop of a kernel and the way round it, of instructions that are written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "tools/ladder/sass.h"

struct code {
    unsigned char bytes[64 * 16];
    size_t size;
};

static void put(struct code *code, uint64_t low, uint64_t high)
{
    memcpy(code->bytes + code->size, &low, 8);
    memcpy(code->bytes + code->size + 8, &high, 8);
    code->size += 16;
}

/* A jump to so many instructions from here; always, or where predicate 0 says so. */
static void put_jump(struct code *code, int arch, int to, bool always)
{
    int64_t bytes = (to - 1) * 16, words = bytes / 4;
    uint64_t low = arch < 90 ? (uint64_t)bytes << 32 : (uint64_t)(words >> 8) << 34 | (uint64_t)(words & 0xff) << 16;
    put(code, low | (always ? 0x7947 : 0x947), bytes < 0 ? 0xffff : 0);
}

/* A loop around a loop: the inner one has two FFMA, an LDS.128, an STS of 32 bits and its jump. */
static struct code two_loops(int arch)
{
    struct code code = {.size = 0};
    put(&code, 0x919, 0);
    put(&code, 0x981, 6 << 9); /* LDG.128: in the outer loop only */
    put(&code, 0x223, 0);
    put(&code, 0xa23, 0);
    put(&code, 0x984, 6 << 9);
    put(&code, 0x388, 4 << 9);
    put_jump(&code, arch, -4, false);
    put_jump(&code, arch, -6, false);
    put(&code, 0x794d, 0);
    put_jump(&code, arch, 0, true);
    put(&code, 0x918, 0);
    return code;
}

static void loops(void **state)
{
    static const int archs[] = {75, 80, 86, 89, 90, 100, 120};
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        struct code code = two_loops(archs[i]);
        struct sass_kernel kernel;
        assert_int_equal(sass_mix_of(code.bytes, code.size, archs[i], &kernel), OSP_OK);
        assert_int_equal(kernel.all.count, 10);
        assert_int_equal(kernel.all.of[SASS_LDG], 1);
        assert_int_equal(kernel.all.ldg_bytes, 16);
        assert_int_equal(kernel.loop_at, 32);
        assert_int_equal(kernel.loop.count, 5);
        assert_int_equal(kernel.loop.of[SASS_FFMA], 2);
        assert_int_equal(kernel.loop.lds_bytes, 16);
        assert_int_equal(kernel.loop.sts_bytes, 4);
        assert_int_equal(kernel.loop.of[SASS_LDG], 0);
        assert_true(sass_share(&kernel.loop) == 0.4);
        assert_int_equal(kernel.once.count, 9); /* to the exit */
    }
}

/* Once round a loop goes either through a loop of one FFMA, or past it through three: only what lies on that way counts. */
static void ways(void **state)
{
    static const int archs[] = {75, 89, 90, 120};
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        struct code code = {.size = 0};
        struct sass_kernel kernel;
        put_jump(&code, archs[i], 5, false); /* 0: to 5 */
        put(&code, 0x7223, 0);
        put(&code, 0x7984, 6 << 9);
        put_jump(&code, archs[i], -2, false); /* 3: to 1 */
        put_jump(&code, archs[i], 4, true);   /* 4: to 8 */
        for (int k = 0; k < 3; k++)
            put(&code, 0x7223, 0);
        put(&code, 0x7981, 6 << 9);
        put(&code, 0x7b1d, 0);
        put_jump(&code, archs[i], -10, false); /* 10: to 0 */
        put(&code, 0x794d, 0);
        assert_int_equal(sass_mix_of(code.bytes, code.size, archs[i], &kernel), OSP_OK);
        assert_int_equal(kernel.loop_at, 0);
        assert_int_equal(kernel.loop.count, 7);
        assert_int_equal(kernel.loop.of[SASS_FFMA], 3);
        assert_int_equal(kernel.loop.of[SASS_LDS], 0);
        assert_int_equal(kernel.loop.of[SASS_BAR], 1);
    }
}

/* A division: a loop of three FFMA that loads nothing is not the one that does the work, which has one. */
static void division(void **state)
{
    static const uint64_t low[] = {0x7223, 0x7223, 0x7223, 0, 0x7981, 0x7223, 0, 0x794d}; /* 0: jumps, from 3 to 0 and 6 to 4 */
    struct code code = {.size = 0};
    struct sass_kernel kernel;
    for (int i = 0; i < 8; i++)
        low[i] ? put(&code, low[i], 6 << 9) : put_jump(&code, 80, i == 3 ? -3 : -2, false);
    assert_int_equal(sass_mix_of(code.bytes, code.size, 80, &kernel), OSP_OK);
    assert_true(kernel.loop_at == 4 * 16 && kernel.loop.of[SASS_FFMA] == 1 && kernel.once.of[SASS_FFMA] == 4);
}

/* A loop that need not load what it loads: the way with the most work, and the one with the fewest loads. */
static void lean(void **state)
{
    struct code code = {.size = 0};
    struct sass_kernel kernel;
    put(&code, 0x7984, 6 << 9);
    put_jump(&code, 80, 4, false); /* 1: to 5 */
    put(&code, 0x7981, 6 << 9);
    for (int k = 0; k < 3; k++)
        put(&code, 0x7221, 0); /* FADD */
    put_jump(&code, 80, -6, false);
    put(&code, 0x794d, 0);
    assert_int_equal(sass_mix_of(code.bytes, code.size, 80, &kernel), OSP_OK);
    assert_true(kernel.loop.count == 7 && kernel.loop.flop == 3 && kernel.loop.ldg_bytes == 16);
    assert_true(kernel.lean.count == 4 && kernel.lean.flop == 1 && kernel.lean.ldg_bytes == 0);
}

/* A loop that goes round within another does the work, if it has half of the other's; LD is a load, FADD and FMUL are work. */
static void nested(void **state)
{
    static const uint64_t low[] = {0x7223, 0x7223, 0x7980, 0x7221, 0x7220, 0x7221, 0, 0, 0x794d}; /* 0: jumps, to 2 and to 0 */
    struct code code = {.size = 0};
    struct sass_kernel kernel;
    for (int i = 0; i < 9; i++)
        low[i] ? put(&code, low[i], 6 << 9) : put_jump(&code, 80, i == 6 ? -4 : -7, false);
    assert_int_equal(sass_mix_of(code.bytes, code.size, 80, &kernel), OSP_OK);
    assert_true(kernel.loop_at == 2 * 16 && kernel.loop.flop == 3 && kernel.loop.ldg_bytes == 16);
}

/* One FADD among seventeen others is no work: the longest loop is taken, as among loops without any. */
static void question(void **state)
{
    struct code code = {.size = 0};
    struct sass_kernel kernel;
    for (int rest = 15; rest <= 18; rest += 3) {
        put(&code, 0x7981, 4 << 9);
        if (rest == 15)
            put(&code, 0x7221, 0);
        for (int i = 0; i < rest; i++)
            put(&code, 0x7919, 0);
        put_jump(&code, 80, rest == 15 ? -17 : -19, false);
    }
    put(&code, 0x794d, 0);
    assert_int_equal(sass_mix_of(code.bytes, code.size, 80, &kernel), OSP_OK);
    assert_true(kernel.loop_at == 18 * 16 && kernel.loop.count == 20);
}

static void no_loop(void **state)
{
    struct code code = {.size = 0};
    struct sass_kernel kernel;
    put(&code, 0x23c, 0); /* HMMA */
    put(&code, 0x237, 0); /* IMMA: on sm_75 to sm_120, says nvdisasm; no kernel here has one */
    put(&code, 0x983, 4 << 9);
    put(&code, 0x94d, 0);
    assert_int_equal(sass_mix_of(code.bytes, code.size, 80, &kernel), OSP_OK);
    assert_int_equal(kernel.all.of[SASS_MMA], 2);
    assert_int_equal(kernel.all.of[SASS_LDL], 1);
    assert_int_equal(kernel.loop.count, 0);
    assert_true(sass_share(&kernel.loop) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loops),  cmocka_unit_test(ways),   cmocka_unit_test(division),
                                       cmocka_unit_test(lean),   cmocka_unit_test(nested), cmocka_unit_test(question),
                                       cmocka_unit_test(no_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
