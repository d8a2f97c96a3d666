/* A call of a network's plan as a problem of its own: its shapes and weights, made-up values. */
#ifndef OSPREY_TOOLS_LADDER_SAMPLE_H
#define OSPREY_TOOLS_LADDER_SAMPLE_H

#include "problem.h"

/* Values are such that kernels find the most work: every row counts, boxes of all sizes lie in the picture. Free with
 * problem_free(); the weights stay the plan's. OSP_MEMORY. */
osp_status sample_of(const struct osp_call *call, struct problem *out);

/* What this op does depends on the values that its own kernels made before: no block of a launch may be left out. */
bool sample_is_whole(enum osp_op op);

#endif
