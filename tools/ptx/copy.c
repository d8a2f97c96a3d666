/* Copies and memsets. Every one is a rectangle of rows; a plain one has a single row. Pointers are judged when the call is made.
 */
#include "driver.h"

#include <stdlib.h>
#include <string.h>

enum { HOST, DEVICE, BY_ADDRESS };
enum wait { ASYNC, BLOCKING };

struct rectangle {
    int to_kind, from_kind;
    uint64_t to, from;
    size_t to_pitch, from_pitch, width, height;
};

static bool spans(size_t pitch, size_t width, size_t height, size_t *bytes)
{
    *bytes = width;
    if (height <= 1)
        return true;
    if (pitch < width || pitch > (SIZE_MAX - width) / (height - 1))
        return false;
    *bytes = pitch * (height - 1) + width;
    return true;
}

static CUresult check_device(uint64_t address, size_t bytes, const char *what)
{
    struct ptx_fault fault = {0};
    if (ptx_host(drv.memory, address, bytes, &fault))
        return CUDA_SUCCESS;
    return drv_fault(CUDA_ERROR_INVALID_VALUE, "%s: %s", what, fault.message);
}

/* One side: what it is, and whether all of it may be touched. */
static CUresult side(int kind, uint64_t address, size_t pitch, const struct rectangle *r, const char *what, struct place *out,
                     bool *pinned)
{
    size_t bytes;
    bool device = kind == DEVICE || (kind == BY_ADDRESS && address >= PTX_GLOBAL_BASE);
    *out = (struct place){device, address, pitch};
    *pinned = false;
    if (!address || !spans(pitch, r->width, r->height, &bytes))
        return CUDA_ERROR_INVALID_VALUE;
    if (device)
        return check_device(address, bytes, what);
    *pinned = drv_host_block(address, bytes) != NULL;
    return CUDA_SUCCESS;
}

/* The real driver may read pageable memory before the call returns, and so does this one: it keeps a copy. */
static CUresult stage(struct op *op, const struct rectangle *r)
{
    if (r->width > SIZE_MAX / r->height)
        return CUDA_ERROR_INVALID_VALUE;
    unsigned char *staged = malloc(r->width * r->height);
    if (!staged)
        return CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t row = 0; row < r->height; row++)
        memcpy(staged + row * r->width, (const unsigned char *)(uintptr_t)r->from + row * r->from_pitch, r->width);
    op->u.copy.staged = staged;
    return CUDA_SUCCESS;
}

/* A copy that a client expects to be over when the call returns cannot become a node of a graph. */
static CUresult may_block(struct stream *stream)
{
    CUresult code = drv_capture_implicit(stream->object.context);
    return code ? code : drv_capture_forbids();
}

static CUresult copy(const struct rectangle *r, CUstream handle, enum wait wait)
{
    struct stream *stream;
    struct place to, from;
    bool pinned[2];
    CUresult code = drv_stream(handle, &stream);
    if (!code && wait == BLOCKING)
        code = may_block(stream);
    if (code || !r->width || !r->height)
        return code;
    code = side(r->to_kind, r->to, r->to_pitch, r, "a copy's destination", &to, &pinned[0]);
    if (!code)
        code = side(r->from_kind, r->from, r->from_pitch, r, "a copy's source", &from, &pinned[1]);
    if (code)
        return code;
    struct op *op = drv_op(OP_COPY, stream->object.context);
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op->u.copy.to = to;
    op->u.copy.from = from;
    op->u.copy.width = r->width;
    op->u.copy.height = r->height;
    memcpy(op->u.copy.pinned, pinned, sizeof pinned);
    if (wait == ASYNC && !stream->capture && !from.device && !pinned[1] && (code = stage(op, r)) != CUDA_SUCCESS) {
        drv_op_free(op);
        return code;
    }
    bool captured = stream->capture != NULL, to_pageable = !to.device && !pinned[0];
    code = drv_issue(stream, op);
    if (code || captured || (wait == ASYNC && !to_pageable)) /* a copy into pageable memory is over when the call returns */
        return code;
    return wait == BLOCKING && to.device && from.device ? CUDA_SUCCESS : drv_finish_stream(stream);
}

static CUresult plain(int to_kind, uint64_t to, int from_kind, uint64_t from, size_t bytes, CUstream stream, enum wait wait)
{
    struct rectangle r = {to_kind, from_kind, to, from, bytes, bytes, bytes, bytes != 0};
    return copy(&r, stream, wait);
}

CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(plain(BY_ADDRESS, to, BY_ADDRESS, from, bytes, NULL, BLOCKING));
}

CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(plain(BY_ADDRESS, to, BY_ADDRESS, from, bytes, stream, ASYNC));
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(plain(DEVICE, to, HOST, (uintptr_t)from, bytes, NULL, BLOCKING));
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(plain(HOST, (uintptr_t)to, DEVICE, from, bytes, NULL, BLOCKING));
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(plain(DEVICE, to, DEVICE, from, bytes, NULL, BLOCKING));
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(plain(DEVICE, to, HOST, (uintptr_t)from, bytes, stream, ASYNC));
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(plain(HOST, (uintptr_t)to, DEVICE, from, bytes, stream, ASYNC));
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(plain(DEVICE, to, DEVICE, from, bytes, stream, ASYNC));
}

static bool contexts(CUcontext a, CUcontext b) { return drv_object(a, KIND_CONTEXT) && drv_object(b, KIND_CONTEXT); }

CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context, size_t bytes)
{
    ENTER(NEEDS_CONTEXT);
    if (!contexts(to_context, from_context))
        return drv_leave(CUDA_ERROR_INVALID_CONTEXT);
    return drv_leave(plain(DEVICE, to, DEVICE, from, bytes, NULL, BLOCKING));
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context, size_t bytes,
                           CUstream stream)
{
    ENTER(NEEDS_CONTEXT);
    if (!contexts(to_context, from_context))
        return drv_leave(CUDA_ERROR_INVALID_CONTEXT);
    return drv_leave(plain(DEVICE, to, DEVICE, from, bytes, stream, ASYNC));
}

/* ---- Rectangles ------------------------------------------------------------------------------------------------------------ */
static bool kind_of(int type, int *kind)
{
    static const int kinds[] = {
        [CU_MEMORYTYPE_HOST] = HOST, [CU_MEMORYTYPE_DEVICE] = DEVICE, [CU_MEMORYTYPE_UNIFIED] = BY_ADDRESS};
    if (type < CU_MEMORYTYPE_HOST || type > CU_MEMORYTYPE_UNIFIED || type == CU_MEMORYTYPE_ARRAY) /* arrays: not here */
        return false;
    *kind = kinds[type];
    return true;
}

static CUresult copy_2d(const CUDA_MEMCPY2D *c, CUstream stream, enum wait wait)
{
    struct rectangle r = {0};
    if (!c || !kind_of((int)c->dstMemoryType, &r.to_kind) || !kind_of((int)c->srcMemoryType, &r.from_kind))
        return CUDA_ERROR_INVALID_VALUE;
    r.to = r.to_kind == HOST ? (uintptr_t)c->dstHost : c->dstDevice;
    r.from = r.from_kind == HOST ? (uintptr_t)c->srcHost : c->srcDevice;
    r.width = c->WidthInBytes;
    r.height = c->Height;
    r.to_pitch = c->dstPitch ? c->dstPitch : r.width;
    r.from_pitch = c->srcPitch ? c->srcPitch : r.width;
    if (!r.to || !r.from || c->dstXInBytes + r.width > r.to_pitch || c->srcXInBytes + r.width > r.from_pitch)
        return CUDA_ERROR_INVALID_VALUE;
    r.to += c->dstY * r.to_pitch + c->dstXInBytes;
    r.from += c->srcY * r.from_pitch + c->srcXInBytes;
    return copy(&r, stream, wait);
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *c)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(copy_2d(c, NULL, BLOCKING));
}

CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *c)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(copy_2d(c, NULL, BLOCKING));
}

CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *c, CUstream stream)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(copy_2d(c, stream, ASYNC));
}

/* ---- Memsets: asynchronous to the host, also those without a stream ---------------------------------------------------------
 */
static CUresult set(uint64_t to, size_t pitch, unsigned value, unsigned element, size_t width, size_t height, CUstream handle,
                    enum wait wait)
{
    struct stream *stream;
    size_t bytes;
    CUresult code = drv_stream(handle, &stream);
    if (!code && wait == BLOCKING)
        code = may_block(stream);
    if (code || !width || !height)
        return code;
    if (!to || to % element || width > SIZE_MAX / element || !spans(pitch, width * element, height, &bytes))
        return CUDA_ERROR_INVALID_VALUE;
    code = check_device(to, bytes, "a memset's destination");
    if (code)
        return code;
    struct op *op = drv_op(OP_SET, stream->object.context);
    if (op) {
        op->u.set.to = to;
        op->u.set.pitch = pitch;
        op->u.set.width = width;
        op->u.set.height = height;
        op->u.set.value = value;
        op->u.set.element = element;
    }
    return drv_issue(stream, op);
}

#define MEMSET(bits, type)                                                                                                       \
    CUresult cuMemsetD##bits##_v2(CUdeviceptr to, type value, size_t count)                                                      \
    {                                                                                                                            \
        ENTER(NEEDS_CONTEXT);                                                                                                    \
        return drv_leave(set(to, 0, value, bits / 8, count, 1, NULL, BLOCKING));                                                 \
    }                                                                                                                            \
    CUresult cuMemsetD##bits##Async(CUdeviceptr to, type value, size_t count, CUstream stream)                                   \
    {                                                                                                                            \
        ENTER(NEEDS_CONTEXT);                                                                                                    \
        return drv_leave(set(to, 0, value, bits / 8, count, 1, stream, ASYNC));                                                  \
    }                                                                                                                            \
    CUresult cuMemsetD2D##bits##_v2(CUdeviceptr to, size_t pitch, type value, size_t width, size_t height)                       \
    {                                                                                                                            \
        ENTER(NEEDS_CONTEXT);                                                                                                    \
        return drv_leave(set(to, pitch, value, bits / 8, width, height, NULL, BLOCKING));                                        \
    }                                                                                                                            \
    CUresult cuMemsetD2D##bits##Async(CUdeviceptr to, size_t pitch, type value, size_t width, size_t height, CUstream stream)    \
    {                                                                                                                            \
        ENTER(NEEDS_CONTEXT);                                                                                                    \
        return drv_leave(set(to, pitch, value, bits / 8, width, height, stream, ASYNC));                                         \
    }
MEMSET(8, unsigned char)
MEMSET(16, unsigned short)
MEMSET(32, unsigned)
