/* What is refused, and in which words; and that no text, cut short or damaged, does harm. */
#include "ptx_run.h"

#define BODY(text)                                                                                                               \
    PTX_HEADER ".visible .entry k(.param .u64 a)\n{\n.reg .pred %p<4>; .reg .b16 %h<4>; .reg .b32 %r<9>; .reg .b64 %d<9>; .reg " \
               ".f32 %f<9>;\n" text "\nret;\n}\n"

static const struct {
    const char *text, *words;
} REFUSED[] = {
    {"", "must begin with .version"},
    {"hello", "must begin with .version"},
    {".version nine\n", "a number is missing"},
    {".version 9.0\n", ".target must follow .version"},
    {".version 9.0\n.target compute_80\n", ".target must be sm_ and a number, not compute_80"},
    {".version 9.0\n.target sm_80\n.address_size 32\n", "line 3: .address_size must be 64"},
    {PTX_HEADER ".branch x;", "unknown directive: .branch"},
    {PTX_HEADER "banana", "unknown directive: banana"},
    {PTX_HEADER ".entry k() { mov.u32", "line 4:"},
    {PTX_HEADER ".entry k() {", "k does not end"},
    {PTX_HEADER ".entry k() .cluster 4 {}", "unknown directive of a function: .cluster"},
    {PTX_HEADER ".entry k() {}\n.entry k() {}", "line 5: k is declared twice"},
    {PTX_HEADER ".entry k(.param .u32 a, .param .u32 a) {}", "a is declared twice"},
    {PTX_HEADER ".global .f32 x[0];", "x has no size"},
    {PTX_HEADER ".global .f32 x[400000000];", "a whole number from 0 to"},
    {PTX_HEADER ".global .f32 x[100000000][100];", "x is larger than"},
    {PTX_HEADER ".global .align 3 .f32 x;", ".align must be a power of two"},
    {PTX_HEADER ".global .u8 x[2] = {1, 2, 3};", "x has more initial values than elements"},
    {PTX_HEADER ".global .u64 x = y;", "an initial value names y"},
    {PTX_HEADER ".extern .global .u64 x;", "modules are not linked here"},
    {BODY("tex.2d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [a, {%r1, %r2}];"), "line 7: "},
    {BODY("\nfoo.bar %r1, %r2;"), "line 8: unknown instruction: foo.bar %r1, %r2;"},
    {BODY("add.rx.f32 %f1, %f2, %f3;"), "unknown instruction: add.rx.f32 %f1, %f2, %f3;"},
    {BODY("add.ftz.s32 %r1, %r2, %r3;"), "unknown instruction: add.ftz.s32"},
    {BODY("ld.global.evil.u32 %r1, [%d1];"), "unknown instruction: ld.global.evil.u32"},
    {BODY("wgmma.fence.sync.aligned;"), "unknown instruction: wgmma"},
    {BODY("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%f1}, {%r1}, {%r2}, {%f1};"),
     "unknown instruction: mma.sync.aligned.m8n8k4"},
    {BODY("cp.async.bulk.commit_group;"), "unknown instruction: cp.async.bulk"},
    {BODY("add.s32 %r1, %r2;"), "2 operands instead of 3: add.s32 %r1, %r2;"},
    {BODY("add.s32 %r1, %r2, %d3;"), "a register of 64 bits where 32 are needed: add.s32 %r1, %r2, %d3;"},
    {BODY("add.s32 %p1, %r2, %r3;"), "a register of 1 bits where 32 are needed"},
    {BODY("add.f32 %f1, %f2, 1;"), "a whole number where a floating-point constant is needed"},
    {BODY("add.s32 5, %r2, %r3;"), "the result is not a register"},
    {BODY("add.s32 %r1, %r2, %r9;"), "unknown register: %r9"},
    {BODY("add.s32 %r1, %r2, there;"), "unknown name there"},
    {BODY("mov.u32 %r1, %tid.w;"), "unknown register: %tid.w"},
    {BODY("bra nowhere;"), "there is no label nowhere"},
    {BODY("L:\nL:"), "the label L stands twice in k"},
    {BODY("call helper;"), "there is no function helper"},
    {BODY("st.const.u32 [%d1], %r1;"), "constant memory cannot be written"},
    {BODY("ld.global.v2.u32 %r1, [%d1];"), "1 registers for a load of 2 values"},
    {BODY("ld.global.v4.u64 {%d1,%d2,%d3,%d4}, [%d1];"), "for a load of 4 values"},
    {BODY("ld.global.u32 %r1, %d1;"), "an address in brackets is missing"},
    {BODY("@%r1 bra L;\nL:"), "a predicate register must follow @"},
    {BODY("mov.u32 %r1, 0f12;"), "needs 8 hexadecimal digits"},
    {BODY("lop3.b32 %r1, %r2, %r3, %r4, 256;"), "from 0 to 255"},
    {BODY("cp.async.cg.shared.global [%r1], [%d1], 8;"), "a copy must have 16 bytes"},
    {BODY("{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{"), "blocks in one another"},
    {BODY(".reg .b32 %z<9999999>;"), "from 0 to 1048576"},
    {BODY(".local .b8 big[600000];"), "more than 512 KiB of local memory"},
    {BODY(".shared .b8 big[2000000];\nmov.u32 %r1, big;"), "more than 1 MiB of shared memory"},
    {PTX_HEADER ".func f();\n.entry k() {\ncall f;\nret;\n}", "f is called and not defined"},
    {PTX_HEADER ".func f() {\ncall f;\nret;\n}\n.entry k() {\ncall f;\nret;\n}", "a function that calls itself"},
    {PTX_HEADER ".func g();\n.func f() {\ncall g;\nret;\n}\n.func g() {\ncall f;\nret;\n}\n.entry k() {\ncall f;\nret;\n}",
     "a function that calls itself"},
    {PTX_HEADER ".func f(.param .b32 x) {\nret;\n}\n.entry k() {\ncall f;\nret;\n}", "f has 1 parameters"},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        struct machine m;
        machine_parse(&m, REFUSED[i].text, strlen(REFUSED[i].text));
        if (m.module || !strstr(m.error.message, REFUSED[i].words))
            fail_msg("wanted '%s', got '%s' for:\n%s", REFUSED[i].words, m.module ? "no error" : m.error.message,
                     REFUSED[i].text);
        machine_close(&m);
    }
}

