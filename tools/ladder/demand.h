/* What a launch asks of a GPU, from what the emulator counted and what the machine code is made of. */
#ifndef OSPREY_TOOLS_LADDER_DEMAND_H
#define OSPREY_TOOLS_LADDER_DEMAND_H

#include "estimate.h"
#include "runtime/backend.h"
#include "sass.h"

/* Turns of the main loop are not counted but follow from what it loads: bytes that the emulator saw, over bytes that the loop's
 * instructions move in one turn. With the loop's multiply-adds that gives all of them, with its length all instructions.
 * Products of matrix instructions are counted by themselves; `precision` says what they multiply. memory_bytes: of one launch. */
void demand_of_kernel(const struct osp_kernel_counts *counts, const struct sass_kernel *code, enum osp_precision precision,
                      double memory_bytes, struct demand *out);

/* The machine code of a kernel for an architecture; where the program has none for it, the nearest below, else the lowest. NULL:
 * it has none at all. */
const struct sass_kernel *demand_code(const struct sass_kernel *code, int count, const char *kernel, int arch);

#endif
