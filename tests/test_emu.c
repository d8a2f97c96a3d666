/* The emulated machine: threads, warps, copies, matrices. Each test runs on the fast build and on the checked one of
 * each compiler; kernels in tests/emu/machine.cu. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "emu/rig.h"

/* ---- Threads --------------------------------------------------------------------------------- */

static void threads_know_where_they_are(void **state)
{
    static const unsigned shapes[][6] = {{3, 2, 2, 4, 3, 2}, {7, 1, 1, 1, 1, 1}, {1, 1, 1, 1024, 1, 1}, {2, 1, 5, 1, 33, 3}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            const unsigned *g = shapes[s], *b = g + 3;
            size_t threads = (size_t)b[0] * b[1] * b[2], all = threads * g[0] * g[1] * g[2];
            int *got = malloc(all * 8 * sizeof *got);
            void *out = device_new(all * 8 * sizeof *got);
            emu->set_seed(seed);
            MUST(emu->launch("who", g, b, 0, NULL, (void *[]){&out}));
            MUST(emu->copy_to_host(got, out, all * 8 * sizeof *got, NULL));
            for (size_t i = 0; i < all; i++) {
                size_t t = i % threads, k = i / threads;
                const int *row = got + 8 * i;
                assert_int_equal(row[0], t % b[0]);
                assert_int_equal(row[1], t / b[0] % b[1]);
                assert_int_equal(row[2], t / b[0] / b[1]);
                assert_int_equal(row[3], k % g[0]);
                assert_int_equal(row[4], k / g[0] % g[1]);
                assert_int_equal(row[5], k / g[0] / g[1]);
                assert_int_equal(row[6], b[0] * 10000 + b[1] * 100 + b[2]);
                assert_int_equal(row[7], g[0] * 10000 + g[1] * 100 + g[2]);
            }
            free(got);
            MUST(emu->free(out));
        }
}

enum { ARRIVALS = 512 };
static void arrivals(uint64_t seed, int order[ARRIVALS])
{
    int zero = 0;
    void *ticket = device_copy(&zero, sizeof zero), *out = device_new(ARRIVALS * sizeof *order);
    emu->set_seed(seed);
    emu->clear_errors();
    MUST(LAUNCH("arrive", ARRIVALS / 64, 64, &ticket, &out));
    MUST(emu->copy_to_host(order, out, ARRIVALS * sizeof *order, NULL));
    MUST(emu->free(ticket));
    MUST(emu->free(out));
}

static void a_seed_is_an_order(void **state)
{
    int natural[ARRIVALS], first[ARRIVALS], again[ARRIVALS], second[ARRIVALS], met[ARRIVALS] = {0};
    arrivals(0, natural);
    arrivals(7, first);
    arrivals(8, second);
    for (int i = 0; i < ARRIVALS; i++) {
        assert_int_equal(natural[i], i);
        met[first[i]]++;
    }
    for (int i = 0; i < ARRIVALS; i++)
        assert_int_equal(met[i], 1);
    assert_memory_not_equal(first, natural, sizeof first);
    assert_memory_not_equal(first, second, sizeof first);
    arrivals(7, again);
    assert_memory_equal(first, again, sizeof first);
}

static void atomics_add_up_over_all_cores(void **state)
{
    enum { N = 64 * 256 };
    int i[4] = {5, 0, 0, 0}, i_in[4] = {5, 0, 0, 0};
    unsigned u[8], u_in[8] = {0, 0, 0xffffffffu, 0, 0xffffffffu, 0, 0, 0};
    unsigned long long l[4], l_in[4] = {0};
    void *di = device_copy(i_in, sizeof i_in), *du = device_copy(u_in, sizeof u_in), *dl = device_copy(l_in, sizeof l_in);
    MUST(LAUNCH("atomics", 64, 256, &di, &du, &dl));
    MUST(emu->copy_to_host(i, di, sizeof i, NULL));
    MUST(emu->copy_to_host(u, du, sizeof u, NULL));
    MUST(emu->copy_to_host(l, dl, sizeof l, NULL));
    assert_int_equal(i[0], 5 + N);
    assert_int_equal(i[1], -(N - 1));
    assert_int_equal(i[2], N - 1);
    assert_int_equal(u[0], (unsigned)N * (N - 1) / 2);
    assert_int_equal(u[1], 0xffffffffu);
    assert_int_equal(u[2], 0xffff0000u);
    assert_int_equal(u[3], N - 1);
    assert_int_equal(u[4], 0);
    assert_in_range(u[5], 1, N);
    assert_int_equal(u[6], u[5]);
    assert_true(l[0] == ((unsigned long long)N * (N - 1) / 2) << 20);
    assert_true(l[1] == (unsigned long long)(N - 1) << 40);
    assert_true(l[2] == ~0ull);
    MUST(emu->free(di));
    MUST(emu->free(du));
    MUST(emu->free(dl));
}

