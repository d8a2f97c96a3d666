/* depthwise / channels
 *
 * CHANGE  a vector of neighbouring channels at a time, for up to 8 neighbouring outputs at once; weights are packed with
 *         channels innermost; tiles are shared out among the threads
 * FASTER  channels are what lies together in NHWC, so that all loads are whole vectors; each weight serves 8 outputs, whose
 *         sums do not wait for one another
 * LIMIT   one load for each multiply-add; large maps, the speed of memory
 * NEEDS   any shape
 */
#include <string.h>

#include "cpu/depthwise/channels.h"
#include "cpu/depthwise/depthwise.h"
#include "cpu/tile.h"

struct packed {
    float *w, *bias; /* [R][S][padded], [padded] or NULL */
    int64_t padded;
};

static osp_status prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    struct osp_shape shape = osp_constant_shape(weight);
    int64_t channels = shape.dim[0], taps = shape.dim[2] * shape.dim[3];
    int64_t padded = (channels + DEPTHWISE_PAD - 1) / DEPTHWISE_PAD * DEPTHWISE_PAD;
    size_t floats = (size_t)(padded * (taps + 1)), bytes = 64 + sizeof(float) * (floats + (size_t)taps);
    char *memory = cpu_alloc(bytes);
    if (!memory)
        return osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
    struct packed *packed = (struct packed *)memory;
    *packed = (struct packed){.w = (float *)(memory + 64), .padded = padded};
    float *filter = packed->w + floats; /* room for one channel's */
    memset(packed->w, 0, sizeof(float) * floats);
    for (int64_t c = 0; c < channels; c++) {
        osp_constant_rows(weight, c, 1, filter);
        for (int64_t tap = 0; tap < taps; tap++)
            packed->w[tap * padded + c] = filter[tap];
    }
    if (bias) {
        packed->bias = packed->w + taps * padded;
        osp_constant_rows(bias, 0, channels, packed->bias);
    }
    state->data = packed;
    return OSP_OK;
}

static void release(struct osp_device *device, struct osp_node_state *state)
{
    free(state->data);
    state->data = NULL;
}

/* Tile i of `across` of output row `row` of all images. */
static struct depthwise_tile tile_at(const struct depthwise *conv, const struct packed *packed, int64_t row, int64_t i,
                                     int64_t across)
{
    int64_t q = cpu_part(conv->q, i, across), pixels = cpu_part(conv->q, i + 1, across) - q;
    int64_t top = row % conv->p * conv->stride - conv->pad, left = q * conv->stride - conv->pad;
    return (struct depthwise_tile){
        .x = conv->x,
        .first = ((row / conv->p * conv->h + top) * conv->w + left) * conv->c,
        .w = packed->w,
        .bias = packed->bias,
        .out = conv->out + (row * conv->q + q) * conv->c,
        .channels = conv->c,
        .padded = packed->padded,
        .width = conv->w,
        .row = conv->w * conv->c,
        .s = conv->s,
        .stride = conv->stride,
        .left = left,
        .r0 = top < 0 ? -top : 0,
        .r1 = top + conv->r > conv->h ? conv->h - top : conv->r,
        .pixels = (int)pixels,
        .edge = left < 0 || left + (pixels - 1) * conv->stride + conv->s > conv->w,
        .activation = conv->activation,
    };
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static void (*const run_tile[CPU_ISA_COUNT])(const struct depthwise_tile *) = {
        cpu_depthwise_tile_portable, cpu_depthwise_tile_avx2, cpu_depthwise_tile_avx512};
    const struct depthwise conv = depthwise_of(call);
    const int64_t across = (conv.q + DEPTHWISE_PIXELS - 1) / DEPTHWISE_PIXELS, tiles = conv.n * conv.p * across;
#pragma omp parallel for schedule(static) num_threads(cpu_of(device)->threads)
    for (int64_t t = 0; t < tiles; t++) {
        struct depthwise_tile tile = tile_at(&conv, state->data, t / across, t % across, across);
        run_tile[cpu_of(device)->isa](&tile);
    }
    return OSP_OK;
}

extern const struct osp_kernel cpu_depthwise_channels;
const struct osp_kernel cpu_depthwise_channels = {"channels", .prepare = prepare, .release = release, .run = run};
