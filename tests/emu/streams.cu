/* Work for two streams: what the second does is right only when it waited for the first. */
#include "kernels/device.h"

CUDA_KERNEL(stream_fill, 256, float *x, float value, int n)
{
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n)
        x[i] = value;
}

CUDA_KERNEL(stream_add, 256, const float *x, float *y, float value, int n)
{
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n)
        y[i] = x[i] + value;
}
