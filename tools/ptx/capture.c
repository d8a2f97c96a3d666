/* Stream capture: what is issued to a stream becomes nodes of a graph instead of work. An event that was recorded in one stream
 * of a capture and waited for in another takes that one into the capture. What a driver forbids meanwhile is forbidden here, and
 * makes the capture invalid. */
#include "driver.h"

#include <stdlib.h>
#include <string.h>

static struct capture *captures;
static _Thread_local char this_thread; /* its address tells threads apart */
static _Thread_local int thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

/* ---- Nodes -------------------------------------------------------------------------------------------------------- */
static bool set_last(struct stream *stream, const uint32_t *nodes, size_t count)
{
    uint32_t *copy = malloc((count ? count : 1) * sizeof *copy);
    if (!copy)
        return false;
    if (count)
        memcpy(copy, nodes, count * sizeof *copy);
    free(stream->last);
    stream->last = copy;
    stream->last_count = count;
    return true;
}

CUresult drv_capture_op(struct stream *stream, struct op *op)
{
    struct capture *capture = stream->capture;
    if (capture->invalid) {
        drv_op_free(op);
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    uint32_t added = capture->body->count;
    if (drv_body_add(capture->body, op, stream->last, stream->last_count) && set_last(stream, &added, 1))
        return CUDA_SUCCESS;
    capture->invalid = true;
    return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult drv_capture_record(struct stream *stream, struct event *event)
{
    uint32_t *nodes = malloc((stream->last_count ? stream->last_count : 1) * sizeof *nodes);
    if (stream->capture->invalid || !nodes) {
        free(nodes);
        return stream->capture->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (stream->last_count)
        memcpy(nodes, stream->last, stream->last_count * sizeof *nodes);
    free(event->nodes);
    event->nodes = nodes;
    event->node_count = stream->last_count;
    event->capture = stream->capture->identity;
    return CUDA_SUCCESS;
}

static struct capture *capture_numbered(uint64_t identity)
{
    struct capture *c = captures;
    while (c && c->identity != identity)
        c = c->next;
    return c;
}

/* After the wait the stream's next node comes after what it came after before, and after the event's nodes. */
static bool add_last(struct stream *stream, const struct event *event)
{
    size_t count = stream->last_count;
    uint32_t *both = malloc((count + event->node_count + 1) * sizeof *both);
    if (!both)
        return false;
    if (count)
        memcpy(both, stream->last, count * sizeof *both);
    for (size_t i = 0; i < event->node_count; i++) {
        size_t k = 0;
        while (k < count && both[k] != event->nodes[i])
            k++;
        if (k == count)
            both[count++] = event->nodes[i];
    }
    free(stream->last);
    stream->last = both;
    stream->last_count = count;
    return true;
}

CUresult drv_capture_wait(struct stream *stream, struct event *event)
{
    struct capture *capture = event->capture ? capture_numbered(event->capture) : NULL;
    if (!capture) {
        if (stream->capture)
            stream->capture->invalid = true;
        return event->capture ? CUDA_ERROR_CAPTURED_EVENT
                              : CUDA_ERROR_STREAM_CAPTURE_ISOLATION; /* a node cannot come after what is outside the graph */
    }
    if (stream->capture && stream->capture != capture) {
        stream->capture->invalid = capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    if (capture->invalid)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (stream == stream->object.context->legacy) {
        capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    if (!(stream->capture ? add_last(stream, event) : set_last(stream, event->nodes, event->node_count)))
        return CUDA_ERROR_OUT_OF_MEMORY;
    stream->capture = capture;
    return CUDA_SUCCESS;
}

/* ---- What is forbidden meanwhile ------------------------------------------------------------------------------------ */
CUresult drv_capture_forbids(void)
{
    CUresult code = CUDA_SUCCESS;
    for (struct capture *c = captures; c; c = c->next) {
        bool own = c->thread == &this_thread;
        bool global = c->mode == CU_STREAM_CAPTURE_MODE_GLOBAL && (own || thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL);
        bool local = c->mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL && own;
        if (thread_mode != CU_STREAM_CAPTURE_MODE_RELAXED && (global || local)) {
            c->invalid = true;
            code = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
    }
    return code;
}

CUresult drv_capture_refuse(struct stream *stream)
{
    if (!stream->capture)
        return CUDA_SUCCESS;
    stream->capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult drv_capture_implicit(struct context *context)
{
    CUresult code = CUDA_SUCCESS;
    for (struct object *o = captures ? context->objects : NULL; o; o = o->next) {
        struct stream *stream = (struct stream *)o;
        if (o->kind == KIND_STREAM && stream->capture && !(stream->flags & CU_STREAM_NON_BLOCKING)) {
            stream->capture->invalid = true;
            code = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        }
    }
    return code;
}

/* ---- Beginning and end ---------------------------------------------------------------------------------------------- */
/* Takes every stream out of the capture; its graph so far is the caller's. */
static struct body *end(struct capture *capture)
{
    struct body *body = capture->body;
    struct capture **link = &captures;
    for (struct context *c = drv.contexts; c; c = c->next)
        for (struct object *o = c->objects; o; o = o->next)
            if (o->kind == KIND_STREAM && ((struct stream *)o)->capture == capture)
                ((struct stream *)o)->capture = NULL;
    while (*link != capture)
        link = &(*link)->next;
    *link = capture->next;
    free(capture);
    return body;
}

void drv_capture_end_with(struct stream *stream)
{
    if (!stream->capture)
        return;
    stream->capture->invalid = true;
    if (stream->capture->origin == stream)
        drv_body_drop(end(stream->capture));
}

CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && (unsigned)mode > CU_STREAM_CAPTURE_MODE_RELAXED)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code && stream == stream->object.context->legacy)
        code = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (!code && stream->capture)
        code = CUDA_ERROR_ILLEGAL_STATE;
    if (code)
        return drv_leave(code);
    struct capture *capture = calloc(1, sizeof *capture);
    struct body *body = drv_body_new();
    if (!capture || !body || !set_last(stream, NULL, 0)) {
        free(capture);
        drv_body_drop(body);
        return drv_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    *capture = (struct capture){captures, stream, body, (int)mode, &this_thread, false, ++drv.identities};
    captures = capture;
    stream->capture = capture;
    return drv_leave(CUDA_SUCCESS);
}

/* Whether the origin's last nodes come after all that the other streams have put into the capture. */
static CUresult check_joined(const struct capture *capture)
{
    const struct body *body = capture->body;
    bool *reached = calloc(body->count + 1, sizeof *reached);
    CUresult code = reached ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; !code && i < capture->origin->last_count; i++)
        reached[capture->origin->last[i]] = true;
    for (uint32_t i = body->count; !code && i-- > 0;) /* a node comes after nodes of lower numbers only */
        for (size_t k = 0; reached[i] && k < body->node[i]->after_count; k++)
            reached[body->node[i]->after[k]] = true;
    for (struct context *c = drv.contexts; !code && c; c = c->next)
        for (struct object *o = c->objects; o; o = o->next) {
            struct stream *stream = (struct stream *)o;
            for (size_t i = 0; o->kind == KIND_STREAM && stream->capture == capture && i < stream->last_count; i++)
                if (!reached[stream->last[i]])
                    code = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
        }
    free(reached);
    return code;
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph *out)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !out)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code && !stream->capture)
        code = CUDA_ERROR_ILLEGAL_STATE;
    if (!code && stream->capture->origin != stream)
        code = CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    if (!code && stream->capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && stream->capture->thread != &this_thread)
        code = CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    if (code)
        return drv_leave(code);
    *out = NULL;
    code = stream->capture->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : check_joined(stream->capture);
    struct body *body = end(stream->capture);
    struct graph *graph = code ? NULL : calloc(1, sizeof *graph);
    if (!graph || !drv_object_add(&graph->object, KIND_GRAPH, stream->object.context)) {
        free(graph);
        drv_body_drop(body);
        return drv_leave(code ? code : CUDA_ERROR_OUT_OF_MEMORY);
    }
    graph->body = body;
    *out = graph->object.handle;
    return drv_leave(CUDA_SUCCESS);
}

/* ---- What is told about it --------------------------------------------------------------------------------------------- */
static int status_of(const struct stream *stream)
{
    if (!stream->capture)
        return CU_STREAM_CAPTURE_STATUS_NONE;
    return stream->capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus *status)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !status)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *status = status_of(stream);
    return drv_leave(code);
}

CUresult cuStreamGetCaptureInfo_v2(CUstream handle, CUstreamCaptureStatus *status, cuuint64_t *id, CUgraph *graph,
                                   const CUgraphNode **dependencies, size_t *count)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code && !status)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code && (graph || dependencies || count))
        code = CUDA_ERROR_NOT_SUPPORTED; /* a graph that is being made cannot be reached here */
    if (!code) {
        *status = status_of(stream);
        if (id && stream->capture)
            *id = stream->capture->identity;
    }
    return drv_leave(code);
}

CUresult cuStreamGetCaptureInfo_v3(CUstream handle, CUstreamCaptureStatus *status, cuuint64_t *id, CUgraph *graph,
                                   const CUgraphNode **dependencies, const CUgraphEdgeData **edges, size_t *count)
{
    return edges ? CUDA_ERROR_NOT_SUPPORTED : cuStreamGetCaptureInfo_v2(handle, status, id, graph, dependencies, count);
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
    ENTER(NEEDS_INIT);
    if (!mode || (unsigned)*mode > CU_STREAM_CAPTURE_MODE_RELAXED)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    int before = thread_mode;
    thread_mode = (int)*mode;
    *mode = before;
    return drv_leave(CUDA_SUCCESS);
}
