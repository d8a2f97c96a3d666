/* Where each activation lives. Offline dynamic storage allocation: greedy by an order, first gap that fits (as in Pisarchyk and
 * Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020, with several orders tried, each mended where it did
 * badly). */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* Tries after the first, of each order; an arena is good enough that is larger than the peak by one part in so many. */
enum { MOVES = 32, NEAR = 200 };

static int overlap(const struct osp_block *a, const struct osp_block *b) { return a->first <= b->last && b->first <= a->last; }

/* Keys by which blocks are placed, largest first. */
static double key_size(const struct osp_block *b) { return (double)b->bytes; }
static double key_area(const struct osp_block *b) { return (double)b->bytes * (b->last - b->first + 1); }
static double key_length(const struct osp_block *b) { return (double)(b->last - b->first) * 1e15 + (double)b->bytes; }
static double key_start(const struct osp_block *b) { return -(double)b->first * 1e15 + (double)b->bytes; }
static double (*const keys[])(const struct osp_block *) = {key_size, key_area, key_length, key_start};

static void sort_by(const struct osp_block *blocks, int count, int *order, double (*key)(const struct osp_block *))
{
    for (int i = 0; i < count; i++) { /* insertion sort: stable, and a plan has a few hundred blocks */
        double k = key(&blocks[i]);
        int j = i;
        for (; j > 0 && key(&blocks[order[j - 1]]) < k; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
}

/* The lowest offset where block b fits beside the blocks order[0..placed-1] that live at the same time. */
static size_t first_gap(const struct osp_block *blocks, const int *order, int placed, const struct osp_block *b)
{
    size_t offset = 0;
    for (;;) { /* each round moves past one obstacle, so there are at most `placed` rounds */
        size_t next = offset;
        for (int i = 0; i < placed; i++) {
            const struct osp_block *other = &blocks[order[i]];
            if (overlap(b, other) && other->offset < offset + b->bytes && offset < other->offset + other->bytes &&
                other->offset + other->bytes > next)
                next = other->offset + other->bytes;
        }
        if (next == offset)
            return offset;
        offset = next;
    }
}

static size_t place_all(struct osp_block *blocks, int count, const int *order)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        struct osp_block *b = &blocks[order[i]];
        b->offset = b->bytes ? first_gap(blocks, order, i, b) : 0;
        if (b->offset + b->bytes > size)
            size = b->offset + b->bytes;
    }
    return size;
}

/* The block whose end is the arena's goes first the next time: it is the one that found no room. */
static void move_highest_first(const struct osp_block *blocks, int count, int *order)
{
    int at = 0;
    for (int i = 1; i < count; i++)
        if (blocks[order[i]].offset + blocks[order[i]].bytes > blocks[order[at]].offset + blocks[order[at]].bytes)
            at = i;
    int highest = order[at];
    memmove(order + 1, order, (size_t)at * sizeof *order);
    order[0] = highest;
}

static size_t peak_of(const struct osp_block *blocks, int count, int nodes)
{
    size_t peak = 0;
    for (int n = 0; n < nodes; n++) {
        size_t live = 0;
        for (int i = 0; i < count; i++)
            if (blocks[i].first <= n && n <= blocks[i].last)
                live += blocks[i].bytes;
        peak = live > peak ? live : peak;
    }
    return peak;
}

/* Places by one key, then `moves` times more, each time the highest block first. Stops where it comes near enough to the peak;
 * *done: the moves it took to the smallest size that it saw, which is returned. */
static size_t place_by(struct osp_block *blocks, int count, int *order, int key, int moves, size_t enough, int *done)
{
    size_t best = SIZE_MAX;
    sort_by(blocks, count, order, keys[key]);
    for (int m = 0; m <= moves && best > enough; m++) {
        if (m)
            move_highest_first(blocks, count, order);
        size_t size = place_all(blocks, count, order);
        if (size < best) {
            best = size;
            *done = m;
        }
    }
    return best;
}

size_t osp_arena_pack(struct osp_block *blocks, int count, int nodes, int *order, size_t *lower_bound)
{
    size_t peak = peak_of(blocks, count, nodes), enough = peak + peak / NEAR, best = SIZE_MAX;
    int best_key = 0, best_moves = 0, moves = 0;
    for (int k = 0; k < (int)(sizeof keys / sizeof *keys) && best > enough; k++) {
        size_t size = place_by(blocks, count, order, k, MOVES, enough, &moves);
        if (size < best) {
            best = size;
            best_key = k;
            best_moves = moves;
        }
    }
    *lower_bound = peak;
    return place_by(blocks, count, order, best_key, best_moves, best, &moves);
}
