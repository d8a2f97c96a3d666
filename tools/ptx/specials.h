/* Special registers: %tid.x and the like. */
#ifndef PTX_SPECIALS_H
#define PTX_SPECIALS_H

#include "internal.h"

enum special_number {
    SPECIAL_TID, /* .x .y .z follow each other */
    SPECIAL_NTID = SPECIAL_TID + 3,
    SPECIAL_CTAID = SPECIAL_NTID + 3,
    SPECIAL_NCTAID = SPECIAL_CTAID + 3,
    SPECIAL_LANEID = SPECIAL_NCTAID + 3,
    SPECIAL_WARPID,
    SPECIAL_NWARPID,
    SPECIAL_SMID,
    SPECIAL_NSMID,
    SPECIAL_GRIDID,
    SPECIAL_LANEMASK_EQ,
    SPECIAL_LANEMASK_LE,
    SPECIAL_LANEMASK_LT,
    SPECIAL_LANEMASK_GE,
    SPECIAL_LANEMASK_GT,
    SPECIAL_DYNAMIC_SMEM,
    SPECIAL_TOTAL_SMEM,
    SPECIAL_CLOCK, /* from here on: read by exec_clock */
    SPECIAL_CLOCK_HI,
    SPECIAL_CLOCK64,
    SPECIAL_TIMER,
    SPECIAL_TIMER_LO,
    SPECIAL_TIMER_HI,
    SPECIALS
};

void special_fill(struct warp *w, const struct special *s);

#endif
