/* Comparisons of the upper triangle only, without a division: what rungs `triangle` and `warp` share. Of a pair of tiles in the
 * lower triangle nothing is computed and nothing written. A candidate's word for its own tile is whole: it says whom it would
 * fell, and who would fell it. */
#ifndef OSPREY_KERNELS_NMS_TRIANGLE_H
#define OSPREY_KERNELS_NMS_TRIANGLE_H

#include "kernels/nms/ranked.h"

CUDA_DEVICE void nms_compare_triangle(const struct nms_operands &o, const struct nms_ranked &r, int first)
{
    struct nms_pairs it = nms_pairs_of(o, r, first);
    if (it.idle || (!it.older && blockIdx.y < (unsigned)(it.row / NMS_COMPARE)))
        return; /* the whole block */
    struct nms_columns columns = nms_load_columns(o, r, it);
    int own = it.older ? 0 : first + it.row / NMS_TILE * NMS_TILE;
    uint64_t word = 0;
    if (it.rank < r.present[it.n] && it.column >= own) {
        float4 box = r.boxes[it.n * o.t + it.rank];
        float area = nms_area(box);
        int group = r.groups[it.n * o.t + it.rank];
        for (int k = 0; k < NMS_TILE; k++) {
            float inter = nms_common(box, columns.boxes[k]);
            if (columns.groups[k] == group && nms_is_above(&r.limit, inter, area + columns.areas[k] - inter))
                word |= (uint64_t)1 << k;
        }
    }
    nms_keep_words(r, it, word);
}

#endif
