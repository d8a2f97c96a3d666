/* Kernels by name: images loaded at their first use, functions kept; launches and fills. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/cuda.h"

enum { LOG_BYTES = 2048, SHARED_WITHOUT_ASKING = 48 << 10 };

/* Makes room for one more; the arrays grow while a model is prepared, not while it runs. */
static osp_status grow(const struct cuda_device *device, void **array, int count, int *room, size_t size)
{
    if (count < *room)
        return OSP_OK;
    int more = *room ? *room * 2 : 32;
    void *grown = realloc(*array, (size_t)more * size);
    if (!grown)
        return osp_fail(OSP_MEMORY, "%s: no memory for %zu bytes of kernel table", device->backend, (size_t)more * size);
    *array = grown;
    *room = more;
    return OSP_OK;
}

static osp_status refused(const struct cuda_device *device, CUresult code, const struct cuda_image *image, char log[LOG_BYTES])
{
    char what[LOG_BYTES + 256];
    size_t length = strnlen(log, LOG_BYTES - 1);
    log[length] = 0;
    for (char *c = log; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    while (length && log[length - 1] == ' ')
        log[--length] = 0;
    snprintf(what, sizeof what, "it refused the kernels of %s, made by nvcc %s%s%s", image->file, CUDA_NVCC,
             *log ? "; it says: " : "", log);
    return cuda_check(device, code, "cuModuleLoadDataEx", what);
}

static osp_status load_module(struct cuda_device *device, const struct cuda_image *image, CUmodule *out)
{
    for (int i = 0; i < device->module_count; i++) {
        if (device->modules[i].image == image) {
            *out = device->modules[i].module;
            return OSP_OK;
        }
    }
    osp_status status =
        grow(device, (void **)&device->modules, device->module_count, &device->module_room, sizeof *device->modules);
    if (status)
        return status;
    char log[LOG_BYTES] = "";
    CUjit_option options[] = {CUDA_JIT_ERROR_LOG_BUFFER, CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)(uintptr_t)sizeof log};
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    CUresult code = device->driver->cuModuleLoadDataEx(out, image->data, 2, options, values);
    clock_gettime(CLOCK_MONOTONIC, &end);
    device->load_seconds += (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    if (code)
        return refused(device, code, image, log);
    device->modules[device->module_count++] = (struct cuda_module){image, *out};
    return OSP_OK;
}

osp_status cuda_function(struct cuda_device *device, const struct cuda_kernel *kernel, struct cuda_function **out)
{
    for (int i = 0; i < device->function_count; i++) {
        if (device->functions[i].kernel == kernel) {
            *out = &device->functions[i];
            return OSP_OK;
        }
    }
    struct cuda_function found = {.kernel = kernel};
    CUmodule module;
    osp_status status =
        grow(device, (void **)&device->functions, device->function_count, &device->function_room, sizeof *device->functions);
    if (!status)
        status = load_module(device, kernel->image, &module);
    if (!status)
        status = CUDA_DO(device, kernel->name, cuModuleGetFunction, &found.function, module, kernel->name);
    if (status)
        return status;
    *out = &device->functions[device->function_count++];
    **out = found;
    return OSP_OK;
}

void cuda_modules_unload(struct cuda_device *device)
{
    for (int i = 0; i < device->module_count; i++)
        device->driver->cuModuleUnload(device->modules[i].module);
    free(device->modules);
    free(device->functions);
}

/* Keeps how this launch fills the device, if it is the largest since that was last asked for. */
static osp_status note_occupancy(struct cuda_device *device, struct cuda_function *function, const unsigned grid[3], int threads,
                                 size_t shared_bytes)
{
    enum { WARP = 32 };
    const double blocks = (double)grid[0] * grid[1] * grid[2];
    if (blocks * threads <= device->most_threads)
        return OSP_OK;
    if (function->threads != threads || function->block_bytes != shared_bytes) {
        osp_status status = CUDA_DO(device, function->kernel->name, cuOccupancyMaxActiveBlocksPerMultiprocessor,
                                    &function->blocks, function->function, threads, shared_bytes);
        if (status)
            return status;
        function->threads = threads;
        function->block_bytes = shared_bytes;
    }
    const double at_once = (double)function->blocks * device->limits.multiprocessors;
    const int warps = (threads + WARP - 1) / WARP, most_warps = device->multiprocessor_threads / WARP;
    device->most_threads = blocks * threads;
    device->occupancy = (struct osp_occupancy){0};
    if (at_once > 0 && most_warps > 0)
        device->occupancy = (struct osp_occupancy){blocks / at_once, (double)function->blocks * warps / most_warps};
    return OSP_OK;
}

void cuda_occupancy(struct osp_device *opaque, struct osp_occupancy *out)
{
    struct cuda_device *device = cuda_of(opaque);
    *out = device->occupancy;
    device->occupancy = (struct osp_occupancy){0};
    device->most_threads = 0;
}

osp_status cuda_launch(struct osp_device *opaque, const struct cuda_kernel *kernel, const unsigned grid[3],
                       const unsigned block[3], size_t shared_bytes, void **arguments)
{
    struct cuda_device *device = cuda_of(opaque);
    struct cuda_function *function;
    const uint64_t threads = (uint64_t)block[0] * block[1] * block[2];
    if (!grid[0] || !grid[1] || !grid[2])
        return OSP_OK;
    if (threads > (uint64_t)kernel->threads)
        return osp_fail(OSP_UNAVAILABLE, "%s: kernel %s: a block of %ux%ux%u threads; its bound is %d", device->backend,
                        kernel->name, block[0], block[1], block[2], kernel->threads);
    osp_status status = cuda_enter(device);
    if (!status)
        status = cuda_function(device, kernel, &function);
    if (!status && shared_bytes > SHARED_WITHOUT_ASKING && shared_bytes > function->shared_bytes) {
        status = CUDA_DO(device, kernel->name, cuFuncSetAttribute, function->function, CUDA_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                         (int)shared_bytes);
        if (!status)
            function->shared_bytes = shared_bytes;
    }
    if (status || device->rehearsing)
        return status;
    if (!device->capturing && (status = note_occupancy(device, function, grid, (int)threads, shared_bytes)))
        return status;
    status = CUDA_DO(device, kernel->name, cuLaunchKernel, function->function, grid[0], grid[1], grid[2], block[0], block[1],
                     block[2], (unsigned)shared_bytes, device->compute, arguments, NULL);
    if (!status && device->waiting && !device->capturing)
        status = CUDA_DO(device, kernel->name, cuStreamSynchronize, device->compute);
    return status;
}

osp_status cuda_fill(struct osp_device *opaque, void *pointer, int byte, size_t bytes)
{
    struct cuda_device *device = cuda_of(opaque);
    if (device->rehearsing || !bytes)
        return OSP_OK;
    osp_status status = cuda_enter(device);
    if (status)
        return status;
    return CUDA_DO(device, NULL, cuMemsetD8Async, (CUdeviceptr)(uintptr_t)pointer, (unsigned char)byte, bytes, device->compute);
}
