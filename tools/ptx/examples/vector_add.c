/* Adds two vectors. A plain client of the CUDA driver API: nothing in it knows what driver it runs on.
 *
 *     cc vector_add.c -I/usr/local/cuda/include -lcuda -o vector_add && ./vector_add vector_add.ptx */
#include <cuda.h>

#include <stdio.h>
#include <stdlib.h>

#define N 100000

static float a[N], b[N], c[N];

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

int main(int count, char **argument)
{
    CUdevice device;
    CUcontext context;
    CUmodule module;
    CUfunction kernel;
    CUdeviceptr da, db, dc;
    char name[100];
    int n = N;

    if (count != 2) {
        fprintf(stderr, "usage: %s vector_add.ptx\n", argument[0]);
        return 2;
    }
    CHECK(cuInit(0));
    CHECK(cuDeviceGet(&device, 0));
    CHECK(cuDeviceGetName(name, sizeof name, device));
    CHECK(cuDevicePrimaryCtxRetain(&context, device));
    CHECK(cuCtxSetCurrent(context));
    CHECK(cuModuleLoad(&module, argument[1]));
    CHECK(cuModuleGetFunction(&kernel, module, "vector_add"));

    for (int i = 0; i < N; i++) {
        a[i] = (float)i;
        b[i] = 2.0f * (float)i;
    }
    CHECK(cuMemAlloc(&da, sizeof a));
    CHECK(cuMemAlloc(&db, sizeof b));
    CHECK(cuMemAlloc(&dc, sizeof c));
    CHECK(cuMemcpyHtoD(da, a, sizeof a));
    CHECK(cuMemcpyHtoD(db, b, sizeof b));

    void *arguments[] = {&da, &db, &dc, &n};
    CHECK(cuLaunchKernel(kernel, (N + 255) / 256, 1, 1, 256, 1, 1, 0, NULL, arguments, NULL));
    CHECK(cuMemcpyDtoH(c, dc, sizeof c));
    for (int i = 0; i < N; i++)
        if (c[i] != 3.0f * (float)i) {
            fprintf(stderr, "c[%d] is %g\n", i, c[i]);
            return 1;
        }

    CHECK(cuMemFree(da));
    CHECK(cuMemFree(db));
    CHECK(cuMemFree(dc));
    CHECK(cuModuleUnload(module));
    CHECK(cuDevicePrimaryCtxRelease(device));
    printf("%s: %d sums are right\n", name, N);
    return 0;
}
