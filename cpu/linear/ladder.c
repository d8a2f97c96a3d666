#include "cpu/cpu.h"

extern const struct osp_kernel cpu_linear_naive, cpu_linear_tile;
extern const struct osp_ladder cpu_linear_ladder;

static const struct osp_kernel *const rungs[] = {&cpu_linear_naive, &cpu_linear_tile};
const struct osp_ladder cpu_linear_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
