#include "kernels/launch.h"

extern const struct osp_kernel cuda_conv2d_naive, cuda_conv2d_coalesced, cuda_conv2d_shared, cuda_conv2d_register,
    cuda_conv2d_wide, cuda_conv2d_buffered, cuda_conv2d_warp, cuda_conv2d_winograd, cuda_conv2d_tf32, cuda_conv2d_f16,
    cuda_conv2d_bf16, cuda_conv2d_strip;
extern const struct osp_ladder cuda_conv2d_ladder;

static const struct osp_kernel *const rungs[] = {&cuda_conv2d_naive,    &cuda_conv2d_coalesced, &cuda_conv2d_shared,
                                                 &cuda_conv2d_register, &cuda_conv2d_wide,      &cuda_conv2d_buffered,
                                                 &cuda_conv2d_warp,     &cuda_conv2d_winograd,  &cuda_conv2d_tf32,
                                                 &cuda_conv2d_f16,      &cuda_conv2d_bf16,      &cuda_conv2d_strip};
const struct osp_ladder cuda_conv2d_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
