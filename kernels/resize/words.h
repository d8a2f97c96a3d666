/* Reading bytes as whole words: what rungs `words` and `staged` of resize share. */
#ifndef OSPREY_KERNELS_RESIZE_WORDS_H
#define OSPREY_KERNELS_RESIZE_WORDS_H

#include "kernels/resize/resize.h"

/* The bytes of all images: first to end - 1, counted from an address that is a multiple of 4. */
struct resize_source {
    const uint8_t *base;
    int64_t first, end;
};

/* The words in which the bytes begin and end, in shared memory, by the first warp of a block: of these some bytes may not be
 * there, and are 0. Read them behind the next barrier. */
CUDA_DEVICE const uint32_t *resize_edges_of(const struct resize_source &source)
{
    CUDA_SHARED(uint32_t, edges, [2]);
    if (threadIdx.x < 32) {
        int byte = threadIdx.x % 4;
        int64_t at = (threadIdx.x < 4 ? 0 : (source.end - 1) & ~(int64_t)3) + byte;
        bool there = threadIdx.x < 8 && at >= source.first && at < source.end;
        uint32_t word = there ? (uint32_t)source.base[at] << 8 * byte : 0;
        word |= __shfl_xor_sync(0xffffffffu, word, 1);
        word |= __shfl_xor_sync(0xffffffffu, word, 2);
        if (threadIdx.x < 8 && byte == 0)
            edges[threadIdx.x / 4] = word;
    }
    return edges;
}

/* Four bytes from an address on that is a multiple of 4; where not all of them are there, `edge`. */
CUDA_DEVICE uint32_t resize_word(const uint8_t *from, bool there, uint32_t edge)
{
    return there ? *(const uint32_t *)from : edge;
}

/* resize_bytes by two loads, or three where the six bytes lie in three words. No branches: a word that is not wanted is not
 * loaded, and what stands in its place is not looked at. */
CUDA_DEVICE struct resize_pair resize_read(const struct resize_source &source, const uint32_t edges[2], int64_t row,
                                           const struct resize_tap &u)
{
    int64_t at = source.first + row + u.near * 3;
    int skip = (int)(at & 3), next = 8 * 3 * (u.far - u.near), wanted = skip + 3 + next / 8;
    at -= skip;
    const uint8_t *from = source.base + at;
    int left = (int)(source.end - at < 12 ? source.end - at : 12); /* of three words */
    uint32_t low = resize_word(from, left >= 4 && at >= source.first, at < source.first ? edges[0] : edges[1]);
    uint32_t middle = resize_word(from + 4, wanted > 4 && left >= 8, edges[1]);
    uint32_t high = resize_word(from + 8, wanted > 8 && left >= 12, wanted > 8 ? edges[1] : 0); /* a sixth byte */
    uint64_t bytes = ((uint64_t)middle << 32 | low) >> 8 * skip | (uint64_t)high << 40;
    uint32_t near = (uint32_t)bytes, far = (uint32_t)(bytes >> next);
    return {{(int)(near & 255), (int)(near >> 8 & 255), (int)(near >> 16 & 255)},
            {(int)(far & 255), (int)(far >> 8 & 255), (int)(far >> 16 & 255)}};
}

#if CUDA_HOST
static inline struct resize_source resize_source_of(const struct osp_call *call)
{
    const struct osp_tensor *pixels = &call->in[OSP_RESIZE_PIXELS];
    int64_t skip = (int64_t)((uintptr_t)pixels->data % 4);
    return {(const uint8_t *)pixels->data - skip, skip, skip + osp_shape_count(&pixels->shape)};
}
#endif

#endif
