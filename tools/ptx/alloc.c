/* Device memory, page-locked memory of the host, and what a pointer is. */
#include "driver.h"

#include <stdlib.h>
#include <string.h>

enum { PITCH_ALIGN = 512, HOST_ALIGN = 4096 };

/* ---- Device memory ------------------------------------------------------------------------------------------------------ */
static CUresult allocate(CUdeviceptr *out, size_t bytes)
{
    struct ptx_fault fault = {0};
    if (!out || !bytes)
        return CUDA_ERROR_INVALID_VALUE;
    struct device_block *block = calloc(1, sizeof *block);
    if (!block)
        return CUDA_ERROR_OUT_OF_MEMORY;
    block->address = ptx_alloc(drv.memory, bytes, &fault);
    if (!block->address) {
        free(block);
        return drv_fault_of(&fault, "");
    }
    if (!drv_object_add(&block->object, KIND_MEMORY, drv_current())) {
        ptx_free(drv.memory, block->address, NULL);
        free(block);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *out = block->address;
    return CUDA_SUCCESS;
}

void drv_device_free(struct device_block *block)
{
    ptx_free(drv.memory, block->address, NULL);
    drv_object_remove(&block->object);
    free(block);
}

/* The client's allocation that starts at an address, in any context; if there is none, a sentence says what is there. */
static CUresult block_at(CUdeviceptr pointer, struct device_block **out)
{
    struct ptx_fault fault = {0};
    uint64_t start = 0, bytes = 0;
    for (struct context *c = drv.contexts; c; c = c->next)
        for (struct object *o = c->objects; o; o = o->next)
            if (o->kind == KIND_MEMORY && ((struct device_block *)o)->address == pointer) {
                *out = (struct device_block *)o;
                if ((*out)->freed)
                    return drv_fault(CUDA_ERROR_INVALID_VALUE, "cuMemFree of 0x%llx: freed twice", pointer);
                return CUDA_SUCCESS;
            }
    if (ptx_find(drv.memory, pointer, &start, &bytes))
        return drv_fault(CUDA_ERROR_INVALID_VALUE, "cuMemFree of 0x%llx, which is not the start of an allocation%s", pointer,
                         start == pointer ? " but a variable of a module" : "");
    ptx_host(drv.memory, pointer, 0, &fault);
    return drv_fault(CUDA_ERROR_INVALID_VALUE, "cuMemFree of 0x%llx: %s", pointer, fault.message);
}

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_capture_forbids();
    return drv_leave(code ? code : allocate(pointer, bytes));
}

CUresult cuMemAllocPitch_v2(CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height, unsigned element)
{
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_capture_forbids();
    bool sizes = width && height && (element == 4 || element == 8 || element == 16);
    if (!code && (!pitch || !sizes || width > SIZE_MAX - PITCH_ALIGN || (width + PITCH_ALIGN) > SIZE_MAX / height))
        code = CUDA_ERROR_INVALID_VALUE;
    size_t row = (width + PITCH_ALIGN - 1) / PITCH_ALIGN * PITCH_ALIGN;
    if (!code)
        code = allocate(pointer, row * height);
    if (!code)
        *pitch = row;
    return drv_leave(code);
}

/* Freeing waits for the context's work, as a real driver does. */
CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    struct device_block *block;
    ENTER(NEEDS_CONTEXT | RELEASES);
    if (!pointer)
        return drv_leave(CUDA_SUCCESS);
    CUresult code = drv_capture_forbids();
    if (!code)
        code = block_at(pointer, &block);
    if (code)
        return drv_leave(code);
    code = drv_finish_context(block->object.context);
    drv_device_free(block);
    return drv_leave(code);
}

CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream handle)
{
    struct stream *stream;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code)
        code = drv_capture_refuse(stream); /* memory that belongs to a graph: not here */
    return drv_leave(code ? code : allocate(pointer, bytes));
}

CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream handle)
{
    struct stream *stream;
    struct device_block *block;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_stream(handle, &stream);
    if (!code)
        code = drv_capture_refuse(stream);
    if (!code && !pointer)
        return drv_leave(CUDA_SUCCESS);
    if (!code)
        code = block_at(pointer, &block);
    if (code)
        return drv_leave(code);
    struct op *op = drv_op(OP_FREE, block->object.context);
    if (op)
        op->u.memory = pointer;
    code = drv_issue(stream, op);
    if (!code)
        block->freed = true;
    return drv_leave(code);
}

