/* conv2d by cuDNN and cuBLASLt: three forms, each in f32 and in tf32.
 *
 * plain   cuDNN convolves; bias, residual and activation are a kernel of ours, which reads and writes the output once more
 * fused   cuDNN does all of it in one kernel; it has ReLU and ReLU6, but neither hard-swish nor hard-sigmoid
 * matmul  a 1x1 filter of stride 1 without padding is a matrix product: cuBLASLt's, with bias, residual and ReLU
 *
 * Images that do not count are computed too, since the library is told one shape, and then zeroed. */
#include "kernels/cudnn/cudnn.h"

static bool has(const struct osp_tensor *tensor) { return tensor->shape.rank != 0; }

static struct cudnn_key key_of(const struct osp_call *call, enum cudnn_form form, enum osp_precision precision)
{
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    const int64_t *x = call->in[OSP_CONV2D_X].shape.dim, *out = call->out[0].shape.dim;
    struct cudnn_key key = {.form = form, .precision = precision, .n = x[0], .c = x[3], .k = out[3]};
    if (form != CUDNN_FORM_PLAIN) {
        key.bias = call->constant[OSP_BIAS] != NULL;
        key.residual = has(&call->in[OSP_CONV2D_RESIDUAL]);
        key.activation = a->activation;
    }
    if (form == CUDNN_FORM_MATMUL) {
        key.n = x[0] * x[1] * x[2];
        key.activation = a->activation == OSP_RELU ? OSP_RELU : OSP_LINEAR;
        return key;
    }
    key.h = x[1], key.w = x[2], key.r = a->r, key.s = a->s, key.p = out[1], key.q = out[2], key.stride = a->stride,
    key.pad = a->pad;
    return key;
}

static const char *refuses(const struct osp_device *device, const struct osp_call *call, enum cudnn_form form,
                           enum osp_precision precision)
{
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    if (form == CUDNN_FORM_MATMUL && (a->r != 1 || a->s != 1 || a->stride != 1 || a->pad != 0))
        return "only a 1x1 filter of stride 1 without padding is a matrix product";
    if (form == CUDNN_FORM_FUSED && a->activation == OSP_HARDSWISH)
        return "cuDNN has no hard-swish to fuse";
    if (form == CUDNN_FORM_FUSED && a->activation == OSP_HARDSIGMOID)
        return "cuDNN has no hard-sigmoid to fuse";
    const struct cudnn_key key = key_of(call, form, precision);
    return cudnn_refuses(device, &key);
}

static size_t scratch(const struct osp_device *device, const struct osp_call *call, enum cudnn_form form,
                      enum osp_precision precision)
{
    const struct cudnn_key key = key_of(call, form, precision);
    return cudnn_scratch(device, &key);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, const struct cudnn_weights *weights,
                      enum cudnn_form form, enum osp_precision precision)
{
    const int64_t images = call->out[0].shape.dim[0];
    const struct osp_tensor *counts = &call->in[OSP_CONV2D_COUNTS];
    struct cudnn_call it = {.key = key_of(call, form, precision)};
    it.operands = (struct cudnn_operands){.x = call->in[OSP_CONV2D_X].data,
                                          .w = weights->w,
                                          .bias = weights->bias,
                                          .residual = call->in[OSP_CONV2D_RESIDUAL].data,
                                          .out = call->out[0].data};
    it.finish = (struct cudnn_finish){.out = it.operands.out,
                                      .counts = counts->data,
                                      .images = images,
                                      .pixels = call->out[0].shape.dim[1] * call->out[0].shape.dim[2],
                                      .k = (int)call->out[0].shape.dim[3],
                                      .each = counts->data && counts->shape.dim[0] ? (int)(images / counts->shape.dim[0]) : 1};
    if (form == CUDNN_FORM_PLAIN) {
        it.finish.bias = weights->bias;
        it.finish.residual = it.operands.residual;
    }
    if (call->attrs->conv2d.activation != (enum osp_activation)it.key.activation)
        it.finish.activation = call->attrs->conv2d.activation;
    return cudnn_run(device, &it, call->scratch);
}

#define RUNG(name_, form, precision_)                                                                                            \
    static const char *refuses_##name_(const struct osp_device *device, const struct osp_call *call)                             \
    {                                                                                                                            \
        return refuses(device, call, form, precision_);                                                                          \
    }                                                                                                                            \
    static size_t scratch_##name_(const struct osp_device *device, const struct osp_call *call)                                  \
    {                                                                                                                            \
        return scratch(device, call, form, precision_);                                                                          \
    }                                                                                                                            \
    static osp_status run_##name_(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)          \
    {                                                                                                                            \
        return run(device, call, state->data, form, precision_);                                                                 \
    }                                                                                                                            \
    static const struct osp_kernel cudnn_conv2d_##name_ = {.name = #name_,                                                       \
                                                           .precision = precision_,                                              \
                                                           .refuses = refuses_##name_,                                           \
                                                           .prepare = cudnn_weights_prepare,                                     \
                                                           .release = cudnn_weights_release,                                     \
                                                           .scratch = scratch_##name_,                                           \
                                                           .run = run_##name_};

RUNG(plain, CUDNN_FORM_PLAIN, OSP_PRECISION_F32)
RUNG(fused, CUDNN_FORM_FUSED, OSP_PRECISION_F32)
RUNG(matmul, CUDNN_FORM_MATMUL, OSP_PRECISION_F32)
RUNG(plain_tf32, CUDNN_FORM_PLAIN, OSP_PRECISION_TF32)
RUNG(fused_tf32, CUDNN_FORM_FUSED, OSP_PRECISION_TF32)
RUNG(matmul_tf32, CUDNN_FORM_MATMUL, OSP_PRECISION_TF32)

extern const struct osp_ladder cudnn_conv2d_ladder;
static const struct osp_kernel *const rungs[] = {&cudnn_conv2d_plain,      &cudnn_conv2d_fused,      &cudnn_conv2d_matmul,
                                                 &cudnn_conv2d_plain_tf32, &cudnn_conv2d_fused_tf32, &cudnn_conv2d_matmul_tf32};
const struct osp_ladder cudnn_conv2d_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
