/* 16-bit floats, all of them, and the widening of stored tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/safetensors.h"

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* binary16 by its definition. */
static double half_value(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double magnitude = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

static void every_half(void **state)
{
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t half = (uint16_t)i;
        float x = osp_f16_to_f32(half);
        bool special = (half & 0x7c00) == 0x7c00, nan = special && (half & 0x3ff);
        if (nan)
            assert_true(isnan(x) && (bits_of(x) & 0x003fe000) == (uint32_t)(half & 0x1ff) << 13); /* the payload is kept */
        else if (special)
            assert_true(isinf(x) && !!signbit(x) == half >> 15);
        else
            assert_true((double)x == half_value(half) && !!signbit(x) == half >> 15);
        assert_int_equal(osp_f32_to_f16(x), nan ? half | 0x200 : half);
    }
}

/* Around every half: itself, the middle to the next, and the f32 on either side of it. */
static void every_rounding(void **state)
{
    for (uint16_t half = 0; half < 0x7c00; half++) {
        uint16_t next = half + 1; /* after the largest comes infinity, as if it were 2^16 */
        float middle = (float)((half_value(half) + (next == 0x7c00 ? 65536 : half_value(next))) / 2);
        assert_int_equal(osp_f32_to_f16(middle), half & 1 ? next : half);
        assert_int_equal(osp_f32_to_f16(nextafterf(middle, 0)), half);
        assert_int_equal(osp_f32_to_f16(nextafterf(middle, INFINITY)), next);
        assert_int_equal(osp_f32_to_f16(-middle), 0x8000 | (half & 1 ? next : half));
    }
    assert_int_equal(osp_f32_to_f16(3.4e38f), 0x7c00);
    assert_int_equal(osp_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(osp_f32_to_f16(1e-45f), 0);
    uint32_t low = 0xff800001; /* a NaN whose payload is lost must not become an infinity */
    float nan;
    memcpy(&nan, &low, sizeof nan);
    assert_int_equal(osp_f32_to_f16(nan), 0xfe00);
}

static void widened(void **state)
{
    static const struct {
        enum osp_stored type;
        const char *bytes;
        float values[2];
    } cases[] = {
        {OSP_STORED_F64, "\0\0\0\0\0\0\xf8\x3f\x9a\x99\x99\x99\x99\x99\xb9\xbf", {1.5f, -0.1f}},
        {OSP_STORED_F32, "\0\0\xc0\x3f\xcd\xcc\xcc\xbd", {1.5f, -0.1f}},
        {OSP_STORED_F16, "\0\x3e\0\xc0", {1.5f, -2}},
        {OSP_STORED_BF16, "\xc0\x3f\0\xc0", {1.5f, -2}},
        {OSP_STORED_I64, "\1\0\0\0\1\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff", {4294967296.0f, -2}},
        {OSP_STORED_I32, "\0\0\0\x80\x07\0\0\0", {-2147483648.0f, 7}},
        {OSP_STORED_I16, "\0\x80\xff\x7f", {-32768, 32767}},
        {OSP_STORED_I8, "\x80\x7f", {-128, 127}},
        {OSP_STORED_U8, "\xff\1", {255, 1}},
        {OSP_STORED_BOOL, "\2", {1, 0}},
    };
    static const size_t sizes[OSP_STORED_COUNT] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1};
    assert_int_equal(sizeof cases / sizeof *cases, OSP_STORED_COUNT);
    for (int i = 0; i < OSP_STORED_COUNT; i++) {
        size_t size = osp_stored_size(cases[i].type);
        assert_int_equal(size, sizes[i]);
        assert_int_equal(cases[i].type, i);
        uint8_t room[17]; /* not aligned */
        memcpy(room + 1, cases[i].bytes, 2 * size);
        struct osp_stored_tensor t = {.type = cases[i].type, .rank = 1, .dim = {2}, .data = room + 1, .bytes = 2 * size};
        float found[3] = {9, 9, 9};
        osp_stored_read(&t, 0, 2, found);
        assert_memory_equal(found, cases[i].values, sizeof cases[i].values);
        osp_stored_read(&t, 1, 1, found);
        assert_true(found[0] == cases[i].values[1] && found[2] == 9);
        osp_stored_read(&t, 2, 0, found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half),
        cmocka_unit_test(every_rounding),
        cmocka_unit_test(widened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
