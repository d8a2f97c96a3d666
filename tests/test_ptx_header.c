/* The PTX driver's own declarations against NVIDIA's header, where there is one: every prototype, every name of an error, the
 * sizes of what clients pass. Both the newest versions of calls and the older ones that stay for programs built long ago. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#if __has_include(<cuda.h>)
#define __CUDA_API_VERSION_INTERNAL /* the header then declares the older versions, too */
#include <cuda.h>
#endif

#if defined(CUDA_VERSION) && CUDA_VERSION >= 12050 /* some types of newer calls are not in older headers */
#include "tools/ptx/api.h"                         /* a prototype that differs does not compile */

static void sizes(void **state)
{
    assert_int_equal(sizeof(CUDA_MEMCPY2D), 128);
    assert_int_equal(sizeof(CUlaunchAttribute), 72);
    assert_int_equal(sizeof(CUlaunchConfig), 56);
    assert_int_equal(sizeof(CUctxCreateParams), 24);
    assert_int_equal(sizeof(CUDA_GRAPH_INSTANTIATE_PARAMS), 32);
    assert_int_equal(sizeof(CUuuid), 16);
    assert_int_equal(sizeof(CUresult), 4);
    assert_int_equal(offsetof(CUDA_MEMCPY2D, dstMemoryType), 72);
    assert_int_equal(offsetof(CUDA_MEMCPY2D, Height), 120);
    assert_int_equal(offsetof(CUlaunchConfig, attrs), 40);
}

#define ERROR(name)                                                                                                              \
    {                                                                                                                            \
        name, #name                                                                                                              \
    }
static const struct {
    CUresult code;
    const char *name;
} errors[] = {
    ERROR(CUDA_SUCCESS),
    ERROR(CUDA_ERROR_INVALID_VALUE),
    ERROR(CUDA_ERROR_OUT_OF_MEMORY),
    ERROR(CUDA_ERROR_NOT_INITIALIZED),
    ERROR(CUDA_ERROR_DEINITIALIZED),
    ERROR(CUDA_ERROR_PROFILER_DISABLED),
    ERROR(CUDA_ERROR_STUB_LIBRARY),
    ERROR(CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER),
    ERROR(CUDA_ERROR_DEVICE_UNAVAILABLE),
    ERROR(CUDA_ERROR_NO_DEVICE),
    ERROR(CUDA_ERROR_INVALID_DEVICE),
    ERROR(CUDA_ERROR_INVALID_IMAGE),
    ERROR(CUDA_ERROR_INVALID_CONTEXT),
    ERROR(CUDA_ERROR_MAP_FAILED),
    ERROR(CUDA_ERROR_UNMAP_FAILED),
    ERROR(CUDA_ERROR_NO_BINARY_FOR_GPU),
    ERROR(CUDA_ERROR_ECC_UNCORRECTABLE),
    ERROR(CUDA_ERROR_UNSUPPORTED_LIMIT),
    ERROR(CUDA_ERROR_CONTEXT_ALREADY_IN_USE),
    ERROR(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED),
    ERROR(CUDA_ERROR_INVALID_PTX),
    ERROR(CUDA_ERROR_JIT_COMPILER_NOT_FOUND),
    ERROR(CUDA_ERROR_UNSUPPORTED_PTX_VERSION),
    ERROR(CUDA_ERROR_JIT_COMPILATION_DISABLED),
    ERROR(CUDA_ERROR_INVALID_SOURCE),
    ERROR(CUDA_ERROR_FILE_NOT_FOUND),
    ERROR(CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND),
    ERROR(CUDA_ERROR_SHARED_OBJECT_INIT_FAILED),
    ERROR(CUDA_ERROR_OPERATING_SYSTEM),
    ERROR(CUDA_ERROR_INVALID_HANDLE),
    ERROR(CUDA_ERROR_ILLEGAL_STATE),
    ERROR(CUDA_ERROR_NOT_FOUND),
    ERROR(CUDA_ERROR_NOT_READY),
    ERROR(CUDA_ERROR_ILLEGAL_ADDRESS),
    ERROR(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES),
    ERROR(CUDA_ERROR_LAUNCH_TIMEOUT),
    ERROR(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED),
    ERROR(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED),
    ERROR(CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE),
    ERROR(CUDA_ERROR_CONTEXT_IS_DESTROYED),
    ERROR(CUDA_ERROR_ASSERT),
    ERROR(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED),
    ERROR(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED),
    ERROR(CUDA_ERROR_HARDWARE_STACK_ERROR),
    ERROR(CUDA_ERROR_ILLEGAL_INSTRUCTION),
    ERROR(CUDA_ERROR_MISALIGNED_ADDRESS),
    ERROR(CUDA_ERROR_INVALID_ADDRESS_SPACE),
    ERROR(CUDA_ERROR_INVALID_PC),
    ERROR(CUDA_ERROR_LAUNCH_FAILED),
    ERROR(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE),
    ERROR(CUDA_ERROR_NOT_PERMITTED),
    ERROR(CUDA_ERROR_NOT_SUPPORTED),
    ERROR(CUDA_ERROR_SYSTEM_NOT_READY),
    ERROR(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH),
    ERROR(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_MERGE),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_UNJOINED),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_ISOLATION),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT),
    ERROR(CUDA_ERROR_CAPTURED_EVENT),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD),
    ERROR(CUDA_ERROR_TIMEOUT),
    ERROR(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE),
    ERROR(CUDA_ERROR_UNKNOWN),
};

static void names_of_errors(void **state)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const char *name = NULL;
        assert_int_equal(cuGetErrorName(errors[i].code, &name), CUDA_SUCCESS);
        assert_string_equal(name, errors[i].name);
    }
}

/* Attributes by the header's names have the values that the device posed has. */
static void attributes(void **state)
{
    static const struct {
        CUdevice_attribute attribute;
        int value;
    } expected[] = {
        {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
        {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
        {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647},
        {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
        {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65536},
        {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
        {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1980000},
        {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 132},
        {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 0},
        {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 2619000},
        {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 5120},
        {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 50 << 20},
        {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
        {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 9},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 233472},
        {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
        {CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 0},
        {CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 0},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 232448},
        {CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, 1},
        {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32},
        {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, 1024},
        {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 0},
        {CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, 0},
    };
    unsetenv("PTX_DRIVER_SM");
    assert_int_equal(cuInit(0), CUDA_SUCCESS);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int value = -1;
        assert_int_equal(cuDeviceGetAttribute(&value, expected[i].attribute, 0), CUDA_SUCCESS);
        assert_int_equal(value, expected[i].value);
    }
}
#else
static void sizes(void **state) { skip(); }
static void names_of_errors(void **state) { skip(); }
static void attributes(void **state) { skip(); }
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(names_of_errors), cmocka_unit_test(attributes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
