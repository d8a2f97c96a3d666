#include "kernels/launch.h"

extern const struct osp_kernel cuda_topk_sort, cuda_topk_select;

static const struct osp_kernel *const rungs[] = {&cuda_topk_sort, &cuda_topk_select};
extern const struct osp_ladder cuda_topk_ladder;
const struct osp_ladder cuda_topk_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
