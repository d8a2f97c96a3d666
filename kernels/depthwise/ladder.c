#include "kernels/launch.h"

extern const struct osp_kernel cuda_depthwise_naive, cuda_depthwise_channels;
extern const struct osp_ladder cuda_depthwise_ladder;

static const struct osp_kernel *const rungs[] = {&cuda_depthwise_naive, &cuda_depthwise_channels};
const struct osp_ladder cuda_depthwise_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
