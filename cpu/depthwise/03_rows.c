/* depthwise / rows
 *
 * CHANGE  a tile is two rows by five columns of outputs, and the filter's size and stride are constants; a pixel that is loaded
 *         goes into every sum that wants it; pixels outside the image are passed over a column at a time
 * FASTER  28 loads for 90 multiply-adds of a 3x3 filter, where `channels` loads before each; a row of the image comes from the
 *         second-level cache once for two rows of outputs; the image's edge costs next to nothing
 * LIMIT   the multiply-adds; maps that do not fit the caches, the speed of memory
 * NEEDS   3x3 or 5x5, stride 1 or 2, at least 16 channels and 5 outputs in a row
 */
#include <string.h>

#include "cpu/depthwise/rows.h"

static const char *refuses(const struct osp_device *device, const struct osp_call *call)
{
    const struct depthwise conv = depthwise_of(call);
    if (conv.r != conv.s || (conv.r != 3 && conv.r != 5) || conv.stride < 1 || conv.stride > 2)
        return "3x3 and 5x5 filters with stride 1 or 2 only";
    return conv.c < ROWS_BLOCK || conv.q < ROWS_WIDE ? "needs 16 channels and 5 outputs in a row" : NULL;
}

static osp_status prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    struct osp_shape shape = osp_constant_shape(weight);
    int64_t channels = shape.dim[0], taps = shape.dim[2] * shape.dim[3], count = (channels + ROWS_BLOCK - 1) / ROWS_BLOCK;
    size_t floats = (size_t)(count * ROWS_BLOCK * (taps + 1)), bytes = 64 + sizeof(float) * (floats + (size_t)taps);
    char *memory = cpu_alloc(bytes);
    if (!memory)
        return osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
    float *w = (float *)(memory + 64), *biases = w + count * taps * ROWS_BLOCK;
    float *filter = w + floats; /* room for one channel's */
    for (int64_t b = 0; b < count; b++) {
        int64_t first = depthwise_block_start(b, channels);
        for (int i = 0; i < ROWS_BLOCK; i++) {
            osp_constant_rows(weight, first + i, 1, filter);
            for (int64_t tap = 0; tap < taps; tap++)
                w[(b * taps + tap) * ROWS_BLOCK + i] = filter[tap];
        }
        if (bias)
            osp_constant_rows(bias, first, ROWS_BLOCK, biases + b * ROWS_BLOCK);
    }
    *(struct depthwise_blocks *)memory = (struct depthwise_blocks){count, w, bias ? biases : NULL};
    state->data = memory;
    return OSP_OK;
}

static void release(struct osp_device *device, struct osp_node_state *state)
{
    free(state->data);
    state->data = NULL;
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static depthwise_band *const bands[CPU_ISA_COUNT] = {cpu_depthwise_band_portable, cpu_depthwise_band_avx2,
                                                         cpu_depthwise_band_avx512};
    const struct depthwise conv = depthwise_of(call);
    const int64_t each = (conv.p + ROWS_HIGH - 1) / ROWS_HIGH; /* bands of an image */
#pragma omp parallel for schedule(static) num_threads(cpu_of(device)->threads)
    for (int64_t i = 0; i < conv.n * each; i++) {
        int64_t p = i % each * ROWS_HIGH;
        bands[cpu_of(device)->isa](&conv, state->data, i / each, p, conv.p - p < ROWS_HIGH ? (int)(conv.p - p) : ROWS_HIGH);
    }
    return OSP_OK;
}

extern const struct osp_kernel cpu_depthwise_rows;
const struct osp_kernel cpu_depthwise_rows = {"rows", .refuses = refuses, .prepare = prepare, .release = release, .run = run};
