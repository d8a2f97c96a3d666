/* Planted faults of warps: masks that do not say who takes part, a missing __syncwarp, wrong operands of a matrix instruction. */
#include "planted.h"

template <int BUG>
CUDA_DEVICE void sixteen(const float *a, /* (32) */
                         const float *, float *out, /* (1): the sum of the first 16 */
                         int)
{
    int t = threadIdx.x;
    float sum = a[t];
    if (BUG == 12) {
        if (t < 16)
            for (int d = 8; d; d >>= 1)
                sum += __shfl_down_sync(0xffffffffu, sum, d, 16); /* bug 12 */
    } else
        for (int d = 8; d; d >>= 1)
            sum += __shfl_down_sync(BUG == 13 ? 0xffffu : 0xffffffffu, sum, d, 16); /* bug 13 */
    if (t == 0)
        out[0] = sum;
}
PLANTED(12, 32, sixteen)
PLANTED(13, 32, sixteen)

template <int BUG>
CUDA_DEVICE void warp_sum(const float *a, /* (32) */
                          const float *, float *out, /* (1) */
                          int)
{
    CUDA_SHARED(float, s, [64]);
    int t = threadIdx.x;
    s[t] = a[t];
    s[t + 32] = 0;
    __syncwarp();
    for (int d = 16; d; d >>= 1) {
        float other = s[t + d]; /* bug 17 */
        __syncwarp();
        s[t] += other; /* bug 17 */
        if (BUG != 17)
            __syncwarp();
    }
    if (t == 0)
        out[0] = s[0];
}
PLANTED(17, 32, warp_sum)

template <int BUG> CUDA_DEVICE uint32_t operand(float x) { return BUG == 20 ? __float_as_uint(x) : cuda_to_tf32(x); }

template <int BUG>
CUDA_DEVICE void matrices(const float *a, /* (16,8) */
                          const float *b, /* (8,8) */
                          float *out,     /* (16,8) */
                          int)
{
    int lane = threadIdx.x, g = lane / 4, t = lane % 4, second = BUG == 19 ? 2 : 1;
    float sum[4] = {0, 0, 0, 0};
    uint32_t left[4], right[2];
    left[0] = operand<BUG>(a[g * 8 + t]);
    left[second] = operand<BUG>(a[(g + 8) * 8 + t]);
    left[3 - second] = operand<BUG>(a[g * 8 + t + 4]);
    left[3] = operand<BUG>(a[(g + 8) * 8 + t + 4]);
    right[0] = operand<BUG>(b[t * 8 + g]);
    right[1] = operand<BUG>(b[(t + 4) * 8 + g]);
    cuda_mma_tf32_16x8x8(sum, left, right, sum); /* bug 20 */
    out[g * 8 + 2 * t] = sum[0];
    out[g * 8 + 2 * t + 1] = sum[1];
    out[(g + 8) * 8 + 2 * t] = sum[2];
    out[(g + 8) * 8 + 2 * t + 1] = sum[3];
}
PLANTED(19, 32, matrices)
PLANTED(20, 32, matrices)
