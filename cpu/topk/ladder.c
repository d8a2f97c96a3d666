#include "cpu/cpu.h"

extern const struct osp_kernel cpu_topk_sort, cpu_topk_select;

static const struct osp_kernel *const rungs[] = {&cpu_topk_sort, &cpu_topk_select};
const struct osp_ladder cpu_topk_ladder = {rungs, sizeof rungs / sizeof *rungs};
