/* Runs case tables through every rung of every backend, on every instruction set of this machine, with 1, 2 and 3 threads.
 *
 * The rules a rung is held to:
 *
 *   - it accepts the call, unless its table says that it may refuse; the plainest rung of a backend accepts everything;
 *   - every output element is within the reference's slack; NaN only where the reference has NaN and the case expects it, and there
 *     nothing else, unless its table says that it loses NaN;
 *   - the bits are those of the plainest rung, unless its table says that it sums in an order of its own;
 *   - the bits are the same for every instruction set, 1, 2 and 3 threads (unless its table says that it splits sums among them), and a
 *     second run with the same node state;
 *   - it writes nothing around its outputs and its scratch, leaves its inputs alone, and fills every output element;
 *   - prepare() looks at no shapes: it is given a call without any;
 *   - every rung runs at least one case.
 */
#ifndef OSPREY_HARNESS_H
#define OSPREY_HARNESS_H

#include "block.h"
#include "cases.h"
#include "tests/sanitized.h"

enum { HARNESS_DEVICES = 32, HARNESS_SHOWN = 20 };

/* One case on one rung. */
struct harness_outcome {
    const struct bench *bench;
    enum osp_op op;
    const struct osp_kernel *kernel;
    const char *test;
    const char *refusal; /* NULL: it ran */
    int broken;          /* rules, by this run */
    double seconds;      /* its work, by the backend's own clock */
};

struct harness {
    const struct osp_backend *const *backends; /* NULL-terminated */
    struct bench benches[HARNESS_DEVICES];     /* each backend, opened for each instruction set and thread count */
    int count;
    bool quiet;                                         /* prints no failures */
    unsigned lacks;                                     /* precisions whose rungs may refuse every case, a bit each */
    void (*ran)(const struct harness_outcome *outcome); /* told of every run; NULL: nobody is, and runs are not timed */
    void (*failed)(const char *sentence);               /* told of every broken rule; NULL: nobody is */
    int failures;                                       /* of the last run */
    char first[512];                                    /* its first failure */
};

/* Each backend, with each of its instruction sets or modes and 1, 2 and 3 threads. What is not on this machine is said so on
 * stdout; any other failure to open fails the test. */
void harness_open(struct harness *harness, const struct osp_backend *const *backends);
/* One device more, of a backend in harness->backends. */
void harness_add(struct harness *harness, const char *backend, const struct osp_device_options *options);
void harness_close(struct harness *harness);

/* Every case of the table; returns the number of broken rules, of which the first HARNESS_SHOWN are printed. */
int harness_run(struct harness *harness, const struct case_table *table, enum osp_op op);

/* A program that runs every op's table, or only $OSPREY_OP's, through the devices that `open` opens: what main returns. (ops.c) */
int harness_main(void (*open)(struct harness *harness));

#endif
