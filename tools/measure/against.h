/* Has anything become slower since an earlier study? */
#ifndef OSPREY_TOOLS_MEASURE_AGAINST_H
#define OSPREY_TOOLS_MEASURE_AGAINST_H

#include <stdio.h>

#include "statistics.h"

/* What can be compared: the same model, and at least one column of the same name that did the same work: pictures, batch and,
 * where it is known already, input size. OSP_USAGE says what differs. */
osp_status against_check(const struct study *old, const struct study *new);

/* Two sets of runs that were not taken together: the ratio of `new` to `old`, which is the median of the ratios of all pairs, and
 * its 99 % interval by Mann and Whitney's ranks (Hodges and Lehmann 1963); with fewer than 8 runs on a side no interval. */
struct estimate samples_ratio_unpaired(const struct samples *new, const struct samples *old);

enum verdict { VERDICT_SAME, VERDICT_SLOWER, VERDICT_FASTER };

/* Slower: the interval lies above 1, and the fastest run and the fastest quarter of the runs have both moved by more than
 * `least`, which a neighbour who disturbs some of the runs cannot do; and the difference is at least three thousandths of
 * `total`, the median of all: the copy of a few kilobytes depends on where they happen to lie. Without an interval: every new run
 * is slower than every old one by more than `least`. */
enum verdict against_judge(const struct samples *new, const struct samples *old, double least, double total,
                           struct estimate *ratio);

/* Looks only at runs in which this program waited for a core no longer than a hundredth of the time, where there are 8 on both
 * sides; says so where there are not. Says what was measured elsewhere or otherwise than now, then has a line for each stage and
 * total that differs. *slower: how many are slower. OSP_USAGE: nothing was measured in both. */
osp_status against_print(const struct study *old, const struct study *new, double least, FILE *stream, int *slower);

#endif
