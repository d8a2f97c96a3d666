/* Contexts: the device's primary one, which is counted, and created ones; each thread's stack of current ones. */
#include "driver.h"

#include <stdlib.h>

enum { STACK = 64 };
static _Thread_local CUcontext stack[STACK]; /* handles: what they stood for may be gone */
static _Thread_local int depth;

enum { LEAST_PRIORITY = 0, GREATEST_PRIORITY = -5, FLAGS_MASK = 0xff };

struct context *drv_current(void) { return depth ? drv_object(stack[depth - 1], KIND_CONTEXT) : NULL; }

static CUresult context_of(CUcontext handle, struct context **out)
{
    *out = drv_object(handle, KIND_CONTEXT);
    if (*out)
        return CUDA_SUCCESS;
    return drv_was(handle, KIND_CONTEXT) ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_ERROR_INVALID_CONTEXT;
}

/* ---- Making and ending ----------------------------------------------------------------------------------------- */
static void free_contents(struct context *context)
{
    static const enum kind order[] = {KIND_STREAM, KIND_EVENT, KIND_EXEC, KIND_GRAPH, KIND_MODULE, KIND_MEMORY, KIND_HOST};
    drv_drop_all(context);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        for (struct object *o = context->objects, *next; o; o = next) {
            next = o->next;
            if (o->kind != order[i])
                continue;
            switch (o->kind) {
            case KIND_STREAM:
                drv_stream_free((struct stream *)o);
                break;
            case KIND_EVENT:
                drv_event_free((struct event *)o);
                break;
            case KIND_EXEC:
                drv_exec_free((struct exec *)o);
                break;
            case KIND_GRAPH:
                drv_graph_free((struct graph *)o);
                break;
            case KIND_MODULE:
                drv_module_free((struct module *)o);
                next = context->objects;
                break; /* its functions went, too */
            case KIND_MEMORY:
                drv_device_free((struct device_block *)o);
                break;
            default:
                drv_host_free((struct host_block *)o);
                break;
            }
        }
}

static void free_context(struct context *context)
{
    free_contents(context);
    struct context **link = &drv.contexts;
    while (*link != context)
        link = &(*link)->next;
    *link = context->next;
    if (drv.primary == context)
        drv.primary = NULL;
    drv_object_remove(&context->object);
    free(context);
    if (!drv.contexts) {
        ptx_memory_free(drv.memory);
        drv.memory = NULL;
    }
}

static CUresult new_context(unsigned flags, bool primary, struct context **out)
{
    if (flags & ~(unsigned)FLAGS_MASK)
        return CUDA_ERROR_INVALID_VALUE;
    if (!drv.memory && ptx_memory_new(drv.memory_bytes, &drv.memory))
        return drv_fault(CUDA_ERROR_OUT_OF_MEMORY, "no address space for a device of %llu bytes",
                         (unsigned long long)drv.memory_bytes);
    struct context *c = calloc(1, sizeof *c);
    if (!c || !drv_object_add(&c->object, KIND_CONTEXT, NULL)) {
        free(c);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    c->next = drv.contexts;
    drv.contexts = c;
    c->identity = ++drv.identities;
    c->primary = primary;
    c->flags = flags;
    c->api_version = OLDEST_API;
    c->stack_limit = 1024;
    c->printf_limit = 1 << 20;
    c->heap_limit = 8 << 20;
    c->legacy = drv_stream_new(c, 0, 0);
    if (!c->legacy) {
        free_context(c);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *out = c;
    return CUDA_SUCCESS;
}

/* ---- The primary context ---------------------------------------------------------------------------------------- */
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    if (!code && !context)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code && !drv.primary)
        code = new_context(drv.primary_flags, true, &drv.primary);
    if (!code) {
        drv.primary_references++;
        *context = drv.primary->object.handle;
    }
    return drv_leave(code);
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    ENTER(NEEDS_INIT | RELEASES);
    CUresult code = drv_device_check(device);
    if (!code && !drv.primary_references)
        code = CUDA_ERROR_INVALID_CONTEXT;
    if (!code && --drv.primary_references == 0)
        free_context(drv.primary);
    return drv_leave(code);
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    ENTER(NEEDS_INIT | RELEASES);
    CUresult code = drv_device_check(device);
    if (!code && drv.primary) { /* the handle stays good for those who have retained it; all in it is gone */
        free_contents(drv.primary);
        drv.primary->sticky = CUDA_SUCCESS;
        drv.primary->legacy = drv_stream_new(drv.primary, 0, 0);
        if (!drv.primary->legacy) {
            drv.primary_references = 0;
            free_context(drv.primary);
            code = CUDA_ERROR_OUT_OF_MEMORY;
        }
    }
    return drv_leave(code);
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags)
{
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    if (!code && flags & ~(unsigned)FLAGS_MASK)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code) {
        drv.primary_flags = flags;
        if (drv.primary)
            drv.primary->flags = flags;
    }
    return drv_leave(code);
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active)
{
    ENTER(NEEDS_INIT);
    CUresult code = drv_device_check(device);
    if (!code && (!flags || !active))
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code) {
        *flags = drv.primary_flags;
        *active = drv.primary != NULL;
    }
    return drv_leave(code);
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device) { return cuDevicePrimaryCtxRelease_v2(device); }
CUresult cuDevicePrimaryCtxReset(CUdevice device) { return cuDevicePrimaryCtxReset_v2(device); }
CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags) { return cuDevicePrimaryCtxSetFlags_v2(device, flags); }

