/* Each kind of fault: what is reported, where, to whom. And what must not be reported. */
#include "ptx_run.h"

/* A kernel of one pointer and one number, in 32 threads unless said otherwise; %t is the thread, %q the pointer, %n the number,
 * %s the shared array's address; $ marks line breaks that the reports must count. */
#define KERNEL(body)                                                                                                             \
    PTX_HEADER                                                                                                                   \
        ".extern .shared .align 16 .b8 dynamic[];\n.visible .entry k(.param .u64 a, .param .u32 b)\n{\n"                         \
        ".reg .pred %p<9>; .reg .b32 %r<9>; .reg .b64 %d<9>; .reg .b64 %q; .reg .b32 %n; .reg .b32 %t; .reg .f32 %f<9>;\n"       \
        ".shared .align 16 .b8 s[256];\n"                                                                                        \
        "mov.u32 %t, %tid.x; ld.param.u64 %q, [a]; ld.param.u32 %n, [b]; shl.b32 %r8, %t, 2; mul.wide.u32 %d8, %t, 4;\n" body    \
        "\nret;\n}\n"
enum { BODY_LINE = 10 };

struct params {
    uint64_t a;
    uint32_t b;
};

static void expect(const char *text, uint32_t threads, struct params p, enum ptx_fault_kind kind, const char *words, int line,
                   uint32_t thread)
{
    struct machine m;
    machine_open(&m, text);
    m.config.block[0] = threads;
    if (p.a == 0)
        p.a = upload(&m, NULL, 256);
    if (kind == PTX_OK) {
        run_clean(&m, "k", &p, sizeof p);
    } else {
        run_faulty(&m, "k", &p, sizeof p, kind, words);
        if (m.fault.line != line || m.fault.thread[0] != thread)
            fail_msg("line %d thread %u instead of line %d thread %u: %s", m.fault.line, m.fault.thread[0], line, thread,
                     m.fault.message);
        assert_non_null(strstr(m.fault.message, m.fault.text));
        assert_non_null(strstr(m.fault.message, "kernel k,"));
    }
    if (p.a >> 48 == PTX_GLOBAL_BASE >> 48)
        ptx_free(m.memory, p.a, NULL);
    machine_close(&m);
}

static void test_addresses(void **state)
{
    const struct params none = {0, 0};
    int here = 3;
    const struct params host = {(uint64_t)(uintptr_t)&here, 0};
    /* 64 floats are there; thread 31 with stride 12 ends at 376. The first thread that leaves is 22. */
    expect(KERNEL("mad.wide.u32 %d1, %t, 12, %q;\nld.global.f32 %f1, [%d1];"), 32, none, PTX_OUT_OF_RANGE,
           "past the end of the allocation of 256 bytes", BODY_LINE + 1, 22);
    expect(KERNEL("ld.global.f32 %f1, [%q+-4];"), 32, none, PTX_OUT_OF_RANGE, "no allocation at", BODY_LINE, 0);
    expect(KERNEL("add.u64 %d1, %q, %d8;\nst.global.u32 [%d1+200], %t;"), 32, none, PTX_OUT_OF_RANGE, "past the end",
           BODY_LINE + 1, 14);
    expect(KERNEL("add.u64 %d1, %q, %d8;\nadd.u64 %d1, %d1, 2;\nld.global.f32 %f1, [%d1];"), 32, none, PTX_MISALIGNED,
           "is not a multiple of 4", BODY_LINE + 2, 0);
    expect(KERNEL("ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%q+8];"), 32, none, PTX_MISALIGNED, "is not a multiple of 16",
           BODY_LINE, 0);
    expect(KERNEL("ld.global.u32 %r1, [%q];"), 32, host, PTX_HOST_ADDRESS, "is an address of the host", BODY_LINE, 0);
    expect(KERNEL("st.global.u32 [%q], %t;"), 32, host, PTX_HOST_ADDRESS, "is an address of the host", BODY_LINE, 0);
    expect(KERNEL("atom.global.add.u32 %r1, [%q], 1;"), 32, host, PTX_HOST_ADDRESS, "is an address of the host", BODY_LINE, 0);
    expect(KERNEL("atom.global.add.u32 %r1, [%q+256], 1;"), 32, none, PTX_OUT_OF_RANGE, "0 bytes past the end", BODY_LINE, 0);
    expect(KERNEL("setp.eq.u32 %p1, %t, 5;\nmov.u64 %d1, 64;\n@%p1 ld.u32 %r1, [%d1];"), 32, none, PTX_OUT_OF_RANGE,
           "no allocation at 0x40", BODY_LINE + 2, 5);
    /* what is guarded off is not looked at */
    expect(KERNEL("setp.eq.u32 %p1, %t, 99;\n@%p1 ld.global.u32 %r1, [0];"), 32, none, PTX_OK, "", 0, 0);
}