CUresult cuMemAllocManaged(CUdeviceptr *pointer, size_t bytes, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(drv_fault(CUDA_ERROR_NOT_SUPPORTED, "this driver has no managed memory"));
}

CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
    ENTER(NEEDS_CONTEXT);
    if (!free_bytes || !total_bytes)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *total_bytes = ptx_bytes_capacity(drv.memory);
    *free_bytes = *total_bytes - ptx_bytes_used(drv.memory);
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr *start, size_t *bytes, CUdeviceptr pointer)
{
    uint64_t first, size;
    ENTER(NEEDS_CONTEXT);
    if (!ptx_find(drv.memory, pointer, &first, &size))
        return drv_leave(CUDA_ERROR_NOT_FOUND);
    if (start)
        *start = first;
    if (bytes)
        *bytes = size;
    return drv_leave(CUDA_SUCCESS);
}

/* ---- The host's page-locked memory ---------------------------------------------------------------------------------------- */
struct host_block *drv_host_block(uint64_t address, size_t bytes)
{
    for (struct context *c = drv.contexts; c; c = c->next)
        for (struct object *o = c->objects; o; o = o->next) {
            struct host_block *block = (struct host_block *)o;
            if (o->kind == KIND_HOST && address >= block->address && address - block->address <= block->bytes &&
                bytes <= block->bytes - (address - block->address))
                return block;
        }
    return NULL;
}

void drv_host_free(struct host_block *block)
{
    if (!block->registered)
        free((void *)(uintptr_t)block->address);
    drv.host_bytes -= block->bytes;
    drv_object_remove(&block->object);
    free(block);
}

static CUresult new_host_block(void *memory, size_t bytes, unsigned flags, bool registered)
{
    struct host_block *block = calloc(1, sizeof *block);
    if (!block || !drv_object_add(&block->object, KIND_HOST, drv_current())) {
        free(block);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    block->address = (uintptr_t)memory;
    block->bytes = bytes;
    block->flags = flags;
    block->registered = registered;
    drv.host_bytes += bytes;
    return CUDA_SUCCESS;
}

static CUresult allocate_host(void **out, size_t bytes, unsigned flags)
{
    enum { PORTABLE = 1, DEVICEMAP = 2, WRITECOMBINED = 4 };
    void *memory;
    CUresult code = drv_capture_forbids();
    if (code)
        return code;
    if (!out || !bytes || flags & ~(unsigned)(PORTABLE | DEVICEMAP | WRITECOMBINED))
        return CUDA_ERROR_INVALID_VALUE;
    if (flags & DEVICEMAP)
        return drv_fault(CUDA_ERROR_NOT_SUPPORTED, "kernels cannot reach memory of the host in this driver");
    if (posix_memalign(&memory, HOST_ALIGN, bytes))
        return drv_fault(CUDA_ERROR_OUT_OF_MEMORY, "no %zu bytes of host memory", bytes);
    code = new_host_block(memory, bytes, flags, false);
    if (code)
        free(memory);
    else
        *out = memory;
    return code;
}

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(allocate_host(pointer, bytes, flags));
}

CUresult cuMemAllocHost_v2(void **pointer, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(allocate_host(pointer, bytes, 0));
}

static CUresult release_host(void *pointer, bool registered)
{
    CUresult code = drv_capture_forbids();
    struct host_block *block = drv_host_block((uintptr_t)pointer, 0);
    bool found = block && block->address == (uintptr_t)pointer && block->registered == registered;
    if (code)
        return code;
    if (!found)
        return registered ? CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED
                          : drv_fault(CUDA_ERROR_INVALID_VALUE,
                                      "cuMemFreeHost of %p, which is not the start of such an allocation", pointer);
    code = drv_finish_context(block->object.context);
    drv_host_free(block);
    return code;
}

CUresult cuMemFreeHost(void *pointer)
{
    ENTER(NEEDS_CONTEXT | RELEASES);
    return drv_leave(release_host(pointer, false));
}

CUresult cuMemHostUnregister(void *pointer)
{
    ENTER(NEEDS_CONTEXT | RELEASES);
    return drv_leave(pointer ? release_host(pointer, true) : CUDA_ERROR_INVALID_VALUE);
}

