#include "kernels/launch.h"

extern const struct osp_kernel cuda_resize_naive, cuda_resize_table, cuda_resize_words, cuda_resize_staged;

static const struct osp_kernel *const rungs[] = {&cuda_resize_naive, &cuda_resize_table, &cuda_resize_words, &cuda_resize_staged};
extern const struct osp_ladder cuda_resize_ladder;
const struct osp_ladder cuda_resize_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
