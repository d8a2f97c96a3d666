/* osprey detect: its options, and a run over all pictures. */
#ifndef OSPREY_TOOLS_DETECT_H
#define OSPREY_TOOLS_DETECT_H

#include <stdbool.h>

#include "ahead.h"
#include "forecast.h"
#include "inputs.h"
#include "output.h"
#include "progress.h"
#include "times.h"

enum { MAX_OUTPUTS = 6, MAX_BATCH = 256 };

struct detect {
    /* as asked for */
    const char *model_path, *only, *out, *coco, *coco_ids, *csv, *voc;
    struct osp_session_options session_options;
    struct osp_image_options image_options;
    double score, memory_limit;
    int batch, top, json, show_times, quiet, recursive;

    /* as it stands */
    struct inputs inputs;
    struct ahead ahead;
    struct osp_model *model;
    struct osp_session *session;
    bool *wanted; /* [classes]; NULL: all */
    int classes;
    struct run run;
    struct budget budget; /* session NULL: memory is not looked at */
    int largest_batch;    /* of those that the budget cut short; 0: none */
    struct output *outputs[MAX_OUTPUTS];
    int output_count;
    struct progress progress;
    struct times times;
    long pictures, detections, failed;
};

/* All inputs, batch by batch, into all outputs, until the end, a signal, or a failure that leaves no sense in going on. Failures
 * of single pictures are said and counted. Returns the exit status so far. */
int detect_all(struct detect *detect);

#endif
