/* The cuda and emu backends: one device, one memory, one clock and the same ladders, over two tables of driver calls. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda.h"

/* ---- Memory --------------------------------------------------------------------------------------- */

static osp_status memory_alloc(struct osp_device *opaque, size_t bytes, void **out)
{
    struct cuda_device *device = cuda_of(opaque);
    CUdeviceptr pointer = 0;
    size_t free_bytes = 0, total = 0;
    char what[128] = "";
    osp_status status = cuda_enter(device);
    if (status)
        return status;
    CUresult code = device->driver->cuMemAlloc(&pointer, bytes ? bytes : 1);
    if (code && !device->driver->cuMemGetInfo(&free_bytes, &total))
        snprintf(what, sizeof what, "%zu bytes of device memory needed, %zu free of %zu", bytes, free_bytes, total);
    else if (code)
        snprintf(what, sizeof what, "%zu bytes of device memory needed", bytes);
    status = cuda_check(device, code, "cuMemAlloc", what);
    if (!status)
        *out = (void *)(uintptr_t)pointer;
    return status;
}

static void memory_free(struct osp_device *opaque, void *pointer)
{
    struct cuda_device *device = cuda_of(opaque);
    if (!pointer)
        return;
    device->driver->cuCtxSetCurrent(device->context);
    device->driver->cuMemFree((CUdeviceptr)(uintptr_t)pointer);
}

osp_status cuda_upload_new(struct osp_device *device, const void *host, size_t bytes, void **out)
{
    void *pointer = NULL;
    osp_status status = memory_alloc(device, bytes, &pointer);
    if (!status)
        status = cuda_upload(device, pointer, host, bytes);
    if (status)
        memory_free(device, pointer);
    else
        *out = pointer;
    return status;
}

void cuda_free(struct osp_device *device, void *pointer) { memory_free(device, pointer); }

static osp_status memory_available(struct osp_device *opaque, size_t *free_bytes, size_t *total_bytes)
{
    struct cuda_device *device = cuda_of(opaque);
    osp_status status = cuda_enter(device);
    return status ? status : CUDA_DO(device, "", cuMemGetInfo, free_bytes, total_bytes);
}

const struct osp_memory cuda_memory = {memory_alloc, memory_free, cuda_upload, cuda_download, memory_available};

/* ---- Opening and closing -------------------------------------------------------------------------- */

/* The launchers are compiled with the emulator's device code, and so for these instructions (kernels.mk). */
static osp_status check_host(const char *backend)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return OSP_OK;
    return osp_fail(OSP_UNAVAILABLE, "%s: this machine's processor lacks AVX2 or FMA: run --backend cpu", backend);
}

static osp_status device_new(const struct cuda_device *start, int index, const char *driver_name, struct osp_device **out)
{
    struct cuda_device *device = malloc(sizeof *device);
    const char *sync = getenv(CUDA_SYNC_VARIABLE);
    if (!device)
        return osp_fail(OSP_MEMORY, "%s: no memory for a device of %zu bytes", start->backend, sizeof *device);
    *device = *start;
    device->waiting = sync && !strcmp(sync, "1");
    osp_status status = cuda_device_open(device, index, driver_name);
    if (status)
        free(device);
    else
        *out = (struct osp_device *)device;
    return status;
}

static osp_status check_options(const char *backend, const struct osp_device_options *options)
{
    if (options->isa)
        return osp_fail(OSP_USAGE, "%s: an instruction set can be chosen for the cpu backend only", backend);
    return check_host(backend);
}

static osp_status cuda_open(const struct osp_device_options *options, struct osp_device **out)
{
    static const struct osp_device_options defaults;
    const struct osp_device_options *o = options ? options : &defaults;
    struct cuda_device start = {.backend = "cuda", .workers = 1};
    const char *path = o->driver ? o->driver : getenv("OSPREY_CUDA_DRIVER"), *name = NULL;
    osp_status status = check_options("cuda", o);
    if (!status && !*CUDA_NVCC)
        return osp_fail(OSP_UNAVAILABLE,
                        "cuda: this program was built without nvcc and holds no kernels for a GPU: build it where nvcc is "
                        "installed, or run --backend emu");
    if (!status)
        status = cuda_driver_open(path && *path ? path : NULL, &start.driver, &name);
    return status ? status : device_new(&start, o->device, name, out);
}

