#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile_of_sorted(const double *values, int count, double p)
{
    double at = p * (count - 1);
    int i = (int)floor(at);
    return i + 1 < count ? values[i] + (at - i) * (values[i + 1] - values[i]) : values[count - 1];
}

double samples_quantile(const struct samples *samples, double p)
{
    if (samples->count <= 0)
        return NAN;
    double *sorted = malloc((size_t)samples->count * sizeof *sorted);
    if (!sorted)
        return NAN;
    memcpy(sorted, samples->values, (size_t)samples->count * sizeof *sorted);
    qsort(sorted, (size_t)samples->count, sizeof *sorted, ascending);
    double value = quantile_of_sorted(sorted, samples->count, p);
    free(sorted);
    return value;
}

enum { RANKED = 8, MOST_RANKED = 512 }; /* 2 / 2^8 < 1 %; 512 numbers have 131,328 pair means */

/* Student's t at 99.5 % for 1..6 degrees of freedom. */
static const double student[RANKED - 1] = {0, 63.657, 9.925, 5.841, 4.604, 4.032, 3.707};
static const double normal = 2.5758; /* the normal distribution's 99.5 % point */

/* Mean and Student's interval of 2..7 numbers, about their median. */
static struct estimate of_few(double *x, int n)
{
    double mean = 0, squares = 0;
    qsort(x, (size_t)n, sizeof *x, ascending);
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    double half = student[n - 1] * sqrt(squares / (n - 1) / n), middle = quantile_of_sorted(x, n, 0.5);
    return (struct estimate){middle, fmin(mean - half, middle), fmax(mean + half, middle)};
}

/* Hodges and Lehmann 1963: the median of the means of all pairs, each with itself too; the k-th from either end bound it. */
static struct estimate of_ranks(const double *x, int n)
{
    size_t pairs = (size_t)n * ((size_t)n + 1) / 2, at = 0;
    double *means = malloc(pairs * sizeof *means);
    if (!means)
        return (struct estimate){NAN, NAN, NAN};
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++)
            means[at++] = (x[i] + x[j]) / 2;
    qsort(means, pairs, sizeof *means, ascending);
    double count = n, spread = sqrt(count * (count + 1) * (2 * count + 1) / 24);
    size_t k = (size_t)fmax(0, floor(count * (count + 1) / 4 - normal * spread - 0.5));
    struct estimate out = {quantile_of_sorted(means, (int)pairs, 0.5), means[k], means[pairs - 1 - k]};
    free(means);
    return out;
}

static struct estimate location(double *x, int n)
{
    if (n <= 0)
        return (struct estimate){NAN, NAN, NAN};
    if (n == 1)
        return (struct estimate){x[0], NAN, NAN};
    if (n < RANKED)
        return of_few(x, n);
    if (n > MOST_RANKED) { /* that many are enough: every so many-th, so that none of the run's parts is left out */
        for (int i = 0; i < MOST_RANKED; i++)
            x[i] = x[(size_t)i * (size_t)n / MOST_RANKED];
        n = MOST_RANKED;
    }
    return of_ranks(x, n);
}

struct estimate samples_ratio(const struct samples *a, const struct samples *b)
{
    int n = 0, rounds = a->count < b->count ? a->count : b->count;
    double *x = malloc((size_t)(rounds > 0 ? rounds : 1) * sizeof *x);
    if (!x)
        return (struct estimate){NAN, NAN, NAN};
    for (int i = 0; i < rounds; i++)
        if (a->values[i] > 0 && b->values[i] > 0)
            x[n++] = log(a->values[i] / b->values[i]);
    struct estimate of = location(x, n);
    free(x);
    return (struct estimate){exp(of.value), exp(of.low), exp(of.high)};
}

struct estimate samples_location(const struct samples *samples)
{
    double *x = malloc((size_t)(samples->count > 0 ? samples->count : 1) * sizeof *x);
    if (!x)
        return (struct estimate){NAN, NAN, NAN};
    if (samples->count > 0)
        memcpy(x, samples->values, (size_t)samples->count * sizeof *x);
    struct estimate of = location(x, samples->count);
    free(x);
    return of;
}
