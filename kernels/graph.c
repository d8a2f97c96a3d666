/* A plan's launches captured once and replayed: one call instead of one for each kernel. The capture is relaxed: other threads of
 * the program may go on using CUDA meanwhile. */
#include "kernels/cuda.h"

static osp_status begin(struct osp_device *opaque)
{
    struct cuda_device *device = cuda_of(opaque);
    osp_status status = cuda_enter(device);
    if (!status)
        status = CUDA_DO(device, NULL, cuStreamBeginCapture, device->compute, CUDA_CAPTURE_MODE_RELAXED);
    device->capturing = !status;
    return status;
}

static osp_status end(struct osp_device *opaque, int keep, void **out)
{
    struct cuda_device *device = cuda_of(opaque);
    CUgraph graph = NULL;
    CUgraphExec executable = NULL;
    device->capturing = 0;
    if (!keep) { /* what went wrong has been said */
        if (device->driver->cuStreamEndCapture(device->compute, &graph) == 0 && graph)
            device->driver->cuGraphDestroy(graph);
        return OSP_OK;
    }
    osp_status status = cuda_enter(device);
    if (!status)
        status = CUDA_DO(device, NULL, cuStreamEndCapture, device->compute, &graph);
    if (!status)
        status = CUDA_DO(device, NULL, cuGraphInstantiate, &executable, graph, 0);
    if (graph && status)
        device->driver->cuGraphDestroy(graph);
    else if (graph)
        status = CUDA_DO(device, NULL, cuGraphDestroy, graph);
    if (status && executable)
        device->driver->cuGraphExecDestroy(executable);
    if (!status)
        *out = executable;
    return status;
}

static osp_status launch(struct osp_device *opaque, void *graph)
{
    struct cuda_device *device = cuda_of(opaque);
    osp_status status = cuda_enter(device);
    return status ? status : CUDA_DO(device, NULL, cuGraphLaunch, (CUgraphExec)graph, device->compute);
}

static void destroy(struct osp_device *opaque, void *graph)
{
    struct cuda_device *device = cuda_of(opaque);
    if (!graph)
        return;
    device->driver->cuCtxSetCurrent(device->context); /* another session may have been closed last */
    device->driver->cuGraphExecDestroy((CUgraphExec)graph);
}

static osp_status rehearse(struct osp_device *opaque, int on)
{
    cuda_of(opaque)->rehearsing = on;
    return OSP_OK;
}

const struct osp_capture cuda_capture = {rehearse, begin, end, launch, destroy};
