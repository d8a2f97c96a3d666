/* conv2d / tile
 *
 * CHANGE  a tile of up to 14 neighbouring pixels is summed in registers at once, over whole rows of the filter where the tile
 *         has them all; work is cut so that what is used again is still in cache
 * FASTER  each weight that is loaded serves all pixels of the tile, each x a whole block of outputs, and there are sums enough
 *         in flight for the multiply-add units to be busy nearly every cycle
 * LIMIT   the number of multiply-adds (Winograd needs fewer); 1x1 filters with few channels, the speed of memory
 * NEEDS   any shape
 */
#include "cpu/conv2d/conv2d.h"
#include "cpu/tile.h"

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

/* A tile at the left or right edge: tap by tap, each for the pixels that have it. */
static void sum_edge(const struct work *work, const struct place *at, const float *row, const float *w, float *sums, int outputs)
{
    const struct conv2d *conv = &work->conv;
    int block = work->tile->block;
    for (int64_t s = 0; s < conv->s; s++, w += conv->c * block) {
        int64_t left = at->q * conv->stride - conv->pad + s; /* the first pixel's column */
        int64_t first = left >= 0 ? 0 : (-left + conv->stride - 1) / conv->stride;
        int64_t end = left >= conv->w ? 0 : min(at->count, (conv->w - 1 - left) / conv->stride + 1);
        if (first < end)
            work->tile->accumulate(sums + first * block, row + (left + first * conv->stride) * conv->c, conv->stride * conv->c, 0,
                                   1, (int)conv->c, w, (int)(end - first), outputs);
    }
}

/* Filter rows r0..r1 of one tile and one block of outputs; the last pass finishes. `next`: the tile after it comes next. */
static void run_tile(const struct work *work, int64_t tile, int64_t b, int64_t r0, int64_t r1, bool next)
{
    const struct conv2d *conv = &work->conv;
    const struct tile_isa *isa = work->tile;
    struct place at = place_of(work, tile);
    int block = isa->block, outputs = (int)min(block, conv->k - b * block);
    int64_t top = at.p * conv->stride - conv->pad, left = at.q * conv->stride - conv->pad;
    int64_t first = max(r0, -top), end = min(r1, conv->h - top), filter_row = conv->s * conv->c * block;
    bool inside = left >= 0 && left + (at.count - 1) * conv->stride + conv->s <= conv->w;
    const float *row = first < end ? conv->x + (at.n * conv->h + top + first) * conv->w * conv->c : NULL;
    int64_t to = ((at.n * conv->p + at.p) * conv->q + at.q) * conv->k + b * block;
    struct tile_whole whole = {.x = inside && row ? row + left * conv->c : NULL,
                               .pixel = conv->stride * conv->c,
                               .run = conv->w * conv->c,
                               .runs = (int)(end - first),
                               .length = (int)(conv->s * conv->c),
                               .w = work->weights->w + (b * conv->r + first) * filter_row,
                               .bias = work->weights->bias ? work->weights->bias + b * block : NULL,
                               .residual = conv->residual ? conv->residual + to : NULL,
                               .out = conv->out + to,
                               .pitch = conv->k,
                               .pixels = at.count,
                               .activation = conv->activation,
                               .stream = work->stream};
    if (whole.x && r1 - r0 == conv->r && outputs == block) {
        whole.next = next && conv->r == 1 ? whole.x + at.count * whole.pixel : NULL;
        isa->whole(&whole);
        return;
    }
    _Alignas(64) float sums[TILE_PIXELS * TILE_BLOCK];
    if (r0)
        isa->resume(sums, whole.out, conv->k, at.count, outputs);
    else
        memset(sums, 0, sizeof(float) * (size_t)(at.count * block));
    if (whole.x)
        isa->accumulate(sums, whole.x, whole.pixel, whole.run, whole.runs, whole.length, whole.w, at.count, outputs);
    else
        for (; first < end; first++, row += whole.run, whole.w += filter_row)
            sum_edge(work, &at, row, whole.w, sums, outputs);
    if (r1 < conv->r)
        isa->finish(sums, NULL, NULL, whole.out, conv->k, at.count, outputs, OSP_LINEAR);
    else
        isa->finish(sums, whole.bias, whole.residual, whole.out, conv->k, at.count, outputs, conv->activation);
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
                    for (int64_t b = b0; b < min(last, b0 + many); b++)
                        run_tile(&work, t, b, r, min(conv->r, r + rows), b == b0 && t + 1 < end);
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
const struct osp_kernel cpu_conv2d_tile = {"tile", .cost = cpu_conv2d_tile_cost, .prepare = cpu_tile_prepare,
                                           .release = cpu_tile_release, .run = run};
