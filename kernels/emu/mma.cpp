/* Matrix instructions of a warp: the fragments that the lanes hold are gathered, multiplied in f32 (k ascending, no fused
 * multiply-add, one sum for each output) and handed back. A real tensor core may sum in another order and round otherwise. */
#include "check.h"
#include "internal.h"

namespace emu
{

/* Exponents of 16 bits to those of 32; denormals by way of a float that holds them exactly. */
float half_to_float(unsigned short bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, rest = bits & 0x7fffu;
    if (rest >= 0x7c00u) /* infinite, or NaN, made quiet */
        return __uint_as_float(sign | 0x7f800000u | (rest & 0x3ffu ? 0x400000u | (rest & 0x3ffu) << 13 : 0));
    if (rest >= 0x400u)
        return __uint_as_float(sign | ((rest << 13) + 0x38000000u));
    return __uint_as_float(sign | __float_as_uint((float)rest * 0x1p-24f));
}

unsigned short float_to_half(float x)
{
    uint32_t bits = __float_as_uint(x), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u)
        return (unsigned short)(sign | 0x7e00u | (rest >> 13 & 0x3ffu));
    if (rest >= 0x477ff000u) /* rounds to 2^16 */
        return (unsigned short)(sign | 0x7c00u);
    if (rest < 0x38800000u) /* below 2^-14: the sum's low bits are the denormal, rounded to even by the addition */
        return (unsigned short)(sign | (__float_as_uint(__uint_as_float(rest) + 0.5f) - 0x3f000000u));
    rest += 0xfffu + (rest >> 13 & 1u);
    return (unsigned short)(sign | (rest - 0x38000000u) >> 13);
}

static float low_half(uint32_t bits) { return __half2float(__half{(unsigned short)bits}); }
static float low_bf16(uint32_t bits) { return __uint_as_float(bits << 16); }

struct Mma {
    const uint32_t *a, *b;
    const float *c;
    float *d;
    Site site;
};
struct alignas(32) Row {
    float at[8];
};

static bool whole_warp(uint32_t mask, void **arguments, const char *what)
{
    if (mask == ~0u)
        return true;
    report("partial-warp", static_cast<Mma *>(arguments[__builtin_ctz(mask)])->site, "%s by the lanes 0x%08x: it takes all 32",
           what, mask);
    return false;
}

template <int K> static void multiply(const float (&a)[16][K], const Row (&b)[K], void **arguments)
{
    typedef float Eight __attribute__((vector_size(32), may_alias));
    Row d[16];
    for (int lane = 0; lane < 32; lane++) {
        const Mma *mine = static_cast<Mma *>(arguments[lane]);
        int g = lane / 4, t = lane % 4;
        memcpy(&d[g].at[2 * t], mine->c, 8);
        memcpy(&d[g + 8].at[2 * t], mine->c + 2, 8);
    }
    if (checked)
        check_products(16 * 8 * K);
    for (int i = 0; i < 16; i++) {
        Eight sum = *reinterpret_cast<const Eight *>(d[i].at);
        for (int k = 0; k < K; k++)
            sum += a[i][k] * *reinterpret_cast<const Eight *>(b[k].at);
        *reinterpret_cast<Eight *>(d[i].at) = sum;
    }
    for (int lane = 0; lane < 32; lane++) {
        const Mma *mine = static_cast<Mma *>(arguments[lane]);
        int g = lane / 4, t = lane % 4;
        memcpy(mine->d, &d[g].at[2 * t], 8);
        memcpy(mine->d + 2, &d[g + 8].at[2 * t], 8);
    }
}

/* The bits that a rounded operand lacks; a NaN may have them. */
static uint32_t unrounded(uint32_t bits) { return (bits & 0x7f800000u) == 0x7f800000u ? 0 : bits & 0x1fffu; }

