/* The planted faults once more, as PTX that nvcc made, on the driver that interprets it: what it says of those that it can see,
 * and that it says nothing of their twins. It looks for no races: without a barrier the values must be wrong. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "emu/builds.h"
#include "emu/faults.h"
#include "kernels/cuda.h"

enum { MAX_TEXT = 300, SEEDS = 5 };

#define VALUE "wrong value"
/* What comes of each fault in some order of blocks. Not here are 10, 17 and 23, races that do no harm on this driver, whose lanes
 * go step by step and whose blocks one after the other; and 24, which is not compiled by nvcc. */
static const struct {
    int number;
    const char *says;
} expected[] = {
    {1, "uninitialised shared memory"},
    {2, VALUE},
    {3, "address out of range"},
    {4, VALUE},
    {5, "address out of range"},
    {6, "unfinished cp.async"},
    {7, "unfinished cp.async"},
    {8, "uninitialised shared memory"},
    {9, "unfinished cp.async"},
    {11, "uninitialised shared memory"},
    {12, "bad lane mask"},
    {13, "bad lane mask"},
    {14, "divergent barrier"},
    {15, "divergent barrier"},
    {16, "divergent barrier"},
    {18, "misaligned address"},
    {19, VALUE},
    {20, VALUE},
    {21, VALUE},
    {22, VALUE},
    {25, VALUE},
    {26, "host address"},
};

static const char *const files[] = {"barriers.ptx", "memory.ptx", "copies.ptx", "warps.ptx"};
enum { FILES = sizeof files / sizeof files[0], ROOM_PTX = 1 << 20 };

static const struct cuda_driver *driver;
static const char *(*last_fault)(void);
static char *texts[FILES];
static char said[PLANTED][MAX_TEXT]; /* for the table */

static const char *expected_of(int number)
{
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        if (expected[i].number == number)
            return expected[i].says;
    return NULL;
}

static char *read_text(const char *path)
{
    FILE *stream = fopen(path, "r");
    char *text = malloc(ROOM_PTX);
    assert_non_null(stream);
    assert_non_null(text);
    size_t size = fread(text, 1, ROOM_PTX - 1, stream);
    assert_true(feof(stream) && size > 0);
    text[size] = 0;
    fclose(stream);
    return text;
}

static int open_driver(void **state)
{
    const char *name;
    char path[CUDA_PATH];
    if (access(build_path(files[0]), R_OK) != 0)
        return 0; /* said by each test */
    setenv("PTX_DRIVER_QUIET", "1", 1);
    setenv("PTX_DRIVER_WORKERS", "1", 1); /* one seed, one order */
    if (cuda_driver_open("ptx", &driver, &name) != OSP_OK)
        fail_msg("%s", osp_message());
    *(void **)&last_fault = dlsym(cuda_library_beside("libcuda-ptx.so", path), "ptx_driver_last_fault");
    assert_non_null(last_fault);
    for (int i = 0; i < FILES; i++)
        texts[i] = read_text(build_path(files[i]));
    return 0;
}

static void need_driver(void)
{
    if (driver)
        return;
    print_message("NOT RUN: there is no PTX of the kernels, for want of nvcc\n");
    skip();
}

static void need(CUresult code)
{
    if (code)
        fail_msg("the driver answers %d: %s", (int)code, last_fault());
}

