/* The plain sweep of a round, which rungs `bitmask` and `triangle` share: one block for each image goes through the candidates,
 * best first. Thread k keeps in shared memory who of tile k has fallen. */
#ifndef OSPREY_KERNELS_NMS_SWEEP_H
#define OSPREY_KERNELS_NMS_SWEEP_H

#include "kernels/nms/ranked.h"

constexpr int NMS_SWEEP = NMS_ROUND / NMS_TILE;

CUDA_DEVICE void nms_sweep(const struct nms_operands &o, const struct nms_ranked &r, int first)
{
    CUDA_SHARED(uint64_t, fallen, [NMS_SWEEP]);
    int64_t n = blockIdx.x;
    int mine = threadIdx.x, count = r.present[n], kept = r.kept[n], here = count - first < NMS_ROUND ? count - first : NMS_ROUND;
    if (here <= 0 || kept >= o.m)
        return; /* the whole block */
    if (mine < r.tiles) {
        fallen[mine] = r.fallen[n * r.tiles + mine];
        r.fallen[n * r.tiles + mine] = 0;
    }
    __syncthreads();
    for (int i = 0; i < here && kept < o.m; i++) {
        int tile = i / NMS_TILE;
        if (fallen[tile] >> i % NMS_TILE & 1)
            continue; /* all threads */
        if (mine == 0)
            r.list[n * o.m + kept] = first + i;
        kept++;
        __syncthreads();
        if (mine >= tile && mine * NMS_TILE < here)
            fallen[mine] |= r.words[(n * r.rows + i) * r.tiles + mine];
        __syncthreads();
    }
    if (mine == 0)
        r.kept[n] = kept;
}

#endif
