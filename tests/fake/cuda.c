/* A libcuda that computes nothing: every call succeeds at once, but for the one that $FAKE_CUDA names ("cuInit=100"), which
 * returns that code. $FAKE_CUDA_COMPUTE is its device's compute capability ("70"; 90 unless given). Device memory is host memory.
 * Symbols and arguments are those of kernels/driver.def. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answer(const char *call)
{
    const char *failing = getenv("FAKE_CUDA");
    size_t length = strlen(call);
    return failing && !strncmp(failing, call, length) && failing[length] == '=' ? atoi(failing + length + 1) : 0;
}

/* A call that only succeeds, or not. */
#define PLAIN(symbol)                                                                                                            \
    int symbol(void);                                                                                                            \
    int symbol(void) { return answer(#symbol); }
PLAIN(cuInit)
PLAIN(cuDevicePrimaryCtxRelease_v2)
PLAIN(cuCtxSetCurrent)
PLAIN(cuModuleUnload)
PLAIN(cuModuleGetFunction)
PLAIN(cuFuncSetAttribute)
PLAIN(cuOccupancyMaxActiveBlocksPerMultiprocessor)
PLAIN(cuLaunchKernel)
PLAIN(cuMemcpyHtoDAsync_v2)
PLAIN(cuMemcpyDtoHAsync_v2)
PLAIN(cuMemsetD8Async)
PLAIN(cuStreamCreate)
PLAIN(cuStreamDestroy_v2)
PLAIN(cuStreamSynchronize)
PLAIN(cuStreamWaitEvent)
PLAIN(cuStreamBeginCapture_v2)
PLAIN(cuStreamEndCapture)
PLAIN(cuEventCreate)
PLAIN(cuEventDestroy_v2)
PLAIN(cuEventRecord)
PLAIN(cuEventSynchronize)
PLAIN(cuEventElapsedTime)
PLAIN(cuGraphInstantiateWithFlags)
PLAIN(cuGraphLaunch)
PLAIN(cuGraphDestroy)
PLAIN(cuGraphExecDestroy)

/* A call that gives something back: `gives` is done when it succeeds. */
#define GIVING(symbol, arguments, gives)                                                                                         \
    int symbol arguments;                                                                                                        \
    int symbol arguments                                                                                                         \
    {                                                                                                                            \
        int status = answer(#symbol);                                                                                            \
        if (!status) {                                                                                                           \
            gives;                                                                                                               \
        }                                                                                                                        \
        return status;                                                                                                           \
    }

static int attribute(int which)
{
    const char *compute = getenv("FAKE_CUDA_COMPUTE");
    int capability = compute ? atoi(compute) : 90;
    return which == 75 ? capability / 10 : which == 76 ? capability % 10 : 100 << 10;
}

GIVING(cuDriverGetVersion, (int *version), *version = 12040)
GIVING(cuGetErrorName, (int code, const char **name), *name = code == 100 ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR_FAKE")
GIVING(cuGetErrorString, (int code, const char **text), *text = "so says the fake")
GIVING(cuDeviceGetCount, (int *count), *count = getenv("FAKE_CUDA_EMPTY") ? 0 : 1)
GIVING(cuDeviceGet, (int *device, int ordinal), *device = ordinal)
GIVING(cuDeviceGetName, (char *name, int room, int device), snprintf(name, (size_t)room, "Fake GPU"))
GIVING(cuDeviceGetAttribute, (int *value, int which, int device), *value = attribute(which))
GIVING(cuDevicePrimaryCtxRetain, (void **context, int device), *context = (void *)answer)
GIVING(cuMemGetInfo_v2, (size_t * free_bytes, size_t *total), *free_bytes = 1000; *total = 2000)
GIVING(cuMemAlloc_v2, (unsigned long long *pointer, size_t bytes), *pointer = (uintptr_t)calloc(1, bytes))
GIVING(cuMemFree_v2, (unsigned long long pointer), free((void *)(uintptr_t)pointer))
GIVING(cuMemHostAlloc, (void **pointer, size_t bytes, unsigned flags), *pointer = calloc(1, bytes))
GIVING(cuMemFreeHost, (void *pointer), free(pointer))

int cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *option, void **value);
int cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *option, void **value)
{
    int code = answer("cuModuleLoadDataEx");
    *module = (void *)answer;
    if (code)
        snprintf(value[0], (size_t)(uintptr_t)value[1], "ptxas fatal : Unsupported .version 9.0;\ncurrent version is '8.2'\n");
    return code;
}
