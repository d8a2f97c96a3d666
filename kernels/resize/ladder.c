#include "kernels/launch.h"

extern const struct osp_kernel cuda_resize_naive, cuda_resize_table;

static const struct osp_kernel *const rungs[] = {&cuda_resize_naive, &cuda_resize_table};
extern const struct osp_ladder cuda_resize_ladder;
const struct osp_ladder cuda_resize_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