/* ---- Warps ----------------------------------------------------------------------------------- */

static void votes_are_counted(void **state)
{
    int yes[96];
    unsigned got[96][7], warp[3] = {0};
    int count = 0;
    for (int i = 0; i < 96; i++) {
        yes[i] = i < 32 ? i % 3 == 0 : i < 64 ? 2 : 0;
        count += yes[i] != 0;
        warp[i / 32] |= (unsigned)(yes[i] != 0) << i % 32;
    }
    void *in = device_copy(yes, sizeof yes), *out = device_new(sizeof got);
    for (uint64_t seed = 0; seed < 4; seed++) {
        emu->set_seed(seed);
        MUST(LAUNCH("votes", 1, 96, &in, &out));
        MUST(emu->copy_to_host(got, out, sizeof got, NULL));
        for (int i = 0; i < 96; i++) {
            assert_int_equal(got[i][0], warp[i / 32]);
            assert_int_equal(got[i][1], warp[i / 32] != 0);
            assert_int_equal(got[i][2], warp[i / 32] == 0xffffffffu);
            assert_int_equal(got[i][3], count);
            assert_int_equal(got[i][4], 1);
            assert_int_equal(got[i][5], 0);
            assert_int_equal(got[i][6], i % 32 < 8 ? warp[i / 32] & 0xff : 0);
        }
    }
    MUST(emu->free(in));
    MUST(emu->free(out));
}

static void shuffles_go_where_they_should(void **state)
{
    int in[32], got[32][8];
    for (int i = 0; i < 32; i++)
        in[i] = 1000 + i * i;
    void *from = device_copy(in, sizeof in), *out = device_new(sizeof got);
    MUST(LAUNCH("shuffles", 1, 32, &from, &out));
    MUST(emu->copy_to_host(got, out, sizeof got, NULL));
    for (int i = 0; i < 32; i++) {
        assert_int_equal(got[i][0], in[5]);
        assert_int_equal(got[i][1], in[i / 8 * 8 + (i + 1) % 8]);
        assert_int_equal(got[i][2], in[i < 3 ? i : i - 3]);
        assert_int_equal(got[i][3], in[i % 16 + 3 < 16 ? i + 3 : i]);
        assert_int_equal(got[i][4], in[i ^ 7]);
        assert_int_equal(got[i][5], in[i ^ 16]);
        assert_int_equal(got[i][6], in[i < 31 ? i + 1 : i]);
        assert_int_equal(got[i][7], in[i % 4 ? i - 1 : i]);
    }
    MUST(emu->free(from));
    MUST(emu->free(out));
}

static void bits_are_counted(void **state)
{
    static const long long in[6] = {0, -1, 1, 0x8000000000000000ll, 0x00f0000000000ff0ll, 0x7fffffff};
    static const int expected[6][7] = {
        {0, 0, 0, 0, 32, 64, 0}, {32, 64, 1, 1, 0, 0, -1},         {1, 1, 1, 1, 31, 63, (int)0x80000000u},
        {0, 1, 0, 64, 32, 0, 0}, {8, 12, 5, 5, 20, 8, 0x0ff00000}, {31, 31, 1, 1, 1, 33, -2}};
    int got[6][8];
    void *from = device_copy(in, sizeof in), *out = device_new(sizeof got);
    MUST(LAUNCH("bits", 1, 6, &from, &out));
    MUST(emu->copy_to_host(got, out, sizeof got, NULL));
    for (int i = 0; i < 6; i++) {
        int x = (int)in[i];
        for (int k = 0; k < 7; k++)
            assert_int_equal(got[i][k], expected[i][k]);
        assert_int_equal(got[i][7], (x < 7 ? x : 7) ^ (x > -7 ? x : -7));
    }
    MUST(emu->free(from));
    MUST(emu->free(out));
}

