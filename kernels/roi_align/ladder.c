#include "kernels/launch.h"

extern const struct osp_kernel cuda_roi_align_naive, cuda_roi_align_channels;

static const struct osp_kernel *const rungs[] = {&cuda_roi_align_naive, &cuda_roi_align_channels};
extern const struct osp_ladder cuda_roi_align_ladder;
const struct osp_ladder cuda_roi_align_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
