/* The portable vf_fma of cpu/simd.h, which no machine with fused hardware runs otherwise, against fmaf, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ISA portable
#define ISA_portable
#include "cases/cases.h"
#include "cpu/simd.h"

enum { ROUNDS = 400000 };

static void compare(const float a[LANES], const float b[LANES], const float c[LANES])
{
    float got[LANES];
    vf_store(got, vf_fma(vf_load(a), vf_load(b), vf_load(c)));
    for (int i = 0; i < LANES; i++) {
        float want = fmaf(a[i], b[i], c[i]);
        if (osp_bits(got[i]) != osp_bits(want) && !(got[i] != got[i] && want != want))
            fail_msg("fmaf(%a, %a, %a) is %a, not %a", (double)a[i], (double)b[i], (double)c[i], (double)want, (double)got[i]);
    }
}

/* A float of any bits at all, or one with few bits set in its significand: sums of those are often exactly half way. */
static float any_float(struct case_random *random, bool sparse, int low, int high)
{
    uint32_t sign = (uint32_t)case_next(random) & 0x80000000u, bits = (uint32_t)case_next(random);
    if (sparse)
        bits = (uint32_t)(1u << case_integer(random, 0, 22) | 1u << case_integer(random, 0, 22)) * (bits & 1);
    return osp_from_bits(sign | (uint32_t)case_integer(random, low, high) << 23 | (bits & 0x7fffffu));
}

static void test_any_bits(void **state)
{
    struct case_random random = {1};
    for (int round = 0; round < ROUNDS; round++) {
        float a[LANES], b[LANES], c[LANES];
        for (int i = 0; i < LANES; i++) {
            a[i] = any_float(&random, false, 0, 255);
            b[i] = any_float(&random, false, 0, 255);
            c[i] = any_float(&random, false, 0, 255);
        }
        compare(a, b, c);
    }
}

/* Addends near the product's size, and far below it, where only a bit is left to say on which side of half way the sum lies. */
static void test_half_way(void **state)
{
    struct case_random random = {2};
    for (int round = 0; round < ROUNDS; round++) {
        float a[LANES], b[LANES], c[LANES];
        for (int i = 0; i < LANES; i++) {
            a[i] = any_float(&random, true, 100, 110);
            b[i] = any_float(&random, round % 2, 100, 150);
            c[i] = any_float(&random, true, 20, 160);
        }
        compare(a, b, c);
    }
}

/* Results below the smallest normal float. */
static void test_tiny(void **state)
{
    struct case_random random = {3};
    for (int round = 0; round < ROUNDS; round++) {
        float a[LANES], b[LANES], c[LANES];
        for (int i = 0; i < LANES; i++) {
            a[i] = any_float(&random, round % 2, 30, 80);
            b[i] = any_float(&random, round % 3, 20, 50);
            c[i] = any_float(&random, round % 5, 0, 2);
        }
        compare(a, b, c);
    }
}

static void test_special(void **state)
{
    static const float numbers[] = {
        0, -0.0f, 1, -1, INFINITY, -INFINITY, NAN, 0x1p-149f, -0x1p-149f, 0x1.fffffep127f, -0x1.fffffep127f, 0x1p-126f};
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    for (int i = 0; i < COUNT * COUNT * COUNT; i++) {
        float a[LANES], b[LANES], c[LANES];
        for (int l = 0; l < LANES; l++) {
            a[l] = numbers[i % COUNT];
            b[l] = numbers[i / COUNT % COUNT];
            c[l] = numbers[i / COUNT / COUNT];
        }
        compare(a, b, c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bits),
        cmocka_unit_test(test_half_way),
        cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_special),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
