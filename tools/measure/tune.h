/* Which rung of each layer is the fastest here, measured; and how well the plan's cost model knew. */
#ifndef OSPREY_TOOLS_MEASURE_TUNE_H
#define OSPREY_TOOLS_MEASURE_TUNE_H

#include "measure.h"

struct tune_asked {
    const char *model_path; /* NULL: the demo model */
    const char *column;     /* as spec.h has it, without pins */
    const char *const *paths;
    int path_count, batch;
    int min_size, max_size; /* 0: the model's */
    int least, most;        /* rounds */
    double seconds;         /* of each set of rungs */
    const char *file;       /* "": this machine's own */
    bool quiet;
};

/* Measures, prints what was found, and writes the file. Returns an exit status; a failure has been said. A signal ends it with
 * nothing written. */
int tune(const struct tune_asked *asked);

#endif
