/* Kernels that ask one thing each of the emulated machine (tests/test_emu.c). A line that a report must name bears a comment that begins
 * with a word. */
#include "kernels/device.h"

/* ---- Where a thread is ----------------------------------------------------------------------- */

CUDA_KERNEL(who, 1024, int *out) /* (threads of the grid, 8) */
{
    int block = (int)(blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z));
    int thread = (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
    int *mine = out + 8 * (block * (int)(blockDim.x * blockDim.y * blockDim.z) + thread);
    mine[0] = (int)threadIdx.x;
    mine[1] = (int)threadIdx.y;
    mine[2] = (int)threadIdx.z;
    mine[3] = (int)blockIdx.x;
    mine[4] = (int)blockIdx.y;
    mine[5] = (int)blockIdx.z;
    mine[6] = (int)(blockDim.x * 10000 + blockDim.y * 100 + blockDim.z);
    mine[7] = (int)(gridDim.x * 10000 + gridDim.y * 100 + gridDim.z);
}

/* The order in which threads came by. */
CUDA_KERNEL(arrive, 256, int *ticket, int *out) /* (1), (threads of the grid) */
{
    out[atomicAdd(ticket, 1)] = (int)(blockIdx.x * blockDim.x + threadIdx.x);
}

/* ---- Together -------------------------------------------------------------------------------- */

CUDA_KERNEL(votes, 96, const int *yes, unsigned *out) /* (96), (96,7) */
{
    int t = (int)threadIdx.x, mine = yes[t];
    unsigned *row = out + 7 * t;
    row[0] = __ballot_sync(0xffffffffu, mine);
    row[1] = (unsigned)__any_sync(0xffffffffu, mine);
    row[2] = (unsigned)__all_sync(0xffffffffu, mine);
    row[3] = (unsigned)__syncthreads_count(mine);
    row[4] = (unsigned)__syncthreads_or(mine);
    row[5] = (unsigned)__syncthreads_and(mine);
    row[6] = t % 32 < 8 ? __ballot_sync(0x000000ffu, mine) : 0;
}

CUDA_KERNEL(shuffles, 32, const int *in, int *out) /* (32), (32,8) */
{
    int t = (int)threadIdx.x, mine = in[t], *row = out + 8 * t;
    row[0] = __shfl_sync(0xffffffffu, mine, 5);
    row[1] = __shfl_sync(0xffffffffu, mine, t + 1, 8);
    row[2] = __shfl_up_sync(0xffffffffu, mine, 3);
    row[3] = __shfl_down_sync(0xffffffffu, mine, 3, 16);
    row[4] = __shfl_xor_sync(0xffffffffu, mine, 7);
    row[5] = (int)__shfl_xor_sync(0xffffffffu, (float)mine, 16);
    row[6] = (int)(__shfl_down_sync(0xffffffffu, (unsigned long long)mine << 32, 1) >> 32);
    row[7] = __shfl_up_sync(0xffffffffu, mine, 1, 4);
}

CUDA_KERNEL(atomics, 256, int *i, unsigned *u, unsigned long long *l) /* (4), (8), (4) */
{
    unsigned t = blockIdx.x * blockDim.x + threadIdx.x;
    atomicAdd(&i[0], 1);
    atomicMin(&i[1], -(int)t);
    atomicMax(&i[2], (int)t);
    atomicAdd(&u[0], t);
    atomicOr(&u[1], 1u << t % 32);
    atomicAnd(&u[2], ~(1u << t % 16));
    atomicMax(&u[3], t);
    atomicMin(&u[4], t);
    if (atomicCAS(&u[5], 0u, t + 1) == 0)
        atomicExch(&u[6], t + 1);
    atomicAdd(&l[0], (unsigned long long)t << 20);
    atomicMax(&l[1], (unsigned long long)t << 40);
    atomicOr(&l[2], 1ull << t % 64);
}

CUDA_KERNEL(bits, 32, const long long *in, int *out) /* (n), (n,8) */
{
    long long x = in[threadIdx.x];
    int *row = out + 8 * threadIdx.x;
    row[0] = __popc((unsigned)x);
    row[1] = __popcll((unsigned long long)x);
    row[2] = __ffs((int)x);
    row[3] = __ffsll(x);
    row[4] = __clz((int)x);
    row[5] = __clzll(x);
    row[6] = (int)__brev((unsigned)x);
    row[7] = min((int)x, 7) ^ max((int)x, -7);
}

/* ---- Copies and matrices --------------------------------------------------------------------- */

/* Through shared memory, four bytes of sixteen left out, two groups. */
CUDA_KERNEL(stage, 32, const float4 *in, float4 *out) /* (64), (64) */
{
    CUDA_SHARED(float4, tile, [64]);
    int t = (int)threadIdx.x;
    cuda_copy_async<16>(&tile[t], &in[t]);
    cuda_copy_commit();
    cuda_copy_async<16>(&tile[t + 32], &in[t + 32], 12);
    cuda_copy_commit();
    cuda_copy_wait<1>(); /* wait first */
    __syncwarp();        /* wait warp */
    out[t] = tile[31 - t];
    cuda_copy_wait<0>(); /* wait second */
    __syncthreads();     /* wait block */
    out[t + 32] = tile[63 - t];
}

