/* cuDNN's descriptors, and what a failing call of either library says. */
#include "kernels/cudnn/cudnn.h"

osp_status cudnn_failed(const struct cudnn_part *part, cudnnStatus_t code, const char *call, const char *what)
{
    bool memory = code == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                  code == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
    return osp_fail(memory ? OSP_MEMORY : OSP_UNAVAILABLE, "cudnn: %s: %s (%d)%s%s", call,
                    part->library->cudnnGetErrorString(code), (int)code, what ? "; " : "", what ? what : "");
}

osp_status cudnn_cublas_failed(const struct cudnn_part *part, cublasStatus_t code, const char *call, const char *what)
{
    return osp_fail(code == CUBLAS_STATUS_ALLOC_FAILED ? OSP_MEMORY : OSP_UNAVAILABLE, "cudnn: %s: %s (%d)%s%s", call,
                    part->library->cublasLtGetStatusName(code), (int)code, what ? "; " : "", what ? what : "");
}

/* Notes the first failure. */
static void note(struct cudnn_builder *builder, cudnnStatus_t status, const char *call, const char *what)
{
    if (!status)
        return;
    builder->status = status;
    builder->call = call;
    builder->what = what;
}

cudnnBackendDescriptor_t cudnn_create(struct cudnn_builder *builder, cudnnBackendDescriptorType_t type, const char *what)
{
    cudnnBackendDescriptor_t descriptor = NULL;
    if (builder->status)
        return NULL;
    if (builder->parts->count == CUDNN_PARTS) {
        note(builder, CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, "a table of descriptors", what);
        return NULL;
    }
    note(builder, builder->part->library->cudnnBackendCreateDescriptor(type, &descriptor), "cudnnBackendCreateDescriptor", what);
    if (builder->status)
        return NULL;
    builder->parts->made[builder->parts->count++] = descriptor;
    return descriptor;
}

void cudnn_set(struct cudnn_builder *builder, cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
               cudnnBackendAttributeType_t type, int64_t count, const void *values, const char *what)
{
    if (!builder->status)
        note(builder, builder->part->library->cudnnBackendSetAttribute(descriptor, name, type, count, values),
             "cudnnBackendSetAttribute", what);
}

int64_t cudnn_get(struct cudnn_builder *builder, cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                  cudnnBackendAttributeType_t type, int64_t room, void *values, const char *what)
{
    int64_t count = 0;
    if (!builder->status)
        note(builder, builder->part->library->cudnnBackendGetAttribute(descriptor, name, type, room, &count, values),
             "cudnnBackendGetAttribute", what);
    return builder->status ? 0 : count;
}

void cudnn_finalize(struct cudnn_builder *builder, cudnnBackendDescriptor_t descriptor, const char *what)
{
    if (!builder->status)
        note(builder, builder->part->library->cudnnBackendFinalize(descriptor), "cudnnBackendFinalize", what);
}

void cudnn_destroy(const struct cudnn_part *part, struct cudnn_parts *parts, int kept)
{
    while (parts->count > kept)
        part->library->cudnnBackendDestroyDescriptor(parts->made[--parts->count]);
}
