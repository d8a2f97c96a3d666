/* One order for everything that ranks scores: score descending, NaN last, equal scores (-0 and +0 are equal) by ascending
 * position. */
#ifndef OSPREY_CPU_ORDER_H
#define OSPREY_CPU_ORDER_H

#include <stdint.h>
#include <string.h>

/* A score as a whole number: the smaller, the better. Floats of one sign compare as their bits do (IEEE 754), so flipping
 * the negative ones makes all of them ascend, and a last complement makes them descend. */
static inline uint32_t order_rank(float score)
{
    uint32_t bits;
    if (score != score)
        return UINT32_MAX;
    score += 0.0f; /* -0 becomes +0 */
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

/* A candidate as one number: ascending keys are the order above. */
static inline uint64_t order_key(uint32_t rank, uint32_t position) { return (uint64_t)rank << 32 | position; }
static inline uint32_t order_position(uint64_t key) { return (uint32_t)key; }

/* Ascending, in place: heap sort (Williams 1964). */
void order_sort(uint64_t *keys, int64_t count);

/* Ascending, by bytes: keys must come with ascending low halves. `spare` has room for `count` keys too. */
void order_sort_by_rank(uint64_t *keys, uint64_t *spare, int64_t count);

#endif
