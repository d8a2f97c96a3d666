/* The overlay's device and its table. */
#include <stdio.h>
#include <string.h>

#include "cpu/onednn/onednn.h"

/* oneDNN's own choice, which it makes once for the process. */
static const char *library_isa(const struct onednn_library *dnnl)
{
    switch (dnnl->get_effective_cpu_isa()) {
    case dnnl_cpu_isa_avx512_core:
    case dnnl_cpu_isa_avx512_core_vnni:
    case dnnl_cpu_isa_avx512_core_bf16:
    case dnnl_cpu_isa_avx512_core_amx:
        return "avx512";
    case dnnl_cpu_isa_avx2:
    case dnnl_cpu_isa_avx2_vnni:
        return "avx2";
    default:
        return "below avx2";
    }
}

static void onednn_close(struct osp_device *opaque)
{
    struct onednn_device *device = (struct onednn_device *)opaque;
    if (!device)
        return;
    if (device->stream)
        device->dnnl->stream_destroy(device->stream);
    if (device->engine)
        device->dnnl->engine_destroy(device->engine);
    cpu_device_close(&device->cpu);
    free(device);
}

static osp_status onednn_open(const struct osp_device_options *options, struct osp_device **out)
{
    if (options && options->isa)
        return osp_fail(OSP_USAGE, "onednn: the instruction set cannot be pinned to %s: oneDNN takes the best this machine has",
                        options->isa);
    const struct onednn_library *dnnl;
    osp_status status = onednn_library_open(&dnnl);
    if (status)
        return status;
    struct onednn_device *device = calloc(1, sizeof *device);
    if (!device)
        return osp_fail(OSP_MEMORY, "onednn: no memory for a device of %zu bytes", sizeof *device);
    device->dnnl = dnnl;
    status = cpu_device_open(options, &device->cpu);
    if (!status && (dnnl->engine_create(&device->engine, dnnl_cpu, 0) ||
                    dnnl->stream_create(&device->stream, device->engine, dnnl_stream_default_flags)))
        status = osp_fail(OSP_UNAVAILABLE, "onednn: the library makes no engine for this processor");
    if (status) {
        onednn_close((struct osp_device *)device);
        return status;
    }
    const dnnl_version_t *version = dnnl->version();
    snprintf(device->isa, sizeof device->isa, "%s, oneDNN %d.%d.%d", library_isa(dnnl), version->major, version->minor,
             version->patch);
    *out = (struct osp_device *)device;
    return OSP_OK;
}

static int threads(const struct osp_device *device) { return onednn_of(device)->cpu.threads; }
static const char *isa(const struct osp_device *device) { return onednn_of(device)->isa; }

extern const struct osp_kernel onednn_conv2d_direct, onednn_conv2d_winograd, onednn_depthwise_direct, onednn_linear_direct;
static const struct osp_kernel *const conv2d[] = {&onednn_conv2d_direct, &onednn_conv2d_winograd};
static const struct osp_kernel *const depthwise[] = {&onednn_depthwise_direct};
static const struct osp_kernel *const linear[] = {&onednn_linear_direct};
static const struct osp_ladder conv2d_ladder = {conv2d, 2}, depthwise_ladder = {depthwise, 1}, linear_ladder = {linear, 1};

extern const struct osp_backend cpu_backend, onednn_backend; /* runtime/backends.c names them */
const struct osp_backend onednn_backend = {
    .name = "onednn",
    .base = &cpu_backend,
    .open = onednn_open,
    .close = onednn_close,
    .memory = &cpu_memory,
    .clock = &cpu_marks,
    .ops = {[OSP_conv2d] = &conv2d_ladder, [OSP_depthwise] = &depthwise_ladder, [OSP_linear] = &linear_ladder},
    .threads = threads,
    .isa = isa,
};
