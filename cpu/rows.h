/* Weights as the file has them, for the plain rungs of conv2d, depthwise and linear. */
#ifndef OSPREY_CPU_ROWS_H
#define OSPREY_CPU_ROWS_H

#include "cpu/cpu.h"

struct weight_rows {
    float *w;    /* (K,C,R,S), (C,1,R,S) or (K,C) */
    float *bias; /* (K); NULL: absent */
};

/* As a rung's prepare and release; the state's data is a struct weight_rows. */
osp_status cpu_rows_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
void cpu_rows_release(struct osp_device *device, struct osp_node_state *state);

#endif
