/* Ways of asking for memory whose cost can be worked out by hand: tests/test_counters.c has the numbers. Some
 * lines say in a comment what they do. */
#include "kernels/device.h"

template <class T> CUDA_DEVICE void copy(const T *a, T *b, int n, int stride, int offset)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        b[i] = a[i * stride + offset];
}

CUDA_KERNEL(copy_4, 256, const float *a, float *b, int n, int stride, int offset) { copy(a, b, n, stride, offset); }
CUDA_KERNEL(copy_8, 256, const float2 *a, float2 *b, int n, int stride, int offset) { copy(a, b, n, stride, offset); }
CUDA_KERNEL(copy_16, 256, const float4 *a, float4 *b, int n, int stride, int offset) { copy(a, b, n, stride, offset); }
CUDA_KERNEL(copy_2, 256, const uint16_t *a, uint16_t *b, int n, int stride, int offset) { copy(a, b, n, stride, offset); }

CUDA_KERNEL(transpose_naive, 256,
            const float *a, /* (n,n) */
            float *b,       /* (n,n) */
            int n, int, int)
{
    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
    for (int j = 0; j < 32; j += 8)
        b[x * n + y + j] = a[(y + j) * n + x];
}

template <int PITCH> CUDA_DEVICE void transpose(const float *a, float *b, int n)
{
    CUDA_SHARED(float, tile, [32][PITCH]);
    int x = threadIdx.x, y = threadIdx.y, x0 = blockIdx.x * 32, y0 = blockIdx.y * 32;
    for (int j = 0; j < 32; j += 8)
        tile[y + j][x] = a[(y0 + y + j) * n + x0 + x];
    __syncthreads();
    for (int j = 0; j < 32; j += 8)
        b[(x0 + y + j) * n + y0 + x] = tile[x][y + j];
}
CUDA_KERNEL(transpose_32, 256, const float *a, float *b, int n, int, int) { transpose<32>(a, b, n); }
CUDA_KERNEL(transpose_33, 256, const float *a, float *b, int n, int, int) { transpose<33>(a, b, n); }

/* One warp fills 16 KiB of shared memory in order, and reads every stride-th element. */
template <class T> CUDA_DEVICE void shared_stride(T *b, int stride, T one)
{
    constexpr int COUNT = 16384 / (int)sizeof(T);
    CUDA_SHARED(float4, memory, [1024]);
    T *s = (T *)memory;
    for (int i = threadIdx.x; i < COUNT; i += 32)
        s[i] = one;
    __syncthreads();
    b[threadIdx.x] = s[(threadIdx.x * stride) % COUNT];
}
CUDA_KERNEL(shared_4, 32, const float *, float *b, int, int stride, int) { shared_stride(b, stride, 1.0f); }
CUDA_KERNEL(shared_8, 32, const float *, float2 *b, int, int stride, int) { shared_stride(b, stride, make_float2(1, 2)); }
CUDA_KERNEL(shared_16, 32, const float *, float4 *b, int, int stride, int)
{
    shared_stride(b, stride, make_float4(1, 2, 3, 4));
}

/* Half the lanes go one way, half the other. */
CUDA_KERNEL(odd_even, 32, const float *a, float *b, int, int, int)
{
    int t = threadIdx.x;
    float v;
    if (t & 1)
        v = a[t]; /* load odd */
    else
        v = a[t + 32] * 2; /* load even */
    b[t] = v; /* store */
}

/* Lane t goes round t + 1 times. */
CUDA_KERNEL(triangle, 32, const float *a, float *b, int, int, int)
{
    int t = threadIdx.x;
    float sum = 0;
    for (int k = 0; k <= t; k++)
        sum += a[k * 32 + t];
    b[t] = sum;
}

/* All lanes of all warps on one word, then one word for each lane. */
CUDA_KERNEL(same_word, 256, const float *, int *b, int, int, int)
{
    CUDA_SHARED(int, count, [32]);
    int t = threadIdx.x;
    if (t < 32)
        count[t] = 0;
    __syncthreads();
    atomicAdd(&count[5], 1);
    __syncthreads();
    if (t < 32)
        atomicAdd(&b[t], count[t]);
}

/* One read and one write, which a compiler's instrumentation may take for one write. */
CUDA_KERNEL(increment, 256, const float *, float *b, int n, int, int)
{
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n)
        b[i] += 1;
}

/* Sixteen bytes a lane, straight to shared memory. */
CUDA_KERNEL(async_copy, 32, const float4 *a, float4 *b, int, int, int)
{
    CUDA_SHARED(float4, s, [32]);
    int t = threadIdx.x;
    cuda_copy_async<16>(&s[t], &a[t]);
    cuda_copy_commit();
    cuda_copy_wait<0>();
    b[t] = s[t];
}
