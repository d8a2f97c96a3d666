#include "cpu/cpu.h"

extern const struct osp_kernel cpu_softmax_naive, cpu_softmax_lanes;

static const struct osp_kernel *const rungs[] = {&cpu_softmax_naive, &cpu_softmax_lanes};
const struct osp_ladder cpu_softmax_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
