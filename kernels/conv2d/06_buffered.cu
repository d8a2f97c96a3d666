/* conv2d / buffered
 *
 * CHANGE  two stages: while a block multiplies 16 steps, the next 16 are copied into the other half of shared memory (stages.h), past
 *         the registers by cp.async; on sm_75, which has no such copies, 8 steps wait in registers
 * FASTER  nobody waits for what is fetched, and one barrier a stage is enough, where before it took two
 * LIMIT   a thread's 8x8 outputs still cost it 4 wide loads from shared memory for 64 multiply-adds
 * NEEDS   input channels a multiple of 4: x is copied by fours as it lies, not turned. The tile is chosen by shape (block.h)
 */
#include "kernels/conv2d/stages.h"
#include "kernels/conv2d/tile.h"

/* Outputs as in 05_wide; of pixels every ROWS-th, for their steps lie side by side, and those of neighbours in other banks. */
template <class T> struct buffered_place : conv2d_place<T> {
    CUDA_DEVICE int pixel(int i) const { return this->row + i * T::ROWS; }
};

/* ROWS x COLS threads with TM x TN outputs. Of x they read two steps at a time: for four there are no registers. */
template <int ROWS_, int COLS_, int TM_, int TN_, int BLOCKS_>
struct buffered_tile : conv2d_copies<ROWS_ * COLS_, ROWS_ * TM_, COLS_ * TN_> {
    static constexpr int ROWS = ROWS_, COLS = COLS_, TM = TM_, TN = TN_, TOGETHER = 2;
    static constexpr int BLOCKS = BLOCKS_; /* that a multiprocessor holds */
    typedef buffered_place<buffered_tile> place;
};

typedef buffered_tile<8, 16, 8, 8, 3> large;  /* 64 pixels x 128 outputs, 128 threads, three blocks a multiprocessor */
typedef buffered_tile<8, 16, 8, 4, 4> middle; /* 64 x 64, 128 */
typedef buffered_tile<8, 8, 4, 4, 10> small;  /* 32 x 32, 64 */

#define BUFFERED(tile)                                                                  \
    CUDA_KERNEL_BLOCKS(conv2d_buffered_##tile, tile::THREADS, tile::BLOCKS,             \
                       const float *x,        /* (N,H,W,C) */                           \
                       const float *w,        /* [R][S][C][pitch] */                    \
                       const float *bias,     /* (K) or NULL */                         \
                       const float *residual, /* (N,P,Q,K) or NULL */                   \
                       const int32_t *counts, /* NULL: every image counts */            \
                       float *out,            /* (N,P,Q,K) */                           \
                       conv2d_shape shape)                                              \
    {                                                                                   \
        conv2d_staged<tile>(x, w, bias, residual, counts, out, shape);                  \
    }
BUFFERED(large)
BUFFERED(middle)
BUFFERED(small)

#if CUDA_HOST
static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    static const conv2d_tiling tiles[] = {conv2d_tiling_of<large>(), conv2d_tiling_of<middle>(), conv2d_tiling_of<small>()};
    static const decltype(launch_conv2d_buffered_large) *const launches[] = {
        &launch_conv2d_buffered_large, &launch_conv2d_buffered_middle, &launch_conv2d_buffered_small};
    return conv2d_run(device, call, state, tiles, launches);
}

extern "C" const struct osp_kernel cuda_conv2d_buffered = {.name = "buffered",
                                                           .refuses = conv2d_staged_refuses,
                                                           .cost = conv2d_direct_seconds,
                                                           .prepare = cuda_filter_prepare,
                                                           .release = cuda_filter_release,
                                                           .run = run};
#endif
