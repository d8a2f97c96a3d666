/* Every instruction that computes lane by lane, on every instruction set of this machine, against plain C; 77 threads, so that
 * the last warp is not full, and data in which special values are frequent. Any NaN is as good as another. */
#include "ptx_run.h"

#include <math.h>

enum { THREADS = 77 };

typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef float f32;
typedef double f64;
typedef uint8_t u8;
typedef int8_t s8;

/* ---- An independent half and bfloat16: by value, with rint() in double ---- */
static double small_to(uint16_t x, int exponent_bits)
{
    const int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    const int e = x >> mantissa_bits & ((1 << exponent_bits) - 1), m = x & ((1 << mantissa_bits) - 1);
    const double sign = x & 0x8000 ? -1.0 : 1.0;
    if (e == (1 << exponent_bits) - 1)
        return m ? NAN : sign * INFINITY;
    return e == 0 ? sign * ldexp(m, 1 - bias - mantissa_bits) : sign * ldexp(m + (1 << mantissa_bits), e - bias - mantissa_bits);
}

static uint16_t small_from(double x, int exponent_bits)
{
    const int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    const uint16_t sign = signbit(x) ? 0x8000 : 0;
    int e;
    if (isnan(x))
        return 0x7fff;
    frexp(x, &e);
    e = x == 0 || e - 1 < 1 - bias ? 1 - bias : e - 1;
    if (isinf(x))
        return (uint16_t)(sign | ((1 << exponent_bits) - 1) << mantissa_bits);
    double units = rint(ldexp(fabs(x), mantissa_bits - e)); /* in units of the last place */
    if (units >= ldexp(1, mantissa_bits + 1)) {
        units /= 2;
        e++;
    }
    if (e > bias)
        return (uint16_t)(sign | ((1 << exponent_bits) - 1) << mantissa_bits);
    const int raw = (int)units;
    return (uint16_t)(sign | (raw < 1 << mantissa_bits ? raw : ((e + bias) << mantissa_bits) + raw - (1 << mantissa_bits)));
}
static double half(uint16_t x) { return small_to(x, 5); }
static double brain(uint16_t x) { return small_to(x, 8); }
static uint16_t to_half(double x) { return small_from(x, 5); }
static uint16_t to_brain(double x) { return small_from(x, 8); }

static f32 clamp01(f32 x) { return x > 0 ? (x < 1 ? x : 1) : 0; }
static f32 flush(f32 x) { return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }
static f32 least(f32 a, f32 b) { return isnan(a) ? b : isnan(b) ? a : a == b ? (signbit(a) ? a : b) : a < b ? a : b; }
static f32 most(f32 a, f32 b) { return isnan(a) ? b : isnan(b) ? a : a == b ? (signbit(a) ? b : a) : a > b ? a : b; }
static s64 clamped(f64 x, f64 low, f64 high) { return isnan(x) ? 0 : x <= low ? (s64)low : x >= high ? (s64)high : (s64)x; }
static u32 bit_at(u32 x, int i) { return i < 32 ? x >> i & 1 : 0; }
static u32 reversed(u32 x)
{
    u32 r = 0;
    for (int i = 0; i < 32; i++)
        r |= bit_at(x, i) << (31 - i);
    return r;
}
static u32 highest(u64 x)
{
    for (int i = 63; i >= 0; i--)
        if (x >> i & 1)
            return (u32)i;
    return ~0u;
}
static u32 extracted(s64 a, u32 start, u32 length, bool is_signed)
{
    u32 r = 0;
    start &= 255;
    length &= 255;
    if (length == 0)
        return 0;
    const u32 last = start + length - 1 < 31 ? start + length - 1 : 31;
    const u32 sign = is_signed ? bit_at((u32)a, (int)last) : 0;
    for (u32 i = 0; i < 32; i++)
        r |= (i < length && start + i < 32 ? bit_at((u32)a, (int)(start + i)) : sign) << i;
    return r;
}
static u32 permuted(u32 a, u32 b, u32 c)
{
    u32 r = 0;
    for (int i = 0; i < 4; i++) {
        const u32 s = c >> 4 * i & 15;
        u8 byte = (u8)(((u64)b << 32 | a) >> 8 * (s & 7));
        if (s & 8)
            byte = byte & 128 ? 255 : 0;
        r |= (u32)byte << 8 * i;
    }
    return r;
}
static u32 pair(u16 low, u16 high) { return low | (u32)high << 16; }
static f32 as_float(u32 b)
{
    f32 x;
    memcpy(&x, &b, 4);
    return x;
}
static u32 as_bits(f32 x)
{
    u32 b;
    memcpy(&b, &x, 4);
    return b;
}

