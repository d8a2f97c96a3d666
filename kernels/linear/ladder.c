#include "kernels/launch.h"

extern const struct osp_kernel cuda_linear_naive, cuda_linear_rows, cuda_linear_register, cuda_linear_warp, cuda_linear_split;
extern const struct osp_ladder cuda_linear_ladder;

static const struct osp_kernel *const rungs[] = {&cuda_linear_naive, &cuda_linear_rows, &cuda_linear_register, &cuda_linear_warp,
                                                 &cuda_linear_split};
const struct osp_ladder cuda_linear_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
