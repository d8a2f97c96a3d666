/* Instructions that are neither plain lanes nor what nvcc made of tests/ptx: hand-written text, a value for each thread, against
 * C. */
#include "ptx_run.h"

/* Thread t reads x = a[t] and y = b[t]; what the body leaves in %o and %w goes to d[t] and e[t] (32 and 64 bits). */
#define TEXT(body)                                                                                                               \
    PTX_HEADER                                                                                                                   \
        ".visible .entry k(.param .u64 d, .param .u64 e, .param .u64 a, .param .u64 b)\n{\n"                                     \
        ".reg .pred %p<9>; .reg .b16 %h<9>; .reg .b32 %r<9>; .reg .b64 %d<9>; .reg .f32 %f<9>; .reg .b32 %o, %x, %y, %t; .reg "  \
        ".b64 %w;\n"                                                                                                             \
        ".shared .align 16 .b8 s[4096]; .local .align 16 .b8 mine[64];\n"                                                        \
        "mov.u32 %t, %tid.x; mov.b32 %o, 0; mov.b64 %w, 0;\nld.param.u64 %d1, [a]; mad.wide.u32 %d1, %t, 4, %d1; "               \
        "ld.global.nc.b32 %x, [%d1];\n"                                                                                          \
        "ld.param.u64 %d1, [b]; mad.wide.u32 %d1, %t, 4, %d1; ld.global.L1::no_allocate.L2::128B.b32 %y, [%d1];\n{\n" body       \
        "\n}\nld.param.u64 %d1, [d]; mad.wide.u32 %d1, %t, 4, %d1; st.global.b32 [%d1], %o;\n"                                   \
        "ld.param.u64 %d1, [e]; mad.wide.u32 %d1, %t, 8, %d1; st.global.b64 [%d1], %w;\nret;\n}\n"

enum { THREADS = 64 };

struct answer {
    uint32_t o;
    uint64_t w;
};

static void check(const char *body, struct answer (*want)(uint32_t x, uint32_t y, uint32_t t))
{
    struct machine m;
    uint32_t a[THREADS], b[THREADS];
    uint64_t random = 77;
    machine_open(&m, body);
    for (int i = 0; i < THREADS; i++) {
        a[i] = (uint32_t)next_random(&random) >> (i % 5 * 6);
        b[i] = (uint32_t)next_random(&random) >> (i % 7 * 4);
    }
    uint64_t p[4] = {upload(&m, NULL, sizeof a), upload(&m, NULL, 8 * THREADS), upload(&m, a, sizeof a), upload(&m, b, sizeof b)};
    m.config.block[0] = THREADS;
    run_clean(&m, "k", p, sizeof p);
    const uint32_t *o = view(&m, p[0]);
    const uint64_t *w = view(&m, p[1]);
    for (uint32_t t = 0; t < THREADS; t++) {
        const struct answer r = want(a[t], b[t], t);
        if (o[t] != r.o || w[t] != r.w)
            fail_msg("thread %u, x 0x%x, y 0x%x: 0x%x and 0x%llx instead of 0x%x and 0x%llx", t, a[t], b[t], o[t],
                     (unsigned long long)w[t], r.o, (unsigned long long)r.w);
    }
    for (int i = 0; i < 4; i++)
        ptx_free(m.memory, p[i], NULL);
    machine_close(&m);
}

#define CASE(name, body, o_value, w_value)                                                                                       \
    static struct answer want_##name(uint32_t x, uint32_t y, uint32_t t)                                                         \
    {                                                                                                                            \
        return (struct answer){(uint32_t)(o_value), (uint64_t)(w_value)};                                                        \
    }                                                                                                                            \
    static void test_##name(void **state) { check(TEXT(body), want_##name); }

CASE(lop3, "lop3.b32 %o, %x, %y, %t, 0xe8;", (x & y) | (x & t) | (y & t), 0)
CASE(carry, "cvt.u64.u32 %w, %x; add.cc.u32 %r1, %x, %y; addc.cc.u32 %r2, %x, %x; addc.u32 %o, 0, 0; mov.b64 %w, {%r1, %r2};",
     (((uint64_t)x << 32 | x) + ((uint64_t)x << 32 | y)) < ((uint64_t)x << 32 | x),
     ((uint64_t)x << 32 | x) + ((uint64_t)x << 32 | y))
