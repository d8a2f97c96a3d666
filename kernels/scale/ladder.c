#include "kernels/launch.h"

extern const struct osp_kernel cuda_scale_naive, cuda_scale_wide;

static const struct osp_kernel *const rungs[] = {&cuda_scale_naive, &cuda_scale_wide};
extern const struct osp_ladder cuda_scale_ladder;
const struct osp_ladder cuda_scale_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
