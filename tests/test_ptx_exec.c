/* Whole kernels that nvcc made (tests/ptx) against C: control flow, calls, local memory, atomics, lanes that look at each other,
 * mma, cp.async, in order and shuffled; and how fast a register-tiled kernel runs. */
#include "ptx_run.h"

#include <math.h>
#include <time.h>

enum { COUNT = 333 };

static void fill(int *v, int count, int below)
{
    uint64_t state = 5;
    for (int i = 0; i < count; i++)
        v[i] = (int)(next_random(&state) % (uint64_t)below);
}

static int collatz(int n)
{
    int steps = 0;
    for (; n != 1; steps++)
        n = n % 2 ? 3 * n + 1 : n / 2;
    return steps;
}

static int want_diverge(int v, int i)
{
    int sum = 0;
    for (int k = 0; k < v; k++)
        for (int j = 0; k % 3 != 2 && j < k && j * k <= 20; j++)
            sum += j ^ k;
    return v % 2 ? sum + collatz(v + 1) : sum - (collatz(v + 3) * 2 + (int8_t)-v);
}

static int want_choice(int v, int i)
{
    static const int table[5] = {3, 1, 4, 1, 5};
    const int all[8] = {i * 7, i + 100, table[i % 5], -i, i * i, i ^ 0x55, 12345, i / 3};
    return v >= 0 && v < 8 ? all[v] : -1;
}

static int want_local(int v, int i)
{
    int stack[16], sum = 0;
    for (int k = 0; k < 16; k++)
        stack[(k * 5 + i) & 15] = v + k;
    for (int k = 0; k < 16; k++)
        sum = (int)((unsigned)sum * 3u + (unsigned)stack[(k + v) & 15]);
    return sum;
}

/* Each of these kernels takes (in, out, n), a value for each thread. */
static void check_each(const char *name, int below, int (*want)(int, int))
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct machine m;
        int in[COUNT];
        machine_open_file(&m, "flow.ptx");
        fill(in, COUNT, below);
        struct {
            uint64_t in, out;
            int n;
        } p = {upload(&m, in, sizeof in), upload(&m, NULL, sizeof in), COUNT};
        m.config.grid[0] = 6;
        m.config.block[0] = 64;
        m.config.seed = seed;
        run_clean(&m, name, &p, sizeof p);
        const int *out = view(&m, p.out);
        for (int i = 0; i < COUNT; i++)
            if (out[i] != want(in[i], i))
                fail_msg("%s: thread %d of value %d gives %d instead of %d", name, i, in[i], out[i], want(in[i], i));
        ptx_free(m.memory, p.in, &m.fault);
        ptx_free(m.memory, p.out, &m.fault);
        machine_close(&m);
    }
}

static void test_divergence(void **state) { check_each("diverge", 29, want_diverge); }
static void test_switch(void **state) { check_each("choose", 10, want_choice); }
static void test_local(void **state) { check_each("local_array", 90, want_local); }

static void test_parameters(void **state)
{
    struct machine m;
    struct {
        struct {
            int a[7];
            uint8_t b[3];
            int64_t c;
        } s;
        uint64_t out;
        int n;
    } p = {{{1, -2, 30, 400, 5000, -60000, 700000}, {1, 20, 255}, -77}, 0, 29};
    machine_open_file(&m, "flow.ptx");
    p.out = upload(&m, NULL, 29 * 4);
    const struct ptx_kernel_info *info = ptx_kernel_info(ptx_module_kernel(m.module, "parameters"));
    assert_int_equal(info->parameters, 3);
    assert_int_equal(info->parameter[0].bytes, 40);
    assert_int_equal(info->parameter[0].align, 8);
    assert_int_equal(info->parameter[1].offset, 40);
    assert_int_equal(info->parameter[2].offset, 48);
    assert_int_equal(info->param_bytes, 52);
    run_clean(&m, "parameters", &p, sizeof p);
    const int *out = view(&m, p.out);
    for (int i = 0; i < 29; i++)
        assert_int_equal(out[i], p.s.a[i % 7] + p.s.b[i % 3] - 77);
    ptx_free(m.memory, p.out, &m.fault);
    machine_close(&m);
}

