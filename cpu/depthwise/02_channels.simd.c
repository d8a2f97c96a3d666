/* depthwise / channels: the tile for one instruction set; the story is in 02_channels.c. */
#include "cpu/depthwise/channels.h"
#include "cpu/simd.h"

/* The `vector` channels from c of `pixels` outputs: a sum for each pixel in registers, each weight loaded once for all. */
SIMD_INLINE void sum_pixels(const struct depthwise_tile *tile, int64_t c, const int pixels, const int vector, const bool edge)
{
    vf sum[DEPTHWISE_PIXELS];
    for (int i = 0; i < pixels; i++)
        sum[i] = (vf){0};
    for (int64_t r = tile->r0; r < tile->r1; r++)
        for (int64_t s = 0; s < tile->s; s++) {
            int64_t first = tile->first + r * tile->row + s * tile->channels + c;
            vf weight = vf_load(tile->w + (r * tile->s + s) * tile->padded + c);
            for (int i = 0; i < pixels; i++) {
                int64_t column = tile->left + i * tile->stride + s;
                if (edge && (column < 0 || column >= tile->width))
                    continue;
                const float *pixel = tile->x + (first + i * tile->stride * tile->channels);
                sum[i] = vf_fma(vector < LANES ? vf_load_part(pixel, vector) : vf_load(pixel), weight, sum[i]);
            }
        }
    for (int i = 0; i < pixels; i++) {
        vf v = tile->bias ? sum[i] + vf_load(tile->bias + c) : sum[i];
        v = vf_activate(v, tile->activation);
        if (vector < LANES)
            vf_store_part(tile->out + i * tile->channels + c, v, vector);
        else
            vf_store(tile->out + i * tile->channels + c, v);
    }
}

SIMD_INLINE void all_channels(const struct depthwise_tile *tile, const int pixels, const bool edge)
{
    int64_t c = 0;
    for (; c + LANES <= tile->channels; c += LANES)
        sum_pixels(tile, c, pixels, LANES, edge);
    if (c < tile->channels)
        sum_pixels(tile, c, pixels, (int)(tile->channels - c), edge);
}

/* Every number of pixels is code of its own, so that the sums' names are registers. */
#define TILE(n)                                                                                                                  \
    case n:                                                                                                                      \
        if (tile->edge)                                                                                                          \
            all_channels(tile, n, true);                                                                                         \
        else                                                                                                                     \
            all_channels(tile, n, false);                                                                                        \
        break;

void SIMD(cpu_depthwise_tile)(const struct depthwise_tile *tile)
{
    switch (tile->pixels) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8)
    }
}