/* d = a b + c with whole fragments in memory. `kind`: 0 tf32, 1 f16, 2 bf16, 3 f16 with K 8. */
CUDA_KERNEL(multiply, 32, const uint32_t *a, const uint32_t *b, const float *c, float *d, int kind) /* (32,4), (32,2), (32,4), (32,4) */
{
    int t = (int)threadIdx.x;
    float sum[4] = {c[4 * t], c[4 * t + 1], c[4 * t + 2], c[4 * t + 3]};
    if (kind == 0)
        cuda_mma_tf32_16x8x8(sum, a + 4 * t, b + 2 * t, sum);
    else if (kind == 1)
        cuda_mma_f16_16x8x16(sum, a + 4 * t, b + 2 * t, sum);
    else if (kind == 2)
        cuda_mma_bf16_16x8x16(sum, a + 4 * t, b + 2 * t, sum);
    else
        cuda_mma_f16_16x8x8(sum, a + 4 * t, b + 2 * t, sum);
    for (int i = 0; i < 4; i++)
        d[4 * t + i] = sum[i];
}

/* Four 8 x 8 matrices whose elements are their numbers. */
CUDA_KERNEL(load_matrices, 32, uint32_t *out) /* (32,12): x4, x4 transposed, x2, x2 transposed */
{
    CUDA_SHARED(uint4, tile, [32]);
    int t = (int)threadIdx.x;
    unsigned first = (unsigned)t * 8;
    tile[t] = make_uint4(first | (first + 1) << 16, (first + 2) | (first + 3) << 16, (first + 4) | (first + 5) << 16,
                         (first + 6) | (first + 7) << 16);
    __syncthreads();
    uint32_t r[4];
    cuda_ldmatrix_x4(r, &tile[t]);
    for (int i = 0; i < 4; i++)
        out[12 * t + i] = r[i];
    cuda_ldmatrix_x4_trans(r, &tile[t]);
    for (int i = 0; i < 4; i++)
        out[12 * t + 4 + i] = r[i];
    cuda_ldmatrix_x2(r, &tile[t % 16]);
    out[12 * t + 8] = r[0];
    out[12 * t + 9] = r[1];
    cuda_ldmatrix_x2_trans(r, &tile[t % 16]);
    out[12 * t + 10] = r[0];
    out[12 * t + 11] = r[1];
}

CUDA_KERNEL(round_tf32, 256, const float *in, uint32_t *out) { out[threadIdx.x] = cuda_to_tf32(in[threadIdx.x]); }

/* All 65,536 numbers of 16 bits to f32, there and back. */
CUDA_KERNEL(halves, 256, float *half_out, unsigned short *back, float *bf16_out) /* (65536) each */
{
    unsigned short i = (unsigned short)(blockIdx.x * 256 + threadIdx.x);
    half_out[i] = __half2float(__ushort_as_half(i));
    back[i] = __half_as_ushort(__float2half(half_out[i]));
    bf16_out[i] = __uint_as_float((unsigned)i << 16);
}

/* ---- For streams and graphs ------------------------------------------------------------------ */

CUDA_KERNEL(append, 1, int *list, int value) /* (n + 1): how many, then they */
{
    list[++list[0]] = value;
}
CUDA_KERNEL(add_up, 256, const int *a, const int *b, int *out, int n)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n)
        out[i] = a[i] + b[i];
}

/* ---- Limits and faults ----------------------------------------------------------------------- */

CUDA_KERNEL(dynamic, 32, int *out, int n) /* (32): sums of n words of dynamic shared memory */
{
    CUDA_DYNAMIC_SHARED(int, room);
    for (int i = (int)threadIdx.x; i < n; i += 32)
        room[i] = i;
    __syncthreads();
    int sum = 0;
    for (int i = (int)threadIdx.x; i < n; i += 32)
        sum += room[n - 1 - i];
    out[threadIdx.x] = sum;
}

CUDA_KERNEL(reach, 32, int *out, int at) /* (anything) */
{
    if (threadIdx.x == 7 && blockIdx.x == 2)
        out[at] = 1; /* reach */
}

CUDA_KERNEL(turn, 32, const int *stop)
{
    while (!*(volatile const int *)stop) /* turn */
        ;
}
CUDA_KERNEL(turn_atomic, 32, int *stop)
{
    while (!atomicAdd(stop, 0))
        ;
}
CUDA_KERNEL(turn_barrier, 32, const int *stop)
{
    do
        __syncthreads();
    while (!*(volatile const int *)stop);
}

CUDA_KERNEL(never, 2, int *out)
{
    if (threadIdx.x == 0)
        __syncwarp(3);
    else
        __syncwarp(3);
    *out = 1;
}

#ifndef __CUDACC__
CUDA_KERNEL(too_much, 32, int *out)
{
    CUDA_SHARED(int, room, [12 * 1024]);
    CUDA_SHARED(int, more, [16]);
    room[threadIdx.x] = more[threadIdx.x % 16] = 1;
    out[threadIdx.x] = room[0];
}

CUDA_KERNEL(software_halves, 256, float *out, unsigned short *back) /* (65536): the conversions of a machine without F16C */
{
    unsigned short i = (unsigned short)(blockIdx.x * 256 + threadIdx.x);
    out[i] = emu::half_to_float(i);
    back[i] = emu::float_to_half(out[i]);
}
#endif
