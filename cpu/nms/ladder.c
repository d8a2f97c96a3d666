#include "cpu/cpu.h"

extern const struct osp_kernel cpu_nms_serial, cpu_nms_survivors;

static const struct osp_kernel *const rungs[] = {&cpu_nms_serial, &cpu_nms_survivors};
const struct osp_ladder cpu_nms_ladder = {rungs, sizeof rungs / sizeof *rungs};
