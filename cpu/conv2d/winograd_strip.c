/* A strip of squares: transformed, multiplied point by point, transformed back. */
#include "cpu/conv2d/winograd.h"

extern const struct winograd_isa cpu_winograd_portable, cpu_winograd_avx2, cpu_winograd_avx512;

struct winograd winograd_of(const struct cpu_device *device, const struct conv2d *conv, const struct tile_weights *weights)
{
    static const struct winograd_isa *const transforms[CPU_ISA_COUNT] = {&cpu_winograd_portable, &cpu_winograd_avx2,
                                                                         &cpu_winograd_avx512};
    const struct tile_isa *tile = cpu_tile(device);
    return (struct winograd){
        .conv = *conv,
        .weights = weights,
        .tile = tile,
        .transforms = transforms[device->isa],
        .channels = ceil_div(conv->c, WINOGRAD_CHUNK) * WINOGRAD_CHUNK,
        .outputs = ceil_div(conv->k, tile->block) * tile->block,
        .down = ceil_div(conv->p, WINOGRAD_STEP),
        .across = ceil_div(conv->q, WINOGRAD_STEP),
        .stream = tile_streams(conv->out, conv->n * conv->p * conv->q * conv->k * (int64_t)sizeof(float), conv->k)};
}

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

struct place { /* of a square's first output */
    int64_t n, p, q;
};

static struct place place_of(const struct winograd *winograd, int64_t square)
{
    int64_t row = square / winograd->across, column = square % winograd->across;
    return (struct place){row / winograd->down, row % winograd->down * WINOGRAD_STEP, column * WINOGRAD_STEP};
}

/* One square's x into its group. What lies in the padding or past the channels is zero. */
static void transform(const struct winograd *winograd, const struct winograd_strip *strip, int64_t square, float *values)
{
    const struct conv2d *conv = &winograd->conv;
    struct place at = place_of(winograd, square);
    int64_t top = at.p - conv->pad, left = at.q - conv->pad;
    int64_t first = (at.n * conv->h + top) * conv->w + left; /* may lie before x: only pixels inside are read */
    bool inside = top >= 0 && left >= 0 && top + WINOGRAD_SIDE <= conv->h && left + WINOGRAD_SIDE <= conv->w;
    for (int64_t c = 0; c < conv->c; c += WINOGRAD_CHUNK, values += winograd->tile->pixels * WINOGRAD_CHUNK) {
        int64_t count = min(conv->c - c, WINOGRAD_CHUNK);
        if (inside && count == WINOGRAD_CHUNK) {
            winograd->transforms->input(conv->x + first * conv->c + c, conv->w * conv->c, conv->c, values, strip->value_pitch);
            continue;
        }
        _Alignas(64) float copy[WINOGRAD_POINTS][WINOGRAD_CHUNK] = {{0}};
        for (int64_t i = 0; i < WINOGRAD_SIDE; i++)
            for (int64_t j = 0; j < WINOGRAD_SIDE; j++)
                if (top + i >= 0 && top + i < conv->h && left + j >= 0 && left + j < conv->w)
                    memcpy(copy[i * WINOGRAD_SIDE + j], conv->x + (first + i * conv->w + j) * conv->c + c,
                           sizeof(float) * (size_t)count);
        winograd->transforms->input(copy[0], WINOGRAD_SIDE * WINOGRAD_CHUNK, WINOGRAD_CHUNK, values, strip->value_pitch);
    }
}

/* One square's outputs from its group. */
static void finish(const struct winograd *winograd, const struct winograd_strip *strip, int64_t square, const float *sums)
{
    const struct conv2d *conv = &winograd->conv;
    const float *bias = winograd->weights->bias;
    int block = winograd->tile->block;
    struct place at = place_of(winograd, square);
    int rows = (int)min(conv->p - at.p, WINOGRAD_STEP), columns = (int)min(conv->q - at.q, WINOGRAD_STEP);
    int64_t to = ((at.n * conv->p + at.p) * conv->q + at.q) * conv->k;
    for (int64_t k = strip->b0 * block; k < min(conv->k, strip->b1 * block); k += block)
        winograd->transforms->output(sums + k * winograd->tile->pixels, strip->sum_pitch, bias ? bias + k : NULL,
                                     conv->residual ? conv->residual + to + k : NULL, conv->out + to + k, conv->q * conv->k,
                                     conv->k, rows, columns, (int)min(conv->k - k, block), conv->activation, winograd->stream);
}

/* The squares of group g, from the strip's first on. */
struct group {
    int64_t first, end;
};

static struct group group_of(const struct winograd_strip *strip, int64_t g)
{
    return (struct group){cpu_part(strip->count, g, strip->groups), cpu_part(strip->count, g + 1, strip->groups)};
}

void cpu_winograd_strip(const struct winograd *winograd, const struct winograd_strip *strip)
{
    const struct tile_isa *tile = winograd->tile;
    int64_t value_group = winograd->channels * tile->pixels, sum_group = winograd->outputs * tile->pixels; /* floats */
    for (int64_t g = 0; g < strip->groups; g++) {
        const struct group group = group_of(strip, g);
        for (int64_t i = group.first; i < group.end; i++)
            transform(winograd, strip, strip->first + i, strip->values + g * value_group + (i - group.first) * WINOGRAD_CHUNK);
    }
    for (int64_t e = 0; e < WINOGRAD_POINTS; e++)
        for (int64_t k = strip->b0 * tile->block; k < strip->b1 * tile->block; k += tile->block)
            for (int64_t g = 0; g < strip->groups; g++) {
                const struct group group = group_of(strip, g);
                tile->whole(&(struct tile_whole){
                    .x = strip->values + e * strip->value_pitch + g * value_group,
                    .pixel = WINOGRAD_CHUNK,
                    .run = tile->pixels * WINOGRAD_CHUNK,
                    .runs = (int)(winograd->channels / WINOGRAD_CHUNK),
                    .length = WINOGRAD_CHUNK,
                    .w = winograd->weights->w + (e * winograd->outputs + k) * winograd->channels,
                    .out = strip->sums + e * strip->sum_pitch + g * sum_group + k * tile->pixels,
                    .pitch = tile->block,
                    .pixels = (int)(group.end - group.first),
                });
            }
    for (int64_t g = 0; g < strip->groups; g++) {
        const struct group group = group_of(strip, g);
        for (int64_t i = group.first; i < group.end; i++)
            finish(winograd, strip, strip->first + i, strip->sums + g * sum_group + (i - group.first) * tile->block);
    }
}