static void test_spaces(void **state)
{
    const struct params none = {0, 0};
    expect(KERNEL("mov.u32 %r1, s;\nadd.u32 %r1, %r1, %r8;\nst.shared.u32 [%r1+160], %t;"), 32, none, PTX_OUT_OF_RANGE,
           "the block's shared memory has 256 bytes", BODY_LINE + 2, 24);
    expect(KERNEL("mov.u32 %r1, s;\nld.shared.u32 %r2, [%r1+8];"), 32, none, PTX_UNINITIALISED,
           "nothing in this block has written shared byte 0x8", BODY_LINE + 1, 0);
    /* thread 7 alone is uncovered: it did not write its own word */
    expect(KERNEL("mov.u32 %r1, s;\nadd.u32 %r1, %r1, %r8;\nsetp.ne.u32 %p1, %t, 7;\n@%p1 st.shared.u32 [%r1], "
                  "%t;\nld.shared.u32 %r2, [%r1];"),
           32, none, PTX_UNINITIALISED, "0x1c", BODY_LINE + 4, 7);
    expect(KERNEL("mov.u32 %r1, s;\nst.shared.u8 [%r1], %t;\nld.shared.u16 %r2, [%r1];"), 32, none, PTX_UNINITIALISED, "0x1",
           BODY_LINE + 2, 0);
    expect(KERNEL("mov.u32 %r1, s;\natom.shared.add.u32 %r2, [%r1+4], 1;"), 32, none, PTX_UNINITIALISED, "0x4", BODY_LINE + 1, 0);
    expect(KERNEL("mov.u64 %d1, s;\ncvta.shared.u64 %d2, %d1;\nld.u32 %r2, [%d2];"), 32, none, PTX_UNINITIALISED, "0x0",
           BODY_LINE + 2, 0);
    expect(KERNEL("mov.u64 %d1, a;\ncvta.param.u64 %d2, %d1;\nst.u32 [%d2], %t;"), 32, none, PTX_READ_ONLY, "cannot be written",
           BODY_LINE + 2, 0);
    expect(KERNEL("mov.u32 %r1, dynamic;\nst.shared.u32 [%r1], %t;"), 32, none, PTX_OUT_OF_RANGE, "shared memory", BODY_LINE + 1,
           0);
    expect(
        KERNEL("mov.u32 %r1, s;\ncp.async.ca.shared.global [%r1], [%q], 4;\ncp.async.commit_group;\nld.shared.u32 %r2, [%r1];"),
        32, none, PTX_PENDING_COPY, "no wait has covered", BODY_LINE + 3, 0);
    expect(
        KERNEL("mov.u32 %r1, s;\ncp.async.ca.shared.global [%r1], [%q], 4;\ncp.async.wait_group 0;\nld.shared.u32 %r2, [%r1];"),
        32, none, PTX_PENDING_COPY, "no wait has covered", BODY_LINE + 3, 0); /* waits for no group: nothing was committed */
    expect(KERNEL("mov.u32 %r1, s;\ncp.async.ca.shared.global [%r1], [%q], 4, 9;"), 32, none, PTX_BAD_OPERAND, "is to read 9",
           BODY_LINE + 1, 0);
}

