/* GPUs that estimates are made for: what their data sheets say. */
#ifndef OSPREY_TOOLS_LADDER_GPU_H
#define OSPREY_TOOLS_LADDER_GPU_H

#include <stdio.h>

#include "occupancy.h"

struct gpu {
    const char *name;
    int arch;            /* 75 for sm_75 */
    int multiprocessors; /* that are switched on */
    int mhz;             /* boost, or under load where that was measured */
    int gbs;             /* GB/s of device memory */
    int l2;              /* MB of the second-level cache */
    int tf32, f16;       /* multiply-adds a clock and multiprocessor by mma.sync, sums in f32; 0: it has none */
};

/* By name, whatever its case, spaces, and a maker's words before it: "T4", "rtx 3090", "NVIDIA A100". NULL: there is none. */
const struct gpu *gpu_find(const char *name);

/* All that our kernels run on; NULL past the last. */
const struct gpu *gpu_at(int i);
void gpu_print_all(FILE *stream);

/* Of those whose figures are published, and that are too old for our kernels. */
extern const struct gpu gpu_v100, gpu_p4;

#endif