static osp_status emu_open(const struct osp_device_options *options, struct osp_device **out)
{
    static const struct osp_device_options defaults;
    const struct osp_device_options *o = options ? options : &defaults;
    struct cuda_device start = {.backend = "emu", .workers = o->threads, .emulated = 1};
    int device = 0;
    osp_status status = check_options("emu", o);
    if (!status && o->device)
        return osp_fail(OSP_USAGE, "emu: device %d; the emulator is device 0 and the only one", o->device);
    if (!status)
        status = emu_driver_open(o->emu, &start.workers, &start.driver, &device);
    const char *mode = o->emu ? o->emu : "fast";
    if (!status)
        status = device_new(&start, device, mode, out);
    if (!status)
        snprintf(cuda_of(*out)->label, CUDA_LABEL, "emulator, %s", mode);
    return status;
}

static void close_device(struct osp_device *opaque)
{
    if (!opaque)
        return;
    cuda_device_close(cuda_of(opaque));
    free(cuda_of(opaque));
}

const struct cuda_limits *cuda_limits_of(const struct osp_device *device)
{
    return &((const struct cuda_device *)device)->limits;
}
static int workers(const struct osp_device *device) { return ((const struct cuda_device *)device)->workers; }
static const char *label(const struct osp_device *device) { return ((const struct cuda_device *)device)->label; }

static osp_status bus_number(const struct cuda_device *device, int attribute, int *out)
{
    return device->driver->cuDeviceGetAttribute(out, (CUdevice_attribute)attribute, device->device) ? OSP_UNAVAILABLE : OSP_OK;
}

static void describe(const struct osp_device *opaque, struct osp_device_info *out)
{
    const struct cuda_device *device = (const struct cuda_device *)opaque;
    int domain = 0, bus = 0, slot = 0;
    snprintf(out->name, sizeof out->name, "%s", device->label);
    out->gpu = 1;
    out->emulated = device->emulated;
    out->load_seconds = device->load_seconds;
    if (!device->emulated && !bus_number(device, CUDA_PCI_DOMAIN_ID, &domain) && !bus_number(device, CUDA_PCI_BUS_ID, &bus) &&
        !bus_number(device, CUDA_PCI_DEVICE_ID, &slot))
        snprintf(out->bus, sizeof out->bus, "%04x:%02x:%02x.0", (unsigned)domain, (unsigned)bus, (unsigned)slot);
}

static int counts(struct osp_device *device, int i, struct osp_kernel_counts *out)
{
    return emu_counts(cuda_of(device)->context, i, out);
}
static void clear_counts(struct osp_device *device) { emu_clear_counts(cuda_of(device)->context); }
static const struct osp_counter counter = {counts, clear_counts};

/* ---- The code that it holds ---------------------------------------------------------------------- */

extern const struct cuda_image *const __start_cuda_images[], *const __stop_cuda_images[]; /* image.c; the linker names its ends */

static int code(int i, struct osp_code *out)
{
    if (i < 0 || i >= __stop_cuda_images - __start_cuda_images)
        return 0;
    const struct cuda_image *image = __start_cuda_images[i];
    *out = (struct osp_code){image->file, image->data, (size_t)(image->end - image->data)};
    return 1;
}

/* ---- The two backends ----------------------------------------------------------------------------- */

#define OSP_OP(name, help) extern const struct osp_ladder cuda_##name##_ladder;
#include "runtime/ops.def"
#undef OSP_OP

extern const struct osp_backend cuda_backend, emu_backend; /* runtime/backends.c names them */
const struct osp_backend cuda_backend = {
    .name = "cuda",
    .open = cuda_open,
    .close = close_device,
    .memory = &cuda_memory,
    .clock = &cuda_clock,
    .capture = &cuda_capture,
    .code = code,
    .occupancy = cuda_occupancy,
    .ops =
        {
#define OSP_OP(name, help) [OSP_##name] = &cuda_##name##_ladder,
#include "runtime/ops.def"
        },
    .threads = workers,
    .isa = label,
    .describe = describe,
};
const struct osp_backend emu_backend = {
    .name = "emu",
    .open = emu_open,
    .close = close_device,
    .memory = &cuda_memory,
    .clock = &cuda_clock,
    .capture = &cuda_capture,
    .counter = &counter,
    .code = code,
    .ops =
        {
#include "runtime/ops.def"
#undef OSP_OP
        },
    .threads = workers,
    .isa = label,
    .describe = describe,
};
