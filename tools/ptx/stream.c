/* Streams: made, waited for, asked. How their work runs is in queue.c. */
#include "driver.h"

#include <stdlib.h>

CUresult drv_stream(CUstream handle, struct stream **out)
{
    *out = NULL;
    if (handle == CU_STREAM_PER_THREAD)
        return drv_fault(CUDA_ERROR_NOT_SUPPORTED, "this driver has no per-thread default stream");
    *out = !handle || handle == CU_STREAM_LEGACY ? drv_current()->legacy : drv_object(handle, KIND_STREAM);
    return !*out ? CUDA_ERROR_INVALID_HANDLE : (*out)->object.context->sticky;
}

struct stream *drv_stream_new(struct context *context, unsigned flags, int priority)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s || !drv_object_add(&s->object, KIND_STREAM, context)) {
        free(s);
        return NULL;
    }
    s->identity = ++drv.identities;
    s->flags = flags;
    s->priority = priority;
    s->tail = &s->head;
    return s;
}

/* Its work is done or dropped. */
void drv_stream_free(struct stream *stream)
{
    drv_capture_end_with(stream);
    drv_object_remove(&stream->object);
    free(stream->last);
    free(stream);
}

CUresult cuStreamCreateWithPriority(CUstream *out, unsigned flags, int priority)
{
    ENTER(NEEDS_CONTEXT);
    if (!out || flags & ~(unsigned)CU_STREAM_NON_BLOCKING)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    priority = priority > 0 ? 0 : priority < -5 ? -5 : priority; /* into the range that cuCtxGetStreamPriorityRange tells */
    struct stream *stream = drv_stream_new(drv_current(), flags, priority);
    if (!stream)
        return drv_leave(CUDA_ERROR_OUT_OF_MEMORY);
    *out = stream->object.handle;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuStreamCreate(CUstream *out, unsigned flags) { return cuStreamCreateWithPriority(out, flags, 0); }

/* A real driver returns at once and ends the work by itself. Here nobody would ever run it, so it runs now. */
CUresult cuStreamDestroy_v2(CUstream handle)
{
    ENTER(NEEDS_CONTEXT | RELEASES);
    struct stream *stream = drv_object(handle, KIND_STREAM);
    if (!stream || stream == stream->object.context->legacy)
        return drv_leave(CUDA_ERROR_INVALID_HANDLE);
    CUresult code = drv_finish_stream(stream);
    drv_stream_free(stream);
    return drv_leave(code);
}

CUresult cuStreamSynchronize(CUstream handle)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code)
        code = drv_capture_refuse(stream);
    return drv_leave(code ? code : drv_finish_stream(stream));
}

/* A client that asks until the stream is empty must get there: every question runs one operation. */
CUresult cuStreamQuery(CUstream handle)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code)
        code = drv_capture_refuse(stream);
    if (code)
        return drv_leave(code);
    drv_step(stream);
    code = stream->object.context->sticky;
    return drv_leave(code ? code : stream->head ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS);
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned flags)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    struct event *event = drv_object(event_handle, KIND_EVENT);
    if (!code && !event)
        code = CUDA_ERROR_INVALID_HANDLE;
    if (!code && flags > 1)
        code = CUDA_ERROR_INVALID_VALUE;
    if (code)
        return drv_leave(code);
    if (event->capture || stream->capture)
        return drv_leave(drv_capture_wait(stream, event));
    if (!event->marker)
        return drv_leave(CUDA_SUCCESS); /* never recorded: nothing to wait for */
    struct op *op = drv_op(OP_WAIT, stream->object.context);
    if (op)
        op->u.marker = drv_marker_hold(event->marker);
    return drv_leave(drv_issue(stream, op));
}

CUresult cuStreamAddCallback(CUstream handle, CUstreamCallback callback, void *data, unsigned flags)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && (!callback || flags))
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code && stream->capture)
        code = drv_capture_refuse(stream); /* cuLaunchHostFunc is the one that graphs know */
    if (code)
        return drv_leave(code);
    struct op *op = drv_op(OP_CALLBACK, stream->object.context);
    if (op) {
        op->u.host.callback = callback;
        op->u.host.stream = handle;
        op->u.host.data = data;
    }
    return drv_leave(drv_issue(stream, op));
}

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn call, void *data)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !call)
        code = CUDA_ERROR_INVALID_VALUE;
    if (code)
        return drv_leave(code);
    struct op *op = drv_op(OP_HOST, stream->object.context);
    if (op) {
        op->u.host.call = call;
        op->u.host.data = data;
    }
    return drv_leave(drv_issue(stream, op));
}

/* ---- What a stream tells ------------------------------------------------------------------------------------------ */
CUresult cuStreamGetPriority(CUstream handle, int *priority)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !priority)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *priority = stream->priority;
    return drv_leave(code);
}

CUresult cuStreamGetFlags(CUstream handle, unsigned *flags)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !flags)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *flags = stream->flags;
    return drv_leave(code);
}

CUresult cuStreamGetId(CUstream handle, unsigned long long *id)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !id)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *id = stream->identity;
    return drv_leave(code);
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext *context)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !context)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *context = stream->object.context->object.handle;
    return drv_leave(code);
}

CUresult cuStreamGetCtx_v2(CUstream handle, CUcontext *context, CUgreenCtx *green)
{
    CUresult code = cuStreamGetCtx(handle, context);
    if (!code && green)
        *green = NULL;
    return code;
}

CUresult cuStreamGetDevice(CUstream handle, CUdevice *device)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !device)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *device = 0;
    return drv_leave(code);
}
