#include "kernels/launch.h"

extern const struct osp_kernel cuda_linear_naive, cuda_linear_rows, cuda_linear_register, cuda_linear_warp, cuda_linear_split,
    cuda_linear_tf32, cuda_linear_f16, cuda_linear_bf16;
extern const struct osp_ladder cuda_linear_ladder;

static const struct osp_kernel *const rungs[] = {&cuda_linear_naive, &cuda_linear_rows, &cuda_linear_register, &cuda_linear_warp,
                                                 &cuda_linear_split, &cuda_linear_tf32, &cuda_linear_f16,      &cuda_linear_bf16};
const struct osp_ladder cuda_linear_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
