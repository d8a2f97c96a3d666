/* Packing weights for Winograd's products on the host, once for each model and device. */
#include <stdlib.h>

#include "kernels/conv2d/filter.h"

enum { SIDE = 6, TOGETHER = 16 }; /* outputs are packed so many at a time, to write whole cache lines */

/* G, whose rows are (1, a, a*a) at a point a of 0, 1, -1, 1/2, -2 and infinity, over the product of its distances from the
 * others. */
static const double g[SIDE][3] = {{1, 0, 0},
                                  {1 / 3.0, 1 / 3.0, 1 / 3.0},
                                  {-1 / 3.0, 1 / 3.0, -1 / 3.0},
                                  {-16 / 15.0, -8 / 15.0, -4 / 15.0},
                                  {1 / 15.0, -2 / 15.0, 4 / 15.0},
                                  {0, 0, 1}};

/* G w Gt of one filter, in double, rounded once. */
static void transform(const float w[9], float out[CUDA_WINOGRAD_POINTS])
{
    double half[SIDE][3];
    for (int i = 0; i < SIDE; i++)
        for (int s = 0; s < 3; s++)
            half[i][s] = g[i][0] * (double)w[s] + g[i][1] * (double)w[3 + s] + g[i][2] * (double)w[6 + s];
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            out[i * SIDE + j] = (float)(half[i][0] * g[j][0] + half[i][1] * g[j][1] + half[i][2] * g[j][2]);
}

/* rows [count][C][3][3] into columns k.. of packed [36][point of filled channels][pitch] */
static void pack_columns(float *packed, int64_t point, int64_t pitch, const float *rows, int64_t channels, int64_t k,
                         int64_t count)
{
    float points[TOGETHER][CUDA_WINOGRAD_POINTS];
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t i = 0; i < count; i++)
            transform(rows + (i * channels + c) * 9, points[i]);
        for (int64_t e = 0; e < CUDA_WINOGRAD_POINTS; e++)
            for (int64_t i = 0; i < count; i++)
                packed[e * point + c * pitch + k + i] = points[i][e];
    }
}

/* Floats that are kept: a point's, then all points' and the bias. */
static int64_t point_of(const struct osp_shape *shape) { return cuda_filter_up(shape->dim[1]) * cuda_filter_up(shape->dim[0]); }
static int64_t floats_of(const struct osp_shape *shape)
{
    return CUDA_WINOGRAD_POINTS * point_of(shape) + cuda_filter_up(shape->dim[0]);
}

size_t cuda_winograd_packed(const struct osp_device *device, const struct osp_call *call)
{
    struct osp_shape shape = osp_constant_shape(call->constant[OSP_WEIGHT]);
    return sizeof(float) * (size_t)floats_of(&shape);
}

osp_status cuda_winograd_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    struct osp_shape shape = osp_constant_shape(weight);
    int64_t outputs = shape.dim[0], channels = shape.dim[1], pitch = cuda_filter_up(outputs);
    int64_t point = point_of(&shape), floats = floats_of(&shape);
    size_t bytes = sizeof(float) * (size_t)(floats + TOGETHER * channels * 9);
    struct cuda_filter *filter = malloc(sizeof *filter);
    float *packed = calloc(1, bytes);
    void *memory = NULL;
    osp_status status = OSP_OK;
    if (!filter || !packed)
        status = osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
    for (int64_t k = 0; !status && k < outputs; k += TOGETHER) {
        int64_t count = outputs - k < TOGETHER ? outputs - k : TOGETHER;
        osp_constant_rows(weight, k, count, packed + floats);
        pack_columns(packed, point, pitch, packed + floats, channels, k, count);
    }
    if (!status && bias)
        osp_constant_rows(bias, 0, outputs, packed + CUDA_WINOGRAD_POINTS * point);
    if (!status)
        status = cuda_upload_new(device, packed, sizeof(float) * (size_t)floats, &memory);
    free(packed);
    if (status) {
        free(filter);
        return status;
    }
    *filter = (struct cuda_filter){
        .w = memory, .bias = bias ? (float *)memory + CUDA_WINOGRAD_POINTS * point : NULL, .pitch = (int)pitch};
    state->data = filter;
    return OSP_OK;
}
