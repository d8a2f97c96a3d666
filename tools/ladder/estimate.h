/* How long a kernel would take on a GPU that is not at hand: an estimate from counts, by one formula (spec/performance.md 5d).
 *
 *     t        = launch + max(waves, bytes of device memory / its bandwidth)
 *     waves    = cycles of the multiprocessor that has the most blocks, `b` of them at once, as occupancy allows
 *     b blocks = max(b * work, work + rounds * latency)     barriers between loads and their use: a block waits as a whole
 *                max(b * work, rounds * latency)            copies that run beside the work (cp.async)
 *                max(b * work, work / warps + rounds * latency)    no barriers: each warp waits by itself
 *     work     = root of the sum of squares of
 *                  arithmetic   multiply-adds over the lanes for them, or instructions over 4 schedulers, whichever is more;
 *                               of tensor cores their products over their rate, and to that the next line is added as it is
 *                  memory pipe  passes over the banks of shared memory, lines of 128 bytes that global requests touch
 *                  L2           bytes that the block touches, each once, over 32 a clock
 *
 * Two pipes at work at once hinder one another: squares, where a plain maximum would be for none and a sum for no overlap at all.
 * Tensor cores wait for what they are fed. The latency of a round is the one number that is fitted, on the eleven kernels of
 * siboehm's SGEMM ladder; published.c says how far estimates are from what others measured. */
#ifndef OSPREY_TOOLS_LADDER_ESTIMATE_H
#define OSPREY_TOOLS_LADDER_ESTIMATE_H

#include <stdbool.h>

#include "gpu.h"

/* What one launch asks for. Numbers of a block are means over the launch's blocks; instructions are those of warps. */
struct demand {
    double blocks;
    int threads, registers, shared_bytes; /* of a block; of a thread; of a block, static and dynamic */
    double ffma, issued;                  /* f32 multiply-adds; all instructions */
    double products[2];                   /* multiply-adds of elements by tensor cores: in tf32; in 16 bits */
    double passes, lines;                 /* over shared memory's banks; of 128 bytes, summed over global requests */
    double bytes;                         /* that pass between L2 and the multiprocessor */
    double rounds;                        /* of loads that something waits for */
    bool barriers, copies;                /* what waits: the block, at a barrier; nothing, for copies run beside */
    double memory_bytes;                  /* of the whole launch, between device memory and L2 */
};

struct estimate {
    double seconds;
    struct occupancy fit;
    const char *limit; /* what takes the most: "arithmetic", "memory pipe", "L2", "latency", "device memory", "launch" */
};

extern const double estimate_launch;  /* seconds from one launch to the next, at least */
extern const double estimate_latency; /* cycles of a round */

struct estimate estimate_of(const struct gpu *gpu, const struct demand *demand);

/* As estimate_of with another latency: for the fit. */
double estimate_seconds(const struct gpu *gpu, const struct demand *demand, double latency);

#endif