static void test_atomics(void **state)
{
    struct machine m;
    int cells[14] = {0, 0, 0, -1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0};
    float sum = 1;
    uint64_t wide[2] = {5, 0};
    machine_open_file(&m, "flow.ptx");
    struct {
        uint64_t cells, sum, wide;
        int n;
    } p = {upload(&m, cells, sizeof cells), upload(&m, &sum, sizeof sum), upload(&m, wide, sizeof wide), COUNT};
    m.config.grid[0] = 6;
    m.config.block[0] = 64;
    run_clean(&m, "atomics", &p, sizeof p);
    const int *got = view(&m, p.cells);
    int total = 0, x = 0, inc = 0, dec = 3, fours[4] = {0};
    for (int i = 0; i < COUNT; i++) {
        total += i;
        x ^= i;
        inc = inc >= 9 ? 0 : inc + 1;
        dec = dec == 0 || dec > 9 ? 9 : dec - 1;
        fours[i % 4]++;
    }
    const int want[14] = {total, -(COUNT - 1), COUNT - 1, ~0x7f,    0x7ff,    x,        inc,
                          dec,   2 * COUNT,    77,        fours[0], fours[1], fours[2], fours[3]};
    for (int i = 0; i < 14; i++)
        assert_int_equal(got[i], want[i]);
    assert_true(*(float *)view(&m, p.sum) == 1 + 0.25f * COUNT);
    assert_true(((uint64_t *)view(&m, p.wide))[0] == 5 + ((uint64_t)COUNT << 33));
    assert_true(((uint64_t *)view(&m, p.wide))[1] == (uint64_t)(COUNT - 1) << 32);
    const struct ptx_variable *counter = ptx_module_variable(m.module, "counter");
    assert_non_null(counter);
    assert_int_equal(counter->bytes, 4);
    assert_int_equal(*(int *)view(&m, counter->address), 7 + COUNT);
    assert_null(ptx_module_variable(m.module, "nobody"));
    ptx_free(m.memory, p.cells, &m.fault);
    ptx_free(m.memory, p.sum, &m.fault);
    ptx_free(m.memory, p.wide, &m.fault);
    machine_close(&m);
}

static void test_block_votes(void **state)
{
    struct machine m;
    int in[96], above = 0, any = 0;
    machine_open_file(&m, "flow.ptx");
    fill(in, 96, 10);
    uint64_t p[2] = {upload(&m, in, sizeof in), upload(&m, NULL, sizeof in)};
    m.config.block[0] = 96;
    m.config.dynamic_shared = sizeof in;
    run_clean(&m, "block_votes", p, sizeof p);
    for (int i = 0; i < 96; i++) {
        above += in[i] > 3;
        any |= in[i] > 8;
    }
    const int *out = view(&m, p[1]);
    for (int i = 0; i < 96; i++)
        assert_int_equal(out[i], above * 100 + 10 + any + 1000 * in[95 - i]);
    ptx_free(m.memory, p[0], &m.fault);
    ptx_free(m.memory, p[1], &m.fault);
    machine_close(&m);
}

static void test_generic(void **state)
{
    struct machine m;
    int in[32];
    machine_open_file(&m, "flow.ptx");
    fill(in, 32, 1000);
    struct {
        uint64_t in, out;
        int n;
    } p = {upload(&m, in, sizeof in), upload(&m, NULL, sizeof in), 1};
    run_clean(&m, "generic_pointer", &p, sizeof p);
    const int *out = view(&m, p.out);
    for (int i = 0; i < 32; i++)
        assert_int_equal(out[i], in[i] * (i % 3 == 1 ? 2 : 1));
    ptx_free(m.memory, p.in, &m.fault);
    ptx_free(m.memory, p.out, &m.fault);
    machine_close(&m);
}

