/* The loops of the roofline, compiled once for each instruction set. */
#include "roofline.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define PASTE(name, isa) name##_##isa
#define NAME(name, isa)  PASTE(name, isa)
#define TEXT(word)       #word
#define WORD(word)       TEXT(word)

#if defined(ISA_avx512)
enum { LANES = 16 };
#elif defined(ISA_avx2)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
/* Enough sums that none waits for its last turn: 4 cycles until a sum is there, two new ones a cycle. */
enum { SUMS = 12 };

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef float vector_anywhere __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

/* x * y + z. The portable set has no fused operation: two then, as its kernels would have to take for speed. */
static inline vector multiply_add(vector x, vector y, vector z)
{
#if defined(ISA_avx512)
    return (vector)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z);
#elif defined(ISA_avx2)
    return (vector)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z);
#else
    return x * y + z;
#endif
}

static double fma_loop(long rounds, float *data)
{
    vector sum[SUMS], x = *(const vector_anywhere *)data, y = *(const vector_anywhere *)(data + LANES);
    for (int i = 0; i < SUMS; i++)
        sum[i] = x + (float)i;
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = multiply_add(sum[i], x, y);
    for (int i = 1; i < SUMS; i++)
        sum[0] += sum[i];
    *(vector_anywhere *)data = x + 0 * sum[0]; /* the compiler must not know that nobody asks */
    return (double)rounds * SUMS * LANES * 2;
}

static double read_loop(const float *data, size_t count, float *out)
{
    vector sum[4] = {{0}};
    size_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES)
        for (int k = 0; k < 4; k++)
            sum[k] += *(const vector_anywhere *)(data + i + (size_t)k * LANES);
    sum[0] += sum[1] + sum[2] + sum[3];
    *out = sum[0][0] + sum[0][LANES - 1];
    return (double)i * sizeof(float);
}

static double copy_loop(float *to, const float *from, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        *(vector_anywhere *)(to + i) = *(const vector_anywhere *)(from + i);
    return 2 * (double)i * sizeof(float);
}

const struct roofline_code NAME(roofline, ISA) = {WORD(ISA), fma_loop, read_loop, copy_loop};
