/* A checkpoint turned into a weight file: names brought up to date, the network found, settings chosen, values checked and
 * widened. */
#ifndef OSPREY_CHECKPOINT_CONVERT_MODEL_H
#define OSPREY_CHECKPOINT_CONVERT_MODEL_H

#include "checkpoint.h"
#include "models/zoo.h"

struct convert_options { /* all zero but input, output and bn_eps: nothing was said */
    const char *input, *output;
    const char *model;          /* a network's name */
    const char *const *classes; /* without the background */
    int class_count;
    int norm_times; /* 1: once, 2: twice */
    double bn_eps;  /* below 0: not said */
    int min_size, max_size;
    const char *resize;
    bool f16; /* tensors of two and more dimensions are stored as F16 */
    bool allow_nonfinite;
    void (*remark)(const char *format, ...) __attribute__((format(printf, 1, 2))); /* what the user should know; NULL: silent */
};

struct convert_report {
    struct osp_model *model; /* the finished file, open; its path is that of the temporary */
    const char *format;      /* struct checkpoint's */
    const char *key;
    int tensors;        /* written */
    int dropped;        /* num_batches_tracked counters */
    int unused;         /* tensors that the network does not have */
    uint64_t nonfinite; /* values */
};

/* Writes options->output or leaves it as it was. OSP_USAGE when the options leave something open or contradict the file; the rest
 * as checkpoint_open, osp_safetensors_write and osp_model_open. */
osp_status convert_model(const struct convert_options *options, struct convert_report *out);
void convert_report_free(struct convert_report *report);

#endif
