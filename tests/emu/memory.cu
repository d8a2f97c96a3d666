/* Planted faults of memory: outside what was allocated, misaligned, not a device address, shared by threads without order; and a
 * sum that stops early. */
#include "planted.h"

template <int BUG>
CUDA_DEVICE void reversed_blocks(const float *a, /* (n) */
                                 const float *, float *out, /* (n), each 256 from the last to the first */
                                 int)
{
    CUDA_SHARED(float, s, [256]);
    int t = threadIdx.x, i = blockIdx.x * 256 + t, first = BUG == 3;
    s[t + first] = a[i]; /* bug 3 */
    __syncthreads();
    out[i] = s[255 + first - t]; /* bug 3 */
}
PLANTED(3, 256, reversed_blocks)

/* Past the end of a row is the next row: the address is inside the array. */
template <int BUG>
CUDA_DEVICE void rows(const float *a, /* (33,32) */
                      const float *, float *out, /* (32): sums of the first rows */
                      int n)                     /* 32 */
{
    CUDA_SHARED(float, s, [33][32]);
    int t = threadIdx.x;
    for (int y = 0; y < 33; y++)
        s[y][t] = a[y * 32 + t];
    __syncthreads();
    float sum = 0;
    for (int k = 0; k < (BUG == 4 ? n + 1 : n); k++)
        sum += s[t][k]; /* bug 4 */
    out[t] = sum;
}
PLANTED(4, 32, rows)

template <int BUG>
CUDA_DEVICE void doubled(const float *a, /* (n) */
                         const float *, float *out, /* (n) */
                         int n)
{
    int i = blockIdx.x * 256 + threadIdx.x;
    if (BUG == 5 || i < n)
        out[i] = 2 * a[i]; /* bug 5 26 */
}
PLANTED(5, 256, doubled)
PLANTED(26, 256, doubled) /* the same kernel: the fault is the host's, who passes an address of its own */

template <int BUG>
CUDA_DEVICE void total(const float *a, /* (gridDim.x) */
                       const float *, float *out, /* (1) */
                       int)
{
    if (threadIdx.x != 0)
        return;
    if (BUG == 10)
        out[0] += a[blockIdx.x]; /* bug 10 */
    else
        atomicAdd(out, a[blockIdx.x]);
}
PLANTED(10, 32, total)

template <int BUG>
CUDA_DEVICE void fours(const float *a, /* (32,4) */
                       const float *, float *out, /* (32): sums */
                       int)
{
    int t = threadIdx.x, off = BUG == 18 ? 2 : 0;
    float4 v = *(const float4 *)(a + t * 4 + off); /* bug 18 */
    out[t] = v.x + v.y + v.z + v.w;
}
PLANTED(18, 32, fours)

template <int BUG>
CUDA_DEVICE void positive(const float *a, /* (32) */
                          const float *, float *out, /* (1): a bit for each */
                          int)
{
    unsigned *bits = (unsigned *)out;
    int t = threadIdx.x;
    if (a[t] > 0) {
        if (BUG == 21)
            bits[0] |= 1u << t; /* bug 21 */
        else
            atomicOr(bits, 1u << t);
    }
}
PLANTED(21, 32, positive)

/* The positive numbers, one after the other: in the order of threads, or in that of their arrival. */
template <int BUG>
CUDA_DEVICE void compact(const float *a, /* (n) */
                         const float *, float *out, /* (n); at 2048 a counter, 0 */
                         int n)
{
    int i = blockIdx.x * 32 + threadIdx.x, at = 0;
    if (i >= n || !(a[i] > 0))
        return;
    if (BUG == 22)
        at = (int)atomicAdd((unsigned *)out + 2048, 1u);
    else
        for (int k = 0; k < i; k++)
            at += a[k] > 0;
    out[at] = a[i];
}
PLANTED(22, 32, compact)

/* Each block leaves its part; the one that draws the last ticket adds them up. */
template <int BUG>
CUDA_DEVICE void last_block(const float *a, /* (gridDim.x) */
                            const float *, float *out, /* (1); at 1024 the parts, at 2048 the tickets, 0 */
                            int)
{
    float *part = out + 1024;
    if (threadIdx.x != 0)
        return;
    part[blockIdx.x] = a[blockIdx.x]; /* bug 23 */
    if (BUG != 23)
        __threadfence();
    unsigned ticket = atomicAdd((unsigned *)out + 2048, 1u);
    if (ticket == gridDim.x - 1) {
        float sum = 0;
        for (unsigned i = 0; i < gridDim.x; i++)
            sum += part[i]; /* bug 23 */
        out[0] = sum;
    }
}
PLANTED(23, 32, last_block)

template <int BUG>
CUDA_DEVICE void columns(const float *a, /* (n) */
                         const float *, float *out, /* (256): sums of each 256th */
                         int n)
{
    int t = threadIdx.x;
    float sum = 0;
    for (int i = t; i < (BUG == 25 ? n - 32 : n); i += 256)
        sum += a[i];
    out[t] = sum;
}
PLANTED(25, 256, columns)
