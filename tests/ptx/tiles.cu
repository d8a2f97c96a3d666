// A register-tiled product of matrices, as convolutions are written: 64x64 in a block of 16x16 threads, 4x4 results each. Measured by the test.
extern "C" __global__ void __launch_bounds__(256) tiles(const float *a, const float *b, float *c, int m, int n, int k)
{
    __shared__ __align__(16) float sa[16][64 + 4], sb[16][64 + 4];
    int tx = threadIdx.x % 16, ty = threadIdx.x / 16, row0 = blockIdx.y * 64, column0 = blockIdx.x * 64;
    float sum[4][4] = {};
    for (int k0 = 0; k0 < k; k0 += 16) {
        for (int i = threadIdx.x; i < 16 * 64; i += 256) {
            int r = row0 + i / 16, x = k0 + i % 16, y = k0 + i / 64, q = column0 + i % 64;
            sa[i % 16][i / 16] = r < m && x < k ? a[(long long)r * k + x] : 0.0f;
            sb[i / 64][i % 64] = y < k && q < n ? b[(long long)y * n + q] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int x = 0; x < 16; x++) {
            float4 p = *(const float4 *)&sa[x][ty * 4], q = *(const float4 *)&sb[x][tx * 4];
            float left[4] = {p.x, p.y, p.z, p.w}, right[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    sum[i][j] = fmaf(left[i], right[j], sum[i][j]);
        }
        __syncthreads();
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            if (row0 + ty * 4 + i < m && column0 + tx * 4 + j < n)
                c[(long long)(row0 + ty * 4 + i) * n + column0 + tx * 4 + j] = sum[i][j];
}