#define CASES(ONE, TWO, THREE, TEST)                                                                                             \
    TWO("add.s32", u32, u32, u32, a + b)                                                                                         \
    TWO("add.u16", u16, u16, u16, (u16)(a + b))                                                                                  \
    TWO("add.s64", u64, u64, u64, a + b)                                                                                         \
    TWO("sub.s32", u32, u32, u32, a - b)                                                                                         \
    TWO("sub.u16", u16, u16, u16, (u16)(a - b))                                                                                  \
    TWO("sub.s64", u64, u64, u64, a - b)                                                                                         \
    TWO("add.sat.s32", s32, s32, s32, (s32)clamped((f64)a + (f64)b, -0x1p31, 0x1p31 - 1))                                        \
    TWO("sub.sat.s32", s32, s32, s32, (s32)clamped((f64)a - (f64)b, -0x1p31, 0x1p31 - 1))                                        \
    TWO("mul.lo.s32", u32, u32, u32, a *b)                                                                                       \
    TWO("mul.lo.s16", u16, u16, u16, (u16)(1u * a * b))                                                                          \
    TWO("mul.lo.u64", u64, u64, u64, a *b)                                                                                       \
    TWO("mul.hi.u32", u32, u32, u32, (u32)((u64)a * b >> 32))                                                                    \
    TWO("mul.hi.s32", s32, s32, s32, (s32)((s64)a * b >> 32))                                                                    \
    TWO("mul.hi.s16", s16, s16, s16, (s16)((s32)a * b >> 16))                                                                    \
    TWO("mul.hi.u64", u64, u64, u64, (u64)((unsigned __int128)a * b >> 64))                                                      \
    TWO("mul.hi.s64", s64, s64, s64, (s64)((__int128)a * b >> 64))                                                               \
    TWO("mul.wide.s32", s64, s32, s32, (s64)a *b)                                                                                \
    TWO("mul.wide.u32", u64, u32, u32, (u64)a *b)                                                                                \
    TWO("mul.wide.s16", s32, s16, s16, (s32)a *b)                                                                                \
    TWO("mul.wide.u16", u32, u16, u16, (u32)a *b)                                                                                \
    THREE("mad.lo.s32", u32, u32, u32, u32, a *b + c)                                                                            \
    THREE("mad.lo.u64", u64, u64, u64, u64, a *b + c)                                                                            \
    THREE("mad.hi.u32", u32, u32, u32, u32, (u32)((u64)a * b >> 32) + c)                                                         \
    THREE("mad.hi.s32", u32, s32, s32, u32, (u32)((s64)a * b >> 32) + c)                                                         \
    THREE("mad.wide.s32", u64, s32, s32, u64, (u64)((s64)a * b) + c)                                                             \
    THREE("mad.wide.u32", u64, u32, u32, u64, (u64)a *b + c)                                                                     \
    TWO("div.s32", s32, s32, s32, b == 0 ? -1 : b == -1 ? (s32)(0u - (u32)a) : a / b)                                            \
    TWO("div.u32", u32, u32, u32, b == 0 ? ~0u : a / b)                                                                          \
    TWO("div.s64", s64, s64, s64, b == 0 ? -1 : b == -1 ? (s64)(0ull - (u64)a) : a / b)                                          \
    TWO("div.u64", u64, u64, u64, b == 0 ? ~0ull : a / b)                                                                        \
    TWO("div.u16", u16, u16, u16, b == 0 ? 0xffff : a / b)                                                                       \
    TWO("rem.s32", s32, s32, s32, b == 0 ? a : b == -1 ? 0 : a % b)                                                              \
    TWO("rem.u32", u32, u32, u32, b == 0 ? a : a % b)                                                                            \
    TWO("rem.s64", s64, s64, s64, b == 0 ? a : b == -1 ? 0 : a % b)                                                              \
    TWO("rem.u64", u64, u64, u64, b == 0 ? a : a % b)                                                                            \
    TWO("rem.s16", s16, s16, s16, b == 0 ? a : b == -1 ? 0 : a % b)                                                              \
    TWO("min.s32", s32, s32, s32, a < b ? a : b)                                                                                 \
    TWO("min.u32", u32, u32, u32, a < b ? a : b)                                                                                 \
    TWO("max.s32", s32, s32, s32, a > b ? a : b)                                                                                 \
    TWO("max.u32", u32, u32, u32, a > b ? a : b)                                                                                 \
    TWO("min.s64", s64, s64, s64, a < b ? a : b)                                                                                 \
    TWO("max.u64", u64, u64, u64, a > b ? a : b)                                                                                 \
    TWO("min.s16", s16, s16, s16, a < b ? a : b)                                                                                 \
    TWO("max.u16", u16, u16, u16, a > b ? a : b)                                                                                 \
    ONE("neg.s32", u32, u32, 0u - a)                                                                                             \
    ONE("neg.s16", u16, u16, (u16)(0 - a))                                                                                       \
    ONE("neg.s64", u64, u64, 0ull - a)                                                                                           \
    ONE("abs.s32", u32, s32, a < 0 ? 0u - (u32)a : (u32)a)                                                                       \
    ONE("abs.s64", u64, s64, a < 0 ? 0ull - (u64)a : (u64)a)                                                                     \
    ONE("abs.s16", u16, s16, (u16)(a < 0 ? -a : a))                                                                              \
    TWO("and.b32", u32, u32, u32, a &b)                                                                                          \
    TWO("or.b64", u64, u64, u64, a | b)                                                                                          \
    TWO("xor.b16", u16, u16, u16, a ^ b)                                                                                         \
    TWO("and.b16", u16, u16, u16, a &b)                                                                                          \
    TWO("or.b32", u32, u32, u32, a | b)                                                                                          \
    TWO("xor.b32", u32, u32, u32, a ^ b)                                                                                         \
    TWO("and.b64", u64, u64, u64, a &b)                                                                                          \
    ONE("not.b32", u32, u32, ~a)                                                                                                 \
    ONE("not.b16", u16, u16, (u16)~a)                                                                                            \
    ONE("not.b64", u64, u64, ~a)                                                                                                 \
    ONE("cnot.b32", u32, u32, a == 0)                                                                                            \
    TWO("shl.b32", u32, u32, u32, b > 31 ? 0 : a << b)                                                                           \
    TWO("shl.b64", u64, u64, u32, b > 63 ? 0 : a << b)                                                                           \
    TWO("shl.b16", u16, u16, u32, b > 15 ? 0 : (u16)(a << b))                                                                    \
    TWO("shr.u32", u32, u32, u32, b > 31 ? 0 : a >> b)                                                                           \
    TWO("shr.u64", u64, u64, u32, b > 63 ? 0 : a >> b)                                                                           \
    TWO("shr.b16", u16, u16, u32, b > 15 ? 0 : (u16)(a >> b))                                                                    \
    TWO("shr.s32", s32, s32, u32, a >> (b > 31 ? 31 : b))                                                                        \
    TWO("shr.s64", s64, s64, u32, a >> (b > 63 ? 63 : b))                                                                        \
    TWO("shr.s16", s16, s16, u32, (s16)(a >> (b > 15 ? 15 : b)))                                                                 \
    THREE("shf.l.wrap.b32", u32, u32, u32, u32, c % 32 ? b << c % 32 | a >> (32 - c % 32) : b)                                   \
    THREE("shf.r.wrap.b32", u32, u32, u32, u32, c % 32 ? a >> c % 32 | b << (32 - c % 32) : a)                                   \
    THREE("shf.l.clamp.b32", u32, u32, u32, u32, c == 0 ? b : c > 31 ? a : b << c | a >> (32 - c))                               \
    THREE("shf.r.clamp.b32", u32, u32, u32, u32, c == 0 ? a : c > 31 ? b : a >> c | b << (32 - c))                               \
    THREE("bfe.u32", u32, u32, u32, u32, extracted(a, b, c, false))                                                              \
    THREE("bfe.s32", u32, u32, u32, u32, extracted(a, b, c, true))                                                               \
    ONE("brev.b32", u32, u32, reversed(a))                                                                                       \
    ONE("brev.b64", u64, u64, (u64)reversed((u32)a) << 32 | reversed((u32)(a >> 32)))                                            \
    ONE("popc.b32", u32, u32, (u32)__builtin_popcount(a))                                                                        \
    ONE("popc.b64", u32, u64, (u32)__builtin_popcountll(a))                                                                      \
    ONE("clz.b32", u32, u32, a ? 31 - highest(a) : 32)                                                                           \
    ONE("clz.b64", u32, u64, a ? 63 - highest(a) : 64)                                                                           \
    ONE("bfind.u32", u32, u32, highest(a))                                                                                       \
    ONE("bfind.s32", u32, s32, highest((u32)(a < 0 ? ~a : a)))                                                                   \
    ONE("bfind.u64", u32, u64, highest(a))                                                                                       \
    ONE("bfind.shiftamt.u32", u32, u32, a ? 31 - highest(a) : ~0u)                                                               \
    THREE("prmt.b32", u32, u32, u32, u32, permuted(a, b, c))                                                                     \
    THREE("sad.u32", u32, u32, u32, u32, c + (a > b ? a - b : b - a))                                                            \
    TWO("add.rn.f32", f32, f32, f32, a + b)                                                                                      \
    TWO("sub.rn.f32", f32, f32, f32, a - b)                                                                                      \
    TWO("mul.rn.f32", f32, f32, f32, a *b)                                                                                       \
    TWO("mul.ftz.f32", f32, f32, f32, flush(flush(a) * flush(b)))                                                                \
    TWO("add.sat.f32", f32, f32, f32, clamp01(a + b))                                                                            \
    THREE("fma.rn.f32", f32, f32, f32, f32, fmaf(a, b, c))                                                                       \
    THREE("fma.rn.sat.f32", f32, f32, f32, f32, clamp01(fmaf(a, b, c)))                                                          \
    THREE("mad.rn.f32", f32, f32, f32, f32, fmaf(a, b, c))                                                                       \
    TWO("div.rn.f32", f32, f32, f32, a / b)                                                                                      \
    TWO("div.rn.f64", f64, f64, f64, a / b)                                                                                      \
    ONE("rcp.rn.f32", f32, f32, 1 / a)                                                                                           \
    ONE("sqrt.rn.f32", f32, f32, sqrtf(a))                                                                                       \
    ONE("sqrt.rn.f64", f64, f64, sqrt(a))                                                                                        \
    ONE("ex2.approx.f32", f32, f32, exp2f(a))                                                                                    \
    ONE("lg2.approx.f32", f32, f32, log2f(a))                                                                                    \
    ONE("neg.f32", f32, f32, -a)                                                                                                 \
    ONE("abs.f32", f32, f32, fabsf(a))                                                                                           \
    ONE("neg.f64", f64, f64, -a)                                                                                                 \
    ONE("abs.f64", f64, f64, fabs(a))                                                                                            \
    TWO("min.f32", f32, f32, f32, least(a, b))                                                                                   \
    TWO("max.f32", f32, f32, f32, most(a, b))                                                                                    \
    TWO("max.NaN.f32", f32, f32, f32, isnan(a) || isnan(b) ? NAN : most(a, b))                                                   \
    TWO("copysign.f32", f32, f32, f32, copysignf(b, a))                                                                          \
    TWO("add.rn.f64", f64, f64, f64, a + b)                                                                                      \
    TWO("sub.rn.f64", f64, f64, f64, a - b)                                                                                      \
    TWO("mul.rn.f64", f64, f64, f64, a *b)                                                                                       \
    THREE("fma.rn.f64", f64, f64, f64, f64, fma(a, b, c))                                                                        \
    TWO("add.f16", u16, u16, u16, to_half(half(a) + half(b)))                                                                    \
    TWO("sub.f16", u16, u16, u16, to_half(half(a) - half(b)))                                                                    \
    TWO("mul.f16", u16, u16, u16, to_half(half(a) * half(b)))                                                                    \
    THREE("fma.rn.f16", u16, u16, u16, u16, to_half(half(a) * half(b) + half(c)))                                                \
    TWO("add.f16x2", u32, u32, u32,                                                                                              \
        pair(to_half(half((u16)a) + half((u16)b)), to_half(half((u16)(a >> 16)) + half((u16)(b >> 16)))))                        \
    TWO("mul.bf16", u16, u16, u16, to_brain(brain(a) * brain(b)))                                                                \
    TWO("mul.bf16x2", u32, u32, u32,                                                                                             \
        pair(to_brain(brain((u16)a) * brain((u16)b)), to_brain(brain((u16)(a >> 16)) * brain((u16)(b >> 16)))))                  \
    ONE("cvt.rn.f16.f32", u16, f32, to_half(a))                                                                                  \
    ONE("cvt.f32.f16", f32, u16, (f32)half(a))                                                                                   \
    ONE("cvt.rn.bf16.f32", u16, f32, to_brain(a))                                                                                \
    ONE("cvt.f32.bf16", f32, u16, (f32)brain(a))                                                                                 \
    TWO("cvt.rn.f16x2.f32", u32, f32, f32, pair(to_half(b), to_half(a)))                                                         \
    TWO("cvt.rn.bf16x2.f32", u32, f32, f32, pair(to_brain(b), to_brain(a)))                                                      \
    ONE("cvt.rna.tf32.f32", u32, f32, isfinite(a) ? (as_bits(a) + 0x1000u) & ~0x1fffu : as_bits(a))                              \
    ONE("cvt.rn.f32.s32", f32, s32, (f32)a)                                                                                      \
    ONE("cvt.rn.f32.u32", f32, u32, (f32)a)                                                                                      \
    ONE("cvt.rn.f32.s64", f32, s64, (f32)a)                                                                                      \
    ONE("cvt.rn.f32.u64", f32, u64, (f32)a)                                                                                      \
    ONE("cvt.rn.f32.s16", f32, s16, (f32)a)                                                                                      \
    ONE("cvt.rn.f32.u16", f32, u16, (f32)a)                                                                                      \
    ONE("cvt.rn.f32.u8", f32, u16, (f32)(u8)a)                                                                                   \
    ONE("cvt.rn.f32.s8", f32, u32, (f32)(s8)a)                                                                                   \
    ONE("cvt.rn.f64.s32", f64, s32, (f64)a)                                                                                      \
    ONE("cvt.rn.f64.u64", f64, u64, (f64)a)                                                                                      \
    ONE("cvt.rn.f32.f64", f32, f64, (f32)a)                                                                                      \
    ONE("cvt.f64.f32", f64, f32, (f64)a)                                                                                         \
    ONE("cvt.rzi.s32.f32", s32, f32, (s32)clamped(trunc(a), -0x1p31, 0x1p31 - 1))                                                \
    ONE("cvt.rni.s32.f32", s32, f32, (s32)clamped(rint(a), -0x1p31, 0x1p31 - 1))                                                 \
    ONE("cvt.rmi.s32.f32", s32, f32, (s32)clamped(floor(a), -0x1p31, 0x1p31 - 1))                                                \
    ONE("cvt.rpi.s32.f32", s32, f32, (s32)clamped(ceil(a), -0x1p31, 0x1p31 - 1))                                                 \
    ONE("cvt.rzi.u32.f32", u32, f32, (u32)clamped(trunc(a), 0, 0x1p32 - 1))                                                      \
    ONE("cvt.rzi.s64.f32", s64, f32, isnan(a) || a <= -0x1p63f ? INT64_MIN : a >= 0x1p63f ? INT64_MAX : (s64)a)                  \
    ONE("cvt.rzi.u64.f64", u64, f64, isnan(a) ? 1ull << 63 : a <= 0 ? 0 : a >= 0x1p64 ? ~0ull : (u64)a)                          \
    ONE("cvt.rzi.s32.f64", s32, f64, (s32)clamped(trunc(a), -0x1p31, 0x1p31 - 1))                                                \
    ONE("cvt.rni.f32.f32", f32, f32, rintf(a))                                                                                   \
    ONE("cvt.rzi.f32.f32", f32, f32, truncf(a))                                                                                  \
    ONE("cvt.rmi.f32.f32", f32, f32, floorf(a))                                                                                  \
    ONE("cvt.rpi.f32.f32", f32, f32, ceilf(a))                                                                                   \
    ONE("cvt.sat.f32.f32", f32, f32, clamp01(a))                                                                                 \
    ONE("cvt.s64.s32", s64, s32, (s64)a)                                                                                         \
    ONE("cvt.u64.u32", u64, u32, (u64)a)                                                                                         \
    ONE("cvt.u32.u64", u32, u64, (u32)a)                                                                                         \
    ONE("cvt.s32.s8", s32, u32, (s32)(s8)a)                                                                                      \
    ONE("cvt.s32.s16", s32, s16, (s32)a)                                                                                         \
    ONE("cvt.u32.u8", u32, u16, (u32)(u8)a)                                                                                      \
    ONE("cvt.u16.u8", u16, u16, (u16)(u8)a)                                                                                      \
    ONE("cvt.s16.s8", u16, u16, (u16)(s16)(s8)a)                                                                                 \
    ONE("cvt.u8.u32", u32, u32, (u32)(u8)a)                                                                                      \
    ONE("cvt.s8.s32", u32, u32, (u32)(s32)(s8)a)                                                                                 \
    ONE("cvt.u16.u32", u16, u32, (u16)a)                                                                                         \
    THREE("slct.b32.s32", u32, u32, u32, s32, c >= 0 ? a : b)                                                                    \
    THREE("slct.f32.f32", u32, u32, u32, f32, c >= 0 ? a : b)                                                                    \
    TWO("set.lt.u32.f32", u32, f32, f32, a < b ? ~0u : 0)                                                                        \
    TWO("set.geu.f32.f32", f32, f32, f32, !(a < b) ? 1.0f : 0.0f)                                                                \
    TWO("min.f64", f64, f64, f64, isnan(a) ? b : isnan(b) ? a : a == b ? (signbit(a) ? a : b) : a < b ? a : b)                   \
    TEST("setp.eq.s32", s32, a == b)                                                                                             \
    TEST("setp.ne.b32", u32, a != b)                                                                                             \
    TEST("setp.lt.s32", s32, a < b)                                                                                              \
    TEST("setp.lt.u32", u32, a < b)                                                                                              \
    TEST("setp.le.s64", s64, a <= b)                                                                                             \
    TEST("setp.hi.u64", u64, a > b)                                                                                              \
    TEST("setp.ge.u16", u16, a >= b)                                                                                             \
    TEST("setp.gt.s16", s16, a > b)                                                                                              \
    TEST("setp.eq.f32", f32, a == b)                                                                                             \
    TEST("setp.ne.f32", f32, !isnan(a) && !isnan(b) && a != b)                                                                   \
    TEST("setp.lt.f32", f32, a < b)                                                                                              \
    TEST("setp.ge.f32", f32, a >= b)                                                                                             \
    TEST("setp.equ.f32", f32, isnan(a) || isnan(b) || a == b)                                                                    \
    TEST("setp.neu.f32", f32, a != b)                                                                                            \
    TEST("setp.ltu.f32", f32, isnan(a) || isnan(b) || a < b)                                                                     \
    TEST("setp.leu.f32", f32, isnan(a) || isnan(b) || a <= b)                                                                    \
    TEST("setp.gtu.f32", f32, isnan(a) || isnan(b) || a > b)                                                                     \
    TEST("setp.geu.f32", f32, isnan(a) || isnan(b) || a >= b)                                                                    \
    TEST("setp.num.f32", f32, !isnan(a) && !isnan(b))                                                                            \
    TEST("setp.nan.f64", f64, isnan(a) || isnan(b))                                                                              \
    TEST("setp.gt.f64", f64, a > b)                                                                                              \
    TEST("setp.gt.f16", u16, half(a) > half(b))                                                                                  \
    TEST("setp.le.bf16", u16, brain(a) <= brain(b))                                                                              \
    TEST("setp.lt.ftz.f32", f32, flush(a) < flush(b))

