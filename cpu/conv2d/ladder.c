#include "cpu/cpu.h"

extern const struct osp_kernel cpu_conv2d_naive, cpu_conv2d_threads, cpu_conv2d_lanes, cpu_conv2d_tile, cpu_conv2d_winograd;
extern const struct osp_ladder cpu_conv2d_ladder;

static const struct osp_kernel *const rungs[] = {&cpu_conv2d_naive, &cpu_conv2d_threads, &cpu_conv2d_lanes, &cpu_conv2d_tile,
                                                 &cpu_conv2d_winograd};
const struct osp_ladder cpu_conv2d_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
