/* A block of channels of avgpool: their sums stay in registers while the positions go by. */
#include "cpu/avgpool/avgpool.h"
#include "cpu/simd.h"

enum { VECTORS = AVGPOOL_BLOCK / LANES };

static void whole_block(const struct avgpool *pool, const float *x, float *out)
{
    vf sum[VECTORS] = {{0}};
    for (int64_t h = 0; h < pool->h; h++) {
        vf row[VECTORS] = {{0}};
        for (int64_t w = 0; w < pool->w; w++, x += pool->c)
            for (int v = 0; v < VECTORS; v++)
                row[v] += vf_load(x + v * LANES);
        for (int v = 0; v < VECTORS; v++)
            sum[v] += row[v];
    }
    for (int v = 0; v < VECTORS; v++)
        vf_store(out + v * LANES, sum[v] / (float)(pool->h * pool->w));
}

static void one_vector(const struct avgpool *pool, const float *x, float *out, int lanes)
{
    vf sum = {0};
    for (int64_t h = 0; h < pool->h; h++) {
        vf row = {0};
        for (int64_t w = 0; w < pool->w; w++, x += pool->c)
            row += vf_load_part(x, lanes);
        sum += row;
    }
    vf_store_part(out, sum / (float)(pool->h * pool->w), lanes);
}

void SIMD(cpu_avgpool_block)(const struct avgpool *pool, int64_t n, int64_t first)
{
    const float *x = pool->x + n * pool->h * pool->w * pool->c + first;
    float *out = pool->out + n * pool->c + first;
    int64_t channels = pool->c - first;
    if (channels >= AVGPOOL_BLOCK) {
        whole_block(pool, x, out);
        return;
    }
    for (int64_t c = 0; c < channels; c += LANES)
        one_vector(pool, x + c, out + c, channels - c < LANES ? (int)(channels - c) : LANES);
}
