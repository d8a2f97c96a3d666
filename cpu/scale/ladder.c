#include "cpu/cpu.h"

extern const struct osp_kernel cpu_scale_naive, cpu_scale_threads;

static const struct osp_kernel *const rungs[] = {&cpu_scale_naive, &cpu_scale_threads};
const struct osp_ladder cpu_scale_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
