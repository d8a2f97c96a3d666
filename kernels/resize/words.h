/* Reading bytes as whole words: what rungs `words` and `staged` of resize share. */
#ifndef OSPREY_KERNELS_RESIZE_WORDS_H
#define OSPREY_KERNELS_RESIZE_WORDS_H

#include "kernels/resize/resize.h"

/* The bytes of all images. */
struct resize_source {
    const uint8_t *pixels;
    int64_t size;
};

/* Four bytes, `at` the first, where an address is a multiple of 4; those that are not there are 0. */
CUDA_DEVICE uint32_t resize_word(const struct resize_source &source, int64_t at)
{
    if (at >= 0 && at + 4 <= source.size)
        return *(const uint32_t *)(source.pixels + at);
    uint32_t word = 0;
    for (int i = 0; i < 4; i++)
        if (at + i >= 0 && at + i < source.size)
            word |= (uint32_t)source.pixels[at + i] << 8 * i;
    return word;
}

/* resize_bytes by two loads, or three where the six bytes lie in three words. */
CUDA_DEVICE struct resize_pair resize_read(const struct resize_source &source, int64_t row, const struct resize_tap &u)
{
    int64_t at = row + (int64_t)u.near * 3;
    int skip = (int)((uintptr_t)(source.pixels + at) % 4), next = 8 * 3 * (u.far - u.near), wanted = skip + 3 + next / 8;
    uint64_t bytes = resize_word(source, at - skip);
    if (wanted > 4)
        bytes |= (uint64_t)resize_word(source, at - skip + 4) << 32;
    bytes >>= 8 * skip;
    if (wanted > 8) /* a sixth byte, of which five are there */
        bytes |= (uint64_t)resize_word(source, at - skip + 8) << 40;
    struct resize_pair pair;
#pragma unroll
    for (int c = 0; c < 3; c++) {
        pair.near[c] = (int)(bytes >> 8 * c & 255);
        pair.far[c] = (int)(bytes >> (next + 8 * c) & 255);
    }
    return pair;
}

#if CUDA_HOST
static inline struct resize_source resize_source_of(const struct osp_call *call)
{
    const struct osp_tensor *pixels = &call->in[OSP_RESIZE_PIXELS];
    return {(const uint8_t *)pixels->data, osp_shape_count(&pixels->shape)};
}
#endif

#endif
