/* Copies between the host and the device, through pinned memory. A picture goes up in pieces: while one is under way, the next is
 * filled. The copy stream starts behind the work that may still read what is overwritten, and the compute stream waits for it. */
#include <stdint.h>
#include <string.h>

#include "kernels/cuda.h"

osp_status cuda_stages_open(struct cuda_device *device)
{
    osp_status status = CUDA_DO(device, NULL, cuEventCreate, &device->computed, CUDA_EVENT_DISABLE_TIMING);
    for (int i = 0; !status && i < CUDA_STAGES; i++) {
        struct cuda_stage *stage = &device->stage[i];
        status = CUDA_DO(device, "pinned host memory for copies", cuMemHostAlloc, &stage->memory, CUDA_STAGE_BYTES, 0);
        if (!status)
            status = CUDA_DO(device, NULL, cuEventCreate, &stage->done, CUDA_EVENT_DISABLE_TIMING);
    }
    return status;
}

void cuda_stages_close(struct cuda_device *device)
{
    if (device->computed)
        device->driver->cuEventDestroy(device->computed);
    for (int i = 0; i < CUDA_STAGES; i++) {
        if (device->stage[i].done)
            device->driver->cuEventDestroy(device->stage[i].done);
        if (device->stage[i].memory)
            device->driver->cuMemFreeHost(device->stage[i].memory);
    }
}

/* The next stage, once the copy that used it last is done. */
static osp_status take(struct cuda_device *device, struct cuda_stage **out)
{
    struct cuda_stage *stage = &device->stage[device->turn];
    osp_status status = stage->used ? CUDA_DO(device, NULL, cuEventSynchronize, stage->done) : OSP_OK;
    device->turn = (device->turn + 1) % CUDA_STAGES;
    stage->used = 0;
    *out = stage;
    return status;
}

static osp_status upload_piece(struct cuda_device *device, struct cuda_stage *stage, CUdeviceptr to, const char *from,
                               size_t bytes)
{
    memcpy(stage->memory, from, bytes);
    osp_status status = CUDA_DO(device, NULL, cuMemcpyHtoDAsync, to, stage->memory, bytes, device->copy);
    if (!status)
        status = CUDA_DO(device, NULL, cuEventRecord, stage->done, device->copy);
    stage->used = !status;
    return status;
}

osp_status cuda_upload(struct osp_device *opaque, void *to, const void *from, size_t bytes)
{
    struct cuda_device *device = cuda_of(opaque);
    struct cuda_stage *stage = NULL;
    osp_status status = cuda_enter(device);
    if (!status)
        status = CUDA_DO(device, NULL, cuEventRecord, device->computed, device->compute);
    if (!status)
        status = CUDA_DO(device, NULL, cuStreamWaitEvent, device->copy, device->computed, 0);
    for (size_t at = 0; !status && at < bytes; at += CUDA_STAGE_BYTES) {
        size_t piece = bytes - at < CUDA_STAGE_BYTES ? bytes - at : CUDA_STAGE_BYTES;
        status = take(device, &stage);
        if (!status)
            status = upload_piece(device, stage, (CUdeviceptr)(uintptr_t)to + at, (const char *)from + at, piece);
    }
    if (!status && stage)
        status = CUDA_DO(device, NULL, cuStreamWaitEvent, device->compute, stage->done, 0);
    return status;
}

osp_status cuda_download(struct osp_device *opaque, void *to, const void *from, size_t bytes)
{
    struct cuda_device *device = cuda_of(opaque);
    struct cuda_stage *stage;
    osp_status status = cuda_enter(device);
    for (size_t at = 0; !status && at < bytes; at += CUDA_STAGE_BYTES) {
        size_t piece = bytes - at < CUDA_STAGE_BYTES ? bytes - at : CUDA_STAGE_BYTES;
        status = take(device, &stage);
        if (!status)
            status = CUDA_DO(device, NULL, cuMemcpyDtoHAsync, stage->memory, (CUdeviceptr)(uintptr_t)from + at, piece,
                             device->compute);
        if (!status)
            status = CUDA_DO(device, "the wait for all work before it", cuStreamSynchronize, device->compute);
        if (!status)
            memcpy((char *)to + at, stage->memory, piece);
    }
    return status;
}
