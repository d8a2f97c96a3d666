/* What was found on a ladder, with its machine code and estimates, and as JSON; table.c prints it. */
#ifndef OSPREY_TOOLS_LADDER_ROWS_H
#define OSPREY_TOOLS_LADDER_ROWS_H

#include <stdio.h>

#include "climb.h"
#include "estimate.h"
#include "sass.h"

/* The machine code of all kernels in the program, for all architectures. */
struct code {
    struct sass_kernel *kernels;
    int count;
};

struct rows {
    const struct problem *problem;
    const struct osp_backend *backend;
    char device[256];
    struct climb *climbs; /* the rungs, plainest first */
    int count;
    const struct gpu *gpu; /* as which the emulator poses, and that estimates are for; NULL: none */
    int arch;              /* whose machine code is shown */
    int blocks;            /* of a launch that were counted, for all; 0: every one */
    struct code code;
};

/* Reads a backend's fat binaries; nothing where the program was built without nvcc. OSP_REFUSED, OSP_MEMORY. Free with
 * code_free(). */
osp_status code_read(const struct osp_backend *backend, struct code *out);
void code_free(struct code *code);
/* "80, 90" */
void code_archs(const struct code *code, char *text, size_t size);

void rows_free(struct rows *rows);

/* Machine code that shows, or stands for, kernel k of a rung. NULL: there is none. */
const struct sass_kernel *rows_code(const struct rows *rows, const struct climb *climb, int k);
struct occupancy rows_fit(const struct rows *rows, const struct osp_kernel_counts *kernel, const struct sass_kernel *code);

/* All launches of kernel k of a rung, in seconds, and what limits them. bytes: of the call's tensors. NAN where nothing can be
 * said: no GPU was named, nothing was counted, there is no machine code. */
double rows_kernel_estimate(const struct gpu *gpu, const struct code *code, const struct climb *climb, int k, double bytes,
                            const char **limit);
/* Of the whole rung; the limit is that of its longest kernel. */
double rows_estimate(const struct gpu *gpu, const struct code *code, const struct climb *climb, double bytes, const char **limit);

/* table.c: one line for each rung, 100 columns wide; `all`: with them what each kernel was counted for. */
void rows_print(const struct rows *rows, bool all, FILE *stream);
/* The lines as Markdown, for a README. */
osp_status rows_print_markdown(const void *rows, FILE *stream);

osp_status rows_write_json(const struct rows *rows, const char *path); /* "-": standard output. OSP_UNWRITTEN, OSP_MEMORY */

#endif
