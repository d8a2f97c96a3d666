/* One rung of a ladder on one problem: what came out, how long it took, and what it asked of memory. */
#ifndef OSPREY_TOOLS_LADDER_CLIMB_H
#define OSPREY_TOOLS_LADDER_CLIMB_H

#include "problem.h"

enum { CLIMB_KERNELS = 16 };

struct climb {
    const struct osp_kernel *rung;
    const char *refusal; /* why it does not run here; NULL: it ran */
    double apart;        /* relative L2 distance of its f32 outputs from the reference's; 0: the same bits */
    int64_t different;   /* elements of its integer outputs that differ from the reference's */
    double seconds;      /* the median of a few runs; NAN: the device is emulated, and its times say nothing of a GPU */
    size_t scratch;      /* bytes that its kernels leave one another */
    int kernel_count;    /* what was launched on the emulator in mode "count"; else 0 */
    struct osp_kernel_counts kernels[CLIMB_KERNELS];
};

/* What must come out: by the plainest rung of the cpu backend, on the host. Free each with free(). */
osp_status climb_reference(const struct problem *problem, void *out[OSP_MAX_OUTPUTS]);

/* Runs a rung. timed: repeatedly, by the device's clock. OSP_UNAVAILABLE, OSP_MEMORY. */
osp_status climb_run(const struct problem *problem, const struct osp_backend *backend, struct osp_device *device,
                     const struct osp_kernel *rung, void *const reference[OSP_MAX_OUTPUTS], bool timed, struct climb *out);

/* Counts what a rung asks of memory, and judges nothing: for an emulator that runs a part of each launch's blocks. What they left
 * out is zeros. OSP_UNAVAILABLE, OSP_MEMORY. */
osp_status climb_count(const struct problem *problem, const struct osp_backend *backend, struct osp_device *device,
                       const struct osp_kernel *rung, struct climb *out);

/* Is it what must come out? Products of a precision may be as far apart as its steps; f32 1e-5, which Winograd keeps. */
bool climb_is_good(const struct climb *climb);

const struct osp_backend *climb_backend(const char *name); /* NULL: there is none of that name */

#endif
