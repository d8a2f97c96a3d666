/* The table of driver calls against NVIDIA's own header, where there is one: every prototype and every number. The comparison is
 * made by the compiler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#if __has_include(<cuda.h>)
#include <cuda.h>

#include "kernels/cuda.h"

static void the_table_fits(void **state)
{
    struct cuda_driver table;
#define CUDA_CALL(name, symbol, ...)                                                                                             \
    _Static_assert(__builtin_types_compatible_p(__typeof__(table.name), __typeof__(&name)), symbol " has another prototype");
#include "kernels/driver.def"
#undef CUDA_CALL
}

#define SAME(mine, theirs) _Static_assert((int)(mine) == (int)(theirs), #theirs)

static void the_numbers_fit(void **state)
{
    SAME(CUDA_ERROR_NUMBER_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY);
    SAME(CUDA_ERROR_NUMBER_NO_DEVICE, CUDA_ERROR_NO_DEVICE);
    SAME(CUDA_ERROR_NUMBER_NOT_READY, CUDA_ERROR_NOT_READY);
    SAME(CUDA_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER);
    SAME(CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
    SAME(CUDA_MAX_DYNAMIC_SHARED_SIZE_BYTES, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
    SAME(CUDA_STREAM_NON_BLOCKING, CU_STREAM_NON_BLOCKING);
    SAME(CUDA_EVENT_DISABLE_TIMING, CU_EVENT_DISABLE_TIMING);
    SAME(CUDA_CAPTURE_MODE_RELAXED, CU_STREAM_CAPTURE_MODE_RELAXED);
    SAME(CUDA_MULTIPROCESSOR_COUNT, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    SAME(CUDA_PCI_BUS_ID, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID);
    SAME(CUDA_PCI_DEVICE_ID, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID);
    SAME(CUDA_PCI_DOMAIN_ID, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID);
    SAME(CUDA_L2_CACHE_SIZE, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
    SAME(CUDA_MAX_THREADS_PER_MULTIPROCESSOR, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
    SAME(CUDA_COMPUTE_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    SAME(CUDA_COMPUTE_CAPABILITY_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    SAME(CUDA_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
    SAME(CUDA_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
}
#else
static void the_table_fits(void **state) { print_message("NOT COMPARED: no cuda.h\n"); }
static void the_numbers_fit(void **state) {}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table_fits), cmocka_unit_test(the_numbers_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
