#include "kernels/launch.h"

extern const struct osp_kernel cuda_nms_serial, cuda_nms_bitmask, cuda_nms_triangle, cuda_nms_warp;

static const struct osp_kernel *const rungs[] = {&cuda_nms_serial, &cuda_nms_bitmask, &cuda_nms_triangle, &cuda_nms_warp};
extern const struct osp_ladder cuda_nms_ladder;
const struct osp_ladder cuda_nms_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
