/* The warp tile of conv2d and linear: a warp computes 8*TM pixels by 4*TN outputs, each of its lanes TM x TN of them; a block is
 * WARPS_M x WARPS_N warps. It is multiplied in two stages (stages.h).
 *
 * Of a request's eight lanes two read x at places that are in different banks, and four read neighbouring float4s of weights. */
#ifndef OSPREY_KERNELS_CONV2D_WARP_H
#define OSPREY_KERNELS_CONV2D_WARP_H

#include "kernels/conv2d/stages.h"

/* What a lane's outputs are in the block. */
template <int WARPS_N, int TM, int TN> struct conv2d_warp_place {
    int row, col; /* pixel, and float4 of outputs */
    CUDA_DEVICE conv2d_warp_place()
    {
        int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
        row = warp / WARPS_N * 8 * TM + lane / 4;
        col = warp % WARPS_N * TN + lane % 4;
    }
    CUDA_DEVICE int pixel(int i) const { return row + i * 8; }
    CUDA_DEVICE int output(int j) const { return (col + j / 4 * 4) * 4 + j % 4; }
};

template <int WARPS_M, int WARPS_N, int TM_, int TN_, int BLOCKS_>
struct conv2d_warp_tile : conv2d_copies<WARPS_M * WARPS_N * 32, WARPS_M * 8 * TM_, WARPS_N * 4 * TN_> {
    static constexpr int TM = TM_, TN = TN_, TOGETHER = 4;
    static constexpr int BLOCKS = BLOCKS_; /* that a multiprocessor holds */
    typedef conv2d_warp_place<WARPS_N, TM, TN> place;
    static_assert(TN % 4 == 0);
};

/* A kernel's body; operands as in 07_warp.cu. The grid's first pixel is `before`. */
template <class T>
CUDA_DEVICE void conv2d_warp(const float *x, const float *w, const float *bias, const float *residual, const int32_t *counts,
                             float *out, const conv2d_shape &shape, int64_t before = 0)
{
    conv2d_staged<T>(x, w, bias, residual, counts, out, shape, before);
}
#endif
