/* The PTX driver as a client meets it: devices, contexts, modules, functions, memory, copies. */
#include "ptx_client.h"

#include <stdio.h>
#include <unistd.h>

static void devices(void **state)
{
    int value = -1, major = 0, minor = 0;
    CUdevice device = -1;
    char name[64], bus[16];
    CUuuid uuid;
    size_t bytes = 0;
    static const struct {
        const char *sm;
        int major, minor, optin, multiprocessors;
    } poses[] = {{"75", 7, 5, 65536, 40}, {"80", 8, 0, 166912, 108}, {"90", 9, 0, 232448, 132}};
    for (size_t i = 0; i < 3; i++) {
        setenv("PTX_DRIVER_SM", poses[i].sm, 1);
        OK(cuInit(0));
        OK(cuDeviceGetAttribute(&value, 75, 0));
        assert_int_equal(value, poses[i].major);
        OK(cuDeviceGetAttribute(&value, 76, 0));
        assert_int_equal(value, poses[i].minor);
        OK(cuDeviceComputeCapability(&major, &minor, 0));
        assert_int_equal(major * 10 + minor, atoi(poses[i].sm));
        OK(cuDeviceGetAttribute(&value, 97, 0));
        assert_int_equal(value, poses[i].optin);
        OK(cuDeviceGetAttribute(&value, 16, 0));
        assert_int_equal(value, poses[i].multiprocessors);
        OK(cuDeviceGetName(name, sizeof name, 0));
        assert_non_null(strstr(name, poses[i].sm));
    }
    unsetenv("PTX_DRIVER_SM");
    OK(cuInit(0));
    FAILS(cuInit(1), CUDA_ERROR_INVALID_VALUE);
    OK(cuDriverGetVersion(&value));
    assert_true(value >= 12000);
    OK(cuDeviceGetCount(&value));
    assert_int_equal(value, 1);
    OK(cuDeviceGet(&device, 0));
    FAILS(cuDeviceGet(&device, 1), CUDA_ERROR_INVALID_DEVICE);
    FAILS(cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE);
    FAILS(cuDeviceGetName(name, 0, 0), CUDA_ERROR_INVALID_VALUE);
    OK(cuDeviceGetName(name, 4, 0));
    assert_string_equal(name, "PTX");
    OK(cuDeviceGetUuid(&uuid, 0));
    OK(cuDeviceGetUuid_v2(&uuid, 0));
    OK(cuDeviceTotalMem_v2(&bytes, 0));
    assert_true(bytes == 16ull << 30);
    OK(cuDeviceGetPCIBusId(bus, sizeof bus, 0));
    OK(cuDeviceGetByPCIBusId(&device, bus));
    FAILS(cuDeviceGetByPCIBusId(&device, "0000:01:00.0"), CUDA_ERROR_INVALID_DEVICE);
    OK(cuDeviceCanAccessPeer(&value, 0, 0));
    assert_int_equal(value, 0);
    FAILS(cuDeviceGetAttribute(&value, 9999, 0), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuDeviceGetAttribute(&value, 14, 0), CUDA_ERROR_INVALID_VALUE); /* texture alignment: there are no textures */
    FAILS(cuDeviceGetAttribute(&value, 1, 1), CUDA_ERROR_INVALID_DEVICE);
    FAILS(cuDeviceTotalMem_v2(&bytes, 3), CUDA_ERROR_INVALID_DEVICE);
}

static void a_wrong_environment_is_refused(void **state)
{
    static const char *const wrong[][2] = {{"PTX_DRIVER_SM", "70"},    {"PTX_DRIVER_SM", "ninety"},
                                           {"PTX_DRIVER_MEMORY", "0"}, {"PTX_DRIVER_MEMORY", "-1"},
                                           {"PTX_DRIVER_SEED", "1.5"}, {"PTX_DRIVER_WORKERS", "5000"}};
    setenv("PTX_DRIVER_QUIET", "1", 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv(wrong[i][0], wrong[i][1], 1);
        FAILS(cuInit(0), CUDA_ERROR_INVALID_VALUE);
        assert_non_null(strstr(ptx_driver_last_fault(), wrong[i][0]));
        unsetenv(wrong[i][0]);
    }
    OK(cuInit(0));
}

