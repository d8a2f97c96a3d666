/* A candidate as one whole number, and how a block sorts such numbers: what topk and nms share. Ascending keys are the order of
 * runtime/ops.h: score descending, NaN last, equal scores (-0 and +0 are equal) by ascending position. */
#ifndef OSPREY_KERNELS_KEYS_H
#define OSPREY_KERNELS_KEYS_H

#include "kernels/device.h"

/* The smaller, the better. Floats of one sign compare as their bits do, so flipping the negative ones makes all of them ascend,
 * and a last complement makes them descend. */
CUDA_DEVICE uint32_t key_rank(float score)
{
    if (score != score)
        return 0xffffffffu;
    uint32_t bits = osp_bits(score + 0.0f); /* -0 becomes +0 */
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

/* The position has the low `bits` bits to itself. */
CUDA_DEVICE uint64_t key_of(float score, uint32_t position, int bits = 32)
{
    return (uint64_t)key_rank(score) << bits | position;
}
CUDA_DEVICE uint32_t key_position(uint64_t key, int bits = 32) { return (uint32_t)(key & (((uint64_t)1 << bits) - 1)); }

/* Ascending, in place, by the THREADS threads of a block, after a barrier; the result stands after one too. Bitonic (Batcher
 * 1968), the first step of each merge mirrored: then every exchange puts the smaller key first, keys past the end would stay
 * there, and a count that is no power of two needs none. */
template <int THREADS> CUDA_DEVICE void keys_sort(uint64_t *keys, uint32_t count)
{
    for (uint32_t half = 1; half < count; half *= 2)
        for (uint32_t stride = half; stride > 0; stride /= 2) {
            for (uint32_t i = threadIdx.x, low; (low = 2 * i - (i & (stride - 1))) < count; i += THREADS) {
                uint32_t high = stride == half ? low ^ (2 * half - 1) : low + stride;
                if (high >= count)
                    continue;
                uint64_t first = keys[low], second = keys[high];
                if (second < first) {
                    keys[low] = second;
                    keys[high] = first;
                }
            }
            __syncthreads();
        }
}

#endif
