/* The register tile that conv2d, linear and their likes are made of, and the packed weights it reads.
 *
 * A tile is up to `pixels` pixels by one block of `block` outputs, summed in registers over a run of channels: each step takes
 * one row of packed weights and one float from each pixel. Sums stay in the order of ops.h, because a tile that is put down half
 * way is taken up again from its stored sums. */
#ifndef OSPREY_CPU_TILE_H
#define OSPREY_CPU_TILE_H

#include <stdbool.h>
#include <stddef.h>

#include "cpu/cpu.h"

enum { TILE_PIXELS = 14, TILE_BLOCK = 32, TILE_SMALL = 7 }; /* the largest of all instruction sets; see cpu_tile_pixels */

/* One instruction set's tile. `sums` is [pixels][block] floats, in cache. */
struct tile_isa {
    int pixels, block, lanes;

    /* sums += x * w over `runs` runs of `length` channels: pixel i's run j starts at x + i*pixel + j*run, and w
     * [runs*length][block] goes through. Only the first `outputs` of the block are promised to be summed. */
    void (*accumulate)(float *sums, const float *x, ptrdiff_t pixel, ptrdiff_t run, int runs, int length, const float *w,
                       int pixels, int outputs);

    /* The same, of all outputs of the block, from zero: out [pixels][block]. */
    void (*product)(float *out, const float *x, ptrdiff_t pixel, ptrdiff_t run, int runs, int length, const float *w, int pixels);

    /* Takes up sums that finish() put down: from [pixels][pitch]. */
    void (*resume)(float *sums, const float *from, ptrdiff_t pitch, int pixels, int outputs);

    /* out = activation(sums + bias + residual); bias [block] and residual may be NULL. Writes `outputs` floats of each pixel; out
     * and residual have the same pitch. */
    void (*finish)(const float *sums, const float *bias, const float *residual, float *out, ptrdiff_t pitch, int pixels,
                   int outputs, enum osp_activation activation);
};

const struct tile_isa *cpu_tile(const struct cpu_device *device);

/* Weights (K,C,R,S) or (K,C) as [K/block][R][S][C][block], the last block filled up with zeros; bias [K/block][block]. */
struct tile_weights {
    int64_t k, c, r, s;
    float *w, *bias; /* bias NULL: absent */
};

/* As a rung's prepare and release; the state's data is a struct tile_weights. */
osp_status cpu_tile_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
void cpu_tile_release(struct osp_device *device, struct osp_node_state *state);

/* How many pixels a tile should have when they lie `pixel` floats apart. At a multiple of the size of a way of the first-level
 * cache (4 KiB) all fall into one set; more of them than it has ways (8) would push each other out at every step. */
static inline int cpu_tile_pixels(const struct tile_isa *tile, int64_t pixel)
{
    return pixel % 1024 == 0 && tile->pixels > TILE_SMALL ? TILE_SMALL : tile->pixels;
}

/* Work is cut into strips of tiles and groups of output blocks, one (strip, group) at a time to a thread. */
struct tile_split {
    int64_t strips, groups;
};

/* Cuts `tiles` tiles so that a strip has at most `most` of them and threads get the same number, or cuts the blocks where there
 * are too few tiles for that. */
struct tile_split cpu_tile_split(int threads, int64_t tiles, int64_t blocks, int64_t most);

/* Where part i of n starts when `count` things are cut evenly. */
static inline int64_t cpu_part(int64_t count, int64_t i, int64_t n) { return count * i / n; }

#endif
