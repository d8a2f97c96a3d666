/* The overlay's device, which is a cuda device with the libraries' handles, and its table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cudnn/cudnn.h"

enum { WORKSPACE_SHARE = 16 }; /* a job may ask for this part of the device's memory */

extern const struct osp_backend cuda_backend, cudnn_backend; /* runtime/backends.c names them */

static void cudnn_close(struct osp_device *opaque)
{
    struct cuda_device *device = (struct cuda_device *)opaque;
    if (!device)
        return;
    struct cudnn_part *part = device->overlay;
    if (part) {
        device->driver->cuCtxSetCurrent(device->context);
        device->driver->cuStreamSynchronize(device->compute);
        cudnn_jobs_close(device);
        if (part->cublas)
            part->library->cublasLtDestroy(part->cublas);
        if (part->cudnn)
            part->library->cudnnDestroy(part->cudnn);
        free(part);
    }
    cuda_backend.close(opaque);
}

/* The libraries go to the driver by themselves, so it must be the one that they find. */
static osp_status check_driver(const struct osp_device_options *options)
{
    const char *path = options && options->driver ? options->driver : getenv("OSPREY_CUDA_DRIVER");
    if (!path || !*path || !strcmp(path, CUDA_SYSTEM_DRIVER) || cudnn_is_stood_in())
        return OSP_OK;
    return osp_fail(
        OSP_UNAVAILABLE,
        "cudnn: driver '%s'; cuDNN and cuBLAS use the system's %s and no other: leave --driver and OSPREY_CUDA_DRIVER "
        "out, or run --backend cuda",
        path, CUDA_SYSTEM_DRIVER);
}

/* Both take the context that is current, the primary one. */
static osp_status open_handles(struct cuda_device *device)
{
    struct cudnn_part *part = device->overlay;
    size_t free_bytes, total = 0;
    osp_status status = cuda_enter(device);
    if (!status)
        status = CUDA_DO(device, NULL, cuMemGetInfo, &free_bytes, &total);
    if (status)
        return status;
    cudnnStatus_t code = part->library->cudnnCreate(&part->cudnn);
    if (code)
        return cudnn_failed(part, code, "cudnnCreate", NULL);
    if ((code = part->library->cudnnSetStream(part->cudnn, (cudaStream_t)device->compute)))
        return cudnn_failed(part, code, "cudnnSetStream", NULL);
    cublasStatus_t cublas = part->library->cublasLtCreate(&part->cublas);
    if (cublas)
        return cudnn_cublas_failed(part, cublas, "cublasLtCreate", NULL);
    part->most_workspace = total / WORKSPACE_SHARE;
    return OSP_OK;
}

static osp_status cudnn_open(const struct osp_device_options *options, struct osp_device **out)
{
    struct osp_device *opened = NULL;
    const struct cudnn_library *library;
    osp_status status = check_driver(options);
    if (!status)
        status = cuda_backend.open(options, &opened);
    if (status)
        return status;
    struct cuda_device *device = cuda_of(opened);
    struct cudnn_part *part = NULL;
    status = cudnn_library_open(&library);
    if (!status && !(part = calloc(1, sizeof *part)))
        status = osp_fail(OSP_MEMORY, "cudnn: no memory for a device of %zu bytes", sizeof *part);
    if (!status) {
        part->library = library;
        device->overlay = part;
        status = open_handles(device);
    }
    if (status) {
        cudnn_close(opened);
        return status;
    }
    const size_t dnn = library->cudnnGetVersion(), blas = library->cublasLtGetVersion();
    snprintf(part->label, sizeof part->label, "%s, cuDNN %zu.%zu.%zu, cuBLAS %zu.%zu.%zu", device->label, dnn / 10000,
             dnn / 100 % 100, dnn % 100, blas / 10000, blas / 100 % 100, blas % 100);
    *out = opened;
    return OSP_OK;
}

static int threads(const struct osp_device *device) { return cuda_backend.threads(device); }
static const char *isa(const struct osp_device *device) { return cudnn_of(device)->label; }

static void describe(const struct osp_device *device, struct osp_device_info *out) { cuda_backend.describe(device, out); }

extern const struct osp_ladder cudnn_conv2d_ladder, cudnn_linear_ladder;

/* No capture: a recorded graph would outlive the plans that it was recorded from. */
const struct osp_backend cudnn_backend = {
    .name = "cudnn",
    .base = &cuda_backend,
    .open = cudnn_open,
    .close = cudnn_close,
    .memory = &cuda_memory,
    .clock = &cuda_clock,
    .ops = {[OSP_conv2d] = &cudnn_conv2d_ladder, [OSP_linear] = &cudnn_linear_ladder},
    .threads = threads,
    .isa = isa,
    .describe = describe,
};
