/* Winograd's F(4x4,3x3): a square of 4x4 outputs of a 3x3 filter by 36 products instead of 144.
 *
 *     out = At [ (G w Gt) . (Bt x B) ] A       x 6x6, w 3x3; "." is element by element, summed over channels
 *
 * The matrices are those of Toom and Cook's multiplication of polynomials at the points 0, 1, -1, 1/2, -2 and infinity; the
 * points decide how much rounding the transforms add. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016;
 * Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", 2020. */
#ifndef OSPREY_CPU_CONV2D_WINOGRAD_H
#define OSPREY_CPU_CONV2D_WINOGRAD_H

#include "cpu/conv2d/conv2d.h"
#include "cpu/tile.h"

/* A square reads SIDE x SIDE pixels and makes STEP x STEP. Channels go through CHUNK at a time on every instruction set, filled
 * up with zeros, so that every instruction set adds the same numbers. */
enum { WINOGRAD_STEP = 4, WINOGRAD_SIDE = 6, WINOGRAD_POINTS = 36, WINOGRAD_CHUNK = 16 };

/* Transformed weights of more bytes come out of memory; others stay in the cache that cores share. */
enum { WINOGRAD_SHARED_BYTES = 16 << 20 };

struct winograd_isa {
    /* CHUNK channels of a square: x + i*row + j*pixel is its pixel (i,j); point e goes to out + e*pitch. */
    void (*input)(const float *x, ptrdiff_t row, ptrdiff_t pixel, float *out, ptrdiff_t pitch);

    /* A block of outputs of a square: point e is at sums + e*pitch. Writes `rows` x `columns` pixels, `outputs` floats of each;
     * pixel (i,j) is at out + i*row + j*pixel, and at the same place in residual. bias [block] and residual may be NULL.
     * stream: whole vectors go past the caches. */
    void (*output)(const float *sums, ptrdiff_t pitch, const float *bias, const float *residual, float *out, ptrdiff_t row,
                   ptrdiff_t pixel, int rows, int columns, int outputs, enum osp_activation activation, bool stream);
};

/* One convolution, cut into squares. */
struct winograd {
    struct conv2d conv;
    const struct tile_weights *weights; /* w [36][K/block][channels][block], bias [K/block][block] */
    const struct tile_isa *tile;
    const struct winograd_isa *transforms;
    int64_t channels, outputs; /* C up to whole chunks, K up to whole blocks */
    int64_t down, across;      /* squares in an image */
    bool stream;               /* out goes past the caches (tile_streams) */
};

struct winograd winograd_of(const struct cpu_device *device, const struct conv2d *conv, const struct tile_weights *weights);

/* Squares first..first+count, in `groups` groups of up to tile->pixels, blocks b0..b1 of their outputs, and transformed values:
 * of x [36][group][channels/CHUNK][pixels][CHUNK], of out [36][group][outputs/block][pixels][block]. */
struct winograd_strip {
    int64_t first, count, groups, b0, b1;
    float *values, *sums;
    ptrdiff_t value_pitch, sum_pitch; /* floats from a point to the next */
};

void cpu_winograd_strip(const struct winograd *winograd, const struct winograd_strip *strip);

/* As a rung's prepare, adopt and packed; released by cpu_tile_release. */
osp_status cpu_winograd_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
osp_status cpu_winograd_adopt(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
size_t cpu_winograd_packed(const struct osp_device *device, const struct osp_call *call);

static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

#endif
