#include "cpu/cpu.h"

extern const struct osp_kernel cpu_upsample_add_naive, cpu_upsample_add_threads;

static const struct osp_kernel *const rungs[] = {&cpu_upsample_add_naive, &cpu_upsample_add_threads};
const struct osp_ladder cpu_upsample_add_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
