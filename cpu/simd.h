/* A small vector vocabulary: one *.simd.c source, compiled once for each instruction set (Makefile), its names made by
 * SIMD(name).
 *
 * vf is LANES floats. + - x / and comparisons are the compiler's own (GNU C vectors); what they lack is here. Every function
 * gives the same bits on every instruction set: vf_fma is fmaf in each lane, with or without hardware that fuses. */
#ifndef OSPREY_CPU_SIMD_H
#define OSPREY_CPU_SIMD_H

#include <stdint.h>
#include <string.h>

#include "runtime/ops.h"

#define SIMD_PASTE(name, isa) name##_##isa
#define SIMD_NAME(name, isa)  SIMD_PASTE(name, isa)
#define SIMD(name)            SIMD_NAME(name, ISA)
#define SIMD_INLINE           static inline __attribute__((always_inline, unused))

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(ISA_avx512)
enum { LANES = 16, SIMD_REGISTERS = 32 };
#elif defined(ISA_avx2)
enum { LANES = 8, SIMD_REGISTERS = 16 };
#else
enum { LANES = 4, SIMD_REGISTERS = 16 };
#endif

typedef float vf __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t vi __attribute__((vector_size(LANES * sizeof(float))));
typedef float vf_anywhere __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

SIMD_INLINE vf vf_load(const float *p) { return *(const vf_anywhere *)p; }
SIMD_INLINE void vf_store(float *p, vf v) { *(vf_anywhere *)p = v; }

/* Past the caches, to a p that is aligned to the vector; other threads see it after tile_streamed(). */
SIMD_INLINE void vf_stream(float *p, vf v)
{
#if defined(ISA_avx512)
    _mm512_stream_ps(p, (__m512)v);
#elif defined(ISA_avx2)
    _mm256_stream_ps(p, (__m256)v);
#elif defined(__SSE2__)
    _mm_stream_ps(p, (__m128)v);
#else
    vf_store(p, v);
#endif
}

SIMD_INLINE vf vf_set1(float f) { return f - (vf){0}; }

/* The first n lanes, 0 <= n <= LANES: memory past them is neither read nor written, lanes past them load as 0. */
SIMD_INLINE vf vf_load_part(const float *p, int n)
{
#if defined(ISA_avx512)
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    vf v = {0};
    for (int i = 0; i < LANES; i++)
        v[i] = i < n ? p[i] : 0;
    return v;
#endif
}

SIMD_INLINE void vf_store_part(float *p, vf v, int n)
{
#if defined(ISA_avx512)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
    for (int i = 0; i < LANES; i++)
        if (i < n)
            p[i] = v[i];
#endif
}

#if defined(ISA_avx512)
SIMD_INLINE vf vf_fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif defined(ISA_avx2)
SIMD_INLINE vf vf_fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#elif defined(__SSE2__) && !defined(__FMA__)
/* No fused hardware: the product of two floats is exact in double; the sum is rounded to odd there, so that rounding it again to
 * float gives what one rounding would (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008). Halves are
 * taken by intrinsics because gcc 12 -O3 makes wrong code of the same written with subscripts. */
SIMD_INLINE __m128d sum_to_odd(__m128d product, __m128d add)
{
    typedef int64_t vl __attribute__((vector_size(2 * sizeof(double))));
    __m128d sum = product + add, part = sum - product;
    __m128d lost = (product - (sum - part)) + (add - part); /* sum + lost is exact; NaN where sum is not finite */
    vl bits = (vl)sum, even = (bits & 1) - 1;
    vl away = (lost > 0) ^ (sum < 0); /* all ones where the exact sum lies farther from zero than the rounded one */
    vl step = ((lost > 0) | (lost < 0)) & even & ((away & 2) - 1);
    return (__m128d)(bits + step);
}

SIMD_INLINE vf vf_fma(vf a, vf b, vf c)
{
    __m128 a2 = _mm_movehl_ps(a, a), b2 = _mm_movehl_ps(b, b), c2 = _mm_movehl_ps(c, c);
    __m128d low = sum_to_odd(_mm_cvtps_pd(a) * _mm_cvtps_pd(b), _mm_cvtps_pd(c));
    __m128d high = sum_to_odd(_mm_cvtps_pd(a2) * _mm_cvtps_pd(b2), _mm_cvtps_pd(c2));
    return (vf)_mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}
#else
SIMD_INLINE vf vf_fma(vf a, vf b, vf c)
{
    for (int i = 0; i < LANES; i++)
        c[i] = fmaf(a[i], b[i], c[i]);
    return c;
}
#endif

/* where is all ones or all zeros in each lane */
SIMD_INLINE vf vf_select(vi where, vf yes, vf no) { return (vf)((where & (vi)yes) | (~where & (vi)no)); }
SIMD_INLINE vf vf_clamp(vf v, float low, float high)
{
    v = vf_select(v < low, vf_set1(low), v);
    return vf_select(v > high, vf_set1(high), v);
}

/* v < 0 ? 0 : v. The instruction gives its second operand where either is NaN or both are zeros, so that v keeps its bits there.
 */
SIMD_INLINE vf vf_relu(vf v)
{
#if defined(ISA_avx512)
    return (vf)_mm512_max_ps(_mm512_setzero_ps(), (__m512)v);
#elif defined(ISA_avx2)
    return (vf)_mm256_max_ps(_mm256_setzero_ps(), (__m256)v);
#elif defined(__SSE2__)
    return (vf)_mm_max_ps(_mm_setzero_ps(), (__m128)v);
#else
    return vf_select(v < 0, (vf){0}, v);
#endif
}

/* osp_activate in each lane, bit for bit; NaN stays NaN. */
SIMD_INLINE vf vf_activate(vf v, enum osp_activation activation)
{
    switch (activation) {
    case OSP_RELU:
        return vf_relu(v);
    case OSP_RELU6:
        return vf_clamp(v, 0, 6);
    case OSP_HARDSWISH:
        return v * vf_clamp(v + 3, 0, 6) / 6;
    case OSP_HARDSIGMOID:
        return vf_clamp(v + 3, 0, 6) / 6;
    default:
        return v;
    }
}

#endif
