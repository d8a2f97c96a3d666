/* The PTX driver's memory: allocations, page-locked memory, what a pointer is, copies and memsets in every direction, launches.
 */
#include "ptx_client.h"

static void allocations(void **state)
{
    struct client c;
    CUdeviceptr p, q, start = 0;
    size_t free_bytes, total, pitch = 0, bytes = 0;
    struct ptx_driver_alive alive;
    setenv("PTX_DRIVER_MEMORY", "1000000", 1);
    client_open(&c, "0");
    unsetenv("PTX_DRIVER_MEMORY");
    OK(cuMemGetInfo_v2(&free_bytes, &total));
    assert_int_equal(total, 1000000);
    OK(cuMemAlloc_v2(&p, 600000));
    FAILS(cuMemAlloc_v2(&q, 600000), CUDA_ERROR_OUT_OF_MEMORY);
    assert_non_null(strstr(ptx_driver_last_fault(), "600000 bytes"));
    FAILS(cuMemAlloc_v2(&q, 0), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemAllocPitch_v2(&q, &pitch, 100, 3, 4));
    assert_int_equal(pitch, 512);
    FAILS(cuMemAllocPitch_v2(&q, &pitch, 100, 3, 5), CUDA_ERROR_INVALID_VALUE);
    ptx_driver_allocated(&alive);
    assert_int_equal(alive.device_bytes, 600000 + 1536);
    assert_int_equal(alive.device_allocations, 2);
    OK(cuMemGetAddressRange_v2(&start, &bytes, p + 5));
    assert_true(start == p && bytes == 600000);
    FAILS(cuMemGetAddressRange_v2(&start, &bytes, p + 600000), CUDA_ERROR_NOT_FOUND);
    FAILS(cuMemFree_v2(p + 256), CUDA_ERROR_INVALID_VALUE);
    assert_non_null(strstr(ptx_driver_last_fault(), "not the start"));
    OK(cuMemFree_v2(p));
    FAILS(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
    assert_non_null(strstr(ptx_driver_last_fault(), "freed"));
    FAILS(cuMemFree_v2((uintptr_t)&c), CUDA_ERROR_INVALID_VALUE);
    assert_non_null(strstr(ptx_driver_last_fault(), "host"));
    OK(cuMemFree_v2(q));
    OK(cuMemFree_v2(0));
    FAILS(cuMemAllocManaged(&p, 100, 1), CUDA_ERROR_NOT_SUPPORTED);

    OK(cuMemAllocAsync(&p, 4, NULL));
    OK(store(&c, p, 5));
    OK(cuMemFreeAsync(p, NULL));
    FAILS(cuMemFreeAsync(p, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cuCtxSynchronize()); /* the store came first */
    FAILS(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
    client_close(&c);
}

static void page_locked_memory(void **state)
{
    struct client c;
    void *p = NULL, *q = NULL;
    char own[100];
    unsigned flags = 9;
    CUdeviceptr device;
    struct ptx_driver_alive alive;
    client_open(&c, "0");
    OK(cuMemHostAlloc(&p, 100, 1));
    OK(cuMemAllocHost_v2(&q, 50));
    OK(cuMemHostRegister_v2(own, sizeof own, 0));
    ptx_driver_allocated(&alive);
    assert_int_equal(alive.host_bytes, 250);
    assert_int_equal(alive.host_allocations, 3);
    FAILS(cuMemHostRegister_v2(own + 10, 10, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    OK(cuMemHostGetFlags(&flags, p));
    assert_int_equal(flags, 1);
    FAILS(cuMemHostGetFlags(&flags, &flags), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemHostGetDevicePointer_v2(&device, p, 0), CUDA_ERROR_NOT_SUPPORTED);
    FAILS(cuMemHostAlloc(&p, 100, 2), CUDA_ERROR_NOT_SUPPORTED);
    FAILS(cuMemHostAlloc(&p, 100, 64), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemFreeHost((char *)p + 1), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemFreeHost(own), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemHostUnregister(p), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    OK(cuMemFreeHost(p));
    FAILS(cuMemFreeHost(p), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemFreeHost(q));
    OK(cuMemHostUnregister(own));
    client_close(&c);
}

static void what_a_pointer_is(void **state)
{
    struct client c;
    CUdeviceptr p, out = 0, global;
    void *host, *pointer = NULL;
    CUcontext context = NULL;
    unsigned type = 0;
    int ordinal = -1;
    size_t bytes = 0;
    unsigned char yes = 9;
    client_open(&c, "0");
    OK(cuMemAlloc_v2(&p, 64));
    OK(cuMemHostAlloc(&host, 64, 0));
    OK(cuModuleGetGlobal_v2(&global, NULL, c.module, "answer"));
    OK(cuPointerGetAttribute(&type, 2, p + 3));
    assert_int_equal(type, CU_MEMORYTYPE_DEVICE);
    OK(cuPointerGetAttribute(&type, 2, global));
    assert_int_equal(type, CU_MEMORYTYPE_DEVICE);
    OK(cuPointerGetAttribute(&type, 2, (uintptr_t)host));
    assert_int_equal(type, CU_MEMORYTYPE_HOST);
    OK(cuPointerGetAttribute(&context, 1, p));
    assert_ptr_equal(context, c.context);
    OK(cuPointerGetAttribute(&out, 3, p + 3));
    assert_true(out == p + 3);
    OK(cuPointerGetAttribute(&pointer, 4, (uintptr_t)host));
    assert_ptr_equal(pointer, host);
    FAILS(cuPointerGetAttribute(&pointer, 4, p), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuPointerGetAttribute(&out, 3, (uintptr_t)host), CUDA_ERROR_INVALID_VALUE);
    OK(cuPointerGetAttribute(&yes, 8, p));
    assert_int_equal(yes, 0);
    OK(cuPointerGetAttribute(&yes, 13, p));
    assert_int_equal(yes, 1);
    OK(cuPointerGetAttribute(&out, 11, p + 3));
    assert_true(out == p);
    OK(cuPointerGetAttribute(&bytes, 12, p + 3));
    assert_int_equal(bytes, 64);
    FAILS(cuPointerGetAttribute(&type, 2, (uintptr_t)&c), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuPointerGetAttribute(&type, 6, p), CUDA_ERROR_INVALID_VALUE);
    CUpointer_attribute asked[] = {2, 9};
    void *values[] = {&type, &ordinal};
    OK(cuPointerGetAttributes(2, asked, values, p));
    assert_true(type == CU_MEMORYTYPE_DEVICE && ordinal == 0);
    OK(cuPointerGetAttributes(2, asked, values, (uintptr_t)&c));
    assert_int_equal(type, 0);
    OK(cuMemFree_v2(p));
    OK(cuMemFreeHost(host));
    client_close(&c);
}

static void copies(void **state)
{
    struct client c;
    CUdeviceptr p, q;
    CUstream stream;
    unsigned char in[64], out[64], *pinned;
    client_open(&c, "0");
    OK(cuStreamCreate(&stream, 1));
    OK(cuMemAlloc_v2(&p, 64));
    OK(cuMemAlloc_v2(&q, 64));
    OK(cuMemHostAlloc((void **)&pinned, 64, 0));
    for (int i = 0; i < 64; i++)
        in[i] = (unsigned char)(3 * i + 1);
    OK(cuMemcpyHtoD_v2(p, in, 64));
    OK(cuMemcpyDtoD_v2(q, p, 64));
    OK(cuMemcpyDtoH_v2(out, q, 64));
    assert_memory_equal(in, out, 64);
    OK(cuMemsetD8_v2(p, 0, 64));
    OK(cuMemcpy(p, (uintptr_t)in, 32));
    OK(cuMemcpy(q, p, 64));
    memset(out, 9, 64);
    OK(cuMemcpy((uintptr_t)out, q, 64));
    assert_memory_equal(in, out, 32);
    assert_int_equal(out[32], 0);

    memcpy(pinned, in, 64);
    OK(cuMemcpyHtoDAsync_v2(p, in, 64, stream));
    memset(in, 0, 64); /* pageable: it has been read */
    OK(cuMemcpyDtoDAsync_v2(q, p, 64, stream));
    OK(cuMemcpyAsync(p, q, 64, stream));
    OK(cuMemcpyPeerAsync(q, c.context, p, c.context, 64, stream));
    OK(cuMemcpyPeer(p, c.context, p, c.context, 0));
    OK(cuMemcpyDtoHAsync_v2(out, q, 64, stream)); /* pageable: over when the call returns */
    assert_memory_equal(out, pinned, 64);
    OK(cuStreamSynchronize(stream));
    OK(cuMemcpyPeer(q, c.context, p, c.context, 64));
    FAILS(cuMemcpyPeer(q, NULL, p, c.context, 64), CUDA_ERROR_INVALID_CONTEXT);
    FAILS(cuMemcpyPeerAsync(q, NULL, p, c.context, 64, stream), CUDA_ERROR_INVALID_CONTEXT);

    FAILS(cuMemcpyHtoD_v2(p + 1, out, 64), CUDA_ERROR_INVALID_VALUE);
    assert_non_null(strstr(ptx_driver_last_fault(), "destination"));
    FAILS(cuMemcpyDtoH_v2(out, p + 1, 64), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemcpyDtoH_v2(out, (uintptr_t)in, 64), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemcpyHtoD_v2(p, NULL, 64), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemcpyHtoD_v2(p, NULL, 0));
    FAILS(cuMemcpyHtoDAsync_v2(p, out, 64, (CUstream)c.module), CUDA_ERROR_INVALID_HANDLE);
    OK(cuMemFree_v2(q));
    FAILS(cuMemcpyDtoH_v2(out, q, 64), CUDA_ERROR_INVALID_VALUE);
    assert_non_null(strstr(ptx_driver_last_fault(), "freed"));
    OK(cuMemFreeHost(pinned));
    OK(cuStreamDestroy_v2(stream));
    OK(cuMemFree_v2(p));
    client_close(&c);
}

/* A 3x4 window of bytes, out of one picture and into another of other pitch, by way of the device. */
static void rectangles(void **state)
{
    struct client c;
    CUdeviceptr p;
    size_t pitch;
    unsigned char in[5][16], out[6][8];
    client_open(&c, "0");
    OK(cuMemAllocPitch_v2(&p, &pitch, 4, 3, 4));
    memset(out, 0, sizeof out);
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 16; x++)
            in[y][x] = (unsigned char)(16 * y + x);
    CUDA_MEMCPY2D to = {.srcXInBytes = 5,
                        .srcY = 1,
                        .srcMemoryType = CU_MEMORYTYPE_HOST,
                        .srcHost = in,
                        .srcPitch = 16,
                        .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                        .dstDevice = p,
                        .dstPitch = pitch,
                        .WidthInBytes = 4,
                        .Height = 3};
    CUDA_MEMCPY2D from = {.srcMemoryType = CU_MEMORYTYPE_UNIFIED,
                          .srcDevice = p,
                          .srcPitch = pitch,
                          .dstXInBytes = 2,
                          .dstY = 1,
                          .dstMemoryType = CU_MEMORYTYPE_HOST,
                          .dstHost = out,
                          .dstPitch = 8,
                          .WidthInBytes = 4,
                          .Height = 3};
    OK(cuMemcpy2D_v2(&to));
    OK(cuMemcpy2DUnaligned_v2(&from));
    for (int y = 0; y < 6; y++)
        for (int x = 0; x < 8; x++)
            assert_int_equal(out[y][x], y >= 1 && y < 4 && x >= 2 && x < 6 ? in[y][x + 3] : 0);
    OK(cuMemsetD2D8Async(p, pitch, 7, 4, 2, NULL));
    memset(out, 0, sizeof out);
    OK(cuMemcpy2DAsync_v2(&to, NULL));
    OK(cuMemsetD2D8_v2(p, pitch, 7, 3, 2));
    OK(cuMemsetD2D16_v2(p + 2 * pitch, pitch, 0x0908, 1, 1));
    OK(cuMemsetD2D16Async(p + 2 * pitch + 2, pitch, 0x0b0a, 1, 1, NULL));
    OK(cuMemcpy2DAsync_v2(&from, NULL));
    assert_memory_equal(out[1] + 2, "\7\7\7\x18", 4);
    assert_memory_equal(out[3] + 2, "\x08\x09\x0a\x0b", 4);
    to.WidthInBytes = 14; /* wider than what is left of a row */
    FAILS(cuMemcpy2D_v2(&to), CUDA_ERROR_INVALID_VALUE);
    to.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    FAILS(cuMemcpy2D_v2(&to), CUDA_ERROR_INVALID_VALUE);
    from.Height = 4; /* a row more than there is */
    FAILS(cuMemcpy2D_v2(&from), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemFree_v2(p));
    client_close(&c);
}

static void memsets(void **state)
{
    struct client c;
    CUdeviceptr p;
    unsigned char out[16];
    client_open(&c, "0");
    OK(cuMemAlloc_v2(&p, 16));
    OK(cuMemsetD32_v2(p, 0x04030201, 4));
    OK(cuMemsetD16_v2(p + 4, 0x0605, 2));
    OK(cuMemsetD8_v2(p + 8, 7, 4));
    OK(cuMemsetD8Async(p + 12, 8, 1, NULL));
    OK(cuMemsetD16Async(p + 14, 0x0a09, 1, NULL));
    OK(cuMemcpyDtoH_v2(out, p, 16));
    assert_memory_equal(out, "\1\2\3\4\5\6\5\6\7\7\7\7\x08\2\x09\x0a", 16);
    OK(cuMemsetD32Async(p, 0, 1, NULL));
    OK(cuMemsetD2D32_v2(p + 4, 8, 0xffffffff, 1, 2));
    OK(cuMemsetD2D32Async(p + 8, 8, 0, 1, 1, NULL));
    OK(cuMemcpyDtoH_v2(out, p, 16));
    assert_memory_equal(out, "\0\0\0\0\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff", 16);
    FAILS(cuMemsetD32_v2(p + 2, 0, 1), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemsetD32_v2(p, 0, 5), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemsetD8_v2((uintptr_t)out, 0, 5), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuMemsetD8_v2(0, 0, 5), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemFree_v2(p));
    client_close(&c);
}

static void launches(void **state)
{
    struct client c;
    CUdeviceptr p;
    unsigned n = 100, values[100], zero[100];
    client_open(&c, "0");
    OK(cuMemAlloc_v2(&p, sizeof values));
    memset(zero, 0, sizeof zero);
    OK(cuMemcpyHtoD_v2(p, zero, sizeof zero));
    void *arguments[] = {&p, &n};
    OK(cuLaunchKernel(c.add_one, 2, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL));
    struct {
        CUdeviceptr p;
        unsigned n, factor;
    } packed = {p, n, 12};
    size_t size = sizeof packed;
    void *extra[] = {(void *)1, &packed, (void *)2, &size, (void *)0};
    OK(cuLaunchKernel(c.times, 2, 1, 1, 64, 1, 1, 0, NULL, NULL, extra));
    CUlaunchConfig config = {.gridDimX = 4, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 32, .blockDimY = 1, .blockDimZ = 1};
    CUlaunchAttribute attribute = {.id = 8};
    config.attrs = &attribute;
    config.numAttrs = 1;
    OK(cuLaunchKernelEx(&config, c.add_one, arguments, NULL));
    packed.factor = 0; /* the arguments were copied */
    n = 0;
    OK(cuMemcpyDtoH_v2(values, p, sizeof values));
    for (int i = 0; i < 100; i++)
        assert_int_equal(values[i], 13);

    for (unsigned i = 0; i < 64; i++)
        values[i] = i;
    OK(cuMemcpyHtoD_v2(p, values, 256));
    OK(cuLaunchKernel(c.reverse, 1, 1, 1, 64, 1, 1, 256, NULL, arguments, NULL));
    OK(cuMemcpyDtoH_v2(values, p, 256));
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(values[i], 63 - i);

    FAILS(cuLaunchKernel(c.reverse, 1, 1, 1, 65, 1, 1, 256, NULL, arguments, NULL), CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    FAILS(cuLaunchKernel(c.reverse, 1, 1, 1, 64, 1, 1, 50000, NULL, arguments, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cuFuncSetAttribute(c.reverse, 8, 50000));
    OK(cuLaunchKernel(c.reverse, 1, 1, 1, 64, 1, 1, 50000, NULL, arguments, NULL));
    FAILS(cuLaunchKernel(c.add_one, 0, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuLaunchKernel(c.add_one, 1, 70000, 1, 64, 1, 1, 0, NULL, arguments, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuLaunchKernel(c.add_one, 1, 1, 1, 1025, 1, 1, 0, NULL, arguments, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuLaunchKernel(c.add_one, 1, 1, 1, 64, 64, 1, 0, NULL, arguments, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuLaunchKernel(c.add_one, 1, 1, 1, 64, 1, 1, 0, NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuLaunchKernel(c.add_one, 1, 1, 1, 64, 1, 1, 0, NULL, arguments, extra), CUDA_ERROR_INVALID_VALUE);
    FAILS(cuLaunchKernel((CUfunction)c.module, 1, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL), CUDA_ERROR_INVALID_HANDLE);
    arguments[1] = NULL;
    FAILS(cuLaunchKernel(c.add_one, 1, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL), CUDA_ERROR_INVALID_VALUE);
    size = 12;
    FAILS(cuLaunchKernel(c.times, 1, 1, 1, 64, 1, 1, 0, NULL, NULL, extra), CUDA_ERROR_INVALID_VALUE);
    extra[0] = (void *)7;
    FAILS(cuLaunchKernel(c.times, 1, 1, 1, 64, 1, 1, 0, NULL, NULL, extra), CUDA_ERROR_INVALID_VALUE);
    attribute.id = 2; /* a cooperative launch */
    FAILS(cuLaunchKernelEx(&config, c.add_one, arguments, NULL), CUDA_ERROR_NOT_SUPPORTED);
    uint64_t instructions = 0;
    double seconds = 0;
    OK(cuCtxSynchronize());
    ptx_driver_work(&instructions, NULL, &seconds);
    assert_true(instructions > 1000 && seconds > 0);
    OK(cuMemFree_v2(p));
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations), cmocka_unit_test(page_locked_memory), cmocka_unit_test(what_a_pointer_is),
        cmocka_unit_test(copies),      cmocka_unit_test(rectangles),         cmocka_unit_test(memsets),
        cmocka_unit_test(launches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