/* ---- Created contexts -------------------------------------------------------------------------------------------- */
static CUresult create(CUcontext *out, unsigned flags, CUdevice device)
{
    struct context *context;
    CUresult code = drv_device_check(device);
    if (!code && (!out || depth == STACK))
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        code = new_context(flags, false, &context);
    if (!code)
        stack[depth++] = *out = context->object.handle;
    return code;
}

CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device)
{
    ENTER(NEEDS_INIT);
    return drv_leave(create(context, flags, device));
}

CUresult cuCtxCreate_v3(CUcontext *context, CUexecAffinityParam *affinity, int count, unsigned flags, CUdevice device)
{
    ENTER(NEEDS_INIT);
    if (affinity || count)
        return drv_leave(CUDA_ERROR_NOT_SUPPORTED);
    return drv_leave(create(context, flags, device));
}

CUresult cuCtxCreate_v4(CUcontext *context, CUctxCreateParams *params, unsigned flags, CUdevice device)
{
    ENTER(NEEDS_INIT);
    if (params && (params->execAffinityParams || params->numExecAffinityParams || params->cigParams))
        return drv_leave(CUDA_ERROR_NOT_SUPPORTED);
    return drv_leave(create(context, flags, device));
}

CUresult cuCtxDestroy_v2(CUcontext handle)
{
    struct context *context;
    ENTER(NEEDS_INIT | RELEASES);
    CUresult code = context_of(handle, &context);
    if (!code && context->primary)
        code = CUDA_ERROR_INVALID_CONTEXT; /* it is released, not destroyed */
    if (!code) {
        if (depth && stack[depth - 1] == handle)
            depth--;
        free_context(context);
    }
    return drv_leave(code);
}

/* ---- Which is current -------------------------------------------------------------------------------------------- */
CUresult cuCtxPushCurrent_v2(CUcontext handle)
{
    struct context *context;
    ENTER(NEEDS_INIT);
    CUresult code = context_of(handle, &context);
    if (!code && depth == STACK)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        stack[depth++] = handle;
    return drv_leave(code);
}