static void test_barriers(void **state)
{
    const struct params none = {0, 0};
    expect(KERNEL("setp.lt.u32 %p1, %t, 64;\n@!%p1 bra A;\nbar.sync 0;\nA:"), 128, none, PTX_DIVERGENT_BARRIER,
           "2 warps of the block have ended", BODY_LINE + 2, 0);
    expect(KERNEL("setp.lt.u32 %p1, %t, 16;\n@%p1 bra A;\nbar.sync 0;\nA:"), 32, none, PTX_DIVERGENT_BARRIER,
           "have already exited", BODY_LINE + 2, 16);
    expect(KERNEL("setp.lt.u32 %p1, %t, 16;\n@%p1 bra A;\nbar.sync 0;\nbra B;\nA:\nbar.sync 0;\nB:"), 32, none,
           PTX_DIVERGENT_BARRIER, "of a warp wait here and lanes", BODY_LINE + 2, 16);
    expect(KERNEL("setp.lt.u32 %p1, %t, 32;\n@%p1 bra A;\nbar.sync 0;\nbra B;\nA:\nbar.sync 0;\nB:"), 64, none,
           PTX_DIVERGENT_BARRIER, "wait at the barrier of PTX line", BODY_LINE + 2, 32);
    expect(KERNEL("setp.lt.u32 %p1, %t, 10;\n@%p1 exit;\nbar.sync 0;"), 32, none, PTX_DIVERGENT_BARRIER, "have already exited",
           BODY_LINE + 2, 10);
    expect(KERNEL("bar.sync 1, 48;"), 64, none, PTX_BAD_OPERAND, "48 threads", BODY_LINE, 0);
    expect(KERNEL("add.u32 %r1, %n, 16;\nbar.sync %r1;"), 64, none, PTX_BAD_OPERAND, "barrier 16", BODY_LINE + 1, 0);
    expect(KERNEL("setp.lt.u32 %p1, %t, 32;\n@%p1 bra A;\nbar.sync 1, 64;\nbra B;\nA:\nbar.arrive 1, 64;\nB:"), 64, none, PTX_OK,
           "", 0, 0);
    expect(KERNEL("setp.lt.u32 %p1, %t, 64;\n@%p1 bra A;\nbar.sync 2, 64;\nbra B;\nA:\nbar.sync 1, 64;\nB:\nbar.sync 0;"), 128,
           none, PTX_OK, "", 0, 0);
}

static void test_lanes(void **state)
{
    const struct params none = {0, 0};
    expect(KERNEL("setp.lt.u32 %p1, %t, 16;\n@!%p1 bra A;\nshfl.sync.idx.b32 %r1, %t, 0, 31, -1;\nA:"), 32, none, PTX_BAD_MASK,
           "have exited", BODY_LINE + 2, 0);
    expect(KERNEL("vote.sync.ballot.b32 %r1, %p1, 0xffff;"), 32, none, PTX_BAD_MASK, "does not name the lane itself", BODY_LINE,
           16);
    expect(KERNEL("shfl.sync.idx.b32 %r1, %t, 0, 31, -1;"), 40, none, PTX_BAD_MASK, "have exited or never were", BODY_LINE, 32);
    expect(KERNEL("setp.lt.u32 %p1, %t, 16;\n@!%p1 bra A;\nshfl.sync.idx.b32 %r1, %t, 20, 31, 0xffff;\nA:"), 32, none,
           PTX_BAD_MASK, "reads lane 20, which the mask", BODY_LINE + 2, 0);
    expect(KERNEL("setp.lt.u32 %p1, %t, 16;\n@%p1 vote.sync.any.pred %p2, %p1, -1;"), 32, none, PTX_BAD_MASK,
           "whose guard is off", BODY_LINE + 1, 0);
    expect(KERNEL("setp.lt.u32 %p1, %t, 16;\n@%p1 bra A;\nbar.warp.sync -1;\nshfl.sync.idx.b32 %r1, %t, 0, 31, -1;\nbra "
                  "B;\nA:\nbar.sync 0;\nB:"),
           32, none, PTX_BAD_MASK, "wait here for lanes that do not come", BODY_LINE + 2, 16);
    /* lanes that come later are waited for */
    expect(KERNEL("setp.lt.u32 %p1, %t, 16;\n@%p1 bra A;\nadd.u32 %r1, %t, 5;\nA:\nshfl.sync.idx.b32 %r1, %t, 0, 31, -1;"), 32,
           none, PTX_OK, "", 0, 0);
    expect(KERNEL("setp.lt.u32 %p1, %t, 8;\n@%p1 mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1,%f2,%f3,%f4}, "
                  "{%r1,%r2,%r3,%r4}, {%r5,%r6}, "
                  "{%f1,%f2,%f3,%f4};"),
           32, none, PTX_BAD_MASK, "instead of the whole warp", BODY_LINE + 1, 0);
    expect(KERNEL("setp.eq.u32 %p1, %t, 9;\n@%p1 trap;"), 32, none, PTX_TRAP, "stopped itself", BODY_LINE + 1, 9);
    expect(KERNEL("mov.u32 %r1, 3;\nL: .branchtargets A, B;\nbrx.idx %r1, L;\nA:\nB:"), 32, none, PTX_BAD_OPERAND,
           "index 3 of 2 targets", BODY_LINE + 2, 0);
}

