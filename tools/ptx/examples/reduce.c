/* Sums a vector: a partial sum for each block through shared memory, copied in and out in a stream, timed by events.
 *
 *     cc reduce.c -I/usr/local/cuda/include -lcuda -o reduce && ./reduce reduce.ptx */
#include <cuda.h>

#include <stdio.h>
#include <stdlib.h>

#define N      100001
#define BLOCKS ((N + 255) / 256)

static void check(CUresult code, const char *call)
{
    const char *text = "an unknown error";
    if (code == CUDA_SUCCESS)
        return;
    cuGetErrorString(code, &text);
    fprintf(stderr, "%s: %s (%d)\n", call, text, (int)code);
    exit(1);
}
#define CHECK(call) check(call, #call)

/* The text of a file; the driver compiles it. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    if (!file || !text || fread(text, 1, (1 << 20) - 1, file) == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return text;
}

int main(int count, char **argument)
{
    CUdevice device;
    CUcontext context;
    CUmodule module;
    CUfunction kernel;
    CUstream stream;
    CUevent begin, end;
    CUdeviceptr dx, dsums;
    float *x, *sums, milliseconds;
    int n = N;

    if (count != 2) {
        fprintf(stderr, "usage: %s reduce.ptx\n", argument[0]);
        return 2;
    }
    char *text = read_text(argument[1]);
    CHECK(cuInit(0));
    CHECK(cuDeviceGet(&device, 0));
    CHECK(cuDevicePrimaryCtxRetain(&context, device));
    CHECK(cuCtxSetCurrent(context));
    CHECK(cuModuleLoadData(&module, text));
    CHECK(cuModuleGetFunction(&kernel, module, "reduce"));
    CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CHECK(cuEventCreate(&begin, 0));
    CHECK(cuEventCreate(&end, 0));
    CHECK(cuMemHostAlloc((void **)&x, N * sizeof *x, 0));
    CHECK(cuMemHostAlloc((void **)&sums, BLOCKS * sizeof *sums, 0));
    CHECK(cuMemAlloc(&dx, N * sizeof *x));
    CHECK(cuMemAlloc(&dsums, BLOCKS * sizeof *sums));

    for (int i = 0; i < N; i++)
        x[i] = (float)(i % 7);
    void *arguments[] = {&dx, &dsums, &n};
    CHECK(cuMemcpyHtoDAsync(dx, x, N * sizeof *x, stream));
    CHECK(cuEventRecord(begin, stream));
    CHECK(cuLaunchKernel(kernel, BLOCKS, 1, 1, 256, 1, 1, 0, stream, arguments, NULL));
    CHECK(cuEventRecord(end, stream));
    CHECK(cuMemcpyDtoHAsync(sums, dsums, BLOCKS * sizeof *sums, stream));
    CHECK(cuStreamSynchronize(stream));
    CHECK(cuEventElapsedTime(&milliseconds, begin, end));

    long sum = 0, expected = 0;
    for (int i = 0; i < BLOCKS; i++)
        sum += (long)sums[i];
    for (int i = 0; i < N; i++)
        expected += i % 7;

    CHECK(cuMemFree(dx));
    CHECK(cuMemFree(dsums));
    CHECK(cuMemFreeHost(x));
    CHECK(cuMemFreeHost(sums));
    CHECK(cuEventDestroy(begin));
    CHECK(cuEventDestroy(end));
    CHECK(cuStreamDestroy(stream));
    CHECK(cuModuleUnload(module));
    CHECK(cuDevicePrimaryCtxRelease(device));
    free(text);
    printf("sum %ld, expected %ld, %.3f ms\n", sum, expected, milliseconds);
    return sum != expected;
}
