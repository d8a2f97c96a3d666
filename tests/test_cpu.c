/* The cpu backend apart from its kernels: opening, memory, clock, ladders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/backend.h"

static const struct osp_backend *cpu;

static struct osp_device *open_cpu(int threads, const char *isa)
{
    struct osp_device_options options = {.threads = threads, .isa = isa};
    struct osp_device *device = NULL;
    if (cpu->open(&options, &device) != OSP_OK)
        fail_msg("%s", osp_message());
    return device;
}

static void test_open(void **state)
{
    struct osp_device *device = open_cpu(3, "portable");
    assert_int_equal(cpu->threads(device), 3);
    assert_string_equal(cpu->isa(device), "portable");
    cpu->close(device);
    device = open_cpu(0, NULL);
    assert_true(cpu->threads(device) >= 1);
    cpu->close(device);
    assert_int_equal(cpu->open(NULL, &device), OSP_OK);
    cpu->close(device);
}

static void test_refusals(void **state)
{
    static const struct {
        struct osp_device_options options;
        const char *sentence;
    } table[] = {
        {{.threads = -1, .isa = NULL}, "cpu: -1 threads; allowed: 1 to 1024, or 0 for all cores"},
        {{.threads = 1025, .isa = NULL}, "cpu: 1025 threads; allowed: 1 to 1024, or 0 for all cores"},
        {{.threads = 1, .isa = "sse9"}, "cpu: unknown instruction set \"sse9\"; allowed: portable, avx2, avx512"},
        {{.threads = 1, .isa = ""}, "cpu: unknown instruction set \"\"; allowed: portable, avx2, avx512"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct osp_device *device = (struct osp_device *)&table;
        assert_int_equal(cpu->open(&table[i].options, &device), OSP_USAGE);
        assert_string_equal(osp_message(), table[i].sentence);
        assert_ptr_equal(device, &table); /* set only on success */
    }
}

static void test_memory(void **state)
{
    struct osp_device *device = open_cpu(1, NULL);
    static const char text[] = "through the device";
    char back[sizeof text];
    void *memory = NULL;
    for (size_t bytes = 0; bytes < 300; bytes += 37) {
        assert_int_equal(cpu->memory->alloc(device, bytes, &memory), OSP_OK);
        assert_int_equal((uintptr_t)memory % 64, 0);
        memset(memory, 1, bytes);
        cpu->memory->free(device, memory);
    }
    assert_int_equal(cpu->memory->alloc(device, sizeof text, &memory), OSP_OK);
    assert_int_equal(cpu->memory->upload(device, memory, text, sizeof text), OSP_OK);
    assert_int_equal(cpu->memory->download(device, back, memory, sizeof text), OSP_OK);
    assert_string_equal(back, text);
    cpu->memory->free(device, memory);
    assert_int_equal(cpu->memory->alloc(device, SIZE_MAX, &memory), OSP_MEMORY);
    assert_string_equal(osp_message(), "cpu: no memory for 18446744073709551615 bytes");
    cpu->close(device);
}

static void test_clock(void **state)
{
    struct osp_device *device = open_cpu(1, NULL);
    double seconds = -1, none = -1;
    assert_int_equal(cpu->clock->reserve(device, 2), OSP_OK);
    assert_int_equal(cpu->clock->mark(device, 0), OSP_OK);
    assert_int_equal(cpu->clock->reserve(device, 100), OSP_OK); /* keeps the marks that are set */
    assert_int_equal(cpu->clock->mark(device, 99), OSP_OK);
    assert_int_equal(cpu->clock->seconds(device, 0, 99, &seconds), OSP_OK);
    assert_int_equal(cpu->clock->seconds(device, 99, 99, &none), OSP_OK);
    assert_true(seconds > 0 && seconds < 10 && none == 0);
    cpu->close(device);
}

/* Every op has a ladder; a rung's name is a word that can be typed, and names one rung. */
static void test_ladders(void **state)
{
    for (int op = 0; op < OSP_OP_COUNT; op++) {
        const struct osp_ladder *ladder = cpu->ops[op];
        assert_non_null(ladder);
        assert_true(ladder->count >= 2);
        for (int r = 0; r < ladder->count; r++) {
            const char *name = ladder->rungs[r]->name;
            assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
            assert_non_null(ladder->rungs[r]->run);
            for (int other = 0; other < r; other++)
                assert_string_not_equal(name, ladder->rungs[other]->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),  cmocka_unit_test(test_refusals), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_clock), cmocka_unit_test(test_ladders),
    };
    for (int i = 0; osp_backends[i]; i++)
        if (strcmp(osp_backends[i]->name, "cpu") == 0)
            cpu = osp_backends[i];
    return cpu ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
