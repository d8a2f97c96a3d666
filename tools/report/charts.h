/* The charts of a study. */
#ifndef OSPREY_TOOLS_REPORT_CHARTS_H
#define OSPREY_TOOLS_REPORT_CHARTS_H

#include "chart.h"
#include "view.h"

/* Draws the chart; canvas NULL: draws nothing and only says whether the study has data for it. `column`: for charts of one
 * column. */
typedef bool chart_function(const struct view *view, int column, const struct canvas *canvas);

chart_function chart_time;     /* seconds a picture, by column */
chart_function chart_stages;   /* share of each stage, by column */
chart_function chart_speedups; /* by stage, against the reference */
chart_function chart_amdahl;   /* gain of the whole if a stage cost nothing */
chart_function chart_start;    /* paid once */
chart_function chart_batch;    /* seconds a picture over pictures at a time */
chart_function chart_size;     /* seconds over megapixels of the network's input */
chart_function chart_threads;  /* times as fast as with the fewest threads */
chart_function chart_layers;   /* roofline of one column's layers */

/* The parts of a column's start-up, in order; NULL past the last. */
const char *start_part(const struct column *column, int i, double *seconds);

/* Columns whose speed is drawn: not emulated, unless all are; at most CHART_STYLES. Returns how many. */
int charted_columns(const struct view *view, int workload, int columns[CHART_STYLES]);

/* Points of a sweep ("batch", "size"): workloads of that name at which the column was measured, smallest first; at most `room`.
 */
int sweep_workloads(const struct view *view, int column, const char *sweep, int *workloads, int room);

/* One column of each set that differs in threads alone, with two or more members: the member with the fewest threads. */
int thread_groups(const struct view *view, int first[CHART_STYLES]);
int thread_members(const struct view *view, int first, int *members, int room); /* by threads */

#endif
