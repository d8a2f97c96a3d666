#include "kernels/launch.h"

extern const struct osp_kernel cuda_box_decode_naive, cuda_box_decode_warp;

static const struct osp_kernel *const rungs[] = {&cuda_box_decode_naive, &cuda_box_decode_warp};
extern const struct osp_ladder cuda_box_decode_ladder;
const struct osp_ladder cuda_box_decode_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