/* ---- Copies, matrices, halves ---------------------------------------------------------------- */

static void copies_leave_out_what_is_not_valid(void **state)
{
    float in[64][4], got[64][4];
    for (int i = 0; i < 256; i++)
        in[i / 4][i % 4] = (float)(i + 1);
    void *from = device_copy(in, sizeof in), *out = device_new(sizeof got);
    MUST(LAUNCH("stage", 1, 32, &from, &out));
    MUST(emu->copy_to_host(got, out, sizeof got, NULL));
    for (int i = 0; i < 64; i++)
        for (int k = 0; k < 4; k++)
            assert_true(got[i][k] == (i < 32 ? in[31 - i][k] : k < 3 ? in[32 + 63 - i][k] : 0.0f));
    MUST(emu->free(from));
    MUST(emu->free(out));
}

/* Numbers that all formats hold, as tf32, f16 or bf16. */
static uint32_t encode(int kind, int value)
{
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (kind == 0)
        return bits;
    if (kind == 2)
        return bits >> 16;
    return value ? (bits >> 16 & 0x8000) | ((bits >> 13 & 0x3ffff) - 0x1c000) : 0;
}

static void matrices_are_multiplied(void **state)
{
    for (int kind = 0; kind < 4; kind++) {
        int k_of[4] = {8, 16, 16, 8}, K = k_of[kind], a[16][16], b[16][8];
        uint32_t fa[32][4] = {0}, fb[32][2] = {0};
        float fc[32][4], fd[32][4];
        srand((unsigned)kind + 1);
        for (int i = 0; i < 16; i++)
            for (int k = 0; k < K; k++)
                a[i][k] = rand() % 15 - 7;
        for (int k = 0; k < K; k++)
            for (int j = 0; j < 8; j++)
                b[k][j] = rand() % 15 - 7;
        for (int lane = 0; lane < 32; lane++) {
            int g = lane / 4, t = lane % 4;
            for (int i = 0; i < 4; i++)
                fc[lane][i] = (float)(g * 8 + i);
            if (kind == 0) {
                for (int i = 0; i < 4; i++)
                    fa[lane][i] = encode(0, a[g + i % 2 * 8][t + i / 2 * 4]);
                for (int i = 0; i < 2; i++)
                    fb[lane][i] = encode(0, b[t + i * 4][g]);
                continue;
            }
            for (int half = 0; half < 2; half++) {
                for (int i = 0; i < K / 4; i++)
                    fa[lane][i] |= encode(kind, a[g + i % 2 * 8][2 * t + half + i / 2 * 8]) << 16 * half;
                for (int i = 0; i < K / 8; i++)
                    fb[lane][i] |= encode(kind, b[2 * t + half + i * 8][g]) << 16 * half;
            }
        }
        void *da = device_copy(fa, sizeof fa), *db = device_copy(fb, sizeof fb), *dc = device_copy(fc, sizeof fc),
             *dd = device_new(sizeof fd);
        MUST(LAUNCH("multiply", 1, 32, &da, &db, &dc, &dd, &kind));
        MUST(emu->copy_to_host(fd, dd, sizeof fd, NULL));
        for (int lane = 0; lane < 32; lane++)
            for (int i = 0; i < 4; i++) {
                int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2, sum = (int)fc[lane][i];
                for (int k = 0; k < K; k++)
                    sum += a[row][k] * b[k][column];
                assert_true(fd[lane][i] == (float)sum);
            }
        for (int i = 0; i < 4; i++)
            MUST(emu->free(((void *[]){da, db, dc, dd})[i]));
    }
}

