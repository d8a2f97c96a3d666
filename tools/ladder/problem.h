/* One call of an op, by itself: shapes from the command line, values that are the same every time. */
#ifndef OSPREY_TOOLS_LADDER_PROBLEM_H
#define OSPREY_TOOLS_LADDER_PROBLEM_H

#include <stdbool.h>

#include "runtime/backend.h"
#include "runtime/constant.h"

struct problem {
    struct osp_call call; /* data are the host's; the outputs have none */
    union osp_attrs attrs;
    struct osp_constant *constant[OSP_MAX_CONSTANTS];
    osp_status status; /* the first failure while it is made */
    char shape[96];    /* as it was given: "1x24x32x64,64,3,1" */
};

/* Every op has a form, such as "NxHxWxC,K,R,STRIDE", and a shape that is taken for NULL: large enough to show what a rung gains.
 * OSP_USAGE: shape has not that form, or asks for too much; OSP_MEMORY. */
osp_status problem_new(enum osp_op op, const char *shape, struct problem *out);
void problem_free(struct problem *problem);

/* Values that are the same every time: reals of low..high; boxes of all sizes within h x w. */
void problem_reals(float *to, int64_t count, float low, float high, uint64_t seed);
void problem_boxes(float *to, int64_t count, float h, float w);

#endif
