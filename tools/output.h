/* Where results go: one output for each form, all with the same two calls. */
#ifndef OSPREY_TOOLS_OUTPUT_H
#define OSPREY_TOOLS_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>

#include "image/image.h"
#include "inputs.h"
#include "runtime/osprey.h"

/* What stays the same for a run. */
struct run {
    const struct osp_model *model;
    const struct osp_session *session;
    const struct inputs *inputs;
    int batch;
    const char *sha256; /* of the model; NULL where no output has provenance */
    json_t *kernels;    /* op -> rungs, over all plans so far */
};

/* What was found in one picture. */
struct result {
    const char *file; /* as it was given */
    bool standard;    /* it came from standard input */
    size_t number;    /* 1 for the first input, failed ones counted too */
    enum osp_format format;
    struct osp_image *image;           /* the last output may draw on it */
    const struct osp_detection *items; /* best score first */
    int count, nonfinite;
};

struct output {
    /* OSP_UNWRITTEN ends the run; any other failure is this picture's. */
    osp_status (*add)(struct output *, const struct result *);
    /* Frees the output. commit: files that hold all results get their names now, which may fail; else nothing of them stays. */
    osp_status (*finish)(struct output *, bool commit);
    bool draws; /* its time counts as drawing, and it comes last */
};

osp_status table_output_new(const struct run *run, struct output **out);
osp_status json_output_new(const struct run *run, struct output **out);
osp_status csv_output_new(const struct run *run, const char *path, struct output **out);
osp_status voc_output_new(const struct run *run, const char *folder, struct output **out);
osp_status pictures_output_new(const struct run *run, const char *folder, struct output **out);
/* ids: NULL, or a COCO data set whose ids are to be used for pictures (by file_name) and classes (by name). */
osp_status coco_output_new(const struct run *run, const char *path, const char *ids, struct output **out);

/* ---- What the outputs share --------------------------------------------------------------------- */

osp_status output_no_memory(void);

/* A number rounded to so many decimals, which json_dump with JSON_DIGITS then prints no longer than that. */
json_t *json_rounded(double value, int decimals);
#define JSON_DIGITS JSON_REAL_PRECISION(15)
enum { SCORE_DECIMALS = 6, BOX_DECIMALS = 3 };

/* Text as a JSON string; bytes that are not UTF-8 become \xNN. */
json_t *json_text(const char *text);

/* Adds the rungs of the last run's plan to op -> rungs. */
void note_kernels(json_t *kernels, const struct osp_session *session);

/* Everything that made a result: version, model, backend, kernels, ... `kernels` is borrowed. */
json_t *provenance(const struct run *run, json_t *kernels);
/* The same as one line of text, with the kernels of the last run's plan; NULL: out of memory. */
char *provenance_line(const struct run *run, json_t *kernels);

/* A folder that outputs are put into, made if it is not there. No two outputs of a run get the same name, and none gets the name
 * of an input that lies in this folder. */
struct out_folder {
    char *path;
    json_t *taken;
};
osp_status out_folder_open(const struct run *run, const char *path, struct out_folder *out);
void out_folder_close(struct out_folder *folder);
/* The path for a result: its base name with this extension (".xml"; NULL: one that fits the format), numbered if that is taken,
 * which is said. Free it with free(). */
osp_status out_folder_claim(struct out_folder *folder, const struct result *result, const char *extension, char **out);

#endif
