#include "cpu/cpu.h"

extern const struct osp_kernel cpu_rpn_decode_naive, cpu_rpn_decode_threads;

static const struct osp_kernel *const rungs[] = {&cpu_rpn_decode_naive, &cpu_rpn_decode_threads};
const struct osp_ladder cpu_rpn_decode_ladder = {rungs, sizeof rungs / sizeof *rungs};
