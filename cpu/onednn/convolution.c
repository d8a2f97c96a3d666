/* Convolutions, described to oneDNN. */
#include "cpu/onednn/onednn.h"

#include "cpu/conv2d/conv2d.h"

/* osp_activate as post-ops. oneDNN 2.6 has no hardsigmoid: clip(x/6 + 1/2, 0, 1). */
static dnnl_status_t append_activation(const struct onednn_library *dnnl, dnnl_post_ops_t ops, enum osp_activation activation)
{
    switch (activation) {
    case OSP_RELU:
        return dnnl->post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
    case OSP_RELU6:
        return dnnl->post_ops_append_eltwise(ops, 1, dnnl_eltwise_clip, 0, 6);
    case OSP_HARDSWISH:
        return dnnl->post_ops_append_eltwise(ops, 1, dnnl_eltwise_hardswish, 0, 0);
    case OSP_HARDSIGMOID: {
        dnnl_status_t status = dnnl->post_ops_append_eltwise(ops, 1, dnnl_eltwise_linear, 1.0f / 6, 0.5f);
        return status ? status : dnnl->post_ops_append_eltwise(ops, 1, dnnl_eltwise_clip, 0, 1);
    }
    default:
        return dnnl_success;
    }
}

dnnl_status_t onednn_attributes(const struct onednn_library *dnnl, bool residual, enum osp_activation activation,
                                dnnl_primitive_attr_t *out)
{
    dnnl_post_ops_t ops;
    dnnl_status_t status = dnnl->post_ops_create(&ops);
    if (status)
        return status;
    status = dnnl->primitive_attr_create(out);
    if (!status && residual)
        status = dnnl->post_ops_append_sum(ops, 1);
    if (!status)
        status = append_activation(dnnl, ops, activation);
    if (!status)
        status = dnnl->primitive_attr_set_post_ops(*out, ops);
    dnnl->post_ops_destroy(ops);
    return status;
}

static dnnl_status_t describe_operands(const struct onednn_library *dnnl, const struct osp_call *call,
                                       const struct onednn_convolution *v, struct onednn_request *out)
{
    dnnl_status_t status =
        dnnl->memory_desc_init_by_tag(&out->src, 4, (dnnl_dims_t){v->n, v->c, v->h, v->w}, dnnl_f32, dnnl_nhwc);
    if (!status)
        status = dnnl->memory_desc_init_by_tag(&out->dst, 4, (dnnl_dims_t){v->n, v->k, v->p, v->q}, dnnl_f32, dnnl_nhwc);
    if (!status && v->depthwise)
        status = dnnl->memory_desc_init_by_tag(&out->weights, 5, (dnnl_dims_t){v->c, 1, 1, v->r, v->s}, dnnl_f32, dnnl_goihw);
    else if (!status)
        status = dnnl->memory_desc_init_by_tag(&out->weights, 4, (dnnl_dims_t){v->k, v->c, v->r, v->s}, dnnl_f32, dnnl_oihw);
    if (!status && call->constant[OSP_BIAS])
        status = dnnl->memory_desc_init_by_tag(&out->bias, 1, (dnnl_dims_t){v->k}, dnnl_f32, dnnl_x);
    return status;
}

dnnl_status_t onednn_any_layout(const struct onednn_library *dnnl, const dnnl_memory_desc_t *plain, dnnl_memory_desc_t *out)
{
    return dnnl->memory_desc_init_by_tag(out, plain->ndims, plain->dims, plain->data_type, dnnl_format_tag_any);
}

dnnl_status_t onednn_describe_convolution(const struct onednn_device *device, const struct osp_call *call,
                                          const struct onednn_convolution *v, struct onednn_request *out)
{
    const struct onednn_library *dnnl = device->dnnl;
    dnnl_status_t status = describe_operands(dnnl, call, v, out);
    if (status)
        return status;
    /* Winograd of oneDNN knows only its blocked layout. */
    bool blocked = v->algorithm == dnnl_convolution_winograd;
    dnnl_memory_desc_t weights, src = out->src, dst = out->dst;
    status = onednn_any_layout(dnnl, &out->weights, &weights);
    if (!status && blocked)
        status = onednn_any_layout(dnnl, &out->src, &src);
    if (!status && blocked)
        status = onednn_any_layout(dnnl, &out->dst, &dst);
    int64_t below = (v->p - 1) * v->stride + v->r - v->h - v->pad, right = (v->q - 1) * v->stride + v->s - v->w - v->pad;
    dnnl_convolution_desc_t convolution;
    if (!status)
        status = dnnl->convolution_forward_desc_init(
            &convolution, dnnl_forward_inference, v->algorithm, &src, &weights, out->bias.ndims ? &out->bias : NULL, &dst,
            (dnnl_dims_t){v->stride, v->stride}, (dnnl_dims_t){v->pad, v->pad}, (dnnl_dims_t){below, right});
    dnnl_primitive_attr_t attributes = NULL;
    if (!status)
        status = onednn_attributes(dnnl, v->residual, v->activation, &attributes);
    if (!status)
        status = dnnl->primitive_desc_create(&out->primitive, &convolution, attributes, device->engine, NULL);
    if (attributes)
        dnnl->primitive_attr_destroy(attributes);
    return status;
}

struct onednn_rows onednn_conv2d_rows(const struct osp_call *call)
{
    const struct conv2d conv = conv2d_of(call);
    return (struct onednn_rows){
        .batch = conv.batch,
        .each = conv.each,
        .from = conv.h * conv.w * conv.c,
        .to = conv.p * conv.q * conv.k,
        .counts = conv.counts,
        .x = conv.x,
        .residual = conv.residual,
        .out = conv.out,
    };
}

dnnl_status_t onednn_describe_conv2d(const struct onednn_device *device, const struct osp_call *call, int64_t images,
                                     dnnl_alg_kind_t algorithm, struct onednn_request *out)
{
    const struct conv2d conv = conv2d_of(call);
    const struct onednn_convolution convolution = {
        .n = images,
        .h = conv.h,
        .w = conv.w,
        .c = conv.c,
        .k = conv.k,
        .r = conv.r,
        .s = conv.s,
        .p = conv.p,
        .q = conv.q,
        .stride = conv.stride,
        .pad = conv.pad,
        .residual = call->in[OSP_CONV2D_RESIDUAL].shape.rank != 0,
        .activation = conv.activation,
        .algorithm = algorithm,
    };
    return onednn_describe_convolution(device, call, &convolution, out);
}

double onednn_conv2d_seconds(const struct osp_device *device, const struct osp_call *call)
{
    const struct conv2d conv = conv2d_of(call);
    return 2.0 * (double)(conv.n * conv.p * conv.q * conv.k) * (double)(conv.r * conv.s * conv.c) / ONEDNN_FLOPS;
}
