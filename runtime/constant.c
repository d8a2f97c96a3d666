#include "constant.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_POSITIONS = 1024 };

static int64_t row_length(const struct osp_shape *shape)
{
    int64_t n = 1;
    for (int i = 1; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

osp_status osp_constant_new(const float *data, const struct osp_shape *shape, struct osp_constant **out)
{
    size_t bytes = (size_t)osp_shape_count(shape) * sizeof(float);
    struct osp_constant *c = calloc(1, sizeof *c);
    float *values = malloc(bytes ? bytes : 1);
    if (!c || !values) {
        free(c);
        free(values);
        return osp_fail(OSP_MEMORY, "out of memory: a constant needs %zu bytes", bytes);
    }
    memcpy(values, data, bytes);
    c->shape = *shape;
    c->values = values;
    *out = c;
    return OSP_OK;
}

osp_status osp_constant_from(const struct osp_stored_tensor *stored, const struct osp_shape *shape, const double *scale,
                             int channels, int positions, struct osp_constant **out)
{
    if (positions > MAX_POSITIONS)
        return osp_fail(OSP_USAGE, "%s: %d positions to reorder, at most %d are possible", stored->name, positions,
                        MAX_POSITIONS);
    struct osp_constant *c = calloc(1, sizeof *c);
    size_t bytes = scale ? (size_t)shape->dim[0] * sizeof(double) : 0;
    double *copy = scale ? malloc(bytes) : NULL;
    if (!c || (scale && !copy)) {
        free(c);
        free(copy);
        return osp_fail(OSP_MEMORY, "out of memory: a constant needs %zu bytes", bytes + sizeof *c);
    }
    if (scale)
        memcpy(copy, scale, bytes);
    *c = (struct osp_constant){.shape = *shape, .stored = stored, .scale = copy, .channels = channels, .positions = positions};
    *out = c;
    return OSP_OK;
}

void osp_constant_free(struct osp_constant *constant)
{
    if (!constant)
        return;
    free(constant->values);
    free(constant->scale);
    free(constant);
}

struct osp_shape osp_constant_shape(const struct osp_constant *constant) { return constant->shape; }

/* Reads one stored row whose columns are (channels, positions) and writes it as (positions, channels). */
static void reordered_row(const struct osp_constant *c, int64_t row, float *out)
{
    float column[MAX_POSITIONS];
    uint64_t start = (uint64_t)row * (uint64_t)c->channels * (uint64_t)c->positions;
    for (int channel = 0; channel < c->channels; channel++) {
        osp_stored_read(c->stored, start + (uint64_t)channel * (uint64_t)c->positions, (uint64_t)c->positions, column);
        for (int p = 0; p < c->positions; p++)
            out[(int64_t)p * c->channels + channel] = column[p];
    }
}

void osp_constant_rows(const struct osp_constant *c, int64_t first, int64_t count, float *out)
{
    int64_t length = row_length(&c->shape);
    if (!c->stored) {
        memcpy(out, c->values + first * length, (size_t)(count * length) * sizeof(float));
        return;
    }
    if (c->positions) {
        for (int64_t i = 0; i < count; i++)
            reordered_row(c, first + i, out + i * length);
    } else {
        osp_stored_read(c->stored, (uint64_t)(first * length), (uint64_t)(count * length), out);
    }
    for (int64_t i = 0; c->scale && i < count; i++)
        for (int64_t j = 0; j < length; j++)
            out[i * length + j] = (float)(out[i * length + j] * c->scale[first + i]);
}
