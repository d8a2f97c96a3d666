/* What a kernel includes. One .cu file is compiled twice: by nvcc, which sees the device code and makes PTX and SASS; and by g++, which sees
 * the same device code through the emulator and, beside it, the launcher and the row. The launcher is plain host code over a table of
 * driver calls (driver.h): a launch on a GPU, in the emulator and on the PTX driver is the same object code.
 *
 * A kernel file:
 *
 *     #include "kernels/device.h"
 *
 *     constexpr int BLOCK = 256;
 *
 *     CUDA_KERNEL(scale_naive, BLOCK,
 *                 const float *x,       // (N,H,W,C)
 *                 const float *factor,  // (N,1,1,C)
 *                 float *y,             // (N,H,W,C)
 *                 int64_t count, int64_t image, int c)
 *     {
 *         int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
 *         if (i < count)
 *             y[i] = x[i] * factor[i / image * c + i % c];
 *     }
 *
 *     #if CUDA_HOST
 *     static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
 *     {
 *         ...
 *         return launch_scale_naive(device, cuda_blocks(count, BLOCK), BLOCK, 0, x, factor, y, count, image, c);
 *     }
 *     extern "C" const struct osp_kernel cuda_scale_naive = {.name = "naive", .run = run};
 *     #endif
 *
 * Templates stay behind CUDA_KERNEL: each instance that is launched has one. CUDA_KERNEL_BLOCKS also says how many blocks a multiprocessor
 * shall hold at once, where ptxas by itself would take too many registers for that, or spill some to fit more.
 *
 * May be used: templates, lambdas, float2/4, uint4, half and bf16 by conversions, __syncthreads, __syncthreads_count, __syncwarp, __shfl_*_sync,
 * __ballot_sync, __any_sync, __all_sync, __popc(ll), __ffs(ll), __clz(ll), atomics on integers, __ldg, __threadfence with a ticket, #pragma unroll,
 * the cuda_* wrappers below, #if CUDA_ARCH >= 800 (0 where no device code is made, 900 in the emulator). Write fmaf where a fused multiply-add is meant. Exp and log: osp_expf and friends (runtime/scalar.h).
 * May not be used: <<<>>>, raw __shared__, asm, __activemask logic, waiting on another block, warp-synchronous code without __syncwarp,
 * early return before a barrier, atomics on floats, textures, cooperative groups.
 */
#ifndef OSPREY_KERNELS_DEVICE_H
#define OSPREY_KERNELS_DEVICE_H

#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define CUDA_HOST 0
#ifdef __CUDA_ARCH__
#define CUDA_ARCH __CUDA_ARCH__
#else
#define CUDA_ARCH 0
#endif
#define CUDA_KERNEL(name, threads, ...) extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
#define CUDA_KERNEL_BLOCKS(name, threads, blocks, ...) extern "C" __global__ void __launch_bounds__(threads, blocks) name(__VA_ARGS__)
#define CUDA_SHARED(type, name, dims) __shared__ type name dims
#define CUDA_DYNAMIC_SHARED(type, name)                                                                                                   \
    extern __shared__ __align__(128) unsigned char cuda_dynamic_shared[];                                                                 \
    type *name = reinterpret_cast<type *>(cuda_dynamic_shared)
#define CUDA_DEVICE __device__ __forceinline__
#else
#include "emu/emu.h"
#define CUDA_ARCH EMU_ARCH
#ifdef CUDA_IMAGE
#include "launch.h"
#define CUDA_HOST 1
extern "C" const struct cuda_image CUDA_IMAGE; /* kernels.mk names it after the file */
#define CUDA_KERNEL(name, threads, ...)                                                                                                   \
    static void name(__VA_ARGS__);                                                                                                        \
    EMU_KERNEL(name);                                                                                                                     \
    static const cuda_launcher<decltype(name)> launch_##name{{#name, &CUDA_IMAGE, threads}};                                              \
    static void name(__VA_ARGS__)
#else /* the emulator's checked build: it needs no launchers and no rows */
#define CUDA_HOST 0
#define CUDA_KERNEL(name, threads, ...)                                                                                                   \
    static_assert((threads) <= 1024, "a block has at most 1024 threads");                                                                 \
    static void name(__VA_ARGS__);                                                                                                        \
    EMU_KERNEL(name);                                                                                                                     \
    static void name(__VA_ARGS__)
#endif
#define CUDA_KERNEL_BLOCKS(name, threads, blocks, ...) CUDA_KERNEL(name, threads, __VA_ARGS__)
#define CUDA_SHARED(type, name, dims) EMU_SHARED(type, name, dims)
#define CUDA_DYNAMIC_SHARED(type, name) EMU_DYNAMIC_SHARED(type, name)
#define CUDA_DEVICE inline __attribute__((always_inline))
#endif

#include "runtime/ops.h"

/* The last parameter of a wrapper that threads enter together: in the emulator, the line that calls it. */
#ifdef __CUDACC__
#define CUDA_CALLER
#define CUDA_CALLER_ONLY
#else
#define CUDA_CALLER      , emu::Site caller = emu::here()
#define CUDA_CALLER_ONLY emu::Site caller = emu::here()
#endif

/* ---- What needs an instruction of its own: one asm statement on the GPU, a call in the emulator --------------- */

/* Starts copying BYTES (4, 8, 16) from global to shared memory; of them `valid` are read and the rest are zeroed. sm_80 and up. */
template <int BYTES> CUDA_DEVICE void cuda_copy_async(void *shared, const void *global, int valid = BYTES CUDA_CALLER)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned to = (unsigned)__cvta_generic_to_shared(shared);
    if constexpr (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(BYTES), "r"(valid) : "memory");
