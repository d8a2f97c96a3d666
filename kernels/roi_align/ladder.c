#include "kernels/launch.h"

extern const struct osp_kernel cuda_roi_align_naive, cuda_roi_align_channels, cuda_roi_align_taps, cuda_roi_align_columns;

static const struct osp_kernel *const rungs[] = {&cuda_roi_align_naive, &cuda_roi_align_channels, &cuda_roi_align_taps,
                                                 &cuda_roi_align_columns};
extern const struct osp_ladder cuda_roi_align_ladder;
const struct osp_ladder cuda_roi_align_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
