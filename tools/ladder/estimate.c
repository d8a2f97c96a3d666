#include "estimate.h"

#include <math.h>

enum { SCHEDULERS = 4, LANES = 32 };
static const double L2_BYTES = 64; /* a clock, into one multiprocessor: the width of its port */

const double estimate_launch = 4e-6; /* spec/performance.md 1c: 4 to 6 microseconds by the driver */
const double estimate_latency = 625; /* published_fit() finds it; tests/test_estimate.c holds the two together */

/* Cycles that a block's work takes of a multiprocessor. */
struct work {
    double arithmetic, pipe, l2, all;
};

static struct work work_of(const struct gpu *gpu, const struct demand *d)
{
    const double lanes = occupancy_limits_of(gpu->arch)->lanes;
    struct work w = {.arithmetic = fmax(d->ffma * LANES / lanes, d->issued / SCHEDULERS),
                     .pipe = d->passes + d->lines,
                     .l2 = d->bytes / L2_BYTES};
    double tensor = 0;
    if (d->products[0] > 0)
        tensor += gpu->tf32 ? d->products[0] / gpu->tf32 : INFINITY;
    if (d->products[1] > 0)
        tensor += gpu->f16 ? d->products[1] / gpu->f16 : INFINITY;
    if (tensor > 0) {
        w.arithmetic = fmax(tensor, w.arithmetic);
        w.all = hypot(w.arithmetic + w.pipe, w.l2);
    } else {
        w.all = hypot(hypot(w.arithmetic, w.pipe), w.l2);
    }
    return w;
}

/* Cycles until `blocks` blocks that share a multiprocessor are done. */
static double wave(const struct demand *d, const struct work *w, double blocks, double latency)
{
    double waits = d->rounds * latency, warps = ceil((double)d->threads / LANES);
    if (d->copies)
        return fmax(blocks * w->all, waits);
    return fmax(blocks * w->all, (d->barriers ? w->all : w->all / warps) + waits);
}

static double cycles(const struct gpu *gpu, const struct demand *d, const struct work *w, int at_once, double latency)
{
    double room = (double)gpu->multiprocessors * at_once, whole = floor(d->blocks / room), rest = d->blocks - whole * room;
    double all = whole > 0 ? whole * wave(d, w, at_once, latency) : 0;
    return rest > 0 ? all + wave(d, w, ceil(rest / gpu->multiprocessors), latency) : all;
}

static struct occupancy fit_of(const struct gpu *gpu, const struct demand *d)
{
    struct occupancy fit = occupancy_of(occupancy_limits_of(gpu->arch), d->threads, d->registers, d->shared_bytes);
    fit.blocks = fit.blocks ? fit.blocks : 1; /* a kernel that fits nowhere is not launched; nothing is divided by it here */
    return fit;
}

double estimate_seconds(const struct gpu *gpu, const struct demand *d, double latency)
{
    struct work w = work_of(gpu, d);
    double compute = cycles(gpu, d, &w, fit_of(gpu, d).blocks, latency) / (gpu->mhz * 1e6);
    return estimate_launch + fmax(compute, d->memory_bytes / (gpu->gbs * 1e9));
}

struct estimate estimate_of(const struct gpu *gpu, const struct demand *d)
{
    struct work w = work_of(gpu, d);
    struct estimate e = {.seconds = estimate_seconds(gpu, d, estimate_latency), .fit = fit_of(gpu, d), .limit = "arithmetic"};
    double busy = cycles(gpu, d, &w, e.fit.blocks, 0) / (gpu->mhz * 1e6);
    if (w.pipe > w.arithmetic)
        e.limit = "memory pipe";
    if (w.l2 > fmax(w.pipe, w.arithmetic))
        e.limit = "L2";
    if (e.seconds - estimate_launch > 1.25 * busy) /* waits are a fifth or more of it */
        e.limit = "latency";
    if (d->memory_bytes / (gpu->gbs * 1e9) >= e.seconds - estimate_launch)
        e.limit = "device memory";
    if (e.seconds < 2 * estimate_launch)
        e.limit = "launch";
    return e;
}
