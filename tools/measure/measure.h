/* Measuring columns over workloads, into a study.
 *
 * A round runs every column once, in an order that turns by one from round to round; so a machine that slows down, slows down
 * all. A column takes part until the 99 % interval of its time is narrow, or its share of time is spent; each has at least one
 * run. A run takes picture files that lie in memory, decodes them, detects, and ends with boxes in their pixels.
 *
 *     measure_new(NULL, &options, &study, &m);
 *     measure_add_file(m, "photo.jpg");
 *     measure_add_column(m, "cpu:threads=1", &column);      // opens it
 *     measure_add_work(m, "1 picture", "single", &(struct work){.pictures = 1}, &workload);
 *     measure_run(m);                                       // what has not been measured yet
 *     measure_free(m);
 */
#ifndef OSPREY_TOOLS_MEASURE_MEASURE_H
#define OSPREY_TOOLS_MEASURE_MEASURE_H

#include "study.h"

struct measure;

/* What is going on, for a line on a terminal. */
struct measure_progress {
    const char *column, *workload;
    int round;            /* 0: warming up */
    double spent, limit;  /* seconds of this column at this workload */
    double width, narrow; /* half of the interval over the value, so far (NaN: not known) and where it ends */
};

struct measure_options { /* zeros: the defaults */
    int least, most;     /* rounds: 10 and 1000 */
    double seconds;      /* of a column at a workload: 10 */
    double narrow;       /* half of the interval over the value at which enough is known: 0.01 */
    bool layers;         /* keep the samples of every layer */
    bool drawing;        /* draw the boxes too, outside of the total */
    bool peaks;          /* measure what the machine can do: arithmetic, memory, link */
    const char *program; /* this program, to time its start; NULL: not timed */
    void (*progress)(void *user, const struct measure_progress *progress);
    void *user;
};

struct work {
    int pictures;           /* all in all; pictures are taken in turn, from the first again after the last. 0: 1 */
    int batch;              /* at a time; 0: all */
    int chunks;             /* the runs that one batch is cut into; 0: 1 */
    int min_size, max_size; /* of the network's input, as osp_session_set_size has it; 0: as the model says */
    const int *order; /* [pictures] which picture comes when; NULL: as they were added. Copied. Results stand in this order too */
    const int *ends;  /* how many pictures are done after each run, rising to `pictures`; NULL: batch after batch. Copied */
};

/* Opens the model, and fills in what the study says of it, of this program and of this machine. The study must outlive the
 * measure. */
osp_status measure_new(const char *model_path, const struct measure_options *options, struct study *study, struct measure **out);
void measure_free(struct measure *m); /* NULL is allowed */
const struct osp_model *measure_model(const struct measure *m);

/* From now on. */
void measure_set_options(struct measure *m, const struct measure_options *options);

/* A picture file, read into memory and decoded once to see that it can be. measure_add_bytes takes over `data` (free()), also
 * where it fails. OSP_UNREADABLE, OSP_BAD_IMAGE, OSP_MEMORY. */
osp_status measure_add_file(struct measure *m, const char *path);
osp_status measure_add_bytes(struct measure *m, const char *name, void *data, size_t size);
int measure_pictures(const struct measure *m);
void measure_picture_size(const struct measure *m, int picture, int *height, int *width); /* pixels */

/* A column by its spec (spec.h), opened at once. OSP_USAGE: nothing is added. A device that is not there, or fails, is no failure
 * here: the column says why, and is not measured. */
osp_status measure_add_column(struct measure *m, const char *spec, int *out);
osp_status measure_add_work(struct measure *m, const char *name, const char *sweep, const struct work *work, int *out);

/* The session of a column, NULL where it failed; and closing it for good, once no more is to be measured of it. */
struct osp_session *measure_session(const struct measure *m, int column);
void measure_close(struct measure *m, int column);

/* Measures every cell that is neither measured nor skipped; a caller who wants one left out says why in cell.skipped. A signal
 * ends it early, with study.partial set; what was measured until then stays. Only lack of memory for the study is a failure. */
osp_status measure_run(struct measure *m);

#endif
