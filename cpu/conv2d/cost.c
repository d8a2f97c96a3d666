/* What a layer should cost by the two rungs that compete for it. README.md holds the model against measurement.
 *
 * The choice between the two must not depend on the machine's threads or instruction set, nor on how many pictures share a batch:
 * each would then change bits. So both count the same things, of one image, and only the rates at the end are the machine's. */
#include "cpu/conv2d/winograd.h"

/* Cycles of one core, fitted on Zen 4 to the layers of the networks here: 16 multiply-adds a cycle; the transforms of 16 channels
 * of a square; bytes that come from memory, or from the shared cache, while nothing else goes on. */
static const double LANES_A_CYCLE = 16, TRANSFORM_IN = 1000, TRANSFORM_OUT = 800, BYTES_A_CYCLE = 4.5, SHARED_BYTES_A_CYCLE = 9;

static double seconds(const struct osp_device *device, double cycles) { return cycles / cpu_cycles(cpu_of(device)); }

static double whole(int64_t count, int64_t of) { return (double)((count + of - 1) / of); }

double cpu_conv2d_tile_cost(const struct osp_device *device, const struct osp_call *call)
{
    struct conv2d conv = conv2d_of(call);
    double outputs = whole(conv.k, WINOGRAD_CHUNK) * WINOGRAD_CHUNK, filter = (double)(conv.c * conv.r * conv.s);
    double arithmetic = (double)(conv.p * conv.q) * outputs * filter / LANES_A_CYCLE;
    double bytes = 4 * ((double)(conv.h * conv.w * conv.c) + 2 * (double)(conv.p * conv.q * conv.k) + outputs * filter);
    return (double)conv.n * seconds(device, arithmetic + bytes / BYTES_A_CYCLE);
}

double cpu_conv2d_winograd_cost(const struct osp_device *device, const struct osp_call *call)
{
    struct conv2d conv = conv2d_of(call);
    double squares = whole(conv.p, WINOGRAD_STEP) * whole(conv.q, WINOGRAD_STEP);
    double in = whole(conv.c, WINOGRAD_CHUNK), out = whole(conv.k, WINOGRAD_CHUNK);
    double weights = WINOGRAD_POINTS * in * out * WINOGRAD_CHUNK * WINOGRAD_CHUNK;
    double arithmetic = squares * (weights / LANES_A_CYCLE + in * TRANSFORM_IN + out * TRANSFORM_OUT);
    double bytes = 4 * weights, rate = bytes > WINOGRAD_SHARED_BYTES ? BYTES_A_CYCLE : SHARED_BYTES_A_CYCLE;
    return (double)conv.n * seconds(device, arithmetic + bytes / rate);
}
