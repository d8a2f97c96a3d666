/* What waits in streams, and the order in which it runs. Nothing runs before something waits for it, so that a missing wait
 * shows. Seed 0: only what is waited for and what that depends on runs, so a stream that does not wait for another finds it has
 * done nothing. Other seeds: any stream that can go on may go on, by chance. */
#include "driver.h"

#include <stdlib.h>
#include <string.h>

/* ---- Markers --------------------------------------------------------------------------------------------------- */
struct marker *drv_marker_hold(struct marker *marker)
{
    marker->references++;
    return marker;
}

void drv_marker_drop(struct marker *marker)
{
    if (marker && --marker->references == 0)
        free(marker);
}

static void marker_done(struct marker *marker)
{
    marker->done = true;
    marker->seconds = drv_seconds();
    marker->stream = NULL;
}

/* ---- Operations ------------------------------------------------------------------------------------------------- */
struct op *drv_op(enum op_kind kind, struct context *context)
{
    struct op *op = calloc(1, sizeof *op);
    if (op) {
        op->kind = kind;
        op->context = context;
    }
    return op;
}

void drv_op_free(struct op *op)
{
    if (!op)
        return;
    switch (op->kind) {
    case OP_KERNEL:
        free(op->u.kernel.arguments);
        break;
    case OP_COPY:
        free(op->u.copy.staged);
        break;
    case OP_RECORD:
    case OP_WAIT:
        drv_marker_drop(op->u.marker);
        break;
    case OP_GRAPH:
        drv_exec_drop(op->u.exec);
        break;
    default:
        break;
    }
    free(op);
}

static CUresult run_kernel(const struct op *op)
{
    struct ptx_fault fault = {0};
    struct ptx_launch_config config = op->u.kernel.config;
    struct function *function = drv_object(op->u.kernel.function, KIND_FUNCTION);
    if (!function)
        return drv_fault(CUDA_ERROR_INVALID_HANDLE, "a kernel runs whose module has been unloaded");
    config.workers = drv.workers;
    config.seed = drv.seed;
    config.counters = &drv.counters;
    double start = drv_seconds();
    int failed = ptx_launch(function->kernel, &config, op->u.kernel.arguments, op->u.kernel.bytes, drv.memory, &fault);
    drv.seconds += drv_seconds() - start;
    return failed ? drv_fault_of(&fault, "") : CUDA_SUCCESS;
}

static size_t span_of(size_t pitch, size_t width, size_t height) { return height ? pitch * (height - 1) + width : 0; }

/* Where a side of a copy lies in this process. */
static CUresult reach(const struct place *place, const struct op *op, bool pinned, const char *what, unsigned char **out)
{
    struct ptx_fault fault = {0};
    size_t bytes = span_of(place->pitch, op->u.copy.width, op->u.copy.height);
    *out = (unsigned char *)(uintptr_t)place->address;
    if (place->device) {
        *out = ptx_host(drv.memory, place->address, bytes, &fault);
        return *out ? CUDA_SUCCESS : drv_fault_of(&fault, what);
    }
    if (pinned && !drv_host_block(place->address, bytes))
        return drv_fault(CUDA_ERROR_ILLEGAL_ADDRESS, "%s: the page-locked memory at 0x%llx was freed before the copy ran", what,
                         (unsigned long long)place->address);
    return CUDA_SUCCESS;
}

static CUresult run_copy(const struct op *op)
{
    unsigned char *to, *from;
    size_t from_pitch = op->u.copy.from.pitch;
    CUresult code = reach(&op->u.copy.to, op, op->u.copy.pinned[0], "a copy's destination", &to);
    if (!code && !op->u.copy.staged)
        code = reach(&op->u.copy.from, op, op->u.copy.pinned[1], "a copy's source", &from);
    if (code)
        return code;
    if (op->u.copy.staged) {
        from = op->u.copy.staged;
        from_pitch = op->u.copy.width;
    }
    for (size_t row = 0; row < op->u.copy.height; row++)
        memmove(to + row * op->u.copy.to.pitch, from + row * from_pitch, op->u.copy.width);
    return CUDA_SUCCESS;
}

/* One element, then what is there already again and again: a few large copies. */
static void fill(unsigned char *to, size_t bytes, const void *value, size_t element)
{
    memcpy(to, value, element);
    for (size_t done = element; done < bytes; done *= 2)
        memcpy(to + done, to, done < bytes - done ? done : bytes - done);
}

static CUresult run_set(const struct op *op)
{
    struct ptx_fault fault = {0};
    const size_t element = op->u.set.element, width = op->u.set.width;
    size_t bytes = span_of(op->u.set.pitch, width * element, op->u.set.height);
    unsigned char *to = ptx_host(drv.memory, op->u.set.to, bytes, &fault);
    if (!to)
        return drv_fault_of(&fault, "a memset's destination");
    for (size_t row = 0; row < op->u.set.height; row++)
        fill(to + row * op->u.set.pitch, width * element, &op->u.set.value, element);
    return CUDA_SUCCESS;
}

