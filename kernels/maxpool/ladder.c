#include "kernels/launch.h"

extern const struct osp_kernel cuda_maxpool_naive, cuda_maxpool_wide;

static const struct osp_kernel *const rungs[] = {&cuda_maxpool_naive, &cuda_maxpool_wide};
extern const struct osp_ladder cuda_maxpool_ladder;
const struct osp_ladder cuda_maxpool_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
