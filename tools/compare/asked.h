/* A comparison under way: what was asked for, and what there is so far. For compare.c and the files that fill in its study. */
#ifndef OSPREY_TOOLS_COMPARE_ASKED_H
#define OSPREY_TOOLS_COMPARE_ASKED_H

#include <stdbool.h>
#include <stdint.h>

#include "compare.h"
#include "tools/measure/measure.h"

enum { MOST_LIST = 32, MOST_WORKS = 128 };

/* A comma-separated list of whole numbers. */
struct numbers {
    int count, value[MOST_LIST];
};

struct comparison {
    /* as asked for */
    const char *model_path, *backends, *with, *json, *report, *charts, *into, *place, *experiment;
    struct numbers batches, sizes, threads;
    int bucket, diff, merge, recursive, quiet, seed, pictures;
    double seconds, memory_limit;

    /* as it stands */
    struct study study;
    struct measure *measure;
    struct osp_model_info model;
    struct osp_image *first; /* picture, for the report and --diff */
    int single;              /* the workload of one picture */
    struct order {           /* of workload i: which picture comes when; NULL: as they were given, in turn */
        int *picture;
    } orders[MOST_WORKS];
    int failed_pictures;
};

/* "1,2,4", each from 1 to most, in any order. OSP_USAGE. */
osp_status numbers_parse(const char *option, const char *text, int most, struct numbers *out);

/* columns.c: --backends, or every backend that this machine has; then --threads. Says on stderr what is left out, and why.
 * OSP_USAGE, OSP_MEMORY. */
osp_status columns_add(struct comparison *comparison);

/* For every real column whose backend has more than f32: a column of each other precision. OSP_MEMORY. */
osp_status columns_add_precisions(struct comparison *comparison);

/* samples.c: `count` pictures cut from the sample photos that ship with the demo model, mirrored, lighter or darker, of other
 * shapes, all by the seed. OSP_UNREADABLE where the photos are not beside the model. */
osp_status samples_add_pictures(struct comparison *comparison, int count);

/* works.c: the workloads. The single picture comes first and is measured at once, for its times tell which columns are too slow
 * for the rest; then the sweeps. OSP_USAGE, OSP_MEMORY. */
osp_status works_measure(struct comparison *comparison);

/* Fills in cell.drift: boxes of batches against those of the same pictures alone. Says which detections come or go by it.
 * OSP_MEMORY. */
osp_status drifts_find(struct comparison *comparison, struct agreement_cut cut);

#endif
