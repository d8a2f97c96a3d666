/* osprey compare: its parts. Each looks at a study (tools/measure/study.h), adds to it, or prints it. */
#ifndef OSPREY_TOOLS_COMPARE_H
#define OSPREY_TOOLS_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/measure/study.h"

/* ---- Agreement (agreement.c) -------------------------------------------------------------------- */

/* How far two columns' results may be apart, in pixels of the network's input and in probability. */
struct agreement_bounds {
    double box, score;
};

/* By what computed the two cells' layers: DESIGN section 7 for f32; wider for Winograd, whose rounding is about 16 times that of
 * a plain sum, and for reduced precision. */
struct agreement_bounds agreement_bounds_of(const struct cell *a, const struct cell *b);

/* What decides which of a network's detections are kept. */
struct agreement_cut {
    double score; /* the model's least score */
    int most;     /* detections a picture */
};

/* Matches the detections of each picture greedily, best score of `a` first: each takes the free detection of `b` with the same
 * label and the largest IoU, at least 0.5. Of what is left, pairs at the same place with another label are flips; the rest is
 * missing (in b) or extra. One that is left out by no more than the score bound, because the model keeps nothing below a score or
 * a number, is no difference. Fills the counts, the largest differences, the bounds and `agree`. OSP_MEMORY. */
osp_status agreement_of(const struct picture_result *a, const struct picture_result *b, int pictures,
                        struct agreement_bounds bounds, struct agreement_cut cut, struct agreement *out);

/* Adds the agreement of each pair of columns on each workload that both measured. A picture's pixels may be larger than the
 * network's: the box bound grows with the ratio. OSP_MEMORY. */
osp_status agreements_find(struct study *study, struct agreement_cut cut);

/* One line for each pair of columns. Returns how many pairs disagree. */
int agreements_print(const struct study *study, FILE *out);

/* ---- Lines and break-evens (fit.c) -------------------------------------------------------------- */

/* y = fixed + each * x, least squares of the relative residuals; error: the largest of them. False: fewer than two different x.
 */
bool fit_line(const double *x, const double *y, int count, struct fit *out);

/* The least whole n >= 1 from which on fixed_b + each_b n < fixed_a + each_a n; NaN: there is none. */
double break_even_from(double fixed_a, double each_a, double fixed_b, double each_b);

/* Adds a fit for each column and sweep ("batch", "size") with two or more points, then the break-evens of each pair of columns,
 * both ways. Emulated columns have neither. OSP_MEMORY. */
osp_status fits_find(struct study *study);

void fits_print(const struct study *study, FILE *out);

/* ---- Views ---------------------------------------------------------------------------------------- */

/* Everything in text (table.c): the verdict, the stages of one picture by columns, speed-ups, other work, fits, agreement,
 * failures and findings. */
void table_print(const struct study *study, FILE *out);

/* ---- Layer by layer (diff.c) -------------------------------------------------------------------- */

/* Runs one picture on both sessions, which must have been opened with keep, and compares every node's output in running order.
 * Says on `out` where the first one lies that differs by more than its own rounding and what reached it can explain (diff.c has
 * the bound), and how far apart each stage's nodes are, as far as it went. Fills first_node, first_difference and first_bound of
 * `agreement`, which stay NULL and 0 if there is none. Returns OSP_OK in both cases. */
osp_status diff_sessions(struct osp_session *a, struct osp_session *b, const struct osp_image *image, struct agreement *agreement,
                         FILE *out);

/* ---- Figures from elsewhere --------------------------------------------------------------------- */

/* merge.c: one study of two, of the same model; what differs between the two is said on `out` first. `from` is emptied.
 * OSP_USAGE, OSP_MEMORY. */
osp_status merge_studies(struct study *into, struct study *from, FILE *out);

/* with.c: other programs' timings (tools/measure/peers.schema.json) as columns, where they did the same work. OSP_UNREADABLE,
 * OSP_REFUSED, OSP_MEMORY. */
osp_status with_programs(struct study *study, const char *path);

#endif