/* Odd, but PTX. */
static void test_accepted(void **state)
{
    static const char TEXT[] =
        "/* a comment\n over lines */ .version 7.8 // another\n.target sm_86, debug\n.address_size 64\n.file 1 \"a.cu\"\n"
        ".section .debug_str { .b8 1,2,3 }\n.global .align 8 .u64 pointer[2] = {values, generic(values)+4};\n"
        ".visible .global .align 4 .f32 values[2][2] = {{1.5, 0f40000000}, {-0f40400000, 4.0}};\n.const .b8 bytes[4] = {1, 255, "
        "-1};\n"
        ".weak .entry k()\n.minnctapersm 2\n{\n.reg .pred p, %p<2>; .reg .b32 r, %r<12>;\n.loc 1 5 3\n.pragma \"nounroll\";\n"
        "$L_a: mov.b32 r, 0x10U;;\n{ .reg .b32 r; .reg .pred %p1; mov.b32 r, -1; setp.eq.s32 %p1, r, -1; @%p1 bra $L_b; }\n"
        "@!p bra.uni $L_a;\n$L_b: mov.b32 %r11, WARP_SZ; ret.uni;\n}\n";
    struct machine m;
    machine_parse(&m, TEXT, sizeof TEXT); /* the NUL counts too, as drivers are given it */
    if (!m.module)
        fail_msg("%s", m.error.message);
    assert_int_equal(ptx_module_version(m.module), 78);
    assert_int_equal(ptx_module_target(m.module), 86);
    assert_int_equal(ptx_module_kernels(m.module), 1);
    assert_null(ptx_module_kernel_at(m.module, 1));
    const struct ptx_variable *values = ptx_module_variable(m.module, "values"),
                              *pointer = ptx_module_variable(m.module, "pointer");
    const float want[4] = {1.5f, 2, -3, 4};
    assert_memory_equal(view(&m, values->address), want, sizeof want);
    assert_true(((uint64_t *)view(&m, pointer->address))[0] == values->address);
    assert_true(((uint64_t *)view(&m, pointer->address))[1] == values->address + 4);
    const struct ptx_variable *bytes = ptx_module_variable(m.module, "bytes");
    assert_memory_equal(view(&m, bytes->address), "\1\xff\xff\0", 4);
    assert_true(bytes->constant && !values->constant);
    run_clean(&m, "k", NULL, 0);
    machine_close(&m);
}

static const char *const FILES[] = {"flow.ptx", "warp.ptx", "matrix.ptx", "tiles.ptx"};

static void test_cut_short(void **state)
{
    for (size_t f = 0; f < sizeof FILES / sizeof *FILES; f++) {
        char path[512];
        size_t size, step = getenv("OSPREY_LONG") ? 1 : 37;
        snprintf(path, sizeof path, "%s/tests/ptx/%s", OSP_SOURCE, FILES[f]);
        char *text = file_text(path, &size);
        for (size_t cut = 0; cut < size; cut += step) {
            /* a copy of exactly that size, so that the sanitizers see a read past its end */
            char *piece = malloc(cut + 1);
            memcpy(piece, text, cut);
            struct machine m;
            machine_parse(&m, piece, cut);
            assert_true(m.module || m.error.message[0]);
            machine_close(&m);
            free(piece);
        }
        free(text);
    }
}

static void test_damaged(void **state)
{
    static const char LETTERS[] = "{}[]();,.:|@!%_-+<>=0123456789abfnrsuvx\n \"/*";
    const int rounds = getenv("OSPREY_LONG") ? 3000 : 100;
    uint64_t random = 4;
    for (size_t f = 0; f < sizeof FILES / sizeof *FILES; f++) {
        char path[512];
        size_t size;
        snprintf(path, sizeof path, "%s/tests/ptx/%s", OSP_SOURCE, FILES[f]);
        char *text = file_text(path, &size), *copy = malloc(size);
        for (int round = 0; round < rounds; round++) {
            memcpy(copy, text, size);
            for (uint64_t n = next_random(&random) % 6 + 1; n > 0; n--)
                copy[next_random(&random) % size] = LETTERS[next_random(&random) % (sizeof LETTERS - 1)];
            struct machine m;
            machine_parse(&m, copy, size);
            assert_true(m.module || m.error.message[0]);
            machine_close(&m);
        }
        free(copy);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_accepted),
                                       cmocka_unit_test(test_cut_short), cmocka_unit_test(test_damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