static void tf32_all(uint32_t mask, void **arguments)
{
    if (!whole_warp(mask, arguments, "mma"))
        return;
    float a[16][8];
    Row b[8];
    uint32_t every = 0;
    for (int lane = 0; lane < 32; lane++) {
        const Mma *mine = static_cast<Mma *>(arguments[lane]);
        int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++) {
            every |= unrounded(mine->a[i]);
            a[g + i % 2 * 8][t + i / 2 * 4] = __uint_as_float(mine->a[i] & ~0x1fffu);
        }
        for (int i = 0; i < 2; i++) {
            every |= unrounded(mine->b[i]);
            b[t + i * 4].at[g] = __uint_as_float(mine->b[i] & ~0x1fffu);
        }
    }
    if (every)
        report("tf32-unrounded", static_cast<Mma *>(arguments[0])->site,
               "an operand has bits below tf32: round it by to_tf32 first");
    multiply(a, b, arguments);
}

/* Operands of 16 bits, two to a register; K is 8 or 16. */
template <int K, float (*decode)(uint32_t)> static void short_all(uint32_t mask, void **arguments)
{
    if (!whole_warp(mask, arguments, "mma"))
        return;
    float a[16][K];
    Row b[K];
    for (int lane = 0; lane < 32; lane++) {
        const Mma *mine = static_cast<Mma *>(arguments[lane]);
        int g = lane / 4, t = lane % 4;
        for (int half = 0; half < 2; half++) {
            int column = 2 * t + half;
            for (int i = 0; i < K / 4; i++)
                a[g + i % 2 * 8][column + i / 2 * 8] = decode(mine->a[i] >> 16 * half & 0xffffu);
            for (int i = 0; i < K / 8; i++)
                b[column + i * 8].at[g] = decode(mine->b[i] >> 16 * half & 0xffffu);
        }
    }
    multiply(a, b, arguments);
}

static void mma(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site, WarpAction action)
{
    Mma arguments = {a, b, c, d, site};
    warp_together(site, MMA, ~0u, &arguments, action);
}
void mma_tf32_16x8x8(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site)
{
    mma(d, a, b, c, site, tf32_all);
}
void mma_f16_16x8x8(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site)
{
    mma(d, a, b, c, site, short_all<8, low_half>);
}
void mma_f16_16x8x16(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site)
{
    mma(d, a, b, c, site, short_all<16, low_half>);
}
void mma_bf16_16x8x16(float *d, const uint32_t *a, const uint32_t *b, const float *c, Site site)
{
    mma(d, a, b, c, site, short_all<16, low_bf16>);
}

struct Ldmatrix {
    const void *row;
    uint32_t *registers;
    int count;
    bool transposed;
    Site site;
};

static uint32_t element(void **arguments, int matrix, int row, int column)
{
    uint16_t value;
    memcpy(&value, static_cast<const char *>(static_cast<Ldmatrix *>(arguments[matrix * 8 + row])->row) + column * 2,
           sizeof value);
    return value;
}

static void ldmatrix_all(uint32_t mask, void **arguments)
{
    const Ldmatrix *any = static_cast<Ldmatrix *>(arguments[__builtin_ctz(mask)]);
    if (mask != ~0u) {
        report("partial-warp", any->site, "ldmatrix by the lanes 0x%08x: it takes all 32", mask);
        return;
    }
    for (int matrix = 0; matrix < any->count; matrix++)
        for (int lane = 0; lane < 32; lane++) {
            int row = lane / 4, column = lane % 4 * 2;
            uint32_t low = any->transposed ? element(arguments, matrix, column, row) : element(arguments, matrix, row, column);
            uint32_t high =
                any->transposed ? element(arguments, matrix, column + 1, row) : element(arguments, matrix, row, column + 1);
            static_cast<Ldmatrix *>(arguments[lane])->registers[matrix] = low | high << 16;
        }
}

void ldmatrix(uint32_t *registers, const void *row, int count, bool transposed, Site site)
{
    Worker &w = *worker;
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    const char *at = static_cast<const char *>(row);
    if (w.current()->lane < count * 8) { /* the other lanes' addresses are not used */
        if (at < w.shared || at + 16 > w.shared + ARENA || (uintptr_t)at % 16) {
            report("ldmatrix-address", Where(pc, row), "a row at %p: it must be shared memory, aligned to 16 bytes", row);
            give_up(w);
        }
        if (checked)
            check_access(row, 16, 0, pc);
    }
    Ldmatrix arguments = {row, registers, count, transposed, site};
    warp_together(site, LDMATRIX, ~0u, &arguments, ldmatrix_all);
}

} // namespace emu
