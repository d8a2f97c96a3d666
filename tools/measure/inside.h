/* The inside of measuring: for tools/measure/measure*.c, run.c and once.c only. */
#ifndef OSPREY_TOOLS_MEASURE_INSIDE_H
#define OSPREY_TOOLS_MEASURE_INSIDE_H

#include "measure.h"
#include "spec.h"

struct picture_file {
    char *name;
    void *data;
    size_t size;
    int height, width;
};

/* What the study's column of the same index does not say. */
struct subject {
    struct spec spec;
    struct osp_session *session; /* NULL: it failed, or was closed */
    double load_seconds;         /* of kernels, before the first run */
    double own_bytes;            /* host memory that came with it so far */
    double device_bytes;         /* used on its device before it was opened; NaN: unknown */
    bool ran;
    double first; /* seconds of its first run, less what is paid once and known */
};

/* Seconds: of the clock, and those in which the main thread, which takes part in all work, waited for a core; NaN: unknown. */
struct load {
    double clock, waited;
};

struct measure {
    struct measure_options options;
    struct study *study;
    struct osp_model *model;
    double open_model, program_start, base_bytes;
    double first_decode; /* seconds that the first decoding of all took beyond a later one of the same picture */
    struct picture_file *pictures;
    int picture_count;
    struct subject *subjects; /* [study->column_count] */
    int subject_count;
    struct work *works; /* [study->workload_count] */
    int work_count;
    struct load measuring; /* in all */
};

/* Leaves osp_message() as the column's failure, and closes it. */
osp_status measure_fail_column(struct measure *m, int c);

/* ---- load.c --------------------------------------------------------------------------------------- */

struct load load_now(void);

/* Adds what has passed since to the machine's core_wait. */
void load_since(struct measure *m, const struct load *then);

/* ---- run.c ---------------------------------------------------------------------------------------- */

enum { TALLY_STAGES = 16 };

/* Which picture is the i-th of a workload. */
int picture_of(const struct measure *m, int w, int i);

/* Seconds of one run of a whole workload. */
struct tally {
    double waited; /* for a core; NaN: not known */
    double total, decode, upload, network, download, postprocess, drawing;
    double plan, pack; /* in total too */
    int stages;        /* of the network, in running order */
    const char *stage[TALLY_STAGES];
    double stage_seconds[TALLY_STAGES];
    int layers; /* of the network's plan; 0: a captured graph */
    double *layer_seconds;
    bool graph;
};

/* Runs workload w once on column c. The cell gets its stages, layers, shapes and pictures, no samples. Free tally->layer_seconds.
 */
osp_status run_workload(struct measure *m, int c, int w, struct tally *tally);

/* Adds a run to the cell's samples. */
osp_status run_record(struct measure *m, int c, int w, const struct tally *tally);

/* ---- once.c: what is known of the program, the machine and a column, apart from runs ------------------- */

osp_status study_describe(struct measure *m);
osp_status column_describe(struct measure *m, int c);
void column_measure_peaks(struct measure *m, int c);
double time_program_start(const char *program); /* NaN where it cannot be run */

double waited_for_cores(void);    /* seconds so far, of all threads; NaN where the system does not say */
double resident_bytes(void);      /* of this process */
void peak_reset(void);            /* from now on */
double peak_resident_bytes(void); /* the most since; NaN where the system does not say */
void clock_and_heat(const struct osp_device_info *device, double *mhz, double *celsius);

#endif
