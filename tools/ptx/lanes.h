/* Scalar arithmetic of PTX that C lacks, written so that loops over it become vectors: no branches where that is possible. */
#ifndef PTX_LANES_H
#define PTX_LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Registers are read as whatever type an instruction wants. */
typedef uint8_t u8 __attribute__((may_alias));
typedef uint16_t u16 __attribute__((may_alias));
typedef uint32_t u32 __attribute__((may_alias));
typedef uint64_t u64 __attribute__((may_alias));
typedef int8_t s8 __attribute__((may_alias));
typedef int16_t s16 __attribute__((may_alias));
typedef int32_t s32 __attribute__((may_alias));
typedef int64_t s64 __attribute__((may_alias));
typedef float f32 __attribute__((may_alias));
typedef double f64 __attribute__((may_alias));
typedef u16 h, q;   /* a half, a bfloat16 */
typedef u32 hh, qq; /* two of them, the first in the low bits */

#define LOW(x)          ((uint16_t)(x))
#define HIGH(x)         ((uint16_t)((x) >> 16))
#define PAIR(low, high) ((uint32_t)(low) | (uint32_t)(high) << 16)

static inline uint32_t bits_of(float x)
{
    uint32_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

static inline float float_of(uint32_t b)
{
    float x;
    memcpy(&x, &b, sizeof x);
    return x;
}

static inline uint64_t bits_of_f64(double x)
{
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

static inline double f64_of(uint64_t b)
{
    double x;
    memcpy(&x, &b, sizeof x);
    return x;
}

static inline float nan_f32(void) { return float_of(0x7fffffffu); }

/* The other operand of a NaN; -0 is less than +0. */
static inline float min_f32(float a, float b)
{
    float r = a < b ? a : b;
    r = a == b ? float_of(bits_of(a) | bits_of(b)) : r;
    r = a != a ? b : r;
    return b != b ? (a != a ? nan_f32() : a) : r;
}

static inline float max_f32(float a, float b)
{
    float r = a > b ? a : b;
    r = a == b ? float_of(bits_of(a) & bits_of(b)) : r;
    r = a != a ? b : r;
    return b != b ? (a != a ? nan_f32() : a) : r;
}

static inline double min_f64(double a, double b)
{
    double r = a < b ? a : b;
    r = a == b ? f64_of(bits_of_f64(a) | bits_of_f64(b)) : r;
    r = a != a ? b : r;
    return b != b ? a : r;
}

static inline double max_f64(double a, double b)
{
    double r = a > b ? a : b;
    r = a == b ? f64_of(bits_of_f64(a) & bits_of_f64(b)) : r;
    r = a != a ? b : r;
    return b != b ? a : r;
}

static inline float relu(float x) { return x > 0.0f ? x : x != x ? nan_f32() : 0.0f; }

/* ---- Integers ---- */
static inline int32_t saturate_s32(int64_t x) { return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x; }

static inline uint64_t mul_hi_u64(uint64_t a, uint64_t b)
{
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t middle = ah * bl + (al * bl >> 32), other = al * bh + (uint32_t)middle;
    return ah * bh + (middle >> 32) + (other >> 32);
}

static inline uint64_t mul_hi_s64(uint64_t a, uint64_t b)
{
    return mul_hi_u64(a, b) - ((int64_t)a < 0 ? b : 0) - ((int64_t)b < 0 ? a : 0);
}

static inline uint32_t dp4a(uint32_t a, uint32_t b, uint32_t c, int a_signed, int b_signed)
{
    for (int i = 0; i < 4; i++) {
        int32_t x = (uint8_t)(a >> 8 * i), y = (uint8_t)(b >> 8 * i);
        c += (uint32_t)((a_signed ? (int8_t)x : x) * (b_signed ? (int8_t)y : y));
    }
    return c;
}

/* `length` bits of a from `start`; what lies above the register is its sign, or zero. */
static inline uint64_t bfe_u64(uint64_t a, uint32_t start, uint32_t length, uint32_t width, int is_signed)
{
    start &= 255;
    length &= 255;
    uint32_t last = start + length - 1 < width - 1 ? start + length - 1 : width - 1;
    uint64_t sign = is_signed && length ? 0 - (a >> (last & 63) & 1) : 0;
    uint64_t value = start < width ? a >> (start & 63) : sign;
    uint64_t keep = length >= 64 ? ~0ull : (1ull << (length & 63)) - 1;
    uint64_t known = start >= width ? 0 : width - start >= 64 ? ~0ull : (1ull << (width - start)) - 1;
    keep &= known;
    return (value & keep) | (sign & ~keep);
}

static inline uint64_t bfi_u64(uint64_t from, uint64_t into, uint32_t start, uint32_t length, uint32_t width)
{
    start &= 255;
    length &= 255;
    if (start >= width)
        return into;
    uint64_t mask = (length >= 64 ? ~0ull : (1ull << length) - 1) << start;
    return (from << start & mask) | (into & ~mask);
}

static inline uint32_t reverse_u32(uint32_t x)
{
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}

static inline uint32_t find_u64(uint64_t x) { return x ? 63 - (uint32_t)__builtin_clzll(x) : ~0u; }

static inline uint32_t permute(uint64_t bytes, uint32_t selector)
{
    uint32_t r = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t s = selector >> 4 * i & 15, byte = (uint32_t)(bytes >> 8 * (s & 7)) & 255;
        byte = s & 8 ? (byte & 128 ? 255 : 0) : byte;
        r |= byte << 8 * i;
    }
    return r;
}

/* ---- Floats to integers: out of range saturates, NaN is 0 (or 1 << 63 where 64 bits are involved) ---- */
#define INTO_NARROW(I, LEAST, MOST)                                                                                              \
    static inline I I##_of_f64(double x)                                                                                         \
    {                                                                                                                            \
        double y = x > LEAST ? x : LEAST;                                                                                        \
        y = y < MOST ? y : MOST;                                                                                                 \
        return (I)(x != x ? 0.0 : y);                                                                                            \
    }                                                                                                                            \
    static inline I I##_of_f32(float x) { return I##_of_f64(x); }
INTO_NARROW(u8, 0.0, 255.0)
INTO_NARROW(s8, -128.0, 127.0)
INTO_NARROW(u16, 0.0, 65535.0)
INTO_NARROW(s16, -32768.0, 32767.0)
INTO_NARROW(u32, 0.0, 4294967295.0)
INTO_NARROW(s32, -2147483648.0, 2147483647.0)
#undef INTO_NARROW

static inline uint64_t u64_of_f64(double x) { return x != x ? 1ull << 63 : x <= 0 ? 0 : x >= 0x1p64 ? ~0ull : (uint64_t)x; }
static inline int64_t s64_of_f64(double x) { return x != x || x <= -0x1p63 ? INT64_MIN : x >= 0x1p63 ? INT64_MAX : (int64_t)x; }
static inline uint64_t u64_of_f32(float x) { return u64_of_f64(x); }
static inline int64_t s64_of_f32(float x) { return s64_of_f64(x); }

/* ---- Directed rounding to f32: mode 0 toward zero, -1 down, 1 up ---- */
static inline float directed(double x, int mode)
{
    float f = (float)x;
    int over = mode == 0 ? (f > 0 ? (double)f > x : (double)f < x) : mode < 0 ? (double)f > x : (double)f < x;
    int up = mode > 0 || (mode == 0 && x < 0);
    return over ? nextafterf(f, up ? INFINITY : -INFINITY) : f;
}

/* An exact sum rounded to odd, so that rounding it again to at most 51 bits gives what one rounding would have given. */
static inline double odd_sum(double a, double b)
{
    double s = a + b, bb = s - a, e = (a - (s - bb)) + (b - bb);
    uint64_t bits = bits_of_f64(s);
    if (e != 0 && s - s == 0 && (bits & 1) == 0)
        bits = (e > 0) == (s > 0) ? bits + 1 : bits - 1;
    return f64_of(bits);
}

static inline float sum_directed(float a, float b, int mode)
{
    double s = odd_sum(a, b);
    /* A sum that cancels is +0, and -0 when rounding down. */
    if (s == 0 && a == -b && a != 0)
        return mode < 0 ? -0.0f : 0.0f;
    return directed(s, mode);
}

static inline float fma_directed(float a, float b, float c, int mode)
{
    double product = (double)a * b, s = odd_sum(product, c);
    if (s == 0 && product == -c && product != 0)
        return mode < 0 ? -0.0f : 0.0f;
    return directed(s, mode);
}

/* ---- Halves and bfloat16 ---- */
static inline float half_to(uint16_t x)
{
    uint32_t sign = (uint32_t)(x & 0x8000u) << 16, magnitude = x & 0x7fffu;
    float small = (float)magnitude * 0x1p-24f;
    uint32_t normal = (magnitude << 13) + (112u << 23), special = (magnitude << 13) | 0x7f800000u;
    uint32_t r = magnitude < 0x400u ? bits_of(small) : magnitude < 0x7c00u ? normal : special;
    return float_of(r | sign);
}

static inline uint16_t half_from(float f)
{
    uint32_t b = bits_of(f), sign = b >> 16 & 0x8000u, m = b & 0x7fffffffu;
    /* A subnormal half: adding 0.5 leaves its units at the bottom of the sum's mantissa, rounded to even by the addition. */
    uint32_t small = bits_of(float_of(m) + 0.5f) - bits_of(0.5f);
    uint32_t normal = (m + 0xfffu + (m >> 13 & 1)) >> 13;
    uint32_t r = m < 0x38800000u ? small : normal - (112u << 10);
    r = m >= 0x477ff000u ? 0x7c00u : r;
    return (uint16_t)(m > 0x7f800000u ? 0x7fffu : sign | r);
}

static inline float brain_to(uint16_t x) { return float_of((uint32_t)x << 16); }

static inline uint16_t brain_from(float f)
{
    uint32_t b = bits_of(f);
    uint32_t r = (b + 0x7fffu + (b >> 16 & 1)) >> 16;
    return (uint16_t)((b & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : r);
}

/* To f32 with the last bit odd if anything was lost: what follows rounds as if from x. */
static inline float odd_f32(double x)
{
    float f = (float)x;
    uint32_t b = bits_of(f);
    if ((double)f != x && x == x && (b & 1) == 0)
        b = ((double)f > x) == (f > 0) ? b - 1 : b + 1;
    return float_of(b);
}

static inline uint16_t half_from_f64(double x) { return half_from(odd_f32(x)); }
static inline uint16_t brain_from_f64(double x) { return brain_from(odd_f32(x)); }
static inline uint16_t half_fma(uint16_t a, uint16_t b, uint16_t c)
{
    return half_from_f64(odd_sum((double)half_to(a) * half_to(b), half_to(c)));
}
static inline uint16_t brain_fma(uint16_t a, uint16_t b, uint16_t c)
{
    return brain_from_f64(odd_sum((double)brain_to(a) * brain_to(b), brain_to(c)));
}

static inline uint16_t brain_toward_zero(float f) { return f != f ? 0x7fffu : (uint16_t)(bits_of(f) >> 16); }
static inline uint16_t half_toward_zero(float f)
{
    uint16_t r = half_from(f);
    if (f != f || f - f != 0)
        return r;
    return fabsf(half_to(r)) > fabsf(f) ? (uint16_t)(r - 1) : r;
}

/* tf32: 10 bits of mantissa. "rna" rounds halfway cases away from zero. */
static inline uint32_t tf32_away(uint32_t b) { return (b & 0x7f800000u) == 0x7f800000u ? b : (b + 0x1000u) & 0xffffe000u; }
static inline uint32_t tf32_even(uint32_t b)
{
    return (b & 0x7f800000u) == 0x7f800000u ? b : (b + 0xfffu + (b >> 13 & 1)) & 0xffffe000u;
}

#endif
