#include "cpu/rows.h"

osp_status cpu_rows_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    struct osp_shape shape = osp_constant_shape(weight);
    int64_t count = osp_shape_count(&shape);
    size_t bytes = sizeof(struct weight_rows) + sizeof(float) * (size_t)(count + shape.dim[0]);
    struct weight_rows *rows = cpu_alloc(bytes);
    if (!rows)
        return osp_fail(OSP_MEMORY, "cannot copy weights: %zu bytes needed", bytes);
    rows->w = (float *)(rows + 1);
    rows->bias = bias ? rows->w + count : NULL;
    osp_constant_rows(weight, 0, shape.dim[0], rows->w);
    if (bias)
        osp_constant_rows(bias, 0, shape.dim[0], rows->bias);
    state->data = rows;
    return OSP_OK;
}

void cpu_rows_release(struct osp_device *device, struct osp_node_state *state)
{
    free(state->data);
    state->data = NULL;
}
