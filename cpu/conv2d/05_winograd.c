/* conv2d / winograd
 *
 * CHANGE  a 3x3 filter makes 4x4 outputs at a time from 36 products of transformed values (winograd.h); a strip of such squares
 *         is transformed, multiplied point by point as 36 matrix products, and transformed back (winograd_strip.c)
 * FASTER  36 multiply-adds do the work of 144; the transforms are sums, and cost less the more channels share them
 * LIMIT   the multiply-adds again; with few channels the transforms, with few squares the speed at which weights come in
 * NEEDS   a 3x3 filter with stride 1
 */
#include "cpu/conv2d/winograd.h"

/* A strip's transformed values should stay in the second-level cache (1 MiB on the machine this was written on), and all weights
 * pass by once for each strip, out of the cache that cores share. Weights that do not fit there come out of memory: then the
 * values may do that too, and all squares of a map of 25 x 34 by 512 channels are one strip, for which the weights come once. */
enum { STRIP_BYTES = 1 << 20, LONG_STRIP_BYTES = 12 << 20, FEW_SQUARES = 4 };

struct split { /* squares into strips; where a thread's strip keeps its values, in floats */
    int64_t strips;
    ptrdiff_t value_pitch, sum_pitch, room;
};

/* Floats from a point to the next: an odd number of cache lines, so that 36 of them do not fall into one set. */
static ptrdiff_t pitch_of(int64_t pixels, int64_t width) { return (ptrdiff_t)(ceil_div(pixels * width, 16) | 1) * 16; }

/* A few squares, of a tile at most, are not shared out: every thread transforms them all and makes its part of the outputs. It
 * then reads only its part of the weights, which are the most of the bytes, and for as full a tile as can be. */
static bool by_outputs(const struct winograd *winograd, int threads, int64_t squares)
{
    return squares <= winograd->tile->pixels && squares <= FEW_SQUARES * threads &&
           winograd->outputs / winograd->tile->block >= threads;
}

/* For fewer squares never more room: scratch() asks for all that there may be, and some may not count. */
static struct split split_of(const struct winograd *winograd, int threads, int64_t squares)
{
    int64_t pixels = winograd->tile->pixels, point = WINOGRAD_POINTS * (int64_t)sizeof(float);
    int64_t weights = point * winograd->channels * winograd->outputs;
    int64_t most =
        (weights > WINOGRAD_SHARED_BYTES ? LONG_STRIP_BYTES : STRIP_BYTES) / (point * (winograd->channels + winograd->outputs));
    most = most < pixels ? pixels : most / pixels * pixels;
    int64_t strips = ceil_div(ceil_div(squares, most), threads) * threads;
    int64_t each = ceil_div(ceil_div(squares, threads), pixels) * pixels, longest = each < most ? each : most;
    struct split split = {strips, pitch_of(longest, winograd->channels), pitch_of(longest, winograd->outputs), 0};
    split.room = WINOGRAD_POINTS * (split.value_pitch + split.sum_pitch);
    return split;
}

static size_t scratch(const struct osp_device *device, const struct osp_call *call)
{
    struct conv2d conv = conv2d_of(call);
    struct winograd winograd = winograd_of(cpu_of(device), &conv, NULL);
    struct split split = split_of(&winograd, cpu_of(device)->threads, conv.n * winograd.down * winograd.across);
    return sizeof(float) * (size_t)(cpu_of(device)->threads * split.room);
}

/* Squares first..end and blocks b0..b1 of their outputs. */
static void run_strip(const struct winograd *winograd, const struct split *split, int64_t first, int64_t end, int64_t b0,
                      int64_t b1, float *memory)
{
    cpu_winograd_strip(winograd, &(struct winograd_strip){.first = first,
                                                          .count = end - first,
                                                          .groups = ceil_div(end - first, winograd->tile->pixels),
                                                          .b0 = b0,
                                                          .b1 = b1,
                                                          .values = memory,
                                                          .sums = memory + WINOGRAD_POINTS * split->value_pitch,
                                                          .value_pitch = split->value_pitch,
                                                          .sum_pitch = split->sum_pitch});
    tile_streamed();
}

static void run_part(const struct winograd *winograd, int threads, float *memory)
{
    int64_t squares = winograd->conv.n * winograd->down * winograd->across, blocks = winograd->outputs / winograd->tile->block;
    const struct split split = split_of(winograd, threads, squares);
    const bool all = by_outputs(winograd, threads, squares);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t t = 0; t < threads; t++) {
        float *own = memory + t * split.room;
        if (all)
            run_strip(winograd, &split, 0, squares, cpu_part(blocks, t, threads), cpu_part(blocks, t + 1, threads), own);
        for (int64_t s = cpu_part(split.strips, t, threads); !all && s < cpu_part(split.strips, t + 1, threads); s++)
            run_strip(winograd, &split, cpu_part(squares, s, split.strips), cpu_part(squares, s + 1, split.strips), 0, blocks,
                      own);
    }
}

static const char *refuses(const struct osp_device *device, const struct osp_call *call)
{
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    return a->r == 3 && a->s == 3 && a->stride == 1 ? NULL : "it does 3x3 filters with stride 1 only";
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct conv2d conv = conv2d_of(call);
    for (int64_t i = 0; i < conv.batch; i++) {
        const struct conv2d part = conv2d_part(&conv, i);
        const struct winograd winograd = winograd_of(cpu_of(device), &part, state->data);
        run_part(&winograd, cpu_of(device)->threads, call->scratch);
    }
    return OSP_OK;
}

extern const struct osp_kernel cpu_conv2d_winograd;
const struct osp_kernel cpu_conv2d_winograd = {"winograd",
                                               .refuses = refuses,
                                               .cost = cpu_conv2d_winograd_cost,
                                               .prepare = cpu_winograd_prepare,
                                               .adopt = cpu_winograd_adopt,
                                               .release = cpu_tile_release,
                                               .packed = cpu_winograd_packed,
                                               .scratch = scratch,
                                               .run = run};
