/* What others measured on GPUs, and what the estimator says of it. */
#ifndef OSPREY_TOOLS_LADDER_PUBLISHED_H
#define OSPREY_TOOLS_LADDER_PUBLISHED_H

#include <stdio.h>

#include "estimate.h"

/* What a point is to the estimator: its latency is fitted on some, that tensor cores wait for what they are fed was taken from
 * others, and the rest it had no part in. */
enum published_part { PUBLISHED_FITTED, PUBLISHED_FORMED, PUBLISHED_UNSEEN };

struct published {
    const char *what, *source;
    const struct gpu *gpu;
    enum published_part part;
    double measured, estimated; /* seconds */
    double flop;
};

/* 1, or 0 past the last point. */
int published_get(int i, struct published *out);

/* The median of |estimated/measured - 1| over the points of a part. */
double published_error(enum published_part part);

/* The latency in cycles with which the fitted points are met best: least squares of the logarithms. */
double published_fit(void);

/* Of one GPU, or of all (NULL): point by point, and the medians over all. */
void published_print(const struct gpu *gpu, FILE *stream);

#endif
