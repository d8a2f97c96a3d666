/* A study: what was measured, of whom, on what. `osprey bench` fills one with one column or a few, `osprey compare` with many;
 * the table, the findings, the report and the JSON file are views of it and of nothing else. The JSON file holds every field
 * below under the same name (study.schema.json); reading a file gives the study that wrote it.
 *
 * A column is a backend with its settings ("cpu", "cpu:threads=1", "cuda:conv2d=coalesced"). A workload is what is asked of each
 * column: so many pictures at a time, of such a size. A cell is one column at one workload. All times are seconds. */
#ifndef OSPREY_TOOLS_MEASURE_STUDY_H
#define OSPREY_TOOLS_MEASURE_STUDY_H

#include <stdbool.h>

#include "runtime/osprey.h"

enum { STUDY_SCHEMA = 1 };

/* One figure, measured again and again. Rounds alternate between columns: value i of two columns' samples was taken in the same
 * round i, so that ratios may be formed pair by pair. */
struct samples {
    double *values;
    int count, room;
};

/* A part of a run, in the order in which a picture passes through: "decode" "upload" "preprocess" "body" "fpn" "rpn" "proposals"
 * "roi_align" "box_head" "detections" "download" "postprocess"; a captured graph has "network" in place of the network's stages.
 * What the host does between them is "host". Together they make up `total` of their cell. "drawing" comes after and is not part
 * of it. */
struct stage {
    char *name;
    bool device; /* timed by the device's events; else by the host's clock */
    struct samples seconds;
};

/* A node of the plan, as struct osp_line has it. */
struct layer {
    char *node, *stage, *op, *kernel, *shape, *precision;
    double macs, macs_done, bytes;
    /* of its launch with the most threads; NaN where unknown, and for a CPU */
    double waves;     /* thread blocks over as many as the device holds at once */
    double occupancy; /* warps that a multiprocessor holds of it over the most it can hold, 0..1 */
    struct samples seconds;
};

struct picture_result { /* the boxes of one picture, all that the model lets through, best score first */
    int count;
    struct osp_detection *items;
};

struct cell {
    bool measured;         /* false: this column was not asked for this workload, or failed */
    bool partial;          /* a signal or a limit ended it before its interval was narrow */
    char *skipped;         /* why it was not measured; NULL */
    struct samples total;  /* end to end for the whole batch: picture files in memory to boxes in their pixels */
    struct samples waited; /* of the same runs: how long this program's threads, all together, were ready and found no core free;
                              empty where the system does not say */
    struct stage *stages;
    int stage_count;
    struct layer *layers; /* empty where only totals were kept */
    int layer_count;
    struct picture_result *pictures; /* of the last run, in order */
    int picture_count;               /* workload.pictures; 0 where none were kept */
    double drift;                    /* pixels: the largest box difference against the same picture alone; NaN: not looked at */
    double arena_bytes, peak_bytes;  /* the plan's arena; the process's or the device's peak, NaN where unknown */
    double gaps; /* seconds of a run in which the device waited between nodes: the network less the same captured as one graph;
                    NaN where no column with ":graph" after its name was measured beside this one */
    double clock_mhz_first, clock_mhz_last,
        temperature; /* of what computed, at the first and the last round; NaN where unknown */
};

/* Paid once: seconds, NaN where it does not apply. */
struct once {
    double program_start; /* from exec to main, and the program's loading */
    double open_model;    /* mapping the weight file, reading its header, building the network */
    double open_device;   /* driver, context */
    double load_modules;  /* kernel images to the device */
    double plan;          /* choosing kernels, placing memory */
    double pack;          /* packing and uploading weights */
    double first_run;     /* the first run's time less the median of later ones, and less the lines above */
};

struct column {
    char *name;       /* as typed: "cpu:naive" */
    char *backend;    /* "cpu" */
    char *device;     /* "AMD EPYC ..., 2 threads, avx512", "NVIDIA T4, driver 550.54" */
    char *kernels;    /* the pins, "conv2d=naive"; "" : the plan's choice */
    char *precision;  /* "f32" */
    char *precisions; /* all that the backend has on this device, "f32 tf32 f16"; "" where unknown */
    char *failure;    /* why it could not go on; NULL */
    bool emulated;    /* the emulator, or the PTX driver: shows correctness and counts, its times say nothing of a GPU */
    bool foreign;     /* another program's figures (--with), or another machine's (--merge) */
    int machine;      /* index in study.machines */
    int threads;
    bool gpu;
    double peak_flops,
        peak_bytes;    /* FLOP/s and bytes/s measured on the spot with this column's threads and isa; NaN where unknown */
    double link_bytes; /* bytes/s host to device, measured; NaN */
    int link_lanes, link_lanes_most;  /* PCIe, as it runs and as it could, read from the system; 0 where unknown */
    double link_rate, link_rate_most; /* GT/s of a lane, likewise; NaN where unknown */
    struct once once;
    struct cell *cells; /* [cell_count], which is study.workload_count */
    int cell_count;
};