enum { BYTES_u16 = 2, BYTES_s16 = 2, BYTES_u32 = 4, BYTES_s32 = 4, BYTES_u64 = 8, BYTES_s64 = 8, BYTES_f32 = 4, BYTES_f64 = 8 };
enum {
    IS_FLOAT_u16,
    IS_FLOAT_s16 = 0,
    IS_FLOAT_u32 = 0,
    IS_FLOAT_s32 = 0,
    IS_FLOAT_u64 = 0,
    IS_FLOAT_s64 = 0,
    IS_FLOAT_f32 = 1,
    IS_FLOAT_f64 = 1
};

struct lane_case {
    const char *opcode;
    int sources, bytes[4]; /* of the result and the sources */
    bool is_float[4], test;
};

#define ONE(op, D, A, e)    {op, 1, {BYTES_##D, BYTES_##A}, {IS_FLOAT_##D, IS_FLOAT_##A}, false},
#define TWO(op, D, A, B, e) {op, 2, {BYTES_##D, BYTES_##A, BYTES_##B}, {IS_FLOAT_##D, IS_FLOAT_##A, IS_FLOAT_##B}, false},
#define THREE(op, D, A, B, C, e)                                                                                                 \
    {op, 3, {BYTES_##D, BYTES_##A, BYTES_##B, BYTES_##C}, {IS_FLOAT_##D, IS_FLOAT_##A, IS_FLOAT_##B, IS_FLOAT_##C}, false},
#define TEST(op, A, e) {op, 2, {4, BYTES_##A, BYTES_##A}, {false, IS_FLOAT_##A, IS_FLOAT_##A}, true},
static const struct lane_case LANE_CASES[] = {CASES(ONE, TWO, THREE, TEST)};
#undef ONE
#undef TWO
#undef THREE
#undef TEST

/* What C says, one case after the other. */
static void expected(size_t number, const u64 *in, u64 *out)
{
    size_t n = 0;
#define TAKE(T, x, i)                                                                                                            \
    T x;                                                                                                                         \
    memcpy(&x, &in[i], sizeof x)
#define GIVE(D, e)                                                                                                               \
    const D d = (D)(e);                                                                                                          \
    memcpy(out, &d, sizeof d)
#define ONE(op, D, A, e)                                                                                                         \
    if (n++ == number) {                                                                                                         \
        TAKE(A, a, 0);                                                                                                           \
        GIVE(D, e);                                                                                                              \
    }
#define TWO(op, D, A, B, e)                                                                                                      \
    if (n++ == number) {                                                                                                         \
        TAKE(A, a, 0);                                                                                                           \
        TAKE(B, b, 1);                                                                                                           \
        GIVE(D, e);                                                                                                              \
    }
#define THREE(op, D, A, B, C, e)                                                                                                 \
    if (n++ == number) {                                                                                                         \
        TAKE(A, a, 0);                                                                                                           \
        TAKE(B, b, 1);                                                                                                           \
        TAKE(C, c, 2);                                                                                                           \
        GIVE(D, e);                                                                                                              \
    }
#define TEST(op, A, e)                                                                                                           \
    if (n++ == number) {                                                                                                         \
        TAKE(A, a, 0);                                                                                                           \
        TAKE(A, b, 1);                                                                                                           \
        GIVE(u32, (e) ? 7 : 9);                                                                                                  \
    }
    CASES(ONE, TWO, THREE, TEST)
}

static void write_text(char *text, size_t room, const struct lane_case *c)
{
    int n = snprintf(text, room,
                     PTX_HEADER ".visible .entry k(.param .u64 d, .param .u64 a, .param .u64 b, .param .u64 c)\n{\n"
                                ".reg .pred %%p<3>; .reg .b64 %%q<9>; .reg .b32 %%t<3>;\n");
    for (int i = 0; i < 4; i++)
        n += snprintf(text + n, room - (size_t)n, ".reg .b%d %%v%d;\n", c->bytes[i] ? 8 * c->bytes[i] : 32, i);
    n += snprintf(text + n, room - (size_t)n, "mov.u32 %%t1, %%tid.x; setp.ge.u32 %%p1, %%t1, %d; @%%p1 bra DONE;\n", THREADS);
    for (int i = 0; i <= c->sources; i++) {
        n += snprintf(text + n, room - (size_t)n, "ld.param.u64 %%q%d, [%c]; mad.wide.u32 %%q%d, %%t1, 8, %%q%d;\n", i, "dabc"[i],
                      i, i);
        if (i > 0)
            n += snprintf(text + n, room - (size_t)n, "ld.global.b%d %%v%d, [%%q%d];\n", 8 * c->bytes[i], i, i);
    }
    n += snprintf(text + n, room - (size_t)n, "%s %s", c->opcode, c->test ? "%p2" : "%v0");
    for (int i = 1; i <= c->sources; i++)
        n += snprintf(text + n, room - (size_t)n, ", %%v%d", i);
    n += snprintf(text + n, room - (size_t)n, ";\n");
    if (c->test)
        n += snprintf(text + n, room - (size_t)n, "selp.b32 %%v0, 7, 9, %%p2;\n");
    snprintf(text + n, room - (size_t)n, "st.global.b%d [%%q0], %%v0;\nDONE:\nret;\n}\n", 8 * c->bytes[0]);
}

static u64 value(const struct lane_case *c, int i, u64 *state)
{
    static const f32 SPECIAL[] = {0,          -0.0f,    1,    -1,   INFINITY, -INFINITY,     NAN,  0x1p-149f,
                                  -0x1p-140f, 0x1p127f, 0.5f, 2.5f, -3.5f,    2147483648.0f, 65520};
    static const u64 WHOLE[] = {0,      1,      ~0ull,  0x80000000ull, 1ull << 63, 31,   32, 33,
                                0x7fff, 0x8000, 0x7c00, 0x3c00,        0xff,       0x80, 64};
    const u64 r = next_random(state), choice = next_random(state);
    u64 out = 0;
    if (choice % 3 == 0 && c->is_float[i]) {
        const f32 f = SPECIAL[r % 15];
        const f64 wide = f;
        memcpy(&out, c->bytes[i] == 4 ? (const void *)&f : (const void *)&wide, (size_t)c->bytes[i]);
        return out;
    }
    if (c->is_float[i] && choice % 3 == 1) {
        const f32 f = (f32)((s64)(r % 200001) - 100000) / 257;
        const f64 wide = f;
        memcpy(&out, c->bytes[i] == 4 ? (const void *)&f : (const void *)&wide, (size_t)c->bytes[i]);
        return out;
    }
    return choice % 3 == 0 ? WHOLE[r % 15] : choice % 3 == 1 ? r % 50 : r ^ choice << 20;
}

static bool same(const struct lane_case *c, u64 got, u64 want)
{
    if (c->bytes[0] < 8) {
        got &= (1ull << 8 * c->bytes[0]) - 1;
        want &= (1ull << 8 * c->bytes[0]) - 1;
    }
    if (got == want)
        return true;
    if (c->is_float[0] && c->bytes[0] == 4)
        return isnan(as_float((u32)got)) && isnan(as_float((u32)want));
    f64 a, b;
    memcpy(&a, &got, 8);
    memcpy(&b, &want, 8);
    return c->is_float[0] && isnan(a) && isnan(b);
}

static void check_case(size_t number, u64 *state)
{
    const struct lane_case *c = &LANE_CASES[number];
    static char text[8192];
    u64 data[4][THREADS] = {{0}};
    struct machine m;
    write_text(text, sizeof text, c);
    machine_open(&m, text);
    for (int i = 1; i <= c->sources; i++)
        for (int t = 0; t < THREADS; t++)
            data[i][t] = value(c, i, state);
    u64 params[4];
    for (int i = 0; i < 4; i++)
        params[i] = upload(&m, data[i], sizeof data[i]);
    m.config.block[0] = 96;
    run_clean(&m, "k", params, sizeof params);
    const u64 *got = view(&m, params[0]);
    for (int t = 0; t < THREADS; t++) {
        u64 in[3] = {data[1][t], data[2][t], data[3][t]}, want = 0;
        expected(number, in, &want);
        if (!same(c, got[t], want))
            fail_msg("%s (%s), thread %d: a 0x%llx b 0x%llx c 0x%llx gives 0x%llx, C says 0x%llx", c->opcode, ptx_isa(), t,
                     (unsigned long long)in[0], (unsigned long long)in[1], (unsigned long long)in[2], (unsigned long long)got[t],
                     (unsigned long long)want);
    }
    for (int i = 0; i < 4; i++)
        ptx_free(m.memory, params[i], &m.fault);
    machine_close(&m);
}

static void check_isa(const char *name)
{
    const char *usual = ptx_isa();
    u64 state = 2026;
    if (!ptx_isa_choose(name))
        return;
    for (int round = 0; round < 4; round++)
        for (size_t n = 0; n < sizeof LANE_CASES / sizeof *LANE_CASES; n++)
            check_case(n, &state);
    ptx_isa_choose(usual);
}

static void test_portable(void **state) { check_isa("portable"); }
static void test_avx2(void **state) { check_isa("avx2"); }
static void test_avx512(void **state) { check_isa("avx512"); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_portable), cmocka_unit_test(test_avx2),
                                       cmocka_unit_test(test_avx512)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
