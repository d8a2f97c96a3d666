// Instructions that look at other lanes.
extern "C" __global__ void shuffles(const int *in, int *out)
{
    int v = in[threadIdx.x], lane = threadIdx.x % 32;
    int *to = out + threadIdx.x * 12;
    to[0] = __shfl_xor_sync(~0u, v, 5);
    to[1] = __shfl_up_sync(~0u, v, 3);
    to[2] = __shfl_down_sync(~0u, v, 7);
    to[3] = __shfl_sync(~0u, v, (lane * 3) % 32);
    to[4] = __shfl_sync(~0u, v, 2, 8);
    to[5] = __shfl_down_sync(~0u, v, 3, 16);
    to[6] = (int)__ballot_sync(~0u, v > 10);
    to[7] = __any_sync(~0u, v > 90) + 2 * __all_sync(~0u, v >= 0);
    to[8] = (int)__match_any_sync(~0u, v % 4);
    to[9] = lane < 20 ? (int)__ballot_sync(0xfffffu, v & 1) : (int)__ballot_sync(0xfff00000u, v & 2);
    to[10] = (int)__activemask();
    int sum = v;
    for (int step = 16; step > 0; step /= 2)
        sum += __shfl_xor_sync(~0u, sum, step);
    to[11] = sum;
}

extern "C" __global__ void reductions(const int *in, int *out)
{
    int v = in[threadIdx.x];
    int *to = out + threadIdx.x * 6;
    to[0] = __reduce_add_sync(~0u, v);
    to[1] = __reduce_min_sync(~0u, v - 50);
    to[2] = __reduce_max_sync(~0u, v - 50);
    to[3] = (int)__reduce_and_sync(~0u, (unsigned)v | 0x100u);
    to[4] = (int)__reduce_or_sync(~0u, (unsigned)v);
    to[5] = (int)__reduce_xor_sync(~0u, (unsigned)v);
}

// Both halves meet at different bar.warp.sync: allowed.
extern "C" __global__ void two_places(const int *in, int *out)
{
    __shared__ int s[32];
    int lane = threadIdx.x;
    if (lane < 16) {
        s[lane] = in[lane];
        __syncwarp();
        out[lane] = s[lane + 16];
    } else {
        s[lane] = in[lane] * 2;
        __syncwarp();
        out[lane] = s[lane - 16];
    }
}
