/* Weights in the order that both libraries take them, packed once for each model and device. */
#include <stdlib.h>

#include "kernels/cudnn/cudnn.h"

enum { ALIGNED = 64 }; /* floats: where the bias begins, 256 bytes */

osp_status cudnn_weights_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    const struct osp_shape shape = osp_constant_shape(weight);
    const int64_t outputs = shape.dim[0], channels = shape.dim[1], length = osp_shape_count(&shape) / outputs;
    const int64_t taps = length / channels, end = (outputs * length + ALIGNED - 1) / ALIGNED * ALIGNED;
    const size_t floats = (size_t)(end + (bias ? outputs : 0)), bytes = sizeof(float) * (floats + (size_t)length);
    struct cudnn_weights *weights = malloc(sizeof *weights);
    float *packed = calloc(1, bytes);
    void *memory = NULL;
    osp_status status = OSP_OK;
    if (!weights || !packed)
        status = osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
    for (int64_t k = 0; !status && k < outputs; k++) {
        float *row = packed + floats, *to = packed + k * length;
        osp_constant_rows(weight, k, 1, row);
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t c = 0; c < channels; c++)
                to[tap * channels + c] = row[c * taps + tap];
    }
    if (!status && bias)
        osp_constant_rows(bias, 0, outputs, packed + end);
    if (!status)
        status = cuda_upload_new(device, packed, sizeof(float) * floats, &memory);
    free(packed);
    if (status) {
        free(weights);
        return status;
    }
    *weights = (struct cudnn_weights){.w = memory, .bias = bias ? (float *)memory + end : NULL};
    state->data = weights;
    return OSP_OK;
}

void cudnn_weights_release(struct osp_device *device, struct osp_node_state *state)
{
    struct cudnn_weights *weights = state->data;
    if (weights)
        cuda_free(device, weights->w);
    free(weights);
    state->data = NULL;
}
