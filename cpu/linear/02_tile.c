/* linear / tile
 *
 * CHANGE  a tile of rows by a block of outputs is summed in registers (cpu/tile.simd.c), a stretch of columns at a time; weights
 *         are packed so that a block's lie in the order in which they are used; threads share out rows, or blocks
 * FASTER  each weight that is loaded serves all rows of the tile; a stretch of a block's weights is read from memory once and
 *         then serves all tiles from cache
 * LIMIT   many rows: the number of multiply-adds; few rows: the speed of memory, at which the weights come in
 * NEEDS   any shape
 */
#include "cpu/linear/linear.h"
#include "cpu/tile.h"

/* Columns in a stretch, at most: a block's weights then take 320 KiB, a third of the second-level cache. Shorter ones put down
 * and take up sums more often. Bytes of weights that go together: of few columns those of several blocks, so that x of a tile
 * comes from far away once for all of them. */
enum { STRETCH = 2560, PASS_BYTES = 400 << 10 };

struct work {
    struct linear linear; /* m: valid rows only */
    const struct tile_weights *weights;
    const struct tile_isa *tile;
    int64_t tiles;
};

/* Columns c0..c1 of one tile and one block of outputs; the last stretch finishes. */
static void run_tile(const struct work *work, int64_t t, int64_t b, int64_t c0, int64_t c1)
{
    const struct linear *linear = &work->linear;
    const struct tile_isa *isa = work->tile;
    int block = isa->block, outputs = linear->k - b * block < block ? (int)(linear->k - b * block) : block;
    int64_t first = cpu_part(linear->m, t, work->tiles);
    int rows = (int)(cpu_part(linear->m, t + 1, work->tiles) - first);
    float *out = linear->out + first * linear->k + b * block;
    _Alignas(64) float sums[TILE_PIXELS * TILE_BLOCK];
    if (c0)
        isa->resume(sums, out, linear->k, rows, outputs);
    else
        memset(sums, 0, sizeof(float) * (size_t)(rows * block));
    isa->accumulate(sums, linear->x + first * linear->c + c0, linear->c, 0, 1, (int)(c1 - c0),
                    work->weights->w + (b * linear->c + c0) * block, rows, outputs);
    bool last = c1 == linear->c;
    isa->finish(sums, last && work->weights->bias ? work->weights->bias + b * block : NULL, NULL, out, linear->k, rows, outputs,
                last ? linear->activation : OSP_LINEAR);
}

/* Threads share out the rows or the blocks of outputs: what leaves the busiest of them the least to do. Where that is the same,
 * the blocks, for then each weight is read by one core only. */
static struct tile_split split_of(int threads, int64_t tiles, int64_t blocks)
{
    int64_t by_rows = (tiles + threads - 1) / threads * blocks, by_blocks = (blocks + threads - 1) / threads * tiles;
    return by_blocks <= by_rows ? (struct tile_split){1, threads} : (struct tile_split){threads, 1};
}

static void run_rows(const struct cpu_device *device, struct work work)
{
    const struct linear *linear = &work.linear;
    int block = work.tile->block, widest = cpu_tile_pixels(work.tile, linear->c);
    int64_t blocks = (linear->k + block - 1) / block;
    work.tiles = (linear->m + widest - 1) / widest;
    int64_t stretches = (linear->c + STRETCH - 1) / STRETCH;
    int64_t block_bytes = (linear->c + stretches - 1) / stretches * block * (int64_t)sizeof(float),
            many = PASS_BYTES / block_bytes;
    struct tile_split split = split_of(device->threads, work.tiles, blocks);
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (int64_t part = 0; part < split.strips * split.groups; part++) {
        int64_t strip = part / split.groups, group = part % split.groups;
        int64_t last = cpu_part(blocks, group + 1, split.groups), end = cpu_part(work.tiles, strip + 1, split.strips);
        for (int64_t i = 0; i < stretches; i++)
            for (int64_t b0 = cpu_part(blocks, group, split.groups); b0 < last; b0 += many)
                for (int64_t t = cpu_part(work.tiles, strip, split.strips); t < end; t++)
                    for (int64_t b = b0; b < last && b < b0 + many; b++)
                        run_tile(&work, t, b, cpu_part(linear->c, i, stretches), cpu_part(linear->c, i + 1, stretches));
    }
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct linear linear = linear_of(call);
    for (int64_t i = 0; i < linear.batch; i++) {
        struct work work = {linear, state->data, cpu_tile(cpu_of(device)), 0};
        int64_t first = i * linear.each, count = cpu_valid_rows(linear.counts, i, linear.each);
        work.linear.m = count;
        work.linear.x += first * linear.c;
        work.linear.out += first * linear.k;
        if (count > 0)
            run_rows(cpu_of(device), work);
        memset(linear.out + (first + count) * linear.k, 0, sizeof(float) * (size_t)((linear.each - count) * linear.k));
    }
    return OSP_OK;
}

extern const struct osp_kernel cpu_linear_tile;
const struct osp_kernel cpu_linear_tile = {
    "tile",    .prepare = cpu_tile_prepare, .adopt = cpu_tile_adopt, .release = cpu_tile_release, .packed = cpu_tile_packed,
    .run = run};
