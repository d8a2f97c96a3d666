/* roi_align / columns
 *
 * CHANGE  a warp walks along a row of bins and keeps, of the rows that its samples lie between, the two columns it stands between
 * FASTER  samples lie a pixel or two apart, or less: of the next one's columns one is often there already, and of its rows two are
 *         often one. What is there is not loaded again
 * LIMIT   arithmetic: eight operations for each channel of a sample, and the products of its weights. What to load is decided step
 *         by step, so that a warp has few loads under way; others must fill in
 * NEEDS   two samples along a side of a bin, as torchvision has it
 */
#include "kernels/roi_align/lanes.h"

constexpr int RATIO = 2, ROWS = 2 * RATIO; /* of the map that a row of bins is read from */

/* A column of the map, in registers: of each row of the samples, this lane's channels. */
template <class V> struct column {
    int at;
    V of[ROWS];
};

/* Rows that are one are loaded once; row[i] < 0: outside the map. All of it is the same in all lanes. */
template <class V> CUDA_DEVICE void load(column<V> &it, int at, const V *const top[ROWS], const int row[ROWS], int c)
{
    it.at = at;
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
        bool there = false;
#pragma unroll
        for (int j = 0; j < i; j++)
            if (!there && row[j] == row[i]) {
                it.of[i] = it.of[j];
                there = true;
            }
        if (!there)
            it.of[i] = row[i] < 0 ? V{} : roi_load(top[i] + (int64_t)at * c);
    }
}

/* A row of `size` bins; map and out: of this lane's channels. V: float, or float4 where C % 4 == 0; c: C in units of V. */
template <class V>
CUDA_DEVICE void align_row(const V *map, int width, const struct roi_tap ys[RATIO], const struct roi_tap *xs, int size, int c,
                           V *out)
{
    const V *top[ROWS];
    int row[ROWS];
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
        row[i] = i % 2 ? ys[i / 2].high : ys[i / 2].low;
        top[i] = map + (int64_t)row[i] * width * c;
    }
    column<V> left = {.at = -1, .of = {}}, right = left;
    for (int q = 0; q < size; q++) {
        V sample[RATIO][RATIO] = {};
#pragma unroll
        for (int ix = 0; ix < RATIO; ix++) {
            struct roi_tap x = xs[q * RATIO + ix];
            if (x.low < 0)
                continue;
            if (x.low != left.at) {
                if (x.low == right.at)
                    left = right;
                else
                    load(left, x.low, top, row, c);
            }
            if (x.high != right.at)
                load(right, x.high, top, row, c);
#pragma unroll
            for (int iy = 0; iy < RATIO; iy++)
                if (row[2 * iy] >= 0)
                    sample[iy][ix] =
                        roi_sample(ys[iy], x, left.of[2 * iy], right.of[2 * iy], left.of[2 * iy + 1], right.of[2 * iy + 1]);
        }
        V sum = {}; /* a sample that is left out is 0, and to add that changes no bit: a sum is never -0 */
#pragma unroll
        for (int i = 0; i < RATIO * RATIO; i++)
            roi_add(sum, sample[i / RATIO][i % RATIO]);
        out[(int64_t)q * c] = roi_mean(sum, (float)(RATIO * RATIO));
    }
}

template <class V> CUDA_DEVICE void align_rows(const struct roi_operands &o, struct roi_tap *y, int c)
{
    struct roi roi = roi_find(o, blockIdx.x, y);
    int size = o.attrs.size, groups = (c + 31) / 32;
    for (int i = threadIdx.x / 32; i < size * groups; i += ROI_WARPS) {
        int p = i / groups, k = i % groups * 32 + threadIdx.x % 32;
        if (k < c)
            align_row((const V *)roi.map + k, roi.x.length, y + p * RATIO, y + size * RATIO, size, c,
                      (V *)o.out + ((int64_t)blockIdx.x * size + p) * size * c + k);
    }
}

/* Left to itself ptxas spills a register to fit a fifth block. */
CUDA_KERNEL_BLOCKS(roi_align_columns, ROI_BLOCK, 4, struct roi_operands o)
{
    CUDA_DYNAMIC_SHARED(struct roi_tap, taps);
    align_rows<float>(o, taps, o.c);
}

CUDA_KERNEL(roi_align_columns_by_four, ROI_BLOCK, struct roi_operands o)
{
    CUDA_DYNAMIC_SHARED(struct roi_tap, taps);
    align_rows<float4>(o, taps, o.c / 4);
}

#if CUDA_HOST
static const char *refuses(const struct osp_device *, const struct osp_call *call)
{
    return call->attrs->roi_align.sampling_ratio == RATIO ? roi_refuses(call)
                                                          : "it keeps the rows of two samples along a side of a bin";
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *)
{
    struct roi_operands o = roi_operands_of(call);
    const auto &launch = o.c % 4 == 0 ? launch_roi_align_columns_by_four : launch_roi_align_columns;
    return launch(device, (unsigned)o.rows, ROI_BLOCK, roi_shared(call), o);
}

extern "C" const struct osp_kernel cuda_roi_align_columns = {.name = "columns", .refuses = refuses, .run = run};
#endif
