/* nms / warp
 *
 * CHANGE  one warp sweeps, 64 candidates a step: its lanes vote who of a tile stays, then add the words of those who do to the
 *         fallen, which they keep in registers, two tiles a lane
 * FASTER  no barrier; and a step waits for memory once, not once for each survivor: the words of a tile's survivors are asked
 *         for together, each row 512 bytes side by side
 * LIMIT   the chain of steps: 64 of them in a round, each as long as the cache takes to answer; one warp for each image
 * NEEDS   any shape
 */
#include "kernels/nms/triangle.h"

constexpr int ROWS = 8; /* survivors whose words are under way together */

CUDA_KERNEL(nms_warp_compare, NMS_COMPARE, struct nms_operands o, struct nms_ranked r, int first)
{
    nms_compare_triangle(o, r, first);
}

/* Who of a tile stays: each round of votes is right for one candidate more than the last, and nothing changes once all are right.
 * low, high: what would fell candidates `lane` and `lane` + 32 of the tile. All lanes of a warp together. */
CUDA_DEVICE uint64_t survivors_of(uint64_t standing, uint64_t low, uint64_t high)
{
    uint64_t stay = standing, last;
    do {
        last = stay;
        stay = __ballot_sync(NMS_ALL, (low & last) == 0);
        stay |= (uint64_t)__ballot_sync(NMS_ALL, (high & last) == 0) << 32;
        stay &= standing;
    } while (stay != last);
    return stay;
}

CUDA_DEVICE void add(uint4 &sum, uint4 x) { sum = make_uint4(sum.x | x.x, sum.y | x.y, sum.z | x.z, sum.w | x.w); }

/* Of the words of this lane's two tiles, those of tile `tile`, for all lanes. */
CUDA_DEVICE uint64_t word_of(uint4 words, int tile)
{
    uint64_t low = __shfl_sync(NMS_ALL, tile % 2 ? words.z : words.x, tile / 2);
    return low | (uint64_t)__shfl_sync(NMS_ALL, tile % 2 ? words.w : words.y, tile / 2) << 32;
}

CUDA_KERNEL(nms_warp_sweep, 32, struct nms_operands o, struct nms_ranked r, int first)
{
    int64_t n = blockIdx.x;
    int lane = threadIdx.x, count = r.present[n], kept = r.kept[n], here = count - first < NMS_ROUND ? count - first : NMS_ROUND;
    if (here <= 0 || kept >= o.m)
        return;
    const uint4 zeros = make_uint4(0, 0, 0, 0), *words = (const uint4 *)(r.words + n * r.rows * r.tiles) + lane;
    uint4 *fallen = (uint4 *)(r.fallen + n * r.tiles) + lane, gone = zeros;
    if (2 * lane < r.tiles) {
        gone = *fallen;
        *fallen = zeros;
    }
    uint64_t earlier = ((uint64_t)1 << lane) - 1, low, high;
    auto fetch = [&](int at) { /* who would fell this lane's candidates of the tile at `at` */
                               low = at + lane < here ? r.own[n * r.rows + at + lane] & earlier : 0;
                               high =
                                   at + 32 + lane < here ? r.own[n * r.rows + at + 32 + lane] & (earlier << 32 | 0xffffffffu) : 0;
    };
    fetch(0);
    for (int at = 0; at < here && kept < o.m; at += NMS_TILE) {
        int tile = at / NMS_TILE, wide = here - at < NMS_TILE ? here - at : NMS_TILE;
        uint64_t stay = survivors_of(~word_of(gone, tile) & ~(uint64_t)0 >> (NMS_TILE - wide), low, high);
        for (int i = lane; i < NMS_TILE; i += 32) {
            int row = kept + __popcll(stay & (((uint64_t)1 << i) - 1));
            if ((stay >> i & 1) && row < o.m)
                r.list[n * o.m + row] = first + at + i;
        }
        kept += __popcll(stay);
        fetch(at + NMS_TILE);
        bool ahead = 2 * lane + 1 > tile && 2 * lane * NMS_TILE < here;
        while (stay) {
            uint4 row[ROWS];
#pragma unroll
            for (int i = 0; i < ROWS; i++) {
                int64_t survivor = at + __ffsll((long long)stay) - 1;
                row[i] = stay && ahead ? words[survivor * (r.tiles / 2)] : zeros;
                stay &= stay - 1;
            }
#pragma unroll
            for (int i = 0; i < ROWS; i++)
                add(gone, row[i]);
        }
    }
    __syncwarp(); /* all lanes have read it */
    if (lane == 0)
        r.kept[n] = kept < o.m ? kept : o.m;
}

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    return nms_run(device, call, launch_nms_warp_compare, launch_nms_warp_sweep, 32);
}

extern "C" const struct osp_kernel cuda_nms_warp = {.name = "warp", .scratch = nms_scratch, .run = run};
#endif
