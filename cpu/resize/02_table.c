/* resize / table
 *
 * CHANGE  a byte has 256 values: each is normalised once, per channel, and looked up after that; where a column looks is computed
 *         once per picture; output rows are shared out among the threads
 * FASTER  no divisions are left, and the table (4 KiB) stays in the first-level cache; the bits are those of naive
 * LIMIT   lookups: four for each output value, of which a picture that is enlarged repeats most
 * NEEDS   any shape
 */
#include <string.h>

#include "cpu/resize/resize.h"

struct tables {
    float value[256][4]; /* of a byte, by channel; a row is 16 bytes */
    struct tap column[]; /* (W) */
};

static size_t scratch(const struct osp_device *device, const struct osp_call *call)
{
    return sizeof(struct tables) + (size_t)call->out[0].shape.dim[2] * sizeof(struct tap);
}

static void run_row(const struct picture *from, const struct tables *tables, int64_t y, int64_t width, float *out)
{
    int64_t filled = y < from->resized_h ? from->resized_w : 0;
    struct tap v = tap_of(y, from->h, from->resized_h);
    const uint8_t *upper = from->rgb + v.near * from->w * 3, *lower = from->rgb + v.far * from->w * 3;
    for (int64_t x = 0; x < filled; x++, out += 3) {
        const struct tap *u = &tables->column[x];
        const uint8_t *up0 = upper + u->near * 3, *up1 = upper + u->far * 3;
        const uint8_t *low0 = lower + u->near * 3, *low1 = lower + u->far * 3;
        for (int c = 0; c < 3; c++) {
            float a = tables->value[up0[c]][c] * u->near_share + tables->value[up1[c]][c] * u->far_share;
            float b = tables->value[low0[c]][c] * u->near_share + tables->value[low1[c]][c] * u->far_share;
            out[c] = a * v.near_share + b * v.far_share;
        }
    }
    memset(out, 0, sizeof(float) * 3 * (size_t)(width - filled));
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const int64_t *dim = call->out[0].shape.dim;
    float *out = call->out[0].data; /* (N,H,W,3) */
    struct tables *tables = call->scratch;
    for (int byte = 0; byte < 256; byte++)
        for (int c = 0; c < 3; c++)
            tables->value[byte][c] = normalised(&call->attrs->resize, (uint8_t)byte, c);
    for (int64_t n = 0; n < dim[0]; n++) {
        struct picture from = picture_of(call, n);
        for (int64_t x = 0; x < from.resized_w; x++)
            tables->column[x] = tap_of(x, from.w, from.resized_w);
#pragma omp parallel for schedule(static) num_threads(cpu_of(device)->threads)
        for (int64_t y = 0; y < dim[1]; y++)
            run_row(&from, tables, y, dim[2], out + (n * dim[1] + y) * dim[2] * 3);
    }
    return OSP_OK;
}

extern const struct osp_kernel cpu_resize_table;
const struct osp_kernel cpu_resize_table = {.name = "table", .scratch = scratch, .run = run};
