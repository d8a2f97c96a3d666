#include "kernels/launch.h"

extern const struct osp_kernel cuda_avgpool_naive, cuda_avgpool_rows;

static const struct osp_kernel *const rungs[] = {&cuda_avgpool_naive, &cuda_avgpool_rows};
extern const struct osp_ladder cuda_avgpool_ladder;
const struct osp_ladder cuda_avgpool_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
