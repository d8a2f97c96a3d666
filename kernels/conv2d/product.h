/* Numbers that tensor cores multiply: what they can hold, how they lie in shared memory, how x gets there, the instruction.
 *
 * 64 bytes hold STEPS of them, four pieces of 16 bytes. A product takes two pieces: 8 steps of tf32, 16 of f16 and bf16. */
#ifndef OSPREY_KERNELS_CONV2D_PRODUCT_H
#define OSPREY_KERNELS_CONV2D_PRODUCT_H

#include "kernels/conv2d/block.h"

/* Pieces of a row are exchanged by its place, so that eight rows' pieces of one number lie in all banks: ldmatrix reads them in
 * one pass, and so do the writes below. */
CUDA_DEVICE int conv2d_swizzle(int row) { return row / 2 % 4; }

/* tf32: 10 bits behind the point. x is copied as it stands, and rounded when it is in a fragment. */
struct conv2d_tf32 {
    typedef uint32_t number;
    static constexpr int STEPS = 16, MAJOR = 8; /* compute capability MAJOR.0 and up */
    static constexpr int STAGES = 3;            /* one is multiplied while two are on their way */

    /* A pixel's steps 4*quarter.. of every 16, on their way into its row. */
    struct parcel {
        conv2d_parcel copy;
        CUDA_DEVICE void send(float4 *row, int swizzle, int quarter, int, const float *from, bool live)
        {
            copy.send(row + (quarter ^ swizzle), from, live);
        }
        CUDA_DEVICE void land(float4 *, int, int, int) {}
    };

    static CUDA_DEVICE void round(uint32_t (&a)[4])
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
            a[i] = cuda_to_tf32(__uint_as_float(a[i]));
    }
    static CUDA_DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t *b)
    {
        cuda_mma_tf32_16x8x8(d, a, b, d);
    }

#if CUDA_HOST
    static constexpr enum osp_precision precision = OSP_PRECISION_TF32;
    static number of(float x) { return cuda_to_tf32(x); }
    static bool holds(float x) { return fabsf(x) < 0x1.ffep127f; }
#endif
};

/* Two 16-bit numbers, PAIR(low, high), a register; x, after HELD, is turned into them between the registers and shared memory. */
template <uint32_t (*PAIR)(float, float), float4 (*HELD)(float4)> struct conv2d_short {
    typedef uint16_t number;
    static constexpr int STEPS = 32, STAGES = 2;

    struct parcel {
        float4 value;
        CUDA_DEVICE void send(float4 *, int, int, int, const float *from, bool live)
        {
            value = live ? *reinterpret_cast<const float4 *>(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        }
        /* The `part`-th 16 of the row's steps: two pieces, of which four threads have half a piece each. */
        CUDA_DEVICE void land(float4 *row, int swizzle, int quarter, int part)
        {
            uint2 *piece = reinterpret_cast<uint2 *>(row + ((part * 2 + quarter / 2) ^ swizzle));
            float4 v = HELD(value);
            piece[quarter % 2] = make_uint2(PAIR(v.x, v.y), PAIR(v.z, v.w));
        }
    };

    static CUDA_DEVICE void round(uint32_t (&)[4]) {}
#if CUDA_HOST
    static number of(float x) { return (number)PAIR(x, 0.0f); }
#endif
};

/* A number that f16 cannot hold makes NaN of its pixel: an infinity could be lost in an activation, or by 1/x; a NaN goes on to
 * the boxes, where it is counted (ops.h, nonfinite). Which of four neighbouring channels becomes NaN is the same to every sum. */
CUDA_DEVICE float4 conv2d_held_by_f16(float4 v)
{
    float most = max(max(fabsf(v.x), fabsf(v.y)), max(fabsf(v.z), fabsf(v.w)));
    v.x = most >= 65520.0f ? __uint_as_float(0x7fffffffu) : v.x;
    return v;
}
CUDA_DEVICE float4 conv2d_held_by_bf16(float4 v) { return v; }

/* f16: 10 bits behind the point, 6.1e-5 to 65504 (below, in steps of 6e-8). sm_75 takes 8 steps a product. */
struct conv2d_f16 : conv2d_short<cuda_f16_pair, conv2d_held_by_f16> {
    static constexpr int MAJOR = 7;
    static CUDA_DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t *b)
    {
#if CUDA_ARCH >= 800
        cuda_mma_f16_16x8x16(d, a, b, d);
#else
        cuda_mma_f16_16x8x8(d, a, b, d);
        cuda_mma_f16_16x8x8(d, a + 2, b + 1, d);
#endif
    }
#if CUDA_HOST
    static constexpr enum osp_precision precision = OSP_PRECISION_F16;
    static bool holds(float x) { return fabsf(x) < 65520.0f; }
#endif
};

/* bf16: 7 bits behind the point, and f32's range. */
struct conv2d_bf16 : conv2d_short<cuda_bf16_pair, conv2d_held_by_bf16> {
    static constexpr int MAJOR = 8;
    static CUDA_DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t *b)
    {
        cuda_mma_bf16_16x8x16(d, a, b, d);
    }
#if CUDA_HOST
    static constexpr enum osp_precision precision = OSP_PRECISION_BF16;
    static bool holds(float x) { return fabsf(x) < 0x1.ffp127f; }
#endif
};
#endif