CASE(borrow, "sub.cc.u32 %r1, %x, %y; subc.cc.u32 %r2, %y, %x; subc.u32 %o, %t, 0; mov.b64 %w, {%r1, %r2};",
     t - (((uint64_t)y << 32 | x) < ((uint64_t)x << 32 | y)), ((uint64_t)y << 32 | x) - ((uint64_t)x << 32 | y))
CASE(wide_mad, "mad.lo.cc.u32 %r1, %x, %y, %t; madc.hi.u32 %r2, %x, %y, 0; mov.b64 %w, {%r1, %r2};", 0, (uint64_t)x *y + t)
CASE(carry64,
     "cvt.u64.u32 %d2, %x; not.b64 %d3, %d2; cvt.u64.u32 %d4, %y; add.cc.u64 %w, %d3, %d4; addc.u64 %d5, 0, 0; cvt.u32.u64 %o, "
     "%d5;",
     (~(uint64_t)x + y) < y, ~(uint64_t)x + y)
CASE(insert,
     "and.b32 %r1, %y, 31; bfi.b32 %o, %x, %y, 5, %r1; cvt.u64.u32 %d2, %y; cvt.u64.u32 %d3, %x; bfi.b64 %w, %d3, %d2, 20, 40;",
     (y & 31) == 0 ? y : (y & ~(((1u << (y & 31)) - 1) << 5)) | (x & ((1u << (y & 31)) - 1)) << 5,
     (y & 0xfffffu) | (uint64_t)x << 20)
CASE(pack,
     "mov.b32 {%h1, %h2}, %x; mov.b32 %o, {%h2, %h1}; mov.b64 %d2, {%x, %y}; mov.b64 {%h3, %h4, %h5, %h6}, %d2; mov.b64 %w, "
     "{%h6, %h3, %h5, %h4};",
     x << 16 | x >> 16, (y >> 16) | (uint64_t)(x & 0xffff) << 16 | (uint64_t)(y & 0xffff) << 32 | (uint64_t)(x >> 16) << 48)
CASE(halves, "mov.b32 {_, %h2}, %x; cvt.u32.u16 %o, %h2; mov.b32 %r1, {0, %h2}; cvt.u64.u32 %w, %r1;", x >> 16, x & 0xffff0000u)
CASE(pairs,
     "setp.lt.u32 %p1|%p2, %x, %y; setp.gt.and.u32 %p3|%p4, %x, 99, !%p1; setp.eq.xor.s32 %p5, %t, 3, %p3; setp.le.or.u32 _|%p6, "
     "%x, %y, %p5;\n"
     "selp.b32 %o, 1, 0, %p1; @%p2 add.u32 %o, %o, 2; @%p3 add.u32 %o, %o, 4; @%p4 add.u32 %o, %o, 8; @!%p5 add.u32 %o, %o, 16; "
     "@%p6 add.u32 %o, %o, 32;",
     (x < y) + 2 * (x >= y) + 4 * (x > 99 && x >= y) + 8 * (!(x > 99) && x >= y) + 16 * !((t == 3) ^ (x > 99 && x >= y)) +
         32 * (!(x <= y) || ((t == 3) ^ (x > 99 && x >= y))),
     0)
CASE(predicates,
     "setp.lt.u32 %p1, %x, %y; setp.lt.u32 %p2, %t, 7; and.pred %p3, %p1, %p2; or.pred %p4, %p1, !%p2; xor.pred %p5, %p1, %p2; "
     "not.pred %p6, %p1; mov.pred %p7, %p2;\n"
     "@%p3 or.b32 %o, %o, 1; @%p4 or.b32 %o, %o, 2; @%p5 or.b32 %o, %o, 4; @%p6 or.b32 %o, %o, 8; @%p7 or.b32 %o, %o, 16; "
     "selp.b64 %w, 5, 6, !%p1;",
     ((x < y) && t < 7) | 2 * ((x < y) || t >= 7) | 4 * ((x < y) != (t < 7)) | 8 * (x >= y) | 16 * (t < 7), x < y ? 6 : 5)
CASE(jump_table,
     "rem.u32 %r1, %t, 3;\nLIST: .branchtargets A, B, C;\nbrx.idx %r1, LIST;\nA: mov.b32 %o, 10; bra.uni E;\nB: mov.b32 %o, 20; "
     "bra E;\nC: mov.b32 %o, 30;\nE: add.u32 %o, %o, %t;",
     10 + t % 3 * 10 + t, 0)
