// mma.sync, ldmatrix, cp.async.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

__device__ unsigned shared_address(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }

// D (16x8) = A (16xK) * B (Kx8) + C, all row-major f32 in memory.
extern "C" __global__ void mma_tf32(const float *a, const float *b, const float *c, float *d)
{
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
    unsigned x[4] = {__float_as_uint(a[g * 8 + t]), __float_as_uint(a[(g + 8) * 8 + t]), __float_as_uint(a[g * 8 + t + 4]), __float_as_uint(a[(g + 8) * 8 + t + 4])};
    unsigned y[2] = {__float_as_uint(b[t * 8 + g]), __float_as_uint(b[(t + 4) * 8 + g])};
    float r[4] = {c[g * 8 + 2 * t], c[g * 8 + 2 * t + 1], c[(g + 8) * 8 + 2 * t], c[(g + 8) * 8 + 2 * t + 1]};
    asm volatile("cvt.rna.tf32.f32 %0, %0;" : "+r"(x[0]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(r[0]), "+f"(r[1]), "+f"(r[2]), "+f"(r[3]) : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
    d[g * 8 + 2 * t] = r[0], d[g * 8 + 2 * t + 1] = r[1], d[(g + 8) * 8 + 2 * t] = r[2], d[(g + 8) * 8 + 2 * t + 1] = r[3];
}

// The same with halves that come through cp.async and ldmatrix: A is 16x16, B 16x8, row-major halves.
template <bool BRAIN> __device__ void halves(const void *a, const void *b, float *d)
{
    __shared__ __align__(16) uint16_t sa[16 * 16], sb[16 * 8];
    int lane = threadIdx.x, g = lane / 4, t = lane % 4;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(sa + lane * 8)), "l"((const uint16_t *)a + lane * 8) : "memory");
    if (lane < 16)
        asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(sb + lane * 8)), "l"((const uint16_t *)b + lane * 8), "r"(16) : "memory");
    asm volatile("cp.async.commit_group;" ::: "memory");
    asm volatile("cp.async.wait_group 0;" ::: "memory");
    __syncwarp();
    unsigned x[4], y[2];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(shared_address(sa + lane % 16 * 16 + lane / 16 * 8)));
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(y[0]), "=r"(y[1]) : "r"(shared_address(sb + lane % 16 * 8)));
    float r[4] = {0, 0, 0, 0};
    if (BRAIN)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(r[0]), "+f"(r[1]), "+f"(r[2]), "+f"(r[3]) : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
    else
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(r[0]), "+f"(r[1]), "+f"(r[2]), "+f"(r[3]) : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
    d[g * 8 + 2 * t] = r[0], d[g * 8 + 2 * t + 1] = r[1], d[(g + 8) * 8 + 2 * t] = r[2], d[(g + 8) * 8 + 2 * t + 1] = r[3];
}
extern "C" __global__ void mma_f16(const void *a, const void *b, float *d) { halves<false>(a, b, d); }
extern "C" __global__ void mma_bf16(const void *a, const void *b, float *d) { halves<true>(a, b, d); }

// A pipeline of two stages; `short_wait` waits for one group fewer than it must.
extern "C" __global__ void pipeline(const float *in, float *out, int tiles, int short_wait)
{
    __shared__ __align__(16) float s[2][64];
    float sum = 0;
    auto fetch = [&](int tile) {
        if (threadIdx.x < 16)
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(&s[tile & 1][threadIdx.x * 4])), "l"(in + tile * 64 + threadIdx.x * 4) : "memory");
        asm volatile("cp.async.commit_group;" ::: "memory");
    };
    fetch(0);
    for (int tile = 0; tile < tiles; tile++) {
        if (tile + 1 < tiles)
            fetch(tile + 1);
        if (tile + 1 < tiles || short_wait)
            asm volatile("cp.async.wait_group 1;" ::: "memory");
        else
            asm volatile("cp.async.wait_group 0;" ::: "memory");
        __syncthreads();
        sum += s[tile & 1][threadIdx.x ^ 1];
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}
// Half of each copy is read, the rest is zeroed.
extern "C" __global__ void partial_copy(const float *in, float *out)
{
    __shared__ __align__(16) float s[128];
    asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(&s[threadIdx.x * 4])), "l"(in + threadIdx.x * 4), "r"((int)(threadIdx.x % 5) * 4) : "memory");
    asm volatile("cp.async.wait_all;" ::: "memory");
    for (int k = 0; k < 4; k++)
        out[threadIdx.x * 4 + k] = s[threadIdx.x * 4 + k];
}
