#include "kernels/launch.h"

extern const struct osp_kernel cuda_rpn_decode_naive;

static const struct osp_kernel *const rungs[] = {&cuda_rpn_decode_naive};
extern const struct osp_ladder cuda_rpn_decode_ladder;
const struct osp_ladder cuda_rpn_decode_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
