// Control flow, calls, local and constant memory, atomics.
#include <stdint.h>

__constant__ int table[5] = {3, 1, 4, 1, 5};
__device__ unsigned counter = 7;
__device__ int *pointer_to_nothing;

__device__ __noinline__ int collatz(int n)
{
    int steps = 0;
    while (n != 1) {
        n = n % 2 ? 3 * n + 1 : n / 2;
        steps++;
    }
    return steps;
}

__device__ __noinline__ int twice(int n, int8_t extra) { return collatz(n) * 2 + extra; }

extern "C" __global__ void diverge(const int *in, int *out, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    int v = in[i], sum = 0;
    for (int k = 0; k < v; k++) {
        if (k % 3 == 2)
            continue;
        for (int j = 0; j < k; j++) {
            if (j * k > 20)
                break;
            sum += j ^ k;
        }
    }
    if (v % 2)
        sum += collatz(v + 1);
    else
        sum -= twice(v + 3, (int8_t)-v);
    out[i] = sum;
}

extern "C" __global__ void choose(const int *in, int *out, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    int r;
    switch (in[i]) {
    case 0: r = i * 7; break;
    case 1: r = i + 100; break;
    case 2: r = table[i % 5]; break;
    case 3: r = -i; break;
    case 4: r = i * i; break;
    case 5: r = i ^ 0x55; break;
    case 6: r = 12345; break;
    case 7: r = i / 3; break;
    default: r = -1;
    }
    out[i] = r;
}

extern "C" __global__ void local_array(const int *in, int *out, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int stack[16];
    if (i >= n)
        return;
    for (int k = 0; k < 16; k++)
        stack[(k * 5 + i) & 15] = in[i] + k;
    int sum = 0;
    for (int k = 0; k < 16; k++)
        sum = sum * 3 + stack[(k + in[i]) & 15];
    out[i] = sum;
}

struct numbers {
    int a[7];
    uint8_t b[3];
    int64_t c;
};
extern "C" __global__ void parameters(const __grid_constant__ numbers by_value, int *out, int n)
{
    int i = threadIdx.x;
    if (i < n)
        out[i] = by_value.a[i % 7] + by_value.b[i % 3] + (int)by_value.c;
}

extern "C" __global__ void atomics(int *cells, float *sum, unsigned long long *wide, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    __shared__ unsigned votes[4];
    if (threadIdx.x < 4)
        votes[threadIdx.x] = 0;
    __syncthreads();
    if (i < n) {
        atomicAdd(&cells[0], i);
        atomicMin(&cells[1], -i);
        atomicMax(&cells[2], i);
        atomicAnd(&cells[3], ~(1 << i % 7));
        atomicOr(&cells[4], 1 << i % 11);
        atomicXor(&cells[5], i);
        atomicInc((unsigned *)&cells[6], 9);
        atomicDec((unsigned *)&cells[7], 9);
        atomicAdd(sum, 0.25f);
        atomicAdd(wide, 1ull << 33);
        atomicMax(wide + 1, (unsigned long long)i << 32);
        int old = cells[8];
        while (true) {
            int seen = atomicCAS(&cells[8], old, old + 2);
            if (seen == old)
                break;
            old = seen;
        }
        atomicExch(&cells[9], 77);
        atomicAdd(&votes[i % 4], 1u);
        atomicAdd(&counter, 1u);
    }
    __syncthreads();
    if (threadIdx.x < 4)
        atomicAdd(&cells[10 + threadIdx.x], (int)votes[threadIdx.x]);
}

extern "C" __global__ void block_votes(const int *in, int *out)
{
    int v = in[threadIdx.x];
    int count = __syncthreads_count(v > 3), all = __syncthreads_and(v >= 0), any = __syncthreads_or(v > 8);
    extern __shared__ int copy[];
    copy[threadIdx.x] = v;
    __syncthreads();
    out[threadIdx.x] = count * 100 + all * 10 + any + 1000 * copy[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void generic_pointer(const int *in, int *out, int n)
{
    __shared__ int here[64];
    int mine[2] = {in[threadIdx.x], 5};
    here[threadIdx.x] = in[threadIdx.x] * 2;
    __syncwarp();
    const int *p = n & 1 ? (threadIdx.x % 3 == 0 ? in : threadIdx.x % 3 == 1 ? here : mine - threadIdx.x) : in;
    out[threadIdx.x] = p[threadIdx.x];
}