static void matrices_are_loaded(void **state)
{
    uint32_t got[32][12];
    void *out = device_new(sizeof got);
    MUST(LAUNCH("load_matrices", 1, 32, &out));
    MUST(emu->copy_to_host(got, out, sizeof got, NULL));
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 12; i++) {
            int transposed = i / 4 == 1 || i >= 10, matrix = i < 8 ? i % 4 : i % 2, row = lane / 4, column = lane % 4 * 2;
            unsigned low = (unsigned)(matrix * 64 + (transposed ? column * 8 + row : row * 8 + column));
            assert_int_equal(got[lane][i], low | (low + (transposed ? 8 : 1)) << 16);
        }
    MUST(emu->free(out));
}

static void tf32_rounds_to_nearest_away(void **state)
{
    float in[8] = {1.0f, 1.00048828125f, 1.0004882f, -1.00048828125f, 3.4e38f, INFINITY, 1e-40f, 0.0f};
    static const uint32_t expected[8] = {0x3f800000, 0x3f802000, 0x3f800000, 0xbf802000, 0x7f7fc000, 0x7f800000, 0x00012000, 0};
    uint32_t got[8];
    void *from = device_copy(in, sizeof in), *out = device_new(sizeof got);
    MUST(LAUNCH("round_tf32", 1, 8, &from, &out));
    MUST(emu->copy_to_host(got, out, sizeof got, NULL));
    for (int i = 0; i < 8; i++)
        assert_int_equal(got[i], expected[i]);
    MUST(emu->free(from));
    MUST(emu->free(out));
}

static float half_value(unsigned bits)
{
    int exponent = bits >> 10 & 31;
    float fraction = (float)(bits & 1023), sign = bits & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31)
        return fraction != 0 ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexpf(1024 + fraction, exponent - 25) : ldexpf(fraction, -24));
}

static void halves_are_exact(void **state)
{
    enum { ALL = 65536 };
    float *value = malloc(ALL * sizeof *value), *bf16 = malloc(ALL * sizeof *bf16);
    unsigned short *back = malloc(ALL * sizeof *back);
    for (int software = 0; software < 2; software++) {
        void *dv = device_new(ALL * 4), *dback = device_new(ALL * 2), *dbf16 = device_new(ALL * 4);
        if (software)
            MUST(LAUNCH("software_halves", 256, 256, &dv, &dback));
        else
            MUST(LAUNCH("halves", 256, 256, &dv, &dback, &dbf16));
        MUST(emu->copy_to_host(value, dv, ALL * 4, NULL));
        MUST(emu->copy_to_host(back, dback, ALL * 2, NULL));
        for (unsigned i = 0; i < ALL; i++) {
            float expected = half_value(i);
            if (isnan(expected)) {
                assert_true(isnan(value[i]));
                assert_int_equal(back[i] & 0x7c00, 0x7c00);
                assert_int_not_equal(back[i] & 0x3ff, 0);
                continue;
            }
            assert_true(value[i] == expected && signbit(value[i]) == signbit(expected));
            assert_int_equal(back[i], i);
        }
        MUST(emu->free(dv));
        MUST(emu->free(dback));
        MUST(emu->free(dbf16));
    }
    free(value);
    free(bf16);
    free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_know_where_they_are, machine_begin_cores, machine_end),
        cmocka_unit_test_setup_teardown(a_seed_is_an_order, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(atomics_add_up_over_all_cores, machine_begin_cores, machine_end),
        cmocka_unit_test_setup_teardown(votes_are_counted, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(shuffles_go_where_they_should, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(bits_are_counted, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(copies_leave_out_what_is_not_valid, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(matrices_are_multiplied, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(matrices_are_loaded, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(tf32_rounds_to_nearest_away, machine_begin, machine_end),
        cmocka_unit_test_setup_teardown(halves_are_exact, machine_begin_cores, machine_end),
    };
    return machine_run("emulated machine", tests, sizeof tests / sizeof *tests);
}
