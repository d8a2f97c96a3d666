#include "cpu/cpu.h"

extern const struct osp_kernel cpu_roi_align_naive, cpu_roi_align_channels, cpu_roi_align_registers;

static const struct osp_kernel *const rungs[] = {&cpu_roi_align_naive, &cpu_roi_align_channels, &cpu_roi_align_registers};
const struct osp_ladder cpu_roi_align_ladder = {rungs, sizeof rungs / sizeof *rungs};
