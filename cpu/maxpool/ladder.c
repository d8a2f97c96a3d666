#include "cpu/cpu.h"

extern const struct osp_kernel cpu_maxpool_naive, cpu_maxpool_lanes;

static const struct osp_kernel *const rungs[] = {&cpu_maxpool_naive, &cpu_maxpool_lanes};
const struct osp_ladder cpu_maxpool_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