static void want_shuffles(const int *v, int l, int *w)
{
    uint32_t ballot = 0, same = 0, part = 0;
    int sum = 0, high = 0;
    for (int i = 0; i < 32; i++) {
        ballot |= (uint32_t)(v[i] > 10) << i;
        same |= (uint32_t)(v[i] % 4 == v[l] % 4) << i;
        part |= (uint32_t)((l < 20) == (i < 20) && (v[i] & (l < 20 ? 1 : 2))) << i;
        sum += v[i];
        high |= v[i] > 90;
    }
    const int all[12] = {v[l ^ 5],
                         v[l < 3 ? l : l - 3],
                         v[l + 7 > 31 ? l : l + 7],
                         v[l * 3 % 32],
                         v[(l & 24) | 2],
                         v[(l & 15) + 3 > 15 ? l : l + 3],
                         (int)ballot,
                         high + 2,
                         (int)same,
                         (int)part,
                         -1,
                         sum};
    memcpy(w, all, sizeof all);
}

static void test_shuffles(void **state)
{
    struct machine m;
    int in[64], want[12];
    machine_open_file(&m, "warp.ptx");
    fill(in, 64, 100);
    uint64_t p[2] = {upload(&m, in, sizeof in), upload(&m, NULL, 12 * sizeof in)};
    m.config.block[0] = 64;
    run_clean(&m, "shuffles", p, sizeof p);
    const int *out = view(&m, p[1]);
    for (int t = 0; t < 64; t++) {
        want_shuffles(in + t / 32 * 32, t % 32, want);
        for (int k = 0; k < 12; k++)
            if (out[t * 12 + k] != want[k])
                fail_msg("thread %d, result %d: %d instead of %d", t, k, out[t * 12 + k], want[k]);
    }
    ptx_free(m.memory, p[1], &m.fault);
    p[1] = upload(&m, NULL, 6 * sizeof in);
    run_clean(&m, "reductions", p, sizeof p);
    out = view(&m, p[1]);
    for (int w = 0; w < 2; w++) {
        int r[6] = {0, 1 << 30, -(1 << 30), -1, 0, 0};
        for (int i = w * 32; i < w * 32 + 32; i++) {
            r[0] += in[i];
            r[1] = in[i] - 50 < r[1] ? in[i] - 50 : r[1];
            r[2] = in[i] - 50 > r[2] ? in[i] - 50 : r[2];
            r[3] &= in[i] | 0x100;
            r[4] |= in[i];
            r[5] ^= in[i];
        }
        for (int i = w * 32; i < w * 32 + 32; i++)
            assert_memory_equal(out + i * 6, r, sizeof r);
    }
    m.config.block[0] = 32;
    run_clean(&m, "two_places", p, sizeof p);
    out = view(&m, p[1]);
    for (int i = 0; i < 32; i++)
        assert_int_equal(out[i], i < 16 ? in[i + 16] * 2 : in[i - 16]);
    ptx_free(m.memory, p[0], &m.fault);
    ptx_free(m.memory, p[1], &m.fault);
    machine_close(&m);
}

