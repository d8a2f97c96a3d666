/* Packing weights on the host, once for each model and device. */
#include "kernels/conv2d/filter.h"

#include <stdlib.h>

/* One output's [C][R*S] into column k of [R*S][C][pitch]. */
static void pack_column(float *packed, int64_t pitch, const float *row, int64_t channels, int64_t taps, int64_t k)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t tap = 0; tap < taps; tap++)
            packed[(tap * channels + c) * pitch + k] = row[c * taps + tap];
}

osp_status cuda_filter_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    struct osp_shape shape = osp_constant_shape(weight);
    int64_t outputs = shape.dim[0], channels = shape.dim[1], length = osp_shape_count(&shape) / outputs;
    int64_t pitch = cuda_filter_up(outputs);
    size_t floats = (size_t)(pitch * (length + 1)), bytes = sizeof(float) * (floats + (size_t)length);
    struct cuda_filter *filter = malloc(sizeof *filter);
    float *packed = calloc(1, bytes);
    void *memory = NULL;
    osp_status status = OSP_OK;
    if (!filter || !packed)
        status = osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
    for (int64_t k = 0; !status && k < outputs; k++) {
        osp_constant_rows(weight, k, 1, packed + floats);
        pack_column(packed, pitch, packed + floats, channels, length / channels, k);
    }
    if (!status && bias)
        osp_constant_rows(bias, 0, outputs, packed + length * pitch);
    if (!status)
        status = cuda_upload_new(device, packed, sizeof(float) * floats, &memory);
    free(packed);
    if (status) {
        free(filter);
        return status;
    }
    *filter = (struct cuda_filter){.w = memory, .bias = bias ? (float *)memory + length * pitch : NULL, .pitch = (int)pitch};
    state->data = filter;
    return OSP_OK;
}

void cuda_filter_release(struct osp_device *device, struct osp_node_state *state)
{
    struct cuda_filter *filter = state->data;
    if (filter)
        cuda_free(device, filter->w);
    free(filter);
    state->data = NULL;
}
