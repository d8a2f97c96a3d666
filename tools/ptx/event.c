/* Events. Each record makes a marker of its own, so that what waits for an event waits for the record that was the last when it
 * was issued. */
#include "driver.h"

#include <stdlib.h>

void drv_event_free(struct event *event)
{
    drv_object_remove(&event->object);
    drv_marker_drop(event->marker);
    free(event->nodes);
    free(event);
}

CUresult cuEventCreate(CUevent *out, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    if (!out || flags & ~(unsigned)(CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING)) /* shared between processes: not here */
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    struct event *event = calloc(1, sizeof *event);
    if (!event || !drv_object_add(&event->object, KIND_EVENT, drv_current())) {
        free(event);
        return drv_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    event->flags = flags;
    *out = event->object.handle;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuEventDestroy_v2(CUevent handle)
{
    ENTER(NEEDS_CONTEXT | RELEASES);
    struct event *event = drv_object(handle, KIND_EVENT);
    if (!event)
        return drv_leave(CUDA_ERROR_INVALID_HANDLE);
    drv_event_free(event);
    return drv_leave(CUDA_SUCCESS);
}

static CUresult record(struct event *event, struct stream *stream)
{
    struct marker *marker = calloc(1, sizeof *marker);
    struct op *op = drv_op(OP_RECORD, stream->object.context);
    if (!marker || !op) {
        free(marker);
        free(op);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    op->u.marker = drv_marker_hold(marker);
    marker->stream = stream;
    drv_marker_hold(marker);
    CUresult code = drv_issue(stream, op);
    if (code) {
        drv_marker_drop(marker);
        return code;
    }
    drv_marker_drop(event->marker);
    event->marker = marker;
    event->capture = 0;
    return CUDA_SUCCESS;
}

CUresult cuEventRecordWithFlags(CUevent event_handle, CUstream handle, unsigned flags)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    struct event *event = drv_object(event_handle, KIND_EVENT);
    if (!code && (!event || event->object.context != stream->object.context))
        code = CUDA_ERROR_INVALID_HANDLE;
    if (!code && flags > 1)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        code = stream->capture ? drv_capture_record(stream, event) : record(event, stream);
    return drv_leave(code);
}

CUresult cuEventRecord(CUevent event, CUstream stream) { return cuEventRecordWithFlags(event, stream, 0); }

/* The event of a handle that may be asked or waited for now. */
static CUresult open_event(CUevent handle, struct event **out)
{
    *out = drv_object(handle, KIND_EVENT);
    if (!*out)
        return CUDA_ERROR_INVALID_HANDLE;
    if ((*out)->capture)
        return CUDA_ERROR_CAPTURED_EVENT;
    return (*out)->object.context->sticky;
}

CUresult cuEventQuery(CUevent handle)
{
    struct event *event;
    ENTER(NEEDS_CONTEXT);
    CUresult code = open_event(handle, &event);
    if (!code)
        code = drv_capture_forbids();
    if (code || !event->marker)
        return drv_leave(code);
    if (!event->marker->done)
        drv_step(event->marker->stream);
    code = event->object.context->sticky;
    return drv_leave(code ? code : event->marker->done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
}

CUresult cuEventSynchronize(CUevent handle)
{
    struct event *event;
    ENTER(NEEDS_CONTEXT);
    CUresult code = open_event(handle, &event);
    if (!code && event->marker)
        code = drv_finish_marker(event->marker, event->object.context);
    return drv_leave(code);
}

CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent from_handle, CUevent to_handle)
{
    struct event *from, *to;
    ENTER(NEEDS_CONTEXT);
    CUresult code = open_event(from_handle, &from);
    if (!code)
        code = open_event(to_handle, &to);
    if (!code && !milliseconds)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code && ((from->flags | to->flags) & CU_EVENT_DISABLE_TIMING || !from->marker || !to->marker))
        code = CUDA_ERROR_INVALID_HANDLE;
    if (!code && !(from->marker->done && to->marker->done))
        code = CUDA_ERROR_NOT_READY;
    if (!code)
        *milliseconds = (float)(1e3 * (to->marker->seconds - from->marker->seconds));
    return drv_leave(code);
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to)
{
    return cuEventElapsedTime_v2(milliseconds, from, to);
}
