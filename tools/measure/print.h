/* A study for reading: as text, as CSV, as a trace. */
#ifndef OSPREY_TOOLS_MEASURE_PRINT_H
#define OSPREY_TOOLS_MEASURE_PRINT_H

#include "study.h"

/* On standard output: for each column what is paid once, its stages, with `layers` its layers; then, of several columns, the
 * ratio of each to the first. */
void study_print(const struct study *study, bool layers);

/* A line for everything that was sampled or paid once, RFC 4180, after a comment line with the provenance; path "-" is standard
 * output. OSP_UNWRITTEN, OSP_MEMORY. */
osp_status study_write_csv(const struct study *study, const char *path);

/* One run of each column at the first workload, the one whose total is the median, in the trace event format of Chrome and
 * Perfetto: a process for each column, in it the host and the network, stages over layers. Spans follow one another in the order
 * of the run; what the host did between them is one span at the end. OSP_UNWRITTEN, OSP_MEMORY. */
osp_status study_write_trace(const struct study *study, const char *path);

/* Which part of a picture's way a stage is: the host's own, or the network's. */
bool stage_is_host(const char *name);

#endif