static void contexts(void **state)
{
    CUcontext primary, again, a, b, c, got;
    CUdevice device = -1;
    unsigned flags = 0, version = 0;
    unsigned long long id = 0, other = 0;
    int active = -1, least = 1, greatest = 1;
    size_t limit = 0;
    FAILS(cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
    assert_int_equal(active, 0);
    OK(cuDevicePrimaryCtxSetFlags_v2(0, 4));
    OK(cuDevicePrimaryCtxRetain(&primary, 0));
    OK(cuDevicePrimaryCtxRetain(&again, 0));
    assert_ptr_equal(primary, again);
    OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
    assert_int_equal(active, 1);
    assert_int_equal(flags, 4);
    OK(cuDevicePrimaryCtxSetFlags(0, 0));
    OK(cuCtxGetCurrent(&got));
    assert_null(got);
    OK(cuCtxPushCurrent_v2(primary));
    OK(cuCtxCreate_v2(&a, 0, 0));
    OK(cuCtxCreate_v3(&b, NULL, 0, 8, 0));
    OK(cuCtxCreate_v4(&c, NULL, 0, 0));
    OK(cuCtxGetCurrent(&got));
    assert_ptr_equal(got, c);
    OK(cuCtxGetDevice(&device));
    OK(cuCtxGetDevice_v2(&device, a));
    assert_int_equal(device, 0);
    OK(cuCtxGetId(NULL, &id));
    OK(cuCtxGetId(a, &other));
    assert_true(id != other);
    OK(cuCtxGetApiVersion(a, &version));
    OK(cuCtxSynchronize_v2(b));
    OK(cuCtxGetStreamPriorityRange(&least, &greatest));
    assert_true(greatest < least);
    OK(cuCtxSetLimit(0, 4096));
    OK(cuCtxGetLimit(&limit, 0));
    assert_int_equal(limit, 4096);
    FAILS(cuCtxGetLimit(&limit, 5), CUDA_ERROR_UNSUPPORTED_LIMIT);
    FAILS(cuCtxSetLimit(77, 1), CUDA_ERROR_UNSUPPORTED_LIMIT);
    CUfunc_cache cache = 9;
    CUsharedconfig shared = 9;
    OK(cuCtxSetCacheConfig(2));
    OK(cuCtxGetCacheConfig(&cache));
    assert_int_equal(cache, 2);
    OK(cuCtxSetSharedMemConfig(1));
    OK(cuCtxGetSharedMemConfig(&shared));
    assert_int_equal(shared, 1);
    FAILS(cuCtxSetCacheConfig(7), CUDA_ERROR_INVALID_VALUE);
    OK(cuCtxPopCurrent_v2(&got));
    assert_ptr_equal(got, c);
    OK(cuCtxGetFlags(&flags));
    assert_int_equal(flags, 8);
    OK(cuCtxSetFlags(1));
    assert_int_not_equal(cuCtxEnablePeerAccess(a, 0), CUDA_SUCCESS);
    assert_int_not_equal(cuCtxDisablePeerAccess(a), CUDA_SUCCESS);
    OK(cuCtxDestroy_v2(c));
    FAILS(cuCtxDestroy_v2(c), CUDA_ERROR_CONTEXT_IS_DESTROYED);
    FAILS(cuCtxSetCurrent(c), CUDA_ERROR_CONTEXT_IS_DESTROYED);
    FAILS(cuCtxPushCurrent_v2((CUcontext)&got), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cuCtxDestroy_v2(primary), CUDA_ERROR_INVALID_CONTEXT);
    OK(cuCtxDestroy_v2(b)); /* current: it leaves the stack */
    OK(cuCtxGetCurrent(&got));
    assert_ptr_equal(got, a);
    OK(cuCtxDestroy_v2(a));
    OK(cuCtxGetCurrent(&got));
    assert_ptr_equal(got, primary);
    OK(cuDevicePrimaryCtxRelease_v2(0));
    OK(cuCtxSynchronize());
    OK(cuDevicePrimaryCtxRelease(0));
    FAILS(cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
    OK(cuCtxSetCurrent(NULL));
    expect_nothing_left();
}

static void a_reset_releases_all(void **state)
{
    struct client c;
    CUdeviceptr p;
    void *host;
    CUstream stream;
    client_open(&c, "0");
    OK(cuMemAlloc_v2(&p, 1000));
    OK(cuMemHostAlloc(&host, 100, 0));
    OK(cuStreamCreate(&stream, 0));
    OK(add_one(&c, p, 10, stream));
    OK(cuDevicePrimaryCtxReset_v2(0));
    FAILS(cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemAlloc_v2(&p, 1000));
    OK(cuDevicePrimaryCtxReset(0));
    OK(cuCtxSetCurrent(NULL));
    OK(cuDevicePrimaryCtxRelease_v2(0));
    expect_nothing_left();
}

static void modules(void **state)
{
    struct client c;
    CUmodule module;
    CUfunction f;
    CUdeviceptr p;
    size_t bytes = 0;
    unsigned count = 0;
    CUmoduleLoadingMode mode = 0;
    char info[64] = "x", error[256] = "";
    CUjit_option option[] = {3, 4, 5, 6, 12};
    void *value[] = {info, (void *)sizeof info, error, (void *)sizeof error, (void *)1};
    client_open(&c, "0");
    OK(cuModuleLoadDataEx(&module, PTX, 5, option, value));
    assert_true((uintptr_t)value[1] == 0 && (uintptr_t)value[3] == 0);
    OK(cuModuleGetGlobal_v2(&p, &bytes, module, "answer"));
    assert_int_equal(bytes, 4);
    assert_int_equal(first_of(p), 42);
    FAILS(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuModuleGetGlobal_v2(&p, &bytes, module, "question"), CUDA_ERROR_NOT_FOUND);
    FAILS(cuModuleGetFunction(&f, module, "subtract"), CUDA_ERROR_NOT_FOUND);
    OK(cuModuleGetFunctionCount(&count, module));
    assert_int_equal(count, 5);
    CUfunction all[5];
    OK(cuModuleEnumerateFunctions(all, 5, module));
    OK(cuModuleGetFunction(&f, module, "add_one"));
    OK(cuModuleUnload(module));
    FAILS(cuModuleUnload(module), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cuModuleGetFunction(&f, module, "add_one"), CUDA_ERROR_INVALID_HANDLE);
    OK(cuModuleGetLoadingMode(&mode));

    /* A text that does not compile: where and why, in the client's buffer. */
    value[1] = (void *)sizeof info;
    value[3] = (void *)sizeof error;
    FAILS(cuModuleLoadDataEx(
              &module,
              ".version 7.0\n.target sm_75\n.address_size 64\n.entry k() {\n  .reg .b32 %r1;\n  frobnicate.u32 %r1, %r1;\n}\n", 4,
              option, value),
          CUDA_ERROR_INVALID_PTX);
    assert_non_null(strstr(error, "line 6"));
    assert_non_null(strstr(error, "frobnicate"));
    assert_int_equal((uintptr_t)value[3], strlen(error));
    value[3] = (void *)10;
    FAILS(cuModuleLoadDataEx(&module, "nonsense", 4, option, value), CUDA_ERROR_INVALID_PTX);
    assert_int_equal(strlen(error), 9);
    FAILS(cuModuleLoadDataEx(&module, ".version 7.0\n.target sm_103\n.address_size 64\n", 4, option, value),
          CUDA_ERROR_INVALID_PTX);
    option[0] = 4711;
    FAILS(cuModuleLoadDataEx(&module, PTX, 1, option, value), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuModuleLoadData(&module, "\x7f"
                                    "ELF"),
          CUDA_ERROR_NO_BINARY_FOR_GPU);
    FAILS(cuModuleLoad(&module, "/nowhere/module.ptx"), CUDA_ERROR_FILE_NOT_FOUND);
    client_close(&c);
}

/* A fat binary with entries as nvcc writes them, each holding the kernels under another target. */
static size_t fat_entry(unsigned char *out, int kind, int target, uint64_t flags, const char *text)
{
    uint32_t header[16] = {(uint32_t)kind | 0x0101u << 16, 64};
    uint64_t bytes = (strlen(text) + 8) / 8 * 8;
    memcpy(header + 2, &bytes, 8);
    header[7] = (uint32_t)target;
    memcpy(header + 10, &flags, 8);
    memcpy(out, header, 64);
    memset(out + 64, 0, bytes);
    memcpy(out + 64, text, strlen(text));
    return 64 + bytes;
}

static size_t fat_file(unsigned char *out, size_t entries)
{
    uint32_t head[2] = {0xba55ed50, 1 | 16 << 16};
    uint64_t bytes = entries;
    memcpy(out, head, 8);
    memcpy(out + 8, &bytes, 8);
    return 16 + entries;
}

static void fat_binaries(void **state)
{
    static unsigned char file[16384];
    struct client c;
    CUmodule module;
    CUfunction f;
    int value = 0;
    char path[] = "/tmp/ptx-driver-XXXXXX";
    char error[256] = "";
    CUjit_option option[] = {5, 6};
    void *log[] = {error, (void *)sizeof error};
    struct {
        uint32_t magic, version;
        const void *data;
        const char *name;
    } wrapper = {0x466243b1, 1, file, NULL};
    static const char for_80[] = ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry only_80() { ret; }\n";
    static const char for_100[] = "this is never looked at";
    client_open(&c, "0");
    size_t at = 16;
    at += fat_entry(file + at, 1, 75, 0x11, PTX);
    at += fat_entry(file + at, 2, 90, 0x11, "machine code");
    at += fat_entry(file + at, 1, 80, 0x11, for_80);
    at += fat_entry(file + at, 1, 100, 0x11, for_100);
    at += fat_entry(file + at, 1, 89, 0x100011, for_100); /* for sm_89a and no other */
    size_t size = fat_file(file, at - 16);
    OK(cuModuleLoadFatBinary(&module, file));
    OK(cuModuleGetFunction(&f, module, "only_80"));
    OK(cuFuncGetAttribute(&value, 5, f));
    assert_int_equal(value, 80);
    OK(cuModuleUnload(module));
    OK(cuModuleLoadData(&module, &wrapper));
    OK(cuModuleUnload(module));
    int file_number = mkstemp(path);
    assert_true(file_number >= 0 && write(file_number, file, size) == (ssize_t)size);
    OK(cuModuleLoad(&module, path));
    OK(cuModuleUnload(module));
    assert_int_equal(ftruncate(file_number, (off_t)size - 1), 0);
    FAILS(cuModuleLoad(&module, path), CUDA_ERROR_INVALID_IMAGE);
    file[6] = 17; /* a longer header, and nothing behind it */
    assert_int_equal(pwrite(file_number, file, size, 0), size);
    FAILS(cuModuleLoad(&module, path), CUDA_ERROR_INVALID_IMAGE);
    assert_int_equal(pwrite(file_number, &wrapper, sizeof wrapper, 0), sizeof wrapper);
    FAILS(cuModuleLoad(&module, path), CUDA_ERROR_INVALID_IMAGE); /* a pointer in a file */
    assert_int_equal(ftruncate(file_number, 3), 0);
    FAILS(cuModuleLoad(&module, path), CUDA_ERROR_INVALID_PTX);
    close(file_number);
    unlink(path);
    wrapper.data = PTX;
    FAILS(cuModuleLoadData(&module, &wrapper), CUDA_ERROR_INVALID_IMAGE);

    fat_file(file, 16 + fat_entry(file + 16, 1, 80, 0x11, for_80) - 8); /* the last entry runs over the end */
    FAILS(cuModuleLoadDataEx(&module, file, 2, option, log), CUDA_ERROR_INVALID_IMAGE);
    assert_non_null(strstr(error, "cut off"));
    fat_file(file, fat_entry(file + 16, 1, 80, 0x8011, for_80));
    log[1] = (void *)sizeof error;
    FAILS(cuModuleLoadDataEx(&module, file, 2, option, log), CUDA_ERROR_NO_BINARY_FOR_GPU);
    assert_non_null(strstr(error, "compressed"));
    fat_file(file, fat_entry(file + 16, 1, 100, 0x11, for_100));
    log[1] = (void *)sizeof error;
    FAILS(cuModuleLoadDataEx(&module, file, 2, option, log), CUDA_ERROR_NO_BINARY_FOR_GPU);
    assert_non_null(strstr(error, "compute_100"));
    client_close(&c);
}

static void libraries(void **state)
{
    struct client c;
    CUlibrary library;
    CUkernel kernel;
    CUmodule module;
    CUfunction f;
    CUdeviceptr p;
    size_t bytes;
    unsigned count = 0;
    const char *name = NULL;
    char path[] = "/tmp/ptx-driver-XXXXXX";
    client_open(&c, "0");
    OK(cuLibraryLoadData(&library, PTX, NULL, NULL, 0, NULL, NULL, 0));
    OK(cuLibraryGetKernel(&kernel, library, "add_one"));
    OK(cuLibraryGetKernelCount(&count, library));
    assert_int_equal(count, 5);
    OK(cuKernelGetFunction(&f, kernel));
    OK(cuKernelGetName(&name, kernel));
    assert_string_equal(name, "add_one");
    OK(cuLibraryGetModule(&module, library));
    OK(cuLibraryGetGlobal(&p, &bytes, library, "answer"));
    OK(cuMemAlloc_v2(&p, 4));
    OK(cuMemsetD32_v2(p, 6, 1));
    unsigned n = 1;
    void *arguments[] = {&p, &n};
    OK(cuLaunchKernel((CUfunction)kernel, 1, 1, 1, 1, 1, 1, 0, NULL, arguments, NULL));
    assert_int_equal(first_of(p), 7);
    OK(cuLibraryUnload(library));
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, PTX, strlen(PTX)) == (ssize_t)strlen(PTX));
    close(file);
    OK(cuLibraryLoadFromFile(&library, path, NULL, NULL, 0, NULL, NULL, 0));
    unlink(path);
    OK(cuLibraryUnload(library));
    FAILS(cuLibraryUnload(library), CUDA_ERROR_INVALID_HANDLE);
    OK(cuMemFree_v2(p));
    client_close(&c);
}

