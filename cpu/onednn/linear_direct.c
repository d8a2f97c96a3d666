/* linear / direct (onednn)
 *
 * CHANGE  the product is oneDNN's inner product, weights in the layout it asks for, bias and activation fused
 * FASTER  code generated for the very shape
 * LIMIT   many rows: the number of multiply-adds; few rows: the speed of memory
 * NEEDS   any shape
 */
#include "cpu/onednn/onednn.h"

#include "cpu/linear/linear.h"

static dnnl_status_t describe(const struct onednn_device *device, const struct osp_call *call, int64_t images,
                              struct onednn_request *out)
{
    const struct onednn_library *dnnl = device->dnnl;
    const struct linear linear = linear_of(call);
    dnnl_memory_desc_t weights;
    dnnl_inner_product_desc_t product;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = dnnl->memory_desc_init_by_tag(&out->src, 2, (dnnl_dims_t){images, linear.c}, dnnl_f32, dnnl_nc);
    if (!status)
        status = dnnl->memory_desc_init_by_tag(&out->dst, 2, (dnnl_dims_t){images, linear.k}, dnnl_f32, dnnl_nc);
    if (!status)
        status = dnnl->memory_desc_init_by_tag(&out->weights, 2, (dnnl_dims_t){linear.k, linear.c}, dnnl_f32, dnnl_oi);
    if (!status)
        status = onednn_any_layout(dnnl, &out->weights, &weights);
    if (!status && call->constant[OSP_BIAS])
        status = dnnl->memory_desc_init_by_tag(&out->bias, 1, (dnnl_dims_t){linear.k}, dnnl_f32, dnnl_x);
    if (!status)
        status = dnnl->inner_product_forward_desc_init(&product, dnnl_forward_inference, &out->src, &weights,
                                                       out->bias.ndims ? &out->bias : NULL, &out->dst);
    if (!status)
        status = onednn_attributes(dnnl, false, linear.activation, &attributes);
    if (!status)
        status = dnnl->primitive_desc_create(&out->primitive, &product, attributes, device->engine, NULL);
    if (attributes)
        dnnl->primitive_attr_destroy(attributes);
    return status;
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct linear l = linear_of(call);
    const struct onednn_rows rows = {l.batch, l.each, l.c, l.k, l.counts, l.x, NULL, l.out};
    return onednn_run(device, call, state, describe, &rows);
}

extern const struct osp_kernel onednn_linear_direct;
const struct osp_kernel onednn_linear_direct = {"direct", .prepare = onednn_prepare, .release = onednn_release, .run = run};