static void test_after_free(void **state)
{
    struct machine m;
    machine_open(&m, KERNEL("ld.global.u32 %r1, [%q+16];"));
    struct params p = {upload(&m, NULL, 100), 0};
    assert_int_equal(ptx_free(m.memory, p.a, &m.fault), 0);
    uint64_t other = upload(&m, NULL, 100); /* not put where the old one was */
    assert_true(other != p.a);
    run_faulty(&m, "k", &p, sizeof p, PTX_USE_AFTER_FREE, "that was freed");
    assert_true(m.fault.address == p.a + 16);
    assert_int_equal(m.fault.bytes, 4);
    assert_int_equal(ptx_free(m.memory, p.a, &m.fault), PTX_BAD_POINTER);
    assert_int_equal(ptx_free(m.memory, other + 1, &m.fault), PTX_BAD_POINTER);
    ptx_free(m.memory, other, NULL);
    machine_close(&m);
}

static void test_launch_limits(void **state)
{
    struct machine m;
    machine_open(&m, PTX_HEADER
                 ".entry k(.param .u64 a) .maxntid 64, 2, 1\n{\n.shared .b8 s[40000];\n.reg .b32 %r;\nmov.u32 %r, s;\nret;\n}\n"
                 ".entry exact() .reqntid 32\n{\nret;\n}\n");
    uint64_t p = 0;
    const struct ptx_launch_config usual = m.config;
    assert_int_equal(ptx_kernel_info(ptx_module_kernel(m.module, "k"))->static_shared, 40000);
    assert_int_equal(ptx_kernel_info(ptx_module_kernel(m.module, "k"))->max_threads, 128);
    run_clean(&m, "k", &p, sizeof p);
    m.config.block[0] = 129;
    run_faulty(&m, "k", &p, sizeof p, PTX_BAD_LAUNCH, "a block of 129 threads, where the kernel allows 128");
    m.config = usual;
    m.config.block[2] = 65;
    run_faulty(&m, "k", &p, sizeof p, PTX_BAD_LAUNCH, "1 to 64");
    m.config = usual;
    m.config.grid[1] = 65536;
    run_faulty(&m, "k", &p, sizeof p, PTX_BAD_LAUNCH, "1 to 65535");
    m.config = usual;
    m.config.grid[0] = 0;
    run_faulty(&m, "k", &p, sizeof p, PTX_BAD_LAUNCH, "a grid of 0 blocks");
    m.config = usual;
    m.config.dynamic_shared = 9153;
    m.config.shared_limit = 49152;
    run_faulty(&m, "k", &p, sizeof p, PTX_BAD_LAUNCH, "49153 bytes of shared memory, where 49152 are allowed");
    m.config = usual;
    run_faulty(&m, "k", &p, 4, PTX_BAD_LAUNCH, "4 bytes of parameters, where the kernel has 8");
    m.config.block[0] = 33;
    run_faulty(&m, "exact", NULL, 0, PTX_BAD_LAUNCH, "where the kernel requires 32");
    machine_close(&m);
}

