/* A convolution, described to cuDNN as a graph of operations, and run.
 *
 * cuDNN writes dimensions N, C, H, W whatever the layout; strides say that C is innermost. Values that only pass from one
 * operation to the next are virtual: no memory holds them. The order of a fused chain, residual, bias, activation, is that of
 * cuDNN's own ready-made kernels. */
#include "kernels/cudnn/cudnn.h"

enum uid { UID_X = 1, UID_W, UID_RESIDUAL, UID_BIAS, UID_OUT, UID_SUM, UID_WITH_RESIDUAL, UID_WITH_BIAS };
enum { ALIGNMENT = 16 }; /* bytes: of every operand */

typedef cudnnBackendDescriptor_t descriptor; /* short, for what follows */

static descriptor tensor(struct cudnn_builder *b, enum uid uid, const int64_t dims[4], const int64_t strides[4])
{
    static const char what[] = "a tensor";
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const int64_t id = uid, alignment = ALIGNMENT;
    const bool is_virtual = uid > UID_OUT;
    descriptor t = cudnn_create(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR, what);
    cudnn_set(b, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type, what);
    cudnn_set(b, t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims, what);
    cudnn_set(b, t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides, what);
    cudnn_set(b, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id, what);
    cudnn_set(b, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment, what);
    cudnn_set(b, t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual, what);
    cudnn_finalize(b, t, what);
    return t;
}

/* (n,h,w,c) in memory. */
static descriptor nhwc(struct cudnn_builder *b, enum uid uid, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return tensor(b, uid, (int64_t[]){n, c, h, w}, (int64_t[]){h * w * c, 1, w * c, c});
}

static descriptor convolve(struct cudnn_builder *b, const struct cudnn_key *key, descriptor x, descriptor w, descriptor y)
{
    static const char what[] = "a convolution";
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t axes = 2, dilations[2] = {1, 1}, strides[2] = {key->stride, key->stride}, pads[2] = {key->pad, key->pad};
    const float one = 1, zero = 0;
    descriptor conv = cudnn_create(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, what);
    cudnn_set(b, conv, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type, what);
    cudnn_set(b, conv, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode, what);
    cudnn_set(b, conv, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &axes, what);
    cudnn_set(b, conv, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilations, what);
    cudnn_set(b, conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides, what);
    cudnn_set(b, conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pads, what);
    cudnn_set(b, conv, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pads, what);
    cudnn_finalize(b, conv, what);
    descriptor op = cudnn_create(b, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &conv, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &x, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &w, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &y, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero, what);
    cudnn_finalize(b, op, what);
    return op;
}

/* y = mode(x, other); other NULL: of x alone. `most`: ReLU's upper end, 0: none. */
static descriptor pointwise(struct cudnn_builder *b, cudnnPointwiseMode_t mode, descriptor x, descriptor other, descriptor y,
                            double most, const char *what)
{
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    descriptor point = cudnn_create(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR, what);
    cudnn_set(b, point, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode, what);
    cudnn_set(b, point, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type, what);
    if (most > 0)
        cudnn_set(b, point, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, CUDNN_TYPE_DOUBLE, 1, &most, what);
    cudnn_finalize(b, point, what);
    descriptor op = cudnn_create(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &point, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &x, what);
    if (other)
        cudnn_set(b, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &other, what);
    cudnn_set(b, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &y, what);
    cudnn_finalize(b, op, what);
    return op;
}

/* The value behind a step of the chain: the output behind the last one. */
static descriptor step_output(struct cudnn_builder *b, const struct cudnn_key *key, int left, enum uid uid)
{
    return nhwc(b, left ? uid : UID_OUT, key->n, key->p, key->q, key->k);
}

