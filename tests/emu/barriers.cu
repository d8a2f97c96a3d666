/* Planted faults of barriers: missing, not reached by all, not the same for all. */
#include "planted.h"

constexpr int TILE = 16;

template <int BUG>
CUDA_DEVICE void product(const float *a, /* (n,n) */
                         const float *b, /* (n,n) */
                         float *out,     /* (n,n) = a b */
                         int n)
{
    CUDA_SHARED(float, left, [TILE][TILE]);
    CUDA_SHARED(float, right, [TILE][TILE]);
    int x = threadIdx.x, y = threadIdx.y, column = blockIdx.x * TILE + x, row = blockIdx.y * TILE + y;
    float sum = 0;
    for (int k0 = 0; k0 < n; k0 += TILE) {
        left[y][x] = a[row * n + k0 + x];        /* bug 1 2 */
        right[y][x] = b[(k0 + y) * n + column]; /* bug 1 2 */
        if (BUG != 1)
            __syncthreads();
        for (int k = 0; k < TILE; k++)
            sum = fmaf(left[y][k], right[k][x], sum); /* bug 1 2 */
        if (BUG != 2)
            __syncthreads();
    }
    out[row * n + column] = sum;
}
PLANTED(1, TILE *TILE, product)
PLANTED(2, TILE *TILE, product)

/* The neighbours of both ends are zero. */
template <int BUG>
CUDA_DEVICE void three(const float *a, /* (128) */
                       const float *, float *out, /* (128): sums of three neighbours */
                       int)
{
    CUDA_SHARED(float, s, [130]);
    int t = threadIdx.x;
    s[t + 1] = a[t];
    if (t == 0)
        s[0] = 0;
    if (BUG != 11 && t == 127)
        s[129] = 0;
    __syncthreads();
    out[t] = s[t] + s[t + 1] + s[t + 2]; /* bug 11 */
}
PLANTED(11, 128, three)

template <int BUG>
CUDA_DEVICE void reversed(const float *a, /* (256) */
                          const float *, float *out, /* (256), from the last to the first */
                          int)
{
    CUDA_SHARED(float, s, [256]);
    int t = threadIdx.x;
    s[t] = a[t]; /* bug 14 */
    if (BUG == 14) {
        if (t < 128)
            __syncthreads(); /* bug 14 */
    } else if (BUG == 15) {
        /* two barriers in one line */
        if (t & 1) { __syncthreads(); } else { __syncthreads(); } /* bug 15 */
    } else
        __syncthreads();
    out[t] = s[255 - t]; /* bug 14 */
}
PLANTED(14, 256, reversed)
PLANTED(15, 256, reversed)

template <int BUG>
CUDA_DEVICE void exchanged(const float *a, /* (n) */
                           const float *, float *out, /* (n), each even one in the place of the next */
                           int n)
{
    CUDA_SHARED(float, s, [256]);
    int t = threadIdx.x, i = blockIdx.x * 256 + t;
    if (BUG == 16 && i >= n)
        return;
    s[t] = i < n ? a[i] : 0;
    __syncthreads(); /* bug 16 */
    if (i < n)
        out[i] = s[t ^ 1];
}
PLANTED(16, 256, exchanged)