static size_t four_per_thread(int block) { return (size_t)block * 4; }

static void functions(void **state)
{
    struct client c;
    CUmodule module;
    const char *name = NULL;
    size_t offset = 0, bytes = 0;
    int value = 0, grid = 0, block = 0;
    client_open(&c, "0");
    OK(cuFuncGetModule(&module, c.times));
    assert_ptr_equal(module, c.module);
    OK(cuFuncGetName(&name, c.times));
    assert_string_equal(name, "times");
    OK(cuFuncGetParamInfo(c.times, 2, &offset, &bytes));
    assert_true(offset == 12 && bytes == 4);
    FAILS(cuFuncGetParamInfo(c.times, 3, &offset, &bytes), CUDA_ERROR_INVALID_VALUE);
    static const int expected[][2] = {{0, 1024}, {1, 0}, {3, 0}, {5, 75}, {6, 90}, {8, 49152}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        OK(cuFuncGetAttribute(&value, expected[i][0], c.times));
        assert_int_equal(value, expected[i][1]);
    }
    OK(cuFuncGetAttribute(&value, 4, c.times));
    assert_in_range(value, 1, 255);
    OK(cuFuncGetAttribute(&value, 0, c.reverse));
    assert_int_equal(value, 64);
    FAILS(cuFuncGetAttribute(&value, 99, c.times), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuFuncGetAttribute(&value, 0, (CUfunction)c.module), CUDA_ERROR_INVALID_HANDLE);
    FAILS(cuFuncSetAttribute(c.times, 8, 300000), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuFuncSetAttribute(c.times, 0, 1), CUDA_ERROR_INVALID_VALUE);
    OK(cuFuncSetAttribute(c.times, 9, 50));
    OK(cuFuncSetCacheConfig(c.times, 1));
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, c.times, 1024, 0));
    assert_int_equal(value, 2); /* 2048 threads */
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, c.times, 32, 0));
    assert_int_equal(value, 32); /* block slots */
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, c.times, 64, 40000));
    assert_int_equal(value, 233472 / 41088); /* 40000 and the 1 KiB that is kept, in units of 128 */
    OK(cuFuncSetAttribute(c.times, 8, 200000));
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, c.times, 64, 200000));
    assert_int_equal(value, 1);
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&value, c.times, 64, 200001, 0));
    assert_int_equal(value, 0);
    OK(cuOccupancyMaxPotentialBlockSize(&grid, &block, c.times, NULL, 0, 0));
    assert_int_equal(block, 1024);
    assert_int_equal(grid, 2 * 132);
    OK(cuOccupancyMaxPotentialBlockSizeWithFlags(&grid, &block, c.times, four_per_thread, 0, 100, 0));
    assert_int_equal(block, 64); /* 32 blocks of 100 threads are 4 warps each: 16; of 96 threads 21; of 64 threads 32 */
    client_close(&c);
}

