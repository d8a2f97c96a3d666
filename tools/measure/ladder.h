/* A ladder's table of results: the rungs of one op side by side, shape by shape, as Markdown, in its README.
 *
 * The first columns of the study are the rungs, plainest first, each pinned wherever it can run; then comes the plan's own
 * choice, then yardsticks. */
#ifndef OSPREY_TOOLS_MEASURE_LADDER_H
#define OSPREY_TOOLS_MEASURE_LADDER_H

#include <stdio.h>

#include "study.h"

/* The columns to measure, joined by commas: for "cpu:threads=1,onednn" each rung of `op` with that first column's settings, then
 * both as they are. from: only this rung and those above it; NULL: all. Free with free(). OSP_USAGE: there is no such op, or the
 * backend has no rung of it, or none of that name. */
osp_status ladder_columns(const char *op, const char *from, const char *columns, char **out);

/* The table of a study that measured those columns at one workload, with all layers. OSP_USAGE: a column failed, or is emulated,
 * or the network has no such op, or it was stopped by a signal. */
osp_status ladder_print(const struct study *study, const char *op, const char *from, FILE *stream);

/* Puts the table into a README, at the place of this name (into.h). OSP_UNWRITTEN: the file is as it was. */
osp_status ladder_write(const struct study *study, const char *op, const char *from, const char *place, const char *path);

#endif
