/* The inside of tuning: for tools/measure/tune*.c only. */
#ifndef OSPREY_TOOLS_MEASURE_TUNE_INSIDE_H
#define OSPREY_TOOLS_MEASURE_TUNE_INSIDE_H

#include "runtime/tune.h"
#include "spec.h"
#include "tune.h"

struct rung {
    const char *name;
    double tried;           /* seconds of its fastest first run; NaN: not tried */
    bool absurd;            /* not to be tried */
    struct samples seconds; /* of all layers of the kind together, a value for each round */
};

/* Layers whose kernel is called alike. */
struct kind {
    char call[OSP_TUNE_CALL];
    int first, layers; /* a node, and how many there are */
    struct rung rung[OSP_TUNE_RUNGS];
    int rungs, model;         /* in the ladder's order; the plan's choice */
    int next;                 /* to be tried: rungs from here down; -1: none */
    bool smallest;            /* of its op */
    int near[OSP_TUNE_RUNGS]; /* the rungs that take turns, the plan's first */
    int nears, best;
};

struct tuner {
    const struct tune_asked *asked;
    struct spec spec;
    struct osp_model *model;
    struct osp_session *session; /* with the plan's own choices; it has run once */
    struct osp_image **images;   /* [asked->batch] */
    struct osp_tune_machine machine;
    struct kind *kinds;
    int kind_count, nodes;
    int *kind_of; /* [nodes] */
};

/* ---- tune_runs.c ------------------------------------------------------------------------------------ */

osp_status tune_run_once(const struct tuner *t, struct osp_session *session);

/* Fills kinds: every rung worth it is timed, and the best is chosen. */
osp_status tune_measure(struct tuner *t);

#endif