struct workload {
    char *name;        /* "1 picture", "batch 8", "640x480" */
    char *sweep;       /* "single", "batch", "size", "threads", "bucket" or "article-1".. : which chart it belongs to */
    int pictures;      /* all in all */
    int batch;         /* at a time */
    int chunks;        /* the runs that a memory limit makes of one batch; 1: none */
    int height, width; /* of the network's input */
    double megapixels; /* of the picture files, in all */
};

struct machine {
    char *host, *cpu, *isa, *governor, *gpu, *driver, *os;
    int cores, cores_allowed; /* online, and of those the ones that this process may use */
    double cpu_mhz;
    double memory_bytes;
    double core_wait; /* share of the time of measuring in which the program waited for a core that others had; NaN: unknown */
};

/* Two columns' detections of the same pictures, matched greedily by label and IoU, best score first. */
struct agreement {
    int a, b; /* columns; a is the reference */
    int workload;
    int matched, missing, extra, flips; /* flips: same place, another label */
    double box, score, iou;             /* largest differences: pixels, probability; least IoU of a pair */
    bool agree;                         /* within box_bound and score_bound, and nothing missing, extra or flipped */
    double box_bound, score_bound;
    char *first_node; /* --diff: the first node beyond its bound; NULL */
    double first_difference, first_bound;
};

/* seconds = fixed + each * x, fitted over a sweep's cells of one column. */
struct fit {
    int column;
    char *sweep;               /* "batch": x is pictures; "size": x is megapixels of network input */
    double fixed, each, error; /* error: largest relative residual */
    int points;
};

/* From which number of pictures b is done before a. 0: at once; NaN: never. */
struct break_even {
    int a, b;
    double with_start, without_start; /* pictures, start-up paid or not */
    double batch;                     /* the least batch at which one run of b is faster; NaN: none */
};

/* An answer to "why is it not faster?": a rule that fired, with what it saw. */
struct finding {
    char *rule; /* "launch-bound" */
    int column;
    char *sentence; /* what was seen, with figures and the threshold */
    char *advice;   /* what to do */
    double value, threshold;
};

struct study {
    char *command, *version, *commit, *date; /* date: ISO 8601, UTC */
    char *model_path, *model_sha256, *architecture, *resize;
    char *images; /* what the pictures are: files, or samples cut and varied by a seed */
    bool partial; /* ended by a signal */
    struct machine *machines;
    int machine_count;
    struct workload *workloads;
    int workload_count;
    struct column *columns;
    int column_count;
    struct agreement *agreements;
    int agreement_count;
    struct fit *fits;
    int fit_count;
    struct break_even *break_evens;
    int break_even_count;
    struct finding *findings;
    int finding_count;
};

/* Zeroed, with no columns; strings and arrays inside are owned by the study. */
void study_init(struct study *study);
void study_free(struct study *study);

/* Each gives room for one more, zeroed (cells and NaN fields set up as "not measured"). OSP_MEMORY. Pointers to earlier ones may
 * move. */
osp_status study_add_column(struct study *study, const char *name, struct column **out);
osp_status study_add_workload(struct study *study, const char *name, const char *sweep, struct workload **out);
osp_status study_add_machine(struct study *study, struct machine **out);
osp_status study_add_agreement(struct study *study, struct agreement **out);
osp_status study_add_fit(struct study *study, struct fit **out);
osp_status study_add_break_even(struct study *study, struct break_even **out);
osp_status study_add_finding(struct study *study, struct finding **out);
osp_status samples_add(struct samples *samples, double value);

/* JSON: written to a temporary name and renamed; path "-" is standard output. Read as hostile input (hostile-input.md).
 * OSP_UNREADABLE, OSP_REFUSED, OSP_UNWRITTEN, OSP_MEMORY. */
osp_status study_save(const struct study *study, const char *path);
osp_status study_load(const char *path, struct study *out);

#endif
