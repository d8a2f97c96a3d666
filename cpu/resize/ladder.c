#include "cpu/cpu.h"

extern const struct osp_kernel cpu_resize_naive, cpu_resize_table;

static const struct osp_kernel *const rungs[] = {&cpu_resize_naive, &cpu_resize_table};
const struct osp_ladder cpu_resize_ladder = {rungs, sizeof rungs / sizeof rungs[0]};