#elif !defined(__CUDACC__)
    emu::copy_async(shared, global, BYTES, valid, caller);
#endif
}

CUDA_DEVICE void cuda_copy_commit()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#elif !defined(__CUDACC__)
    emu::copy_commit();
#endif
}

/* Waits until at most PENDING of this thread's groups are still under way. */
template <int PENDING> CUDA_DEVICE void cuda_copy_wait(CUDA_CALLER_ONLY)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#elif !defined(__CUDACC__)
    emu::copy_wait(PENDING, caller);
#endif
}

/* The nearest number with 10 bits of mantissa, as the tf32 operands below must be. sm_80 and up. */
CUDA_DEVICE uint32_t cuda_to_tf32(float x)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
#elif !defined(__CUDACC__)
    return emu::to_tf32(x);
#else
    return 0;
#endif
}

/* Two numbers rounded to f16, or to bf16, nearest even, in one register: `low` in its low half. What is too large becomes infinite. */
CUDA_DEVICE uint32_t cuda_f16_pair(float low, float high)
{
#ifdef __CUDACC__
    __half2 pair = __floats2half2_rn(low, high);
    return *reinterpret_cast<uint32_t *>(&pair);
#else
    return __half_as_ushort(__float2half_rn(low)) | (uint32_t)__half_as_ushort(__float2half_rn(high)) << 16;
#endif
}

CUDA_DEVICE uint32_t cuda_bf16_pair(float low, float high)
{
#ifdef __CUDACC__
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<uint32_t *>(&pair);
#else
    return __float2bfloat16_rn(low).bits | (uint32_t)__float2bfloat16_rn(high).bits << 16;
#endif
}

/* d = a b + c, by all 32 lanes of a warp; c may be d. Lane l has g = l / 4, t = l % 4 and holds of the f32 d and c, 16 x 8:
 * (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1). Of a and b it holds, row and column first:
 * tf32   a 16 x 8: (g, t), (g+8, t), (g, t+4), (g+8, t+4)                    b 8 x 8: (t, g), (t+4, g)
 * 16 bit a 16 x 8 or 16 x 16, two columns a register: (g, 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8)
 *        b 8 x 8 or 16 x 8, two rows a register: (2t, g), (2t+8, g)
 * f16 with K 8: sm_75; the others: sm_80 and up. */
#define CUDA_MMA_4_2(types)                                                                                                   \
    asm volatile("mma.sync.aligned." types " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"                       \
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])                                                             \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]),         \
                   "f"(c[3]))

CUDA_DEVICE void cuda_mma_tf32_16x8x8(float d[4], const uint32_t a[4], const uint32_t b[2], const float c[4] CUDA_CALLER)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    CUDA_MMA_4_2("m16n8k8.row.col.f32.tf32.tf32.f32");
#elif !defined(__CUDACC__)
    emu::mma_tf32_16x8x8(d, a, b, c, caller);
#endif
}

CUDA_DEVICE void cuda_mma_f16_16x8x16(float d[4], const uint32_t a[4], const uint32_t b[2], const float c[4] CUDA_CALLER)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    CUDA_MMA_4_2("m16n8k16.row.col.f32.f16.f16.f32");
#elif !defined(__CUDACC__)
    emu::mma_f16_16x8x16(d, a, b, c, caller);
#endif
}

CUDA_DEVICE void cuda_mma_bf16_16x8x16(float d[4], const uint32_t a[4], const uint32_t b[2], const float c[4] CUDA_CALLER)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    CUDA_MMA_4_2("m16n8k16.row.col.f32.bf16.bf16.f32");
#elif !defined(__CUDACC__)
    emu::mma_bf16_16x8x16(d, a, b, c, caller);
#endif
}

CUDA_DEVICE void cuda_mma_f16_16x8x8(float d[4], const uint32_t a[2], const uint32_t b[1], const float c[4] CUDA_CALLER)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 750
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%7,%8,%9,%10};"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
#elif !defined(__CUDACC__)
    emu::mma_f16_16x8x8(d, a, b, c, caller);
#endif
}

/* Four 8 x 8 matrices of 16 bits from shared memory: lanes 8i to 8i+7 hold the addresses of the rows of matrix i, 16-byte aligned;
 * lane l gets of each the columns 2(l%4) and 2(l%4)+1 of row l/4 (transposed: rows and columns exchanged). sm_75 and up. */
CUDA_DEVICE void cuda_ldmatrix_x4(uint32_t r[4], const void *row CUDA_CALLER)
{
#if defined(__CUDA_ARCH__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row))
                 : "memory");
#elif !defined(__CUDACC__)
    emu::ldmatrix(r, row, 4, false, caller);
#endif
}

CUDA_DEVICE void cuda_ldmatrix_x4_trans(uint32_t r[4], const void *row CUDA_CALLER)
{
#if defined(__CUDA_ARCH__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row))
                 : "memory");
#elif !defined(__CUDACC__)
    emu::ldmatrix(r, row, 4, true, caller);
#endif
}

CUDA_DEVICE void cuda_ldmatrix_x2(uint32_t r[2], const void *row CUDA_CALLER)
{
#if defined(__CUDA_ARCH__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"((unsigned)__cvta_generic_to_shared(row))
                 : "memory");
#elif !defined(__CUDACC__)
    emu::ldmatrix(r, row, 2, false, caller);
#endif
}

CUDA_DEVICE void cuda_ldmatrix_x2_trans(uint32_t r[2], const void *row CUDA_CALLER)
{
#if defined(__CUDA_ARCH__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"((unsigned)__cvta_generic_to_shared(row))
                 : "memory");
#elif !defined(__CUDACC__)
    emu::ldmatrix(r, row, 2, true, caller);
#endif
}

#endif