static CUresult run_client(const struct op *op)
{
    drv_client(true);
    if (op->kind == OP_HOST)
        op->u.host.call(op->u.host.data);
    else
        op->u.host.callback(op->u.host.stream, CUDA_SUCCESS, op->u.host.data);
    drv_client(false);
    return CUDA_SUCCESS;
}

static CUresult run_free(const struct op *op)
{
    for (struct object *o = op->context->objects; o; o = o->next)
        if (o->kind == KIND_MEMORY && ((struct device_block *)o)->address == op->u.memory) {
            drv_device_free((struct device_block *)o);
            break;
        }
    return CUDA_SUCCESS;
}

CUresult drv_op_run(const struct op *op)
{
    switch (op->kind) {
    case OP_KERNEL:
        return run_kernel(op);
    case OP_COPY:
        return run_copy(op);
    case OP_SET:
        return run_set(op);
    case OP_HOST:
    case OP_CALLBACK:
        return run_client(op);
    case OP_RECORD:
        marker_done(op->u.marker);
        return CUDA_SUCCESS;
    case OP_GRAPH:
        return drv_exec_run(op->u.exec);
    case OP_FREE:
        return run_free(op);
    default:
        return CUDA_SUCCESS;
    }
}

/* ---- Queues ----------------------------------------------------------------------------------------------------- */
CUresult drv_issue(struct stream *stream, struct op *op)
{
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (stream->capture)
        return drv_capture_op(stream, op);
    CUresult code = stream == stream->object.context->legacy ? drv_capture_implicit(stream->object.context) : CUDA_SUCCESS;
    if (code) {
        drv_op_free(op);
        return code;
    }
    op->order = ++drv.order;
    op->next = NULL;
    *stream->tail = op;
    stream->tail = &op->next;
    return CUDA_SUCCESS;
}

static struct op *pop(struct stream *stream)
{
    struct op *op = stream->head;
    stream->head = op->next;
    if (!stream->head)
        stream->tail = &stream->head;
    return op;
}

void drv_drop_all(struct context *context)
{
    for (struct object *o = context->objects; o; o = o->next) {
        struct stream *stream = (struct stream *)o;
        while (o->kind == KIND_STREAM && stream->head) {
            struct op *op = pop(stream);
            if (op->kind == OP_RECORD)
                marker_done(op->u.marker);
            drv_op_free(op);
        }
    }
}

void drv_fail(struct context *context, CUresult code)
{
    context->sticky = code;
    drv_drop_all(context);
}

/* The stream that must go on before this one can; NULL: this one can. Work in the NULL stream comes after all that was issued
 * before it in the context's streams, and before all that is issued after it, but for streams made with CU_STREAM_NON_BLOCKING.
 * What is waited for was issued earlier than what waits, so that following this from stream to stream ends. */
static struct stream *waits_for(struct stream *stream)
{
    struct op *op = stream->head;
    struct context *context = stream->object.context;
    if (op->kind == OP_WAIT && !op->u.marker->done)
        return op->u.marker->stream;
    if (stream->flags & CU_STREAM_NON_BLOCKING)
        return NULL;
    if (stream != context->legacy) {
        struct op *first = context->legacy->head;
        return first && first->order < op->order ? context->legacy : NULL;
    }
    for (struct object *o = context->objects; o; o = o->next) {
        struct stream *other = (struct stream *)o;
        if (o->kind == KIND_STREAM && !(other->flags & CU_STREAM_NON_BLOCKING) && other->head && other->head->order < op->order)
            return other;
    }
    return NULL;
}

/* Some stream of any context that can go on; there is one, since one has work. */
static struct stream *any_ready(void)
{
    struct stream *chosen = NULL;
    uint64_t seen = 0;
    for (struct context *c = drv.contexts; c; c = c->next)
        for (struct object *o = c->objects; o; o = o->next) {
            struct stream *stream = (struct stream *)o;
            if (o->kind == KIND_STREAM && stream->head && !waits_for(stream) && drv_random(++seen) == 0)
                chosen = stream;
        }
    return chosen;
}

void drv_step(struct stream *stream)
{
    if (!stream->head)
        return;
    for (struct stream *before; !drv.seed && (before = waits_for(stream));)
        stream = before;
    if (drv.seed)
        stream = any_ready();
    struct op *op = pop(stream);
    CUresult code = drv_op_run(op);
    if (code)
        drv_fail(op->context, code);
    drv_op_free(op);
}

CUresult drv_finish_stream(struct stream *stream)
{
    while (stream->head)
        drv_step(stream);
    return stream->object.context->sticky;
}

CUresult drv_finish_marker(struct marker *marker, struct context *context)
{
    while (!marker->done)
        drv_step(marker->stream);
    return context->sticky;
}

CUresult drv_finish_context(struct context *context)
{
    for (struct object *o = context->objects; o; o = o->next)
        if (o->kind == KIND_STREAM)
            drv_finish_stream((struct stream *)o);
    return context->sticky;
}
