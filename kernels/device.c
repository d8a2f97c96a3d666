/* Opening and closing a device of any driver, and what a failing call says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda.h"

enum { OLDEST_MAJOR = 7, OLDEST_MINOR = 5 };
static const char ptx_name[] = "PTX interpreter"; /* how the device of tools/ptx calls itself */

/* ---- Failures ------------------------------------------------------------------------------------- */

static const char *advice_for(CUresult code)
{
    static const struct {
        CUresult code;
        const char *advice;
    } table[] = {
        {2, "close other programs that use this GPU, or take a smaller batch"},
        {3, "the driver has not been started or is shutting down: run the program again"},
        {34,
         "this is the toolkit's stub of the driver: install the driver itself, and take the stubs folder out of LD_LIBRARY_PATH"},
        {35, "install a newer driver"},
        {46, "another program has this GPU for itself: wait, or choose another by --device"},
        {100, "there is a driver but no GPU that it can use: look at CUDA_VISIBLE_DEVICES, or run --backend emu, or --backend "
              "cuda --driver ptx"},
        {101, "choose another by --device"},
        {200, "install a driver that is as new as that nvcc, or build with an older nvcc"},
        {209, "install a driver that is as new as that nvcc, or build with an older nvcc"},
        {214,
         "the GPU's memory has an error that could not be corrected: reset the GPU, and have it looked at if this comes again"},
        {218, "install a driver that is as new as that nvcc, or build with an older nvcc"},
        {222, "install a driver that is as new as that nvcc, or build with an older nvcc"},
        {802, "the machine's fabric manager has not started the GPUs yet: wait, or ask who runs it"},
        {803,
         "libcuda.so and the driver in the kernel are of different versions: restart the machine, or install the driver again"},
        {804, "the compatibility libcuda.so does not work with this GPU: use the driver's own"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            return table[i].advice;
    return NULL;
}

/* What a kernel did to the context is told by whatever waits next, which knows nothing of the kernel. */
static const char *advice_at_wait(const struct cuda_device *device, CUresult code)
{
    int kernel = code == 700 || code == 702 || code == 710 || (code >= 714 && code <= 719);
    return kernel && !device->waiting ? "with " CUDA_SYNC_VARIABLE "=1 in the environment, and no --graph, it names the kernel"
                                      : NULL;
}

static osp_status failed(const struct cuda_device *device, CUresult code, const char *call, const char *what)
{
    const char *name = NULL, *text = NULL, *advice = advice_for(code);
    if (!advice)
        advice = advice_at_wait(device, code);
    if (device->driver->cuGetErrorName(code, &name) || !name)
        name = "an error it has no name for";
    if (device->driver->cuGetErrorString(code, &text) || !text)
        text = "it does not say more";
    return osp_fail(code == CUDA_ERROR_NUMBER_OUT_OF_MEMORY ? OSP_MEMORY : OSP_UNAVAILABLE, "%s: %s: %s (%d), %s%s%s%s%s",
                    device->backend, call, name, code, text, what ? "; " : "", what ? what : "", advice ? "; " : "",
                    advice ? advice : "");
}

osp_status cuda_check(const struct cuda_device *device, CUresult code, const char *call, const char *what)
{
    return code ? failed(device, code, call, what) : OSP_OK;
}

osp_status cuda_enter(const struct cuda_device *device) { return CUDA_DO(device, NULL, cuCtxSetCurrent, device->context); }

/* ---- Opening -------------------------------------------------------------------------------------- */

static osp_status choose(struct cuda_device *device, int index)
{
    int count = 0;
    osp_status status = CUDA_DO(device, NULL, cuInit, 0);
    if (!status)
        status = CUDA_DO(device, NULL, cuDeviceGetCount, &count);
    if (status)
        return status;
    if (count < 1)
        return failed(device, CUDA_ERROR_NUMBER_NO_DEVICE, "cuDeviceGetCount", NULL);
    if (index < 0 || index >= count)
        return osp_fail(OSP_USAGE, "%s: device %d; this machine has %d, counted from 0", device->backend, index, count);
    return CUDA_DO(device, NULL, cuDeviceGet, &device->device, index);
}

static osp_status ask(const struct cuda_device *device, int attribute, int *out)
{
    return CUDA_DO(device, "a limit of the device", cuDeviceGetAttribute, out, (CUdevice_attribute)attribute, device->device);
}

static osp_status describe(struct cuda_device *device, const char *driver_name)
{
    struct cuda_limits *limits = &device->limits;
    char name[128] = "";
    int shared = 0, shared_all = 0, l2 = 0, version = 0;
    osp_status status = CUDA_DO(device, NULL, cuDriverGetVersion, &version);
    if (!status)
        status = CUDA_DO(device, NULL, cuDeviceGetName, name, sizeof name, device->device);
    if (!status)
        status = ask(device, CUDA_COMPUTE_CAPABILITY_MAJOR, &limits->major);
    if (!status)
        status = ask(device, CUDA_COMPUTE_CAPABILITY_MINOR, &limits->minor);
    if (!status)
        status = ask(device, CUDA_MULTIPROCESSOR_COUNT, &limits->multiprocessors);
    if (!status)
        status = ask(device, CUDA_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &shared);
    if (!status)
        status = ask(device, CUDA_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, &shared_all);
    if (!status)
        status = ask(device, CUDA_L2_CACHE_SIZE, &l2);
    if (!status)
        status = ask(device, CUDA_MAX_THREADS_PER_MULTIPROCESSOR, &device->multiprocessor_threads);
    if (status)
        return status;
    limits->shared_per_block = (size_t)shared;
    limits->shared_per_multiprocessor = (size_t)shared_all;
    limits->l2_bytes = (size_t)l2;
    name[sizeof name - 1] = 0;
    device->emulated |= !strncmp(name, ptx_name, sizeof ptx_name - 1);
    snprintf(device->label, sizeof device->label, "%s, sm_%d%d, driver %d.%d (%s)", name, limits->major, limits->minor,
             version / 1000, version % 1000 / 10, driver_name);
    if (limits->major < OLDEST_MAJOR || (limits->major == OLDEST_MAJOR && limits->minor < OLDEST_MINOR))
        return osp_fail(
            OSP_UNAVAILABLE,
            "%s: %s has compute capability %d.%d; these kernels need %d.%d or newer: choose another by --device, or run "
            "--backend cpu",
            device->backend, name, limits->major, limits->minor, OLDEST_MAJOR, OLDEST_MINOR);
    return OSP_OK;
}

osp_status cuda_device_open(struct cuda_device *device, int index, const char *driver_name)
{
    osp_status status = choose(device, index);
    if (!status)
        status = describe(device, driver_name);
    if (!status)
        status = CUDA_DO(device, NULL, cuDevicePrimaryCtxRetain, &device->context, device->device);
    if (!status)
        status = cuda_enter(device);
    if (!status)
        status = CUDA_DO(device, NULL, cuStreamCreate, &device->compute, CUDA_STREAM_NON_BLOCKING);
    if (!status)
        status = CUDA_DO(device, NULL, cuStreamCreate, &device->copy, CUDA_STREAM_NON_BLOCKING);
    if (!status)
        status = cuda_stages_open(device);
    if (status)
        cuda_device_close(device);
    return status;
}

/* Goes through with everything whatever fails: there is nobody left to tell. */
void cuda_device_close(struct cuda_device *device)
{
    const struct cuda_driver *driver = device->driver;
    if (!device->context)
        return;
    driver->cuCtxSetCurrent(device->context);
    if (device->compute)
        driver->cuStreamSynchronize(device->compute);
    if (device->copy)
        driver->cuStreamSynchronize(device->copy);
    cuda_marks_close(device);
    cuda_stages_close(device);
    cuda_modules_unload(device);
    if (device->copy)
        driver->cuStreamDestroy(device->copy);
    if (device->compute)
        driver->cuStreamDestroy(device->compute);
    driver->cuCtxSetCurrent(NULL);
    driver->cuDevicePrimaryCtxRelease(device->device);
    device->context = NULL;
}
