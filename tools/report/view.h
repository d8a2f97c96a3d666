/* A study as the report and the findings look at it: which workload and which columns the question is about, and what follows
 * from their samples. Nothing here is stored: all of it can be worked out again from the study's file. */
#ifndef OSPREY_TOOLS_REPORT_VIEW_H
#define OSPREY_TOOLS_REPORT_VIEW_H

#include <stdbool.h>

#include "figure.h"
#include "tools/measure/statistics.h"

enum { VIEW_STAGES = 24 };

struct view {
    const struct study *study;
    int main;      /* the workload that stages, layers and agreement are shown of: one picture if that was measured; -1: none */
    int reference; /* the column that others are compared with, the first that was measured and is no emulation; -1: none */
    int before, after; /* the question's two: the fastest CPU column and the fastest GPU column if both were measured; else the
                          reference (or the next best, if that is the fastest) and the fastest column; -1: there are not two */
    bool gpu;          /* before and after are a CPU and a GPU */
    bool has_emulated, has_article;
};

struct view view_of(const struct study *study);

/* The cell if it has a time; else NULL. */
const struct cell *view_cell(const struct study *study, int column, int workload);

/* Is the column's speed worth showing: measured at this workload, and no emulation? */
bool view_real(const struct study *study, int column, int workload);

/* Seconds of a picture: the median of the cell's total over the workload's pictures; NaN without a cell. */
double view_per_picture(const struct study *study, int column, int workload);

const struct stage *view_stage(const struct cell *cell, const char *name); /* NULL: it has none of that name */
double view_stage_seconds(const struct cell *cell, const char *name);      /* median of a run; 0 without the stage */

/* Names of the stages that make up a run, those that any column has at the workload, in running order, at most VIEW_STAGES;
 * returns how many. Drawing is none: it comes after the run (study.h). */
int view_stages(const struct study *study, int workload, const char *names[VIEW_STAGES]);
extern const char view_drawing[];

/* Of those, the ones that a hundredth or more of a run goes to on some column that is drawn. */
int view_stages_that_matter(const struct view *view, const char *names[VIEW_STAGES]);

/* How many times as fast as `a` column `b` is at the workload, with the 99 % interval of their paired rounds. */
struct estimate view_speedup(const struct study *study, int a, int b, int workload);

/* What has to be paid before the first picture, all that is known of it; 0: nothing is. */
double view_start(const struct column *column);

const struct break_even *view_break_even(const struct study *study, int a, int b);
const struct fit *view_fit(const struct study *study, int column, const char *sweep);

/* The larger error of the lines through two columns' batches; 0: neither has one. Beyond ROUGH_FIT what follows from them is a
 * guess. */
double view_fit_error(const struct study *study, int a, int b);
#define ROUGH_FIT 0.10

/* FLOP/s that a layer reached, FLOP for each byte, and the least seconds that the column's measured peaks allow it; NaN where
 * unknown. */
double layer_flops(const struct layer *layer);
double layer_intensity(const struct layer *layer);
double layer_bound(const struct layer *layer, const struct column *column);

const char *text_or(const char *text, const char *otherwise); /* otherwise: for NULL and "" */

/* ---- The answer --------------------------------------------------------------------------------- */

enum { VERDICT_ROOM = 600 };

/* One sentence: does the GPU make this detector faster, by how much; and if no GPU was measured, what is fastest. */
const char *verdict_sentence(const struct view *view, char out[VERDICT_ROOM]);

/* The same question's parts, a sentence or two each; "" where the study does not say. */
const char *verdict_where(const struct view *view, char out[VERDICT_ROOM]);
const char *verdict_when(const struct view *view, char out[VERDICT_ROOM]);
const char *verdict_why(const struct view *view, char out[VERDICT_ROOM]);
const char *verdict_agree(const struct view *view, char out[VERDICT_ROOM]);

#define BUSY_MACHINE 0.10 /* share of the time that the program waited for a core */

/* What makes the times doubtful: other programs that took the machine's cores meanwhile. "": nothing that is known. */
const char *verdict_busy(const struct view *view, char out[VERDICT_ROOM]);

#endif
