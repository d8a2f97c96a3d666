/* The stand-in's cuDNN: descriptors are made, filled by the rules below, finalized, used, destroyed; anything else is a wrong
 * call. */
#include "cudnn.h"

#include <stdlib.h>
#include <string.h>

struct cudnnContext {
    cudaStream_t stream;
};

static struct fake_descriptor *all;

/* What a descriptor may have: how many values, of which type; whether it must have them; and, where they are descriptors, which.
 */
#define ANY -1
static const struct rule {
    cudnnBackendDescriptorType_t of;
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int least, most;
    bool needed;
    int refers;
} rules[] = {
#define ROW(of, name, type, least, most, needed, refers)                                                                         \
    {CUDNN_BACKEND_##of##_DESCRIPTOR, CUDNN_ATTR_##name, CUDNN_TYPE_##type, least, most, needed, refers},
#define PART CUDNN_BACKEND_TENSOR_DESCRIPTOR
    ROW(TENSOR, TENSOR_DATA_TYPE, DATA_TYPE, 1, 1, true, ANY) ROW(TENSOR, TENSOR_DIMENSIONS, INT64, 4, 4, true, ANY) ROW(
        TENSOR, TENSOR_STRIDES, INT64, 4, 4, true, ANY) ROW(TENSOR, TENSOR_UNIQUE_ID, INT64, 1, 1, true, ANY)
        ROW(TENSOR, TENSOR_BYTE_ALIGNMENT, INT64, 1, 1, true, ANY) ROW(TENSOR, TENSOR_IS_VIRTUAL, BOOLEAN, 1, 1, false, ANY) ROW(
            CONVOLUTION, CONVOLUTION_COMP_TYPE, DATA_TYPE, 1, 1, true,
            ANY) ROW(CONVOLUTION, CONVOLUTION_CONV_MODE, CONVOLUTION_MODE, 1, 1, true,
                     ANY) ROW(CONVOLUTION, CONVOLUTION_SPATIAL_DIMS, INT64, 1, 1, true, ANY)
            ROW(CONVOLUTION, CONVOLUTION_DILATIONS, INT64, 2, 2, true,
                ANY) ROW(CONVOLUTION, CONVOLUTION_FILTER_STRIDES, INT64, 2, 2, true,
                         ANY) ROW(CONVOLUTION, CONVOLUTION_PRE_PADDINGS, INT64, 2, 2, true, ANY)
                ROW(CONVOLUTION, CONVOLUTION_POST_PADDINGS, INT64, 2, 2, true,
                    ANY) ROW(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_CONV_DESC, BACKEND_DESCRIPTOR, 1, 1,
                             true, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
                    ROW(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_X, BACKEND_DESCRIPTOR, 1, 1, true,
                        PART) ROW(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_W, BACKEND_DESCRIPTOR, 1,
                                  1, true, PART)
                        ROW(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_Y, BACKEND_DESCRIPTOR, 1, 1, true,
                            PART) ROW(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_ALPHA, FLOAT, 1, 1, true, ANY)
                            ROW(OPERATION_CONVOLUTION_FORWARD, OPERATION_CONVOLUTION_FORWARD_BETA, FLOAT, 1, 1, true,
                                ANY) ROW(POINTWISE, POINTWISE_MODE, POINTWISE_MODE, 1, 1, true,
                                         ANY) ROW(POINTWISE, POINTWISE_MATH_PREC, DATA_TYPE, 1, 1, true, ANY)
                                ROW(POINTWISE, POINTWISE_RELU_UPPER_CLIP, DOUBLE, 1, 1, false, ANY)
                                    ROW(OPERATION_POINTWISE, OPERATION_POINTWISE_PW_DESCRIPTOR, BACKEND_DESCRIPTOR, 1, 1, true,
                                        CUDNN_BACKEND_POINTWISE_DESCRIPTOR) ROW(OPERATION_POINTWISE, OPERATION_POINTWISE_XDESC,
                                                                                BACKEND_DESCRIPTOR, 1, 1, true, PART)
                                        ROW(OPERATION_POINTWISE, OPERATION_POINTWISE_BDESC, BACKEND_DESCRIPTOR, 1, 1, false, PART)
                                            ROW(OPERATION_POINTWISE, OPERATION_POINTWISE_YDESC, BACKEND_DESCRIPTOR, 1, 1, true,
                                                PART) ROW(OPERATIONGRAPH, OPERATIONGRAPH_OPS, BACKEND_DESCRIPTOR, 1, 4, true, ANY)
                                                ROW(OPERATIONGRAPH, OPERATIONGRAPH_HANDLE, HANDLE, 1, 1, true, ANY)
                                                    ROW(ENGINEHEUR, ENGINEHEUR_OPERATION_GRAPH, BACKEND_DESCRIPTOR, 1, 1, true,
                                                        CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) ROW(ENGINEHEUR, ENGINEHEUR_MODE,
                                                                                                     HEUR_MODE, 1, 1, true, ANY)
                                                        ROW(EXECUTION_PLAN, EXECUTION_PLAN_ENGINE_CONFIG, BACKEND_DESCRIPTOR, 1,
                                                            1, true, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)
                                                            ROW(EXECUTION_PLAN, EXECUTION_PLAN_HANDLE, HANDLE, 1, 1, true, ANY)
                                                                ROW(VARIANT_PACK, VARIANT_PACK_UNIQUE_IDS, INT64, 3, 5, true, ANY)
                                                                    ROW(VARIANT_PACK, VARIANT_PACK_DATA_POINTERS, VOID_PTR, 3, 5,
                                                                        true, ANY) ROW(VARIANT_PACK, VARIANT_PACK_WORKSPACE,
                                                                                       VOID_PTR, 1, 1, true, ANY)};
enum { RULES = sizeof rules / sizeof *rules };

static size_t size_of(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_BOOLEAN:
        return sizeof(bool);
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return 8;
    default: /* floats and enumerations */
        return 4;
    }
}

static struct fake_descriptor *find(cudnnBackendDescriptor_t wanted)
{
    for (struct fake_descriptor *d = all; d; d = d->next)
        if (d == wanted)
            return d;
    return NULL;
}

const struct fake_attribute *fake_attribute(const struct fake_descriptor *d, cudnnBackendAttributeName_t name)
{
    for (int i = 0; i < d->count; i++)
        if (d->attribute[i].name == name)
            return &d->attribute[i];
    return NULL;
}

struct fake_descriptor *fake_part(const struct fake_descriptor *d, cudnnBackendAttributeName_t name, int64_t i)
{
    const struct fake_attribute *a = fake_attribute(d, name);
    return a && i < a->count ? ((struct fake_descriptor **)a->values)[i] : NULL;
}

int64_t fake_integer(const struct fake_descriptor *d, cudnnBackendAttributeName_t name, int64_t i)
{
    return ((const int64_t *)fake_attribute(d, name)->values)[i];
}

int fake_enum(const struct fake_descriptor *d, cudnnBackendAttributeName_t name)
{
    return *(const int *)fake_attribute(d, name)->values;
}

/* ---- The library itself ----------------------------------------------------------------------------- */

#define CALLED()                                                                                                                 \
    do {                                                                                                                         \
        int code_ = fake_call(__func__);                                                                                         \
        if (code_)                                                                                                               \
            return (cudnnStatus_t)code_;                                                                                         \
    } while (0)
#define WRONG(...)                                                                                                               \
    do {                                                                                                                         \
        fake_wrong(__VA_ARGS__);                                                                                                 \
        return CUDNN_STATUS_BAD_PARAM;                                                                                           \
    } while (0)

size_t cudnnGetVersion(void) { return fake_versions[0]; }
const char *cudnnGetErrorString(cudnnStatus_t status) { return status == CUDNN_STATUS_EXECUTION_FAILED ? "FAKE_FAILED" : "FAKE"; }

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    CALLED();
    *handle = calloc(1, sizeof **handle);
    fake_made(1);
    return *handle ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    int code = fake_call(__func__);
    free(handle);
    fake_made(-1);
    return (cudnnStatus_t)code;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    CALLED();
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *descriptor)
{
    CALLED();
    struct fake_descriptor *d = calloc(1, sizeof *d);
    if (!d)
        return CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
    d->type = type;
    d->engine = -1;
    d->next = all;
    *descriptor = all = d;
    fake_made(1);
    return CUDNN_STATUS_SUCCESS;
}

