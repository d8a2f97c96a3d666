/* Weights for Winograd's products. */
#include "cpu/conv2d/winograd.h"

/* G, whose rows are (1, a, a*a) at a point a, over the product of its distances from the other points. */
static const double g[WINOGRAD_SIDE][3] = {{1, 0, 0},
                                           {1 / 3.0, 1 / 3.0, 1 / 3.0},
                                           {-1 / 3.0, 1 / 3.0, -1 / 3.0},
                                           {-16 / 15.0, -8 / 15.0, -4 / 15.0},
                                           {1 / 15.0, -2 / 15.0, 4 / 15.0},
                                           {0, 0, 1}};

/* G w Gt of one filter, in double, rounded once. */
static void transform(const float w[9], float out[WINOGRAD_POINTS])
{
    double half[WINOGRAD_SIDE][3];
    for (int i = 0; i < WINOGRAD_SIDE; i++)
        for (int s = 0; s < 3; s++)
            half[i][s] = g[i][0] * (double)w[s] + g[i][1] * (double)w[3 + s] + g[i][2] * (double)w[6 + s];
    for (int i = 0; i < WINOGRAD_SIDE; i++)
        for (int j = 0; j < WINOGRAD_SIDE; j++)
            out[i * WINOGRAD_SIDE + j] = (float)(half[i][0] * g[j][0] + half[i][1] * g[j][1] + half[i][2] * g[j][2]);
}

struct packing {
    const struct tile_weights *weights;
    int64_t channels; /* C, filled up to whole chunks */
    int block;
};

/* rows [count][C][3][3] of outputs into block b of every point */
static void pack_block(const void *context, int64_t b, int count, const float *rows)
{
    const struct packing *packing = context;
    const struct tile_weights *weights = packing->weights;
    int block = packing->block;
    int64_t pitch = ceil_div(weights->k, block) * packing->channels * block; /* of a point */
    float *out = weights->w + b * packing->channels * block;
    for (int64_t c = 0; c < packing->channels; c++, out += block) {
        float row[WINOGRAD_POINTS][TILE_BLOCK] = {{0}}, points[WINOGRAD_POINTS];
        for (int k = 0; c < weights->c && k < count; k++) {
            transform(rows + (k * weights->c + c) * 9, points);
            for (int e = 0; e < WINOGRAD_POINTS; e++)
                row[e][k] = points[e];
        }
        for (int e = 0; e < WINOGRAD_POINTS; e++)
            memcpy(out + e * pitch, row[e], sizeof(float) * (size_t)block);
    }
}

/* Channels filled up to whole chunks, outputs to whole blocks. */
static int64_t channels_of(int64_t c) { return ceil_div(c, WINOGRAD_CHUNK) * WINOGRAD_CHUNK; }
static int64_t outputs_of(int64_t k, int block) { return ceil_div(k, block) * block; }

size_t cpu_winograd_packed(const struct osp_device *device, const struct osp_call *call)
{
    struct osp_shape shape = osp_constant_shape(call->constant[OSP_WEIGHT]);
    int64_t outputs = outputs_of(shape.dim[0], cpu_tile(cpu_of(device))->block), channels = channels_of(shape.dim[1]);
    return TILE_HEAD + sizeof(float) * (size_t)(outputs * (WINOGRAD_POINTS * channels + (call->constant[OSP_BIAS] ? 1 : 0)));
}

static struct tile_weights sizes_of(const struct osp_call *call)
{
    struct osp_shape shape = osp_constant_shape(call->constant[OSP_WEIGHT]);
    return (struct tile_weights){.k = shape.dim[0], .c = shape.dim[1], .r = 3, .s = 3};
}

osp_status cpu_winograd_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    struct tile_weights sizes = sizes_of(call);
    int block = cpu_tile(cpu_of(device))->block;
    int64_t outputs = outputs_of(sizes.k, block), channels = channels_of(sizes.c);
    size_t bytes = cpu_winograd_packed(device, call);
    char *memory = cpu_alloc(bytes);
    if (!memory)
        return osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
    cpu_tile_place(call, memory, outputs * WINOGRAD_POINTS * channels, &sizes);
    osp_status status = cpu_tile_blocks(cpu_of(device), weight, block, pack_block, &(struct packing){&sizes, channels, block});
    if (status) {
        free(memory);
        return status;
    }
    if (bias) {
        osp_constant_rows(bias, 0, sizes.k, sizes.bias);
        memset(sizes.bias + sizes.k, 0, sizeof(float) * (size_t)(outputs - sizes.k));
    }
    memset(memory, 0, TILE_HEAD);
    return cpu_tile_keep(&sizes, memory, true, state);
}

osp_status cpu_winograd_adopt(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct tile_weights sizes = sizes_of(call);
    int64_t outputs = outputs_of(sizes.k, cpu_tile(cpu_of(device))->block);
    cpu_tile_place(call, state->block, outputs * WINOGRAD_POINTS * channels_of(sizes.c), &sizes);
    return cpu_tile_keep(&sizes, (void *)state->block, false, state);
}
