/* Planted faults of asynchronous copies: while one tile is summed the next is under way. */
#include "planted.h"

constexpr int TILE = 128;

template <int BUG>
CUDA_DEVICE void pipeline(const float *a, /* (n): tiles of TILE */
                          const float *, float *out, /* (TILE): over the tiles, tile k reversed and times k + 1 */
                          int n)
{
    CUDA_SHARED(float, s, [2][TILE]);
    int t = threadIdx.x, tiles = n / TILE;
    float sum = 0;
    cuda_copy_async<4>(&s[0][t], &a[t]); /* bug 6 8 */
    cuda_copy_commit();
    for (int k = 0; k < tiles; k++) {
        if (k + 1 < tiles) {
            cuda_copy_async<4>(&s[(k + 1) & 1][t], &a[(k + 1) * TILE + t]); /* bug 6 7 8 9 */
            cuda_copy_commit();
            if (BUG != 6)
                cuda_copy_wait<1>();
        } else if (BUG == 7)
            cuda_copy_wait<1>();
        else if (BUG != 6)
            cuda_copy_wait<0>();
        if (BUG != 8)
            __syncthreads();
        sum += s[k & 1][TILE - 1 - t] * (k + 1); /* bug 6 7 8 9 */
        if (BUG != 9)
            __syncthreads();
    }
    out[t] = sum;
}
PLANTED(6, TILE, pipeline)
PLANTED(7, TILE, pipeline)
PLANTED(8, TILE, pipeline)
PLANTED(9, TILE, pipeline)
