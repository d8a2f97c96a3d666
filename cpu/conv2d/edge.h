/* Tiles at the left or right edge of x, where a filter's row lies partly in the padding (04_tile.c). */
#ifndef OSPREY_CPU_CONV2D_EDGE_H
#define OSPREY_CPU_CONV2D_EDGE_H

#include "cpu/conv2d/conv2d.h"
#include "cpu/tile.h"

/* Floats of x under a tile that are worth a copy with its padding: more would fill the first-level cache. */
enum { EDGE_PADDED = 6144 };

/* `rows` rows of x, the first at `row`: columns left..left+width to out [rows][width][C], zeros for those outside. */
void cpu_conv2d_pad(const struct conv2d *conv, int64_t left, int64_t width, const float *row, int64_t rows, float *out);

/* One row of the filter, tap by tap, each for the pixels that have it: sums [count][block] += x * w, w [S][C][block]. Column
 * `left` of `row` is the first pixel's first tap. */
void cpu_conv2d_taps(const struct conv2d *conv, const struct tile_isa *tile, int64_t left, int64_t count, const float *row,
                     const float *w, float *sums, int outputs);

#endif