CUresult cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned flags)
{
    enum { PORTABLE = 1, DEVICEMAP = 2 };
    ENTER(NEEDS_CONTEXT);
    if (!pointer || !bytes || flags & ~(unsigned)(PORTABLE | DEVICEMAP))
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    if (flags & DEVICEMAP)
        return drv_leave(drv_fault(CUDA_ERROR_NOT_SUPPORTED, "kernels cannot reach memory of the host in this driver"));
    if (drv_host_block((uintptr_t)pointer, 0) || drv_host_block((uintptr_t)pointer + bytes - 1, 0))
        return drv_leave(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    return drv_leave(new_host_block(pointer, bytes, flags, true));
}

CUresult cuMemHostGetFlags(unsigned *flags, void *pointer)
{
    ENTER(NEEDS_CONTEXT);
    struct host_block *block = drv_host_block((uintptr_t)pointer, 1);
    if (!flags || !block)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *flags = block->flags;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *device, void *pointer, unsigned flags)
{
    ENTER(NEEDS_CONTEXT);
    if (!device || flags || !drv_host_block((uintptr_t)pointer, 1))
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    return drv_leave(drv_fault(CUDA_ERROR_NOT_SUPPORTED, "kernels cannot reach memory of the host in this driver"));
}

/* ---- What a pointer is ------------------------------------------------------------------------------------------------------
 */
struct pointer {
    struct object *owner; /* NULL: a variable of a module */
    uint64_t start, bytes;
    bool device;
};

static bool look_up(CUdeviceptr address, struct pointer *out)
{
    struct host_block *host = drv_host_block(address, 1);
    *out = (struct pointer){0};
    if (host) {
        *out = (struct pointer){&host->object, host->address, host->bytes, false};
        return true;
    }
    if (!ptx_find(drv.memory, address, &out->start, &out->bytes))
        return false;
    out->device = true;
    for (struct context *c = drv.contexts; c; c = c->next)
        for (struct object *o = c->objects; o; o = o->next)
            if (o->kind == KIND_MEMORY && ((struct device_block *)o)->address == out->start)
                out->owner = o;
    return true;
}

static CUresult tell(void *value, int attribute, CUdeviceptr address)
{
    enum {
        CONTEXT = 1,
        MEMORY_TYPE,
        DEVICE_POINTER,
        HOST_POINTER,
        IS_MANAGED = 8,
        DEVICE_ORDINAL,
        RANGE_START = 11,
        RANGE_SIZE,
        MAPPED
    };
    struct pointer p;
    if (!look_up(address, &p))
        return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
    case CONTEXT:
        *(CUcontext *)value = (p.owner ? p.owner->context : drv_current())->object.handle;
        break;
    case MEMORY_TYPE:
        *(unsigned *)value = p.device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
        break;
    case DEVICE_POINTER:
        if (!p.device)
            return CUDA_ERROR_INVALID_VALUE;
        *(CUdeviceptr *)value = address;
        break;
    case HOST_POINTER:
        if (p.device)
            return CUDA_ERROR_INVALID_VALUE;
        *(void **)value = (void *)(uintptr_t)address;
        break;
    case IS_MANAGED:
        *(unsigned char *)value = 0;
        break; /* the header's type is a bool of one byte */
    case DEVICE_ORDINAL:
        *(int *)value = 0;
        break;
    case RANGE_START:
        *(void **)value = (void *)(uintptr_t)p.start;
        break;
    case RANGE_SIZE:
        *(size_t *)value = p.bytes;
        break;
    case MAPPED:
        *(unsigned char *)value = 1;
        break;
    default:
        return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

CUresult cuPointerGetAttribute(void *value, CUpointer_attribute attribute, CUdeviceptr pointer)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(value ? tell(value, (int)attribute, pointer) : CUDA_ERROR_INVALID_VALUE);
}

/* A pointer that is nobody's is no error here: every value is then 0. */
CUresult cuPointerGetAttributes(unsigned count, CUpointer_attribute *attributes, void **values, CUdeviceptr pointer)
{
    static const struct {
        int attribute;
        size_t bytes;
    } known[] = {{1, 8}, {2, 4}, {3, 8}, {4, 8}, {8, 1}, {9, 4}, {11, 8}, {12, 8}, {13, 1}};
    ENTER(NEEDS_CONTEXT);
    if (!count || !attributes || !values)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    for (unsigned i = 0; i < count; i++) {
        size_t k = 0;
        while (k < sizeof known / sizeof *known && known[k].attribute != (int)attributes[i])
            k++;
        if (!values[i] || k == sizeof known / sizeof *known)
            return drv_leave(CUDA_ERROR_INVALID_VALUE);
        if (tell(values[i], (int)attributes[i], pointer))
            memset(values[i], 0, known[k].bytes);
    }
    return drv_leave(CUDA_SUCCESS);
}
