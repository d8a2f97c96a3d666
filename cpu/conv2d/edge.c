/* Tiles at the left or right edge of x. */
#include "cpu/conv2d/edge.h"

static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

void cpu_conv2d_pad(const struct conv2d *conv, int64_t left, int64_t width, const float *row, int64_t rows, float *out)
{
    int64_t first = min(width, max(0, -left)), end = max(first, min(width, conv->w - left));
    size_t pixel = sizeof(float) * (size_t)conv->c;
    for (; rows > 0; rows--, row += conv->w * conv->c, out += width * conv->c) {
        memset(out, 0, pixel * (size_t)first);
        if (first < end)
            memcpy(out + first * conv->c, row + (left + first) * conv->c, pixel * (size_t)(end - first));
        memset(out + end * conv->c, 0, pixel * (size_t)(width - end));
    }
}

void cpu_conv2d_taps(const struct conv2d *conv, const struct tile_isa *tile, int64_t left, int64_t count, const float *row,
                     const float *w, float *sums, int outputs)
{
    int64_t stride = conv->stride;
    for (int64_t s = 0; s < conv->s; s++, left++, w += conv->c * tile->block) {
        int64_t first = left >= 0 ? 0 : (-left + stride - 1) / stride;
        int64_t end = left >= conv->w ? 0 : min(count, (conv->w - 1 - left) / stride + 1);
        if (first < end)
            tile->accumulate(sums + first * tile->block, row + (left + first * stride) * conv->c, stride * conv->c, 0, 1,
                             (int)conv->c, w, (int)(end - first), outputs);
    }
}
