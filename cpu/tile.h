/* The register tile that conv2d, linear and their likes are made of, and the packed weights it reads.
 *
 * A tile is up to `pixels` pixels by one block of `block` outputs, summed in registers over a run of channels: each step takes
 * one row of packed weights and one float from each pixel. Sums stay in the order of ops.h, because a tile that is put down half
 * way is taken up again from its stored sums. */
#ifndef OSPREY_CPU_TILE_H
#define OSPREY_CPU_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"

enum { TILE_PIXELS = 14, TILE_BLOCK = 32, TILE_SMALL = 7 }; /* the largest of all instruction sets; see cpu_tile_pixels */
enum { TILE_STREAM_BYTES = 8 << 20 };

/* From x to out. The letters are those of struct tile_isa's functions. */
struct tile_whole {
    const float *x;
    ptrdiff_t pixel, run, ahead; /* ahead: floats from x to that of the tile that follows, to be brought into cache; 0: is not */
    int runs, length;
    const float *w, *bias, *residual; /* bias [block], residual [pixels][pitch]; either may be NULL */
    float *out;                       /* [pixels][pitch] */
    ptrdiff_t pitch;
    int pixels;
    enum osp_activation activation;
    bool stream; /* out goes past the caches (tile_streams) */
};

/* One instruction set's tile. `sums` is [pixels][block] floats, in cache. */
struct tile_isa {
    int pixels, block, lanes;

    /* sums += x * w over `runs` runs of `length` channels: pixel i's run j starts at x + i*pixel + j*run, and w
     * [runs*length][block] goes through. Only the first `outputs` of the block are promised to be summed. */
    void (*accumulate)(float *sums, const float *x, ptrdiff_t pixel, ptrdiff_t run, int runs, int length, const float *w,
                       int pixels, int outputs);

    /* Takes up sums that finish() put down: from [pixels][pitch]. */
    void (*resume)(float *sums, const float *from, ptrdiff_t pitch, int pixels, int outputs);

    /* out = activation(sums + bias + residual); bias [block] and residual may be NULL. Writes `outputs` floats of each pixel; out
     * and residual have the same pitch. */
    void (*finish)(const float *sums, const float *bias, const float *residual, float *out, ptrdiff_t pitch, int pixels,
                   int outputs, enum osp_activation activation);

    /* All of these at once, of a whole block of outputs: sums start from zero and never leave the registers. */
    void (*whole)(const struct tile_whole *tile);

    /* The same of the first `outputs` of a block. */
    void (*part)(const struct tile_whole *tile, int outputs);
};

const struct tile_isa *cpu_tile(const struct cpu_device *device);

/* Weights (K,C,R,S) or (K,C) as [K/block][R][S][C][block], the last block filled up with zeros; bias [K/block][block]. */
struct tile_weights {
    int64_t k, c, r, s;
    float *w, *bias; /* bias NULL: absent */
    bool finite;     /* known: no w is Inf or NaN, so that a product with zero adds nothing */
    void *own;       /* holds w and bias, and is freed with them; NULL: they lie in a file */
};

/* Calls pack for every block of `block` outputs: rows [count][...] are the weight's from output b * block on. Threads share out
 * the blocks, and each holds the rows of one. OSP_MEMORY. */
typedef void cpu_tile_pack_block(const void *context, int64_t b, int count, const float *rows);
osp_status cpu_tile_blocks(const struct cpu_device *device, const struct osp_constant *weight, int block,
                           cpu_tile_pack_block *pack, const void *context);

/* As a rung's prepare, adopt, packed and release; the state's data is a struct tile_weights. */
osp_status cpu_tile_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
osp_status cpu_tile_adopt(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
size_t cpu_tile_packed(const struct osp_device *device, const struct osp_call *call);
void cpu_tile_release(struct osp_device *device, struct osp_node_state *state);

/* A block of packed weights is a cache line whose first byte is 1 where they are known to be finite, then w, then bias. Sets w and
 * bias, if the call has one, where `floats` of w come first. */
enum { TILE_HEAD = 64 };
void cpu_tile_place(const struct osp_call *call, const void *block, int64_t floats, struct tile_weights *weights);

/* Makes a copy of `weights`, which are in `block`, the state's data. own: the block is freed with it, and if that fails. OSP_MEMORY. */
osp_status cpu_tile_keep(const struct tile_weights *weights, void *block, bool own, struct osp_node_state *state);

/* How many pixels a tile should have when they lie `pixel` floats apart. At a multiple of the size of a way of the first-level
 * cache (4 KiB) all fall into one set; more of them than it has ways (8) would push each other out at every step. */
static inline int cpu_tile_pixels(const struct tile_isa *tile, int64_t pixel)
{
    return pixel % 1024 == 0 && tile->pixels > TILE_SMALL ? TILE_SMALL : tile->pixels;
}

/* Whether an output of `bytes`, in rows of `row` floats, should go past the caches: it would push out all that is there before
 * anyone reads it, and a cache line that is written whole need not be fetched first. */
static inline bool tile_streams(const void *out, int64_t bytes, int64_t row)
{
    return bytes >= TILE_STREAM_BYTES && (uintptr_t)out % 64 == 0 && row % 16 == 0;
}

/* After a thread's last streamed store: what it wrote is there for others. */
static inline void tile_streamed(void)
{
#if defined(__SSE2__)
    __builtin_ia32_sfence();
#endif
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
