#include "cpu/cpu.h"

extern const struct osp_kernel cpu_box_decode_naive, cpu_box_decode_filter;

static const struct osp_kernel *const rungs[] = {&cpu_box_decode_naive, &cpu_box_decode_filter};
const struct osp_ladder cpu_box_decode_ladder = {rungs, sizeof rungs / sizeof *rungs};