static void test_stop(void **state)
{
    struct machine m;
    volatile bool stop = true;
    machine_open(&m, PTX_HEADER ".entry k()\n{\nA:\nbra A;\n}\n");
    m.config.stop = &stop;
    run_faulty(&m, "k", NULL, 0, PTX_STOPPED, "told to stop");
    machine_close(&m);
}

static void test_first_fault(void **state)
{
    struct machine m;
    machine_open(
        &m, PTX_HEADER
        ".entry k()\n{\n.reg .pred %p; .reg .b32 %r<3>;\nmov.u32 %r1, %ctaid.x;\nsetp.eq.u32 %p, %r1, 5;\n@%p trap;\nret;\n}\n");
    m.config.grid[0] = 9;
    m.config.workers = 1;
    run_faulty(&m, "k", NULL, 0, PTX_TRAP, "block (5,0,0)");
    assert_int_equal(m.fault.block[0], 5);
    assert_string_equal(m.fault.kernel, "k");
    assert_string_equal(m.fault.text, "@%p trap;");
    machine_close(&m);
}

static void test_memory(void **state)
{
    struct ptx_memory *memory;
    struct ptx_fault fault;
    uint64_t start, bytes;
    assert_int_equal(ptx_memory_new(1000, &memory), 0);
    const uint64_t a = ptx_alloc(memory, 600, &fault);
    assert_true(a != 0 && a % 256 == 0);
    assert_int_equal(ptx_bytes_used(memory), 600);
    assert_int_equal(ptx_bytes_capacity(memory), 1000);
    assert_true(ptx_alloc(memory, 401, &fault) == 0);
    assert_int_equal(fault.kind, PTX_NO_MEMORY);
    assert_non_null(strstr(fault.message, "401 bytes asked for, 600 of 1000 in use"));
    assert_true(ptx_alloc(memory, UINT64_MAX, &fault) == 0);
    assert_true(ptx_alloc(memory, 0, &fault) == 0);
    assert_true(ptx_find(memory, a + 599, &start, &bytes) && start == a && bytes == 600);
    assert_false(ptx_find(memory, a + 600, &start, &bytes));
    assert_non_null(ptx_host(memory, a + 100, 500, &fault));
    assert_null(ptx_host(memory, a + 100, 501, &fault));
    assert_non_null(strstr(fault.message, "run 1 bytes over the end"));
    assert_null(ptx_host(memory, (uint64_t)(uintptr_t)&memory, 1, &fault));
    assert_int_equal(fault.kind, PTX_HOST_ADDRESS);
    assert_int_equal(((uint8_t *)ptx_host(memory, a, 1, &fault))[599], 0xff);
    /* many short lives: the capacity is what counts, not the addresses used up */
    assert_int_equal(ptx_free(memory, a, &fault), 0);
    for (int i = 0; i < 200000; i++) {
        const uint64_t b = ptx_alloc(memory, 1000, &fault);
        assert_true(b != 0);
        assert_int_equal(ptx_free(memory, b, &fault), 0);
    }
    assert_int_equal(ptx_allocations(memory), 0);
    assert_int_equal(ptx_free(memory, 0, &fault), 0);
    assert_int_equal(ptx_free(memory, 12345, &fault), PTX_BAD_POINTER);
    ptx_memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_spaces),      cmocka_unit_test(test_barriers),
        cmocka_unit_test(test_lanes),     cmocka_unit_test(test_after_free),  cmocka_unit_test(test_launch_limits),
        cmocka_unit_test(test_stop),      cmocka_unit_test(test_first_fault), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
