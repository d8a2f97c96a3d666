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
 * Templates stay behind CUDA_KERNEL: each instance that is launched has one.
 *
 * May be used: templates, lambdas, float2/4, uint4, half and bf16 by conversions, __syncthreads, __syncthreads_count, __syncwarp, __shfl_*_sync,
 * __ballot_sync, __any_sync, __all_sync, __popc(ll), __ffs(ll), __clz(ll), atomics on integers, __ldg, __threadfence with a ticket, #pragma unroll,
 * the cuda_* wrappers below. Write fmaf where a fused multiply-add is meant. Exp and log: osp_expf and friends (runtime/scalar.h).
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
#define CUDA_KERNEL(name, threads, ...) extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
#define CUDA_SHARED(type, name, dims) __shared__ type name dims
#define CUDA_DYNAMIC_SHARED(type, name)                                                                                                   \
    extern __shared__ __align__(128) unsigned char cuda_dynamic_shared[];                                                                 \
    type *name = reinterpret_cast<type *>(cuda_dynamic_shared)
#define CUDA_DEVICE __device__ __forceinline__
#else
#include "emu/emu.h"
#include "launch.h"
#define CUDA_HOST 1
#define CUDA_KERNEL(name, threads, ...)                                                                                                   \
    static void name(__VA_ARGS__);                                                                                                        \
    EMU_KERNEL(name);                                                                                                                     \
    static const cuda_launcher<decltype(name)> launch_##name{#name, CUDA_IMAGE, threads};                                                 \
    static void name(__VA_ARGS__)
#define CUDA_SHARED(type, name, dims) EMU_SHARED(type, name, dims)
#define CUDA_DYNAMIC_SHARED(type, name) EMU_DYNAMIC_SHARED(type, name)
#define CUDA_DEVICE inline __attribute__((always_inline))
#endif

#include "runtime/ops.h"

/* ---- What needs an instruction of its own: one asm statement on the GPU, a call in the emulator --------------- */

/* Starts copying BYTES (4, 8, 16) from global to shared memory; of them `valid` are read and the rest are zeroed. sm_80 and up. */
template <int BYTES> CUDA_DEVICE void cuda_copy_async(void *shared, const void *global, int valid = BYTES)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned to = (unsigned)__cvta_generic_to_shared(shared);
    if constexpr (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(BYTES), "r"(valid) : "memory");
#elif !defined(__CUDACC__)
    emu::copy_async(shared, global, BYTES, valid);
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
template <int PENDING> CUDA_DEVICE void cuda_copy_wait()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#elif !defined(__CUDACC__)
    emu::copy_wait(PENDING);
#endif
}

#endif
