#include "cpu/cpu.h"

extern const struct osp_kernel cpu_avgpool_naive, cpu_avgpool_lanes;

static const struct osp_kernel *const rungs[] = {&cpu_avgpool_naive, &cpu_avgpool_lanes};
const struct osp_ladder cpu_avgpool_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
