#include "kernels/launch.h"

extern const struct osp_kernel cuda_softmax_naive, cuda_softmax_warp;

static const struct osp_kernel *const rungs[] = {&cuda_softmax_naive, &cuda_softmax_warp};
extern const struct osp_ladder cuda_softmax_ladder;
const struct osp_ladder cuda_softmax_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
