/* conv2d / tile
 *
 * CHANGE  a tile of up to 14 neighbouring pixels is summed in registers at once, over whole rows of the filter where the tile
 *         has them all; work is cut so that what is used again is still in cache
 * FASTER  each weight that is loaded serves all pixels of the tile, each x a whole block of outputs, and there are sums enough
 *         in flight for the multiply-add units to be busy nearly every cycle
 * LIMIT   the number of multiply-adds (Winograd needs fewer); 1x1 filters with few channels, the speed of memory
 * NEEDS   any shape
 */
#include "cpu/conv2d/edge.h"

/* Bytes that should stay in the second-level cache (1 MiB on the machine this was written on): the weights of one pass, and the x
 * of a strip of tiles. */
enum { PASS_BYTES = 400 << 10, STRIP_BYTES = 384 << 10 };

struct work {
    struct conv2d conv;
    const struct tile_weights *weights;
    const struct tile_isa *tile;
    int64_t across; /* tiles in an output row */
    bool stream;    /* out goes past the caches (tile_streams) */
};

struct place { /* a tile: pixels q..q+count of output row p of image n */
    int64_t n, p, q;
    int count;
};

static struct place place_of(const struct work *work, int64_t tile)
{
    int64_t row = tile / work->across, i = tile % work->across;
    int64_t first = cpu_part(work->conv.q, i, work->across), end = cpu_part(work->conv.q, i + 1, work->across);
    return (struct place){row / work->conv.p, row % work->conv.p, first, (int)(end - first)};
}

static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

/* Filter rows r0..r1 of one tile and blocks b0..b1 of outputs; the last pass finishes. `next`: so does the tile after it. */
static void run_tile(const struct work *work, int64_t tile, int64_t b0, int64_t b1, int64_t r0, int64_t r1, bool next)
{
    const struct conv2d *conv = &work->conv;
    const struct tile_isa *isa = work->tile;
    const struct place at = place_of(work, tile);
    int64_t top = at.p * conv->stride - conv->pad, left = at.q * conv->stride - conv->pad;
    int64_t first = max(r0, -top), end = max(first, min(r1, conv->h - top)), filter_row = conv->s * conv->c * isa->block;
    int64_t to = ((at.n * conv->p + at.p) * conv->q + at.q) * conv->k, width = (at.count - 1) * conv->stride + conv->s;
    const float *row = first < end ? conv->x + (at.n * conv->h + top + first) * conv->w * conv->c : NULL;
    struct tile_whole whole = {.pixel = conv->stride * conv->c,
                               .run = conv->w * conv->c,
                               .runs = (int)(end - first),
                               .length = (int)(conv->s * conv->c),
                               .pitch = conv->k,
                               .pixels = at.count,
                               .activation = conv->activation,
                               .stream = work->stream};
    _Alignas(64) float padded[EDGE_PADDED], sums[TILE_PIXELS * TILE_BLOCK];
    if (row && left >= 0 && left + width <= conv->w) {
        whole.x = row + left * conv->c;
        if (next && at.q + at.count < conv->q && whole.pixel % 1024) /* else both tiles' lines want the same few sets */
            whole.ahead = at.count * whole.pixel;
    } else if (row && work->weights->finite && (end - first) * width * conv->c <= EDGE_PADDED) {
        cpu_conv2d_pad(conv, left, width, row, end - first, padded);
        whole.x = padded;
        whole.run = width * conv->c;
    }
    for (int64_t b = b0; b < b1; b++, whole.ahead = 0) {
        int outputs = (int)min(isa->block, conv->k - b * isa->block);
        whole.w = work->weights->w + (b * conv->r + first) * filter_row;
        whole.bias = work->weights->bias ? work->weights->bias + b * isa->block : NULL;
        whole.residual = conv->residual ? conv->residual + to + b * isa->block : NULL;
        whole.out = conv->out + to + b * isa->block;
        if (whole.x && r1 - r0 == conv->r) {
            if (outputs == isa->block)
                isa->whole(&whole);
            else
                isa->part(&whole, outputs);
            continue;
        }
        if (r0)
            isa->resume(sums, whole.out, conv->k, at.count, outputs);
        else
            memset(sums, 0, sizeof(float) * (size_t)(at.count * isa->block));
        if (whole.x)
            isa->accumulate(sums, whole.x, whole.pixel, whole.run, whole.runs, whole.length, whole.w, at.count, outputs);
        for (int64_t r = first; !whole.x && r < end; r++)
            cpu_conv2d_taps(conv, isa, left, at.count, row + (r - first) * whole.run, whole.w + (r - first) * filter_row, sums,
                            outputs);
        if (r1 < conv->r)
            isa->finish(sums, NULL, NULL, whole.out, conv->k, at.count, outputs, OSP_LINEAR);
        else
            isa->finish(sums, whole.bias, whole.residual, whole.out, conv->k, at.count, outputs, conv->activation);
    }
}

static void run_part(const struct cpu_device *device, struct work work)
{
    struct conv2d *conv = &work.conv;
    if (conv->r == 1 && conv->s == 1 && conv->stride == 1 && conv->pad == 0) { /* rows and images have no borders: one long row */
        conv->q *= conv->n * conv->p;
        conv->w = conv->q;
        conv->n = conv->p = conv->h = 1;
    }
    int block = work.tile->block, widest = cpu_tile_pixels(work.tile, conv->stride * conv->c);
    work.across = (conv->q + widest - 1) / widest;
    int64_t tiles = conv->n * conv->p * work.across, blocks = (conv->k + block - 1) / block;
    int64_t filter_row = conv->s * conv->c * block * (int64_t)sizeof(float);
    int64_t rows = max(1, min(conv->r, PASS_BYTES / filter_row)); /* of the filter in a pass */
    int64_t many = max(1, PASS_BYTES / (filter_row * rows));      /* blocks in a pass: x is in the first cache for all but one */
    work.stream = tile_streams(conv->out, conv->n * conv->p * conv->q * conv->k * (int64_t)sizeof(float), conv->k);
    int64_t most = STRIP_BYTES / (widest * conv->stride * conv->stride * conv->c * (int64_t)sizeof(float));
    struct tile_split split = cpu_tile_split(device->threads, tiles, blocks, max(4, most));
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (int64_t part = 0; part < split.strips * split.groups; part++) {
        int64_t strip = part / split.groups, group = part % split.groups;
        int64_t first = cpu_part(tiles, strip, split.strips), end = cpu_part(tiles, strip + 1, split.strips);
        int64_t last = cpu_part(blocks, group + 1, split.groups);
        for (int64_t r = 0; r < conv->r; r += rows)
            for (int64_t b0 = cpu_part(blocks, group, split.groups); b0 < last; b0 += many)
                for (int64_t t = first; t < end; t++)
                    run_tile(&work, t, b0, min(last, b0 + many), r, min(conv->r, r + rows), t + 1 < end);
        tile_streamed();
    }
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct conv2d conv = conv2d_of(call);
    for (int64_t i = 0; i < conv.batch; i++)
        run_part(cpu_of(device), (struct work){conv2d_part(&conv, i), state->data, cpu_tile(cpu_of(device)), 0, false});
    return OSP_OK;
}

extern const struct osp_kernel cpu_conv2d_tile;
const struct osp_kernel cpu_conv2d_tile = {"tile",
                                           .cost = cpu_conv2d_tile_cost,
                                           .prepare = cpu_tile_prepare,
                                           .adopt = cpu_tile_adopt,
                                           .release = cpu_tile_release,
                                           .packed = cpu_tile_packed,
                                           .run = run};
