/* linear by cuBLASLt, in f32 and in tf32: a matrix product with bias and ReLU; other activations, and zeros in rows that do not
 * count, are a kernel of ours behind it. */
#include "kernels/cudnn/cudnn.h"

static struct cudnn_key key_of(const struct osp_call *call, enum osp_precision precision)
{
    const struct osp_shape *x = &call->in[OSP_LINEAR_X].shape;
    const int64_t rows = x->dim[0];
    return (struct cudnn_key){.form = CUDNN_FORM_MATMUL,
                              .precision = precision,
                              .activation = call->attrs->linear.activation == OSP_RELU ? OSP_RELU : OSP_LINEAR,
                              .bias = call->constant[OSP_BIAS] != NULL,
                              .n = rows,
                              .c = rows ? osp_shape_count(x) / rows : 0,
                              .k = call->out[0].shape.dim[1]};
}

static osp_status run(struct osp_device *device, const struct osp_call *call, const struct cudnn_weights *weights,
                      enum osp_precision precision)
{
    const struct osp_tensor *counts = &call->in[OSP_LINEAR_COUNTS];
    struct cudnn_call it = {.key = key_of(call, precision)};
    it.operands = (struct cudnn_operands){
        .x = call->in[OSP_LINEAR_X].data, .w = weights->w, .bias = weights->bias, .out = call->out[0].data};
    it.finish = (struct cudnn_finish){.out = it.operands.out,
                                      .counts = counts->data,
                                      .images = it.key.n,
                                      .pixels = 1,
                                      .k = (int)it.key.k,
                                      .each = counts->data && counts->shape.dim[0] ? (int)(it.key.n / counts->shape.dim[0]) : 1};
    if (call->attrs->linear.activation != (enum osp_activation)it.key.activation)
        it.finish.activation = call->attrs->linear.activation;
    return cudnn_run(device, &it, call->scratch);
}

#define RUNG(name_, precision_)                                                                                                  \
    static const char *refuses_##name_(const struct osp_device *device, const struct osp_call *call)                             \
    {                                                                                                                            \
        const struct cudnn_key key = key_of(call, precision_);                                                                   \
        return cudnn_refuses(device, &key);                                                                                      \
    }                                                                                                                            \
    static size_t scratch_##name_(const struct osp_device *device, const struct osp_call *call)                                  \
    {                                                                                                                            \
        const struct cudnn_key key = key_of(call, precision_);                                                                   \
        return cudnn_scratch(device, &key);                                                                                      \
    }                                                                                                                            \
    static osp_status run_##name_(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)          \
    {                                                                                                                            \
        return run(device, call, state->data, precision_);                                                                       \
    }                                                                                                                            \
    static const struct osp_kernel cudnn_linear_##name_ = {.name = #name_,                                                       \
                                                           .precision = precision_,                                              \
                                                           .refuses = refuses_##name_,                                           \
                                                           .prepare = cudnn_weights_prepare,                                     \
                                                           .release = cudnn_weights_release,                                     \
                                                           .scratch = scratch_##name_,                                           \
                                                           .run = run_##name_};

RUNG(matmul, OSP_PRECISION_F32)
RUNG(matmul_tf32, OSP_PRECISION_TF32)

extern const struct osp_ladder cudnn_linear_ladder;
static const struct osp_kernel *const rungs[] = {&cudnn_linear_matmul, &cudnn_linear_matmul_tf32};
const struct osp_ladder cudnn_linear_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