static bool refers_to(const struct fake_descriptor *d, const struct fake_descriptor *part)
{
    for (int i = 0; i < d->count; i++)
        for (int64_t k = 0; d->attribute[i].type == CUDNN_TYPE_BACKEND_DESCRIPTOR && k < d->attribute[i].count; k++)
            if (((struct fake_descriptor **)d->attribute[i].values)[k] == part)
                return true;
    return d->graph == part;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
    int code = fake_call(__func__);
    struct fake_descriptor *d = find(descriptor), **at = &all;
    if (!d)
        WRONG("a descriptor is destroyed that is not there");
    for (const struct fake_descriptor *other = all; other; other = other->next)
        if (refers_to(other, d))
            fake_wrong("a descriptor of type %d is destroyed while one of type %d needs it", (int)d->type, (int)other->type);
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    for (int i = 0; i < d->count; i++)
        free(d->attribute[i].values);
    free(d);
    fake_made(-1);
    return (cudnnStatus_t)code;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    CALLED();
    struct fake_descriptor *d = find(descriptor);
    int r = 0;
    while (d && r < RULES && (rules[r].of != d->type || rules[r].name != name))
        r++;
    if (!d || r == RULES || d->finalized)
        WRONG("attribute %d is set in a descriptor %s", (int)name,
              !d             ? "that is not there"
              : d->finalized ? "that is final"
                             : "without it");
    if (rules[r].type != type || count < rules[r].least || count > rules[r].most || !values || fake_attribute(d, name))
        WRONG("attribute %d is set with %lld values of type %d, or twice", (int)name, (long long)count, (int)type);
    for (int64_t i = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < count; i++) {
        const struct fake_descriptor *part = find(((cudnnBackendDescriptor_t *)values)[i]);
        if (!part || !part->finalized || (rules[r].refers != ANY && (int)part->type != rules[r].refers))
            WRONG("attribute %d is a descriptor that is not there, not final or of another type", (int)name);
    }
    struct fake_attribute *a = &d->attribute[d->count];
    *a = (struct fake_attribute){name, type, count, malloc((size_t)count * size_of(type))};
    if (!a->values)
        return CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
    memcpy(a->values, values, (size_t)count * size_of(type));
    d->count++;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
    CALLED();
    struct fake_descriptor *d = find(descriptor);
    if (!d || d->finalized)
        WRONG("a descriptor is finalized that is %s", d ? "final" : "not there");
    for (int r = 0; r < RULES; r++)
        if (rules[r].of == d->type && rules[r].needed && !fake_attribute(d, rules[r].name))
            WRONG("a descriptor of type %d is finalized without attribute %d", (int)d->type, (int)rules[r].name);
    int offered[FAKE_ENGINES];
    if (d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR &&
        !fake_offered((cudnnBackendHeurMode_t)fake_enum(d, CUDNN_ATTR_ENGINEHEUR_MODE), offered))
        return CUDNN_STATUS_NOT_SUPPORTED;
    if (d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR &&
        fake_part(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 0)->engine == FAKE_UNSUPPORTED)
        return CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH;
    if (!fake_shapes_fit(d))
        WRONG("the shapes of an operation do not fit");
    d->finalized = true;
    return CUDNN_STATUS_SUCCESS;
}

