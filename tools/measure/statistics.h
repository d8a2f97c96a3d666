/* What is said of samples: quantiles, and ratios with their intervals. */
#ifndef OSPREY_TOOLS_MEASURE_STATISTICS_H
#define OSPREY_TOOLS_MEASURE_STATISTICS_H

#include <stdbool.h>

#include "study.h"

/* The quantile at p in 0..1, interpolated between the two samples beside it (Hyndman and Fan's type 7, as numpy and R do). NaN of
 * none. */
double samples_quantile(const struct samples *samples, double p);
static inline double samples_median(const struct samples *samples) { return samples_quantile(samples, 0.5); }

/* An estimate and the interval that holds the true value 99 times in 100. NaN where there is none. */
struct estimate {
    double value, low, high;
};

/* a over b, from the pairs of the same round: of the logarithms of the pairs' ratios the Hodges-Lehmann estimate with its
 * interval by Wilcoxon's signed ranks, which asks for no distribution and bears outliers; with fewer than 8 pairs, where signed
 * ranks cannot give 99 %, the median ratio with Student's interval of the logarithms; of one pair, the ratio with no
 * interval. */
struct estimate samples_ratio(const struct samples *a, const struct samples *b);

/* The same of one figure alone: its location. */
struct estimate samples_location(const struct samples *samples);

/* Does the interval hold 1: is the difference inside the noise? True of an estimate without an interval too, which shows nothing.
 */
static inline bool estimate_is_noise(const struct estimate *ratio) { return !(ratio->low > 1 || ratio->high < 1); }

/* Did other programs take the cores for more than a hundredth of the time of this run? False where it is not known. */
static inline bool run_was_disturbed(const struct cell *cell, int run)
{
    return run < cell->waited.count && cell->waited.values[run] > 0.01 * cell->total.values[run];
}

#endif
