/* The scalar functions that every backend computes the same way, bit for bit: + - x /, sqrt, fmaf and what is built from them
 * here. One header for C, CUDA and the emulator. Never fast-math; compile with -ffp-contract=off (nvcc: -fmad=false). Errors in
 * ulp are stated at each function and held by tests/test_scalar.c, exhaustively where it says so. */
#ifndef OSPREY_SCALAR_H
#define OSPREY_SCALAR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define OSP_SCALAR static inline __host__ __device__
#else
#define OSP_SCALAR static inline
#endif

OSP_SCALAR uint32_t osp_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

OSP_SCALAR float osp_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^n for n in -126..127. */
OSP_SCALAR float osp_power_of_two(int32_t n) { return osp_from_bits((uint32_t)(n + 127) << 23); }

/* e^x, error at most 1 ulp (denormal results included). Above 88.72284 it is inf, below -103.9721 it is 0, of NaN it is NaN.
 *
 * x = n ln 2 + r with |r| <= ln(2)/2; e^r = 1 + r + r^2 q(r), q fitted to the least largest error. Adding 1.5 * 2^23 rounds to a
 * whole number, in the low bits of the sum. ln 2 is split in two floats: the first subtraction is exact. The power is applied in
 * two halves, so that only the last product can round. No branch: compilers make vectors of it. */
OSP_SCALAR float osp_expf(float x)
{
    const float shift = 12582912.0f;
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    float z = fmaf(x, 0x1.715476p+0f, shift);
    float n = z - shift;
    float whole = fmaf(n, -0x1.62e430p-1f, x), rest = n * 0x1.05c610p-29f, r = whole + rest;
    float q = 0x1.6db45ep-10f;
    q = fmaf(q, r, 0x1.123b7ep-7f);
    q = fmaf(q, r, 0x1.55545ep-5f);
    q = fmaf(q, r, 0x1.55548ep-3f);
    q = fmaf(q, r, 0.5f);
    float p = fmaf(q * r, r, rest) + whole + 1.0f;
    uint32_t exponent = osp_bits(z) - 0x4b400000u + 256u; /* n + 256: no sign to shift; anything at all for NaN, where p is NaN */
    uint32_t half = exponent >> 1;
    float low = osp_from_bits((half - 128u + 127u) << 23);
    float high = osp_from_bits((exponent - half - 128u + 127u) << 23);
    return p * low * high;
}

/* log2(x), error at most 1 ulp. Of 0 it is -inf, of a negative number or NaN it is NaN, of inf inf.
 *
 * x = 2^n (1 + f) with 1 + f in [2/3, 4/3); log2(1 + f) = f log2(e) + f^2 q(f). The product with the leading log2(e) and the
 * sum with n keep their rounding errors, which are added with the small terms. */
OSP_SCALAR float osp_log2f(float x)
{
    const float log2e = 0x1.715476p+0f, log2e_low = 0x1.4ae0c0p-26f;
    if (!(x > 0.0f) || x > 3.402823466e+38f)
        return x == 0.0f ? -INFINITY : x < 0.0f ? NAN : x;
    float n = 0.0f;
    if (x < 1.175494351e-38f) {
        x *= 8388608.0f;
        n = -23.0f;
    }
    uint32_t bits = osp_bits(x) - 0x3f2aaaabu; /* 2/3 */
    n += (float)((int32_t)bits >> 23);
    float f = osp_from_bits((bits & 0x007fffffu) + 0x3f2aaaabu) - 1.0f;
    float q = -0x1.894f5ap-3f;
    q = fmaf(q, f, 0x1.9dd57ap-3f);
    q = fmaf(q, f, -0x1.64dde2p-3f);
    q = fmaf(q, f, 0x1.9dac80p-3f);
    q = fmaf(q, f, -0x1.ed1d56p-3f);
    q = fmaf(q, f, 0x1.279f82p-2f);
    q = fmaf(q, f, -0x1.71529ap-2f);
    q = fmaf(q, f, 0x1.ec7024p-2f);
    q = fmaf(q, f, -0x1.715478p-1f);
    float product = f * log2e;
    float small = fmaf(q * f, f, fmaf(f, log2e_low, fmaf(f, log2e, -product)));
    float sum = n + product;
    small += product - (sum - n);
    return sum + small;
}

/* 1 / (1 + e^-x), error at most 3 ulp; 0 below -88.73, where e^-x is inf. As torch.sigmoid on a CPU. */
OSP_SCALAR float osp_sigmoidf(float x) { return 1.0f / (1.0f + osp_expf(-x)); }

#endif