CUresult cuCtxPopCurrent_v2(CUcontext *handle)
{
    ENTER(NEEDS_INIT | RELEASES);
    if (!depth)
        return drv_leave(CUDA_ERROR_INVALID_CONTEXT);
    depth--;
    if (handle)
        *handle = stack[depth];
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuCtxSetCurrent(CUcontext handle)
{
    struct context *context;
    ENTER(NEEDS_INIT);
    CUresult code = handle ? context_of(handle, &context) : CUDA_SUCCESS;
    if (code)
        return drv_leave(code);
    if (depth)
        depth--;
    if (handle)
        stack[depth++] = handle;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuCtxGetCurrent(CUcontext *handle)
{
    ENTER(NEEDS_INIT);
    if (!handle)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *handle = depth ? stack[depth - 1] : NULL;
    return drv_leave(CUDA_SUCCESS);
}

/* ---- What a context tells ---------------------------------------------------------------------------------------- */
CUresult cuCtxGetDevice(CUdevice *device)
{
    ENTER(NEEDS_ALIVE);
    if (!device)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *device = 0;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuCtxGetDevice_v2(CUdevice *device, CUcontext handle)
{
    struct context *context;
    ENTER(NEEDS_INIT);
    CUresult code = context_of(handle, &context);
    if (!code && !device)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *device = 0;
    return drv_leave(code);
}

CUresult cuCtxGetFlags(unsigned *flags)
{
    ENTER(NEEDS_ALIVE);
    if (!flags)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *flags = drv_current()->flags;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuCtxSetFlags(unsigned flags)
{
    ENTER(NEEDS_ALIVE);
    if (flags & ~(unsigned)FLAGS_MASK)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    drv_current()->flags = flags;
    return drv_leave(CUDA_SUCCESS);
}

/* The context of a handle, or the current one for NULL, which some of these calls allow. */
static CUresult context_or_current(CUcontext handle, struct context **out)
{
    if (handle)
        return context_of(handle, out);
    *out = drv_current();
    return *out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuCtxGetId(CUcontext handle, unsigned long long *id)
{
    struct context *context;
    ENTER(NEEDS_INIT);
    CUresult code = context_or_current(handle, &context);
    if (!code && !id)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *id = context->identity;
    return drv_leave(code);
}

CUresult cuCtxGetApiVersion(CUcontext handle, unsigned *version)
{
    struct context *context;
    ENTER(NEEDS_INIT);
    CUresult code = context_or_current(handle, &context);
    if (!code && !version)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *version = context->api_version;
    return drv_leave(code);
}

static CUresult synchronize(struct context *context)
{
    CUresult code = drv_capture_forbids();
    return code ? code : drv_finish_context(context);
}

CUresult cuCtxSynchronize(void)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(synchronize(drv_current()));
}

CUresult cuCtxSynchronize_v2(CUcontext handle)
{
    struct context *context;
    ENTER(NEEDS_INIT);
    CUresult code = context_or_current(handle, &context);
    if (!code)
        code = context->sticky;
    return drv_leave(code ? code : synchronize(context));
}

static size_t *limit_of(struct context *context, CUlimit limit)
{
    switch ((int)limit) {
    case 0:
        return &context->stack_limit;
    case 1:
        return &context->printf_limit;
    case 2:
        return &context->heap_limit;
    default:
        return NULL;
    }
}

CUresult cuCtxGetLimit(size_t *value, CUlimit limit)
{
    ENTER(NEEDS_CONTEXT);
    size_t *kept = limit_of(drv_current(), limit);
    if (!value || !kept)
        return drv_leave(value ? CUDA_ERROR_UNSUPPORTED_LIMIT : CUDA_ERROR_INVALID_VALUE);
    *value = *kept;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuCtxSetLimit(CUlimit limit, size_t value)
{
    ENTER(NEEDS_CONTEXT);
    size_t *kept = limit_of(drv_current(), limit);
    if (!kept)
        return drv_leave(CUDA_ERROR_UNSUPPORTED_LIMIT);
    *kept = value;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest)
{
    ENTER(NEEDS_CONTEXT);
    if (least)
        *least = LEAST_PRIORITY;
    if (greatest)
        *greatest = GREATEST_PRIORITY;
    return drv_leave(CUDA_SUCCESS);
}

/* ---- Preferences: kept, told, without effect ---------------------------------------------------------------------- */
static CUresult get_preference(const int *kept, void *out)
{
    if (!out)
        return CUDA_ERROR_INVALID_VALUE;
    *(int *)out = *kept;
    return CUDA_SUCCESS;
}

static CUresult set_preference(int *kept, int value, int most)
{
    if (value < 0 || value > most)
        return CUDA_ERROR_INVALID_VALUE;
    *kept = value;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCacheConfig(CUfunc_cache *config)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(get_preference(&drv_current()->cache_config, config));
}

CUresult cuCtxSetCacheConfig(CUfunc_cache config)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(set_preference(&drv_current()->cache_config, (int)config, 3));
}

CUresult cuCtxGetSharedMemConfig(CUsharedconfig *config)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(get_preference(&drv_current()->shared_config, config));
}

CUresult cuCtxSetSharedMemConfig(CUsharedconfig config)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(set_preference(&drv_current()->shared_config, (int)config, 2));
}

/* There is one device, so a peer is never another one. */
CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(drv_object(peer, KIND_CONTEXT) ? CUDA_ERROR_PEER_ACCESS_UNSUPPORTED : CUDA_ERROR_INVALID_CONTEXT);
}

CUresult cuCtxDisablePeerAccess(CUcontext peer)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(drv_object(peer, KIND_CONTEXT) ? CUDA_ERROR_PEER_ACCESS_NOT_ENABLED : CUDA_ERROR_INVALID_CONTEXT);
}
