#include "cpu/cpu.h"

extern const struct osp_kernel cpu_depthwise_naive, cpu_depthwise_channels, cpu_depthwise_rows;
extern const struct osp_ladder cpu_depthwise_ladder;

static const struct osp_kernel *const rungs[] = {&cpu_depthwise_naive, &cpu_depthwise_channels, &cpu_depthwise_rows};
const struct osp_ladder cpu_depthwise_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
