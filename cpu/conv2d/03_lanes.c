/* conv2d / lanes
 *
 * CHANGE  neighbouring outputs are summed side by side, two vectors of them (cpu/tile.simd.c, one pixel at a time); weights are
 *         packed so that those of neighbouring outputs lie together, in the order in which they are used
 * FASTER  one instruction does 4, 8 or 16 multiply-adds, and weights come in whole cache lines
 * LIMIT   every weight that is loaded serves one pixel; two sums in flight cannot hide the 4 cycles that a multiply-add takes
 * NEEDS   any shape
 */
#include "cpu/conv2d/conv2d.h"
#include "cpu/tile.h"

/* Block b of the outputs of one pixel. */
static void run_pixel(const struct conv2d *conv, const struct tile_isa *isa, const struct tile_weights *weights, int64_t n,
                      int64_t p, int64_t q, int64_t b)
{
    int64_t first = b * isa->block, to = ((n * conv->p + p) * conv->q + q) * conv->k + first;
    int outputs = conv->k - first < isa->block ? (int)(conv->k - first) : isa->block;
    _Alignas(64) float sums[TILE_BLOCK] = {0};
    for (int64_t r = 0; r < conv->r; r++)
        for (int64_t s = 0; s < conv->s; s++) {
            int64_t y = p * conv->stride - conv->pad + r, x = q * conv->stride - conv->pad + s;
            if (y >= 0 && y < conv->h && x >= 0 && x < conv->w)
                isa->accumulate(sums, conv->x + ((n * conv->h + y) * conv->w + x) * conv->c, 0, 0, 1, (int)conv->c,
                                weights->w + ((b * conv->r + r) * conv->s + s) * conv->c * isa->block, 1, outputs);
        }
    isa->finish(sums, weights->bias ? weights->bias + first : NULL, conv->residual ? conv->residual + to : NULL, conv->out + to,
                conv->k, 1, outputs, conv->activation);
}

static void run_row(const struct conv2d *conv, const struct tile_isa *isa, const struct tile_weights *weights, int64_t n,
                    int64_t p)
{
    if (!conv2d_valid(conv, n)) {
        memset(conv->out + (n * conv->p + p) * conv->q * conv->k, 0, sizeof(float) * (size_t)(conv->q * conv->k));
        return;
    }
    for (int64_t b = 0; b * isa->block < conv->k; b++)
        for (int64_t q = 0; q < conv->q; q++)
            run_pixel(conv, isa, weights, n, p, q, b);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct conv2d conv = conv2d_of(call);
#pragma omp parallel for schedule(static) num_threads(cpu_of(device)->threads)
    for (int64_t row = 0; row < conv.n * conv.p; row++)
        run_row(&conv, cpu_tile(cpu_of(device)), state->data, row / conv.p, row % conv.p);
    return OSP_OK;
}

extern const struct osp_kernel cpu_conv2d_lanes;
const struct osp_kernel cpu_conv2d_lanes = {
    "lanes",   .prepare = cpu_tile_prepare, .adopt = cpu_tile_adopt, .release = cpu_tile_release, .packed = cpu_tile_packed,
    .run = run};
