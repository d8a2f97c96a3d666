/* Time marks: events in the compute stream. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda.h"

static osp_status reserve(struct osp_device *opaque, int marks)
{
    struct cuda_device *device = cuda_of(opaque);
    if (marks <= device->mark_count)
        return OSP_OK;
    CUevent *grown = realloc(device->marks, (size_t)marks * sizeof(CUevent));
    if (!grown)
        return osp_fail(OSP_MEMORY, "%s: no memory for %zu bytes of time marks", device->backend,
                        (size_t)marks * sizeof(CUevent));
    device->marks = grown;
    osp_status status = cuda_enter(device);
    while (!status && device->mark_count < marks) {
        status = CUDA_DO(device, "a time mark", cuEventCreate, &device->marks[device->mark_count], 0);
        if (!status)
            device->mark_count++;
    }
    return status;
}

static osp_status mark(struct osp_device *opaque, int i)
{
    struct cuda_device *device = cuda_of(opaque);
    osp_status status = cuda_enter(device);
    return status ? status : CUDA_DO(device, NULL, cuEventRecord, device->marks[i], device->compute);
}

static osp_status seconds(struct osp_device *opaque, int from, int to, double *out)
{
    struct cuda_device *device = cuda_of(opaque);
    float milliseconds = 0;
    osp_status status = cuda_enter(device);
    if (status)
        return status;
    CUresult code = device->driver->cuEventElapsedTime(&milliseconds, device->marks[from], device->marks[to]);
    if (code == CUDA_ERROR_NUMBER_NOT_READY) {
        status = CUDA_DO(device, NULL, cuEventSynchronize, device->marks[to]);
        if (!status)
            status = CUDA_DO(device, NULL, cuEventElapsedTime, &milliseconds, device->marks[from], device->marks[to]);
    } else {
        status = cuda_check(device, code, "cuEventElapsedTime", NULL);
    }
    if (!status)
        *out = 1e-3 * (double)milliseconds;
    return status;
}

void cuda_marks_close(struct cuda_device *device)
{
    for (int i = 0; i < device->mark_count; i++)
        device->driver->cuEventDestroy(device->marks[i]);
    free(device->marks);
}

const struct osp_clock cuda_clock = {reserve, mark, seconds};