static void addresses_of_calls(void **state)
{
    CUresult (*create)(CUcontext *, unsigned, CUdevice);
    void *function = NULL;
    CUdriverProcAddressQueryResult found = 9;
    OK(cuGetProcAddress_v2("cuCtxCreate", (void **)&create, 11000, 0, &found));
    assert_true((void *)create == (void *)cuCtxCreate_v2 && found == 0);
    OK(cuGetProcAddress_v2("cuCtxCreate", &function, 13000, 0, NULL));
    assert_true(function == (void *)cuCtxCreate_v4);
    OK(cuGetProcAddress("cuMemAlloc", &function, 12000, 0));
    assert_true(function == (void *)cuMemAlloc_v2);
    OK(cuGetProcAddress_v2("cuGraphInstantiate", &function, 12000, 0, NULL));
    assert_true(function == (void *)cuGraphInstantiateWithFlags);
    OK(cuGetProcAddress_v2("cuGraphInstantiateWithFlags", &function, 12000, 0, NULL));
    assert_true(function == (void *)cuGraphInstantiateWithFlags);
    OK(cuGetProcAddress_v2("cuStreamGetCaptureInfo", &function, 5000, 0, &found));
    assert_true(!function && found == 2);
    OK(cuGetProcAddress_v2("cuTexRefCreate", &function, 12000, 0, &found));
    assert_true(!function && found == 1);
    FAILS(cuGetProcAddress_v2("cuTexRefCreate", &function, 12000, 0, NULL), CUDA_ERROR_NOT_FOUND);
    FAILS(cuGetProcAddress_v2("cuMemAlloc", &function, 12000, 2, NULL), CUDA_ERROR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_environment_is_refused),
        cmocka_unit_test(devices),
        cmocka_unit_test(contexts),
        cmocka_unit_test(a_reset_releases_all),
        cmocka_unit_test(modules),
        cmocka_unit_test(fat_binaries),
        cmocka_unit_test(libraries),
        cmocka_unit_test(functions),
        cmocka_unit_test(addresses_of_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
