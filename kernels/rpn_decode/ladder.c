#include "kernels/launch.h"

extern const struct osp_kernel cuda_rpn_decode_naive, cuda_rpn_decode_wide;

static const struct osp_kernel *const rungs[] = {&cuda_rpn_decode_naive, &cuda_rpn_decode_wide};
extern const struct osp_ladder cuda_rpn_decode_ladder;
const struct osp_ladder cuda_rpn_decode_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