CASE(spaces,
     "mov.u64 %d2, s; cvta.shared.u64 %d3, %d2; isspacep.shared %p1, %d3; isspacep.global %p2, %d3; mov.u64 %d4, mine; "
     "cvta.local.u64 %d4, %d4; isspacep.local %p3, %d4;\n"
     "cvta.to.shared.u64 %d5, %d3; sub.u64 %w, %d5, %d2; @%p1 or.b32 %o, %o, 1; @%p2 or.b32 %o, %o, 2; @%p3 or.b32 %o, %o, 4;",
     5, 0)
CASE(elect,
     "elect.sync %r1|%p1, -1; selp.b32 %r2, 100, 0, %p1; add.u32 %o, %r1, %r2; match.all.sync.b32 %r3|%p2, %t, -1; @%p2 add.u32 "
     "%o, %o, 7; @!%p2 add.u32 %o, %o, %r3;",
     t % 32 == 0 ? 100 : 0, 0)
CASE(specials,
     "mov.u32 %r1, %laneid; mov.u32 %r2, %warpid; mad.lo.u32 %o, %r2, 32, %r1; mov.u32 %r3, %lanemask_lt; mov.u32 %r4, "
     "%lanemask_ge; xor.b32 %r3, %r3, %r4; not.b32 %r3, %r3;\n"
     "add.u32 %o, %o, %r3; mov.u32 %r5, %ntid.x; mul.lo.u32 %o, %o, %r5; mov.u32 %r6, %nctaid.y; mul.lo.u32 %o, %o, %r6; mov.u32 "
     "%r7, %ctaid.x; add.u32 %o, %o, %r7;",
     t * 64, 0)
CASE(time_passes,
     "mov.u64 %d2, %clock64; mov.u64 %d3, %globaltimer; nanosleep.u32 20; mov.u64 %d4, %clock64; setp.le.u64 %p1, %d2, %d4; "
     "setp.gt.u64 %p2, %d3, 1000; @%p1 or.b32 %o, %o, 1;\n"
     "@%p2 or.b32 %o, %o, 2; mov.u32 %r1, %clock; membar.gl; fence.acq_rel.gpu; prefetch.global.L2 [%d1];",
     3, 0)
CASE(widths,
     "mov.u32 %r1, s; mad.lo.u32 %r1, %t, 16, %r1; st.shared.v4.b32 [%r1], {%x, %y, %t, %x}; st.shared.b8 [%r1+1], %y; "
     "st.shared.v2.b16 [%r1+8], {7, 9}; ld.shared.v2.b64 {%d2, %d3}, [%r1];\n"
     "ld.shared.s8 %r2, [%r1+1]; ld.shared.u16 %r3, [%r1+10]; add.u32 %o, %r2, %r3; add.u64 %w, %d2, %d3;",
     (int8_t)y + 9, ((uint64_t)y << 32 | ((x & 0xffff00ffu) | (y & 255) << 8)) + ((uint64_t)x << 32 | 0x00090007u))
CASE(local_bytes,
     "st.local.v2.u8 [mine+4], {%x, %y}; st.local.u32 [mine], %t; ld.local.s16 %d2, [mine+4]; mov.u64 %w, %d2; mov.u64 %d3, "
     "mine; ld.local.u32 %o, [%d3];",
     t, (int64_t)(int16_t)((x & 255) | (y & 255) << 8))
CASE(flushing,
     "and.b32 %r1, %x, 0x807fffff; mov.b32 %f1, %r1; add.ftz.f32 %f2, %f1, %f1; add.f32 %f3, %f1, 0f00000000; mov.b32 %o, %f2; "
     "mov.b32 %r2, %f3; cvt.u64.u32 %w, %r2;",
     x & 0x80000000u, (x & 0x7fffff) ? x & 0x807fffff : 0)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lop3),       cmocka_unit_test(test_carry),       cmocka_unit_test(test_borrow),
        cmocka_unit_test(test_wide_mad),   cmocka_unit_test(test_carry64),     cmocka_unit_test(test_insert),
        cmocka_unit_test(test_pack),       cmocka_unit_test(test_halves),      cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_predicates), cmocka_unit_test(test_jump_table),  cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_elect),      cmocka_unit_test(test_specials),    cmocka_unit_test(test_time_passes),
        cmocka_unit_test(test_widths),     cmocka_unit_test(test_local_bytes), cmocka_unit_test(test_flushing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