/* Small whole numbers: every format holds them and every sum is exact, so that an element out of place shows. */
static void test_mma(void **state)
{
    static const char *const NAMES[] = {"mma_tf32", "mma_f16", "mma_bf16"};
    struct machine m;
    machine_open_file(&m, "matrix.ptx");
    for (int kind = 0; kind < 3; kind++) {
        const int k = kind == 0 ? 8 : 16;
        int a[16 * 16], b[16 * 8], c[16 * 8];
        float af[16 * 16], bf[16 * 8], cf[16 * 8];
        uint16_t ah[16 * 16], bh[16 * 8];
        fill(a, 16 * k, 9);
        fill(b, 8 * k, 11);
        fill(c, 128, 50);
        for (int i = 0; i < 256; i++) {
            af[i] = (float)(i < 16 * k ? a[i] - 4 : 0);
            uint32_t bits;
            memcpy(&bits, &af[i], 4);
            /* bf16 is the top of an f32; a half of a small whole number by hand */
            ah[i] = kind == 2    ? (uint16_t)(bits >> 16)
                    : af[i] == 0 ? 0
                                 : (uint16_t)((bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 1023));
        }
        for (int i = 0; i < 128; i++) {
            bf[i] = (float)(i < 8 * k ? b[i] : 0);
            cf[i] = (float)c[i];
            uint32_t bits;
            memcpy(&bits, &bf[i], 4);
            bh[i] = kind == 2    ? (uint16_t)(bits >> 16)
                    : bf[i] == 0 ? 0
                                 : (uint16_t)((((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 1023));
        }
        const uint64_t pa = kind ? upload(&m, ah, sizeof ah) : upload(&m, af, sizeof af),
                       pb = kind ? upload(&m, bh, sizeof bh) : upload(&m, bf, sizeof bf);
        const uint64_t pc = upload(&m, cf, sizeof cf), pd = upload(&m, NULL, 128 * 4);
        uint64_t with_c[4] = {pa, pb, pc, pd}, without[3] = {pa, pb, pd};
        run_clean(&m, NAMES[kind], kind ? without : with_c, kind ? sizeof without : sizeof with_c);
        const float *d = view(&m, pd);
        for (int i = 0; i < 128; i++) {
            float want = kind ? 0 : cf[i];
            for (int e = 0; e < k; e++)
                want += af[i / 8 * k + e] * bf[e * 8 + i % 8];
            if (d[i] != want)
                fail_msg("%s: element (%d,%d) is %g instead of %g", NAMES[kind], i / 8, i % 8, (double)d[i], (double)want);
        }
        const uint64_t all[4] = {pa, pb, pc, pd};
        for (int i = 0; i < 4; i++)
            ptx_free(m.memory, all[i], &m.fault);
    }
    machine_close(&m);
}

static void test_async(void **state)
{
    struct machine m;
    float in[5 * 64];
    machine_open_file(&m, "matrix.ptx");
    for (int i = 0; i < 5 * 64; i++)
        in[i] = (float)i * 0.5f;
    struct {
        uint64_t in, out;
        int tiles, short_wait;
    } p = {upload(&m, in, sizeof in), upload(&m, NULL, 128 * 4), 5, 0};
    m.config.block[0] = 64;
    run_clean(&m, "pipeline", &p, sizeof p);
    const float *out = view(&m, p.out);
    for (int t = 0; t < 64; t++) {
        float want = 0;
        for (int tile = 0; tile < 5; tile++)
            want += in[tile * 64 + (t ^ 1)];
        assert_true(out[t] == want);
    }
    p.short_wait = 1;
    run_faulty(&m, "pipeline", &p, sizeof p, PTX_PENDING_COPY, "that no wait has covered");
    m.config.block[0] = 32;
    run_clean(&m, "partial_copy", &p, sizeof p);
    for (int i = 0; i < 128; i++)
        assert_true(out[i] == (i % 4 < i / 4 % 5 ? in[i] : 0));
    ptx_free(m.memory, p.in, &m.fault);
    ptx_free(m.memory, p.out, &m.fault);
    machine_close(&m);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Exact on ragged sizes, whatever the order and the number of workers; and the figure of merit, printed. */
static void check_tiles(int rows, int columns, int depth, uint64_t seed, int workers, bool print)
{
    struct machine m;
    float *a = malloc(sizeof *a * (size_t)(rows * depth)), *b = malloc(sizeof *b * (size_t)(depth * columns));
    uint64_t random = 9;
    for (int i = 0; i < rows * depth; i++)
        a[i] = (float)((int)(next_random(&random) % 2001) - 1000) / 777;
    for (int i = 0; i < depth * columns; i++)
        b[i] = (float)((int)(next_random(&random) % 2001) - 1000) / 555;
    machine_open_file(&m, "tiles.ptx");
    struct {
        uint64_t a, b, c;
        int m, n, k;
    } p = {upload(&m, a, 4 * (size_t)(rows * depth)),
           upload(&m, b, 4 * (size_t)(depth * columns)),
           upload(&m, NULL, 4 * (size_t)(rows * columns)),
           rows,
           columns,
           depth};
    m.config.block[0] = 256;
    m.config.grid[0] = (uint32_t)(columns + 63) / 64;
    m.config.grid[1] = (uint32_t)(rows + 63) / 64;
    m.config.seed = seed;
    m.config.workers = workers;
    const double begin = seconds();
    run_clean(&m, "tiles", &p, sizeof p);
    const double took = seconds() - begin;
    const float *c = view(&m, p.c);
    for (int i = 0; i < rows * columns; i += print ? 97 : 1) {
        float want = 0;
        for (int k = 0; k < depth; k++)
            want = fmaf(a[i / columns * depth + k], b[k * columns + i % columns], want);
        if (memcmp(&want, &c[i], 4) != 0)
            fail_msg("element %d is %g instead of %g", i, (double)c[i], (double)want);
    }
    if (print)
        print_message("register tiles, %s: %.0f million thread instructions per second on one core\n", ptx_isa(),
                      (double)m.counters.thread_instructions / took / 1e6);
    ptx_free(m.memory, p.a, &m.fault);
    ptx_free(m.memory, p.b, &m.fault);
    ptx_free(m.memory, p.c, &m.fault);
    machine_close(&m);
    free(a);
    free(b);
}

static void test_tiles(void **state)
{
    check_tiles(67, 130, 21, 0, 1, false);
    check_tiles(1, 1, 1, 0, 2, false);
    for (uint64_t seed = 1; seed < 5; seed++)
        check_tiles(100, 65, 33, seed, 2, false);
    check_tiles(256, 256, 256, 0, 1, true);
}

static void test_counters(void **state)
{
    struct machine m;
    machine_open(&m, PTX_HEADER
                 ".entry k() {\n.reg .pred %p; .reg .b32 %r<4>;\nmov.u32 %r1, %tid.x;\nsetp.lt.u32 %p, %r1, 10;\n@%p bra A;\n"
                 "add.u32 %r2, %r1, 1;\nadd.u32 %r2, %r2, 1;\nA:\nadd.u32 %r3, %r1, 1;\nret;\n}\n");
    m.config.block[0] = 40;
    m.config.grid[0] = 3;
    run_clean(&m, "k", NULL, 0);
    /* Statements by active lanes: 3 of all 40, 2 of the 30 that do not jump, 2 of all; the second warp (8 lanes) does not part.
     */
    assert_int_equal(m.counters.thread_instructions, 3 * (40 * 5 + 2 * 30));
    assert_int_equal(m.counters.warp_instructions, 3 * 2 * 7);
    assert_int_equal(m.counters.blocks, 3);
    machine_close(&m);
}

/* The first warp waits in a loop for what the second one writes. */
static void test_waiting_warp(void **state)
{
    struct machine m;
    machine_open(&m, PTX_HEADER
                 ".entry k(.param .u64 a) {\n.reg .pred %p<3>; .reg .b32 %r<4>; .reg .b64 %q;\n.shared .align 4 .b32 flag;\n"
                 "ld.param.u64 %q, [a];\nmov.u32 %r1, %tid.x;\nst.shared.b32 [flag], 0;\nbar.sync 0;\nsetp.lt.u32 %p1, %r1, "
                 "32;\n@%p1 bra WAIT;\n"
                 "st.volatile.shared.b32 [flag], 5;\nret;\nWAIT:\nld.volatile.shared.b32 %r2, [flag];\nsetp.eq.u32 %p2, %r2, "
                 "0;\n@%p2 bra WAIT;\n"
                 "st.global.b32 [%q], %r2;\nret;\n}\n");
    uint64_t p = upload(&m, NULL, 4);
    m.config.block[0] = 64;
    run_clean(&m, "k", &p, sizeof p);
    assert_int_equal(*(int *)view(&m, p), 5);
    ptx_free(m.memory, p, NULL);
    machine_close(&m);
}

/* The other shapes of mma: each lane gives the same registers to all; A is ones and B twos, so each sum is 2k + c. */
static void check_shape(const char *opcode, int a, int b, uint32_t one, uint32_t two, int k, bool half)
{
    char text[2048], left[64] = "", right[64] = "";
    struct machine m;
    for (int i = 0; i < a; i++)
        strcat(left, i ? ",%r1" : "%r1");
    for (int i = 0; i < b; i++)
        strcat(right, i ? ",%r2" : "%r2");
    const char *sums = half ? "%r3,%r4" : "%r3,%r4,%r5,%r6";
    snprintf(
        text, sizeof text,
        PTX_HEADER
        ".entry k(.param .u64 a) {\n.reg .b32 %%r<8>; .reg .b64 %%q<3>;\nld.param.u64 %%q1, [a]; mov.u32 %%r7, %%tid.x; "
        "mad.wide.u32 %%q1, %%r7, 4, %%q1;\n"
        "mov.b32 %%r1, 0x%x; mov.b32 %%r2, 0x%x; mov.b32 %%r3, %s; mov.b32 %%r4, %%r3; mov.b32 %%r5, %%r3; mov.b32 %%r6, %%r3;\n"
        "mma.sync.aligned.%s {%s}, {%s}, {%s}, {%s};\nst.global.b32 [%%q1], %%r4;\nret;\n}\n",
        one, two, half ? "0x44004400" : "0x40800000", opcode, sums, left, right, sums);
    machine_open(&m, text);
    uint64_t p = upload(&m, NULL, 128);
    run_clean(&m, "k", &p, sizeof p);
    for (int l = 0; l < 32; l++) {
        const uint32_t got = ((uint32_t *)view(&m, p))[l];
        float f;
        memcpy(&f, &got, 4);
        if (half ? got != (k == 8 ? 0x4d004d00u : 0x50805080u) : f != (float)(2 * k + 4)) /* 20 and 36 as halves */
            fail_msg("%s: lane %d has 0x%x", opcode, l, got);
    }
    ptx_free(m.memory, p, NULL);
    machine_close(&m);
}

static void test_mma_shapes(void **state)
{
    check_shape("m16n8k4.row.col.f32.tf32.tf32.f32", 2, 1, 0x3f801fff, 0x40000000, 4, false); /* the low 13 bits do not count */
    check_shape("m16n8k8.row.col.f32.f16.f16.f32", 2, 1, 0x3c003c00, 0x40004000, 8, false);
    check_shape("m16n8k8.row.col.f32.bf16.bf16.f32", 2, 1, 0x3f803f80, 0x40004000, 8, false);
    check_shape("m16n8k8.row.col.f16.f16.f16.f16", 2, 1, 0x3c003c00, 0x40004000, 8, true);
    check_shape("m16n8k16.row.col.f16.f16.f16.f16", 4, 2, 0x3c003c00, 0x40004000, 16, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_divergence),   cmocka_unit_test(test_switch),     cmocka_unit_test(test_local),
        cmocka_unit_test(test_parameters),   cmocka_unit_test(test_atomics),    cmocka_unit_test(test_block_votes),
        cmocka_unit_test(test_generic),      cmocka_unit_test(test_shuffles),   cmocka_unit_test(test_mma),
        cmocka_unit_test(test_async),        cmocka_unit_test(test_tiles),      cmocka_unit_test(test_counters),
        cmocka_unit_test(test_waiting_warp), cmocka_unit_test(test_mma_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