/* Returns "", VALUE or what the driver says. */
static const char *run(const struct planted *p, bool bug, int seed)
{
    static char text[MAX_TEXT], number[16];
    static struct data data, want;
    CUcontext context;
    CUmodule module;
    CUfunction function = NULL;
    CUdeviceptr a, b, out;
    char name[32];
    size_t bytes = sizeof(float) * (p->tight ? (size_t)p->n : ROOM);
    int n = p->n;

    snprintf(number, sizeof number, "%d", seed);
    setenv("PTX_DRIVER_SEED", number, 1);
    need(driver->cuInit(0));
    need(driver->cuDevicePrimaryCtxRetain(&context, 0));
    need(driver->cuCtxSetCurrent(context));
    snprintf(name, sizeof name, "%s_%d", bug ? "bug" : "right", p->number);
    for (int i = 0; i < FILES && !function; i++) {
        need(driver->cuModuleLoadDataEx(&module, texts[i], 0, NULL, NULL));
        if (driver->cuModuleGetFunction(&function, module, name) != 0)
            function = NULL;
    }
    assert_non_null(function);
    fault_data(p, &data, &want);
    need(driver->cuMemAlloc(&a, bytes));
    need(driver->cuMemAlloc(&b, sizeof data.b));
    need(driver->cuMemAlloc(&out, bytes));
    need(driver->cuMemcpyHtoDAsync(a, data.a, bytes, NULL));
    need(driver->cuMemcpyHtoDAsync(b, data.b, sizeof data.b, NULL));
    need(driver->cuMemsetD8Async(out, 0, bytes, NULL));
    CUdeviceptr given = p->host && bug ? (CUdeviceptr)(uintptr_t)data.a : a;
    need(driver->cuLaunchKernel(function, p->grid[0], p->grid[1], p->grid[2], p->block[0], p->block[1], p->block[2], 0, NULL,
                                (void *[]){&given, &b, &out, &n}, NULL));
    text[0] = 0;
    if (driver->cuStreamSynchronize(NULL))
        snprintf(text, sizeof text, "%s", last_fault());
    else if (driver->cuMemcpyDtoHAsync(data.out, out, bytes, NULL) || driver->cuStreamSynchronize(NULL))
        snprintf(text, sizeof text, "%s", last_fault());
    else if (!fault_right(p, &data, &want))
        snprintf(text, sizeof text, "%s", VALUE);
    need(driver->cuDevicePrimaryCtxRelease(0));
    return text;
}

/* Kernels that nvcc does not compile: locals have no place in memory that could be seen. */
static bool is_compiled(const struct planted *p) { return p->number != 24; }

static void test_twins(void **state)
{
    need_driver();
    for (int i = 0; i < PLANTED; i++)
        for (int seed = 0; is_compiled(&planted[i]) && seed < SEEDS; seed++) {
            const char *text = run(&planted[i], false, seed);
            if (*text)
                fail_msg("twin of %d, seed %d: %s", planted[i].number, seed, text);
        }
}

static void test_faults(void **state)
{
    need_driver();
    for (int i = 0; i < PLANTED; i++) {
        const char *must = expected_of(planted[i].number);
        for (int seed = 0; is_compiled(&planted[i]) && seed < SEEDS; seed++) {
            const char *text = run(&planted[i], true, seed);
            char kernel[40];
            snprintf(kernel, sizeof kernel, "bug_%d,", planted[i].number);
            if (*text && strcmp(text, VALUE) != 0 && !strstr(text, kernel))
                fail_msg("bug %d: the kernel is not named: %s", planted[i].number, text);
            if (*text && (!*said[i] || (must && strstr(text, must) && !strstr(said[i], must))))
                snprintf(said[i], sizeof said[i], "%s", text);
        }
        if (must && !strstr(said[i], must))
            fail_msg("bug %d (%s): \"%s\" expected, but: %s", planted[i].number, planted[i].what, must, said[i]);
    }
}

static int print_table(void **state)
{
    int noticed = 0;
    for (int i = 0; driver && i < PLANTED; i++) {
        noticed += *said[i] != 0;
        print_message("%2d  %-47s %.130s\n", planted[i].number, planted[i].what, *said[i] ? said[i] : "-");
    }
    if (driver)
        print_message("%d of %d noticed by the PTX driver\n", noticed, (int)PLANTED);
    for (int i = 0; i < FILES; i++)
        free(texts[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_twins), cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, open_driver, print_table);
}