static int describe(struct cudnn_builder *b, const struct cudnn_key *key, descriptor ops[4])
{
    const bool fused = key->form == CUDNN_FORM_FUSED, residual = fused && key->residual, bias = fused && key->bias,
               act = fused && key->activation != OSP_LINEAR;
    int left = residual + bias + act, count = 0;
    const int64_t run = key->s * key->c;
    descriptor x = nhwc(b, UID_X, key->n, key->h, key->w, key->c), y = step_output(b, key, left, UID_SUM);
    descriptor w = tensor(b, UID_W, (int64_t[]){key->k, key->c, key->r, key->s}, (int64_t[]){key->r * run, 1, run, key->c});
    ops[count++] = convolve(b, key, x, w, y);
    if (residual) {
        descriptor z = nhwc(b, UID_RESIDUAL, key->n, key->p, key->q, key->k), to = step_output(b, key, --left, UID_WITH_RESIDUAL);
        ops[count++] = pointwise(b, CUDNN_POINTWISE_ADD, y, z, to, 0, "the residual's addition");
        y = to;
    }
    if (bias) {
        descriptor z = nhwc(b, UID_BIAS, 1, 1, 1, key->k), to = step_output(b, key, --left, UID_WITH_BIAS);
        ops[count++] = pointwise(b, CUDNN_POINTWISE_ADD, y, z, to, 0, "the bias's addition");
        y = to;
    }
    if (act)
        ops[count++] = pointwise(b, CUDNN_POINTWISE_RELU_FWD, y, NULL, step_output(b, key, 0, UID_OUT),
                                 key->activation == OSP_RELU6 ? 6 : 0, "the activation");
    return count;
}

osp_status cudnn_plan_make(struct cuda_device *device, const struct cudnn_key *key, size_t most_workspace,
                           struct cudnn_plan *plan, size_t *workspace)
{
    static const char what[] = "the graph of operations";
    struct cudnn_part *part = device->overlay;
    struct cudnn_builder builder = {.part = part, .parts = &plan->parts}, *b = &builder;
    descriptor ops[4];
    int count = describe(b, key, ops);
    descriptor graph = cudnn_create(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, what);
    cudnn_set(b, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, ops, what);
    /* Versions before the one that deprecated it insist. */
    cudnn_set(b, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &part->cudnn, what);
    cudnn_finalize(b, graph, what);
    osp_status status = b->status ? cudnn_failed(part, b->status, b->call, b->what)
                                  : cudnn_choose_engine(b, key, graph, most_workspace, &plan->plan, workspace);
    if (status)
        cudnn_plan_free(part, plan);
    return status;
}

void cudnn_plan_free(const struct cudnn_part *part, struct cudnn_plan *plan)
{
    cudnn_destroy(part, &plan->parts, 0);
    plan->plan = NULL;
}

osp_status cudnn_plan_run(struct cuda_device *device, const struct cudnn_job *job, const struct cudnn_operands *o)
{
    static const char what[] = "the operands";
    struct cudnn_part *part = device->overlay;
    struct cudnn_parts parts = {.count = 0};
    struct cudnn_builder builder = {.part = part, .parts = &parts}, *b = &builder;
    const bool fused = job->key.form == CUDNN_FORM_FUSED;
    int64_t uids[5] = {UID_X, UID_W, UID_OUT}, count = 3;
    void *pointers[5] = {(void *)o->x, (void *)o->w, o->out}, *workspace = job->workspace ? o->workspace : NULL;
    if (fused && job->key.residual)
        uids[count] = UID_RESIDUAL, pointers[count++] = (void *)o->residual;
    if (fused && job->key.bias)
        uids[count] = UID_BIAS, pointers[count++] = (void *)o->bias;
    descriptor pack = cudnn_create(b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, what);
    cudnn_set(b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, uids, what);
    cudnn_set(b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointers, what);
    cudnn_set(b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace, what);
    cudnn_finalize(b, pack, what);
    osp_status status = b->status ? cudnn_failed(part, b->status, b->call, b->what) : OSP_OK;
    if (!status) {
        cudnnStatus_t code = part->library->cudnnBackendExecute(part->cudnn, job->plan.plan, pack);
        status = code ? cudnn_failed(part, code, "cudnnBackendExecute", NULL) : OSP_OK;
    }
    cudnn_destroy(part, &parts, 0);
    return status;
}
