/* What an op makes of its inputs: shapes, and how much work it is. */
#ifndef OSPREY_SHAPE_H
#define OSPREY_SHAPE_H

#include "backend.h"

int osp_op_outputs(enum osp_op op);     /* how many outputs a node of this op has */
int osp_op_counts_slot(enum osp_op op); /* which input is `counts`; -1: none */

/* Fills outputs, out[].dtype and out[].shape from inputs, constants, attributes and dims; data pointers are not touched.
 * OSP_USAGE with a sentence when the shapes do not fit the op. */
osp_status osp_infer(struct osp_call *call);

/* Multiply-adds of convolutions and matrix products at full capacity, 0 for other ops (performance.md section 3). */
double osp_call_macs(const struct osp_call *call);

/* Bytes of inputs, constants (as f32) and outputs, each once. */
double osp_call_bytes(const struct osp_call *call);

#endif