/* A descriptor that a call fills: it must be there, of this type and still empty. */
static bool give(cudnnBackendDescriptor_t descriptor, cudnnBackendDescriptorType_t type, int engine,
                 struct fake_descriptor *graph)
{
    struct fake_descriptor *d = find(descriptor);
    if (!d || d->type != type || d->finalized)
        return false;
    d->engine = engine;
    d->graph = graph;
    d->finalized = true;
    return true;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room, int64_t *count, void *values)
{
    CALLED();
    const struct fake_descriptor *d = find(descriptor);
    if (!d || !d->finalized)
        WRONG("attribute %d is asked of a descriptor that is %s", (int)name, d ? "not final" : "not there");
    int engines[FAKE_ENGINES];
    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS && d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR &&
        type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        *count = fake_offered((cudnnBackendHeurMode_t)fake_enum(d, CUDNN_ATTR_ENGINEHEUR_MODE), engines);
        for (int64_t i = 0; i < room && i < *count; i++)
            if (!give(((cudnnBackendDescriptor_t *)values)[i], CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, engines[i],
                      fake_part(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, 0)))
                WRONG("no empty configuration %lld for the heuristics to fill", (long long)i);
    } else if (name == CUDNN_ATTR_ENGINECFG_ENGINE && d->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR && room == 1 &&
               type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        if (!give(*(cudnnBackendDescriptor_t *)values, CUDNN_BACKEND_ENGINE_DESCRIPTOR, d->engine, d->graph))
            WRONG("no empty engine to fill");
        *count = 1;
    } else if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE && d->type == CUDNN_BACKEND_ENGINE_DESCRIPTOR &&
               type == CUDNN_TYPE_NUMERICAL_NOTE) {
        *count = fake_engines[d->engine].notes;
        for (int64_t i = 0; i < room && i < *count; i++)
            ((cudnnBackendNumericalNote_t *)values)[i] = fake_engines[d->engine].note[i];
    } else if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR &&
               room == 1 && type == CUDNN_TYPE_INT64) {
        *(int64_t *)values = fake_engines[fake_part(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 0)->engine].workspace;
        *count = 1;
    } else {
        WRONG("attribute %d of type %d is asked of a descriptor of type %d", (int)name, (int)type, (int)d->type);
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack)
{
    CALLED();
    const struct fake_descriptor *p = find(plan), *v = find(pack);
    if (!p || !v || !p->finalized || !v->finalized || p->type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR ||
        v->type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        WRONG("what is executed is no final plan with a final pack");
    return fake_run(handle->stream, p, v) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}
