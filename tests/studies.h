/* Studies made up for tests: with figures that are chosen, so that what must be said of them is known. */
#ifndef OSPREY_TESTS_STUDIES_H
#define OSPREY_TESTS_STUDIES_H

#include "tools/measure/study.h"

enum { STUDIES_ROUNDS = 12 };

void studies_set(char **field, const char *text);

/* `count` samples about `median` with a spread of a few per mille, the same for every column's round i. */
void studies_samples(struct samples *samples, double median, int count);

struct stage *studies_stage(struct cell *cell, const char *name); /* NULL: none of that name */

/* Fills a cell with a total, the stages of a detector that make it up, and four layers at 45 % of the column's roofline. */
void studies_cell(struct column *column, int workload, double total, bool gpu);

/* Two columns, "cpu" (0) and "cuda" (1), and two workloads, one picture (0) and a batch of 8 (1), about which nothing is to be
 * found. */
void studies_healthy(struct study *out);

/* A study with all that a report can show: five CPU columns, a GPU, two emulated ones and a peer; sweeps of batch and size; fits,
 * break-evens, agreements with one difference, names that are markup. */
void studies_full(struct study *out);

#endif
