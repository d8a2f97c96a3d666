/* What was found on a ladder, as a table and as JSON. */
#ifndef OSPREY_TOOLS_LADDER_ROWS_H
#define OSPREY_TOOLS_LADDER_ROWS_H

#include <stdio.h>

#include "climb.h"
#include "sass.h"

struct rows {
    const struct problem *problem;
    const struct osp_backend *backend;
    char device[256];
    struct climb *climbs; /* the rungs, plainest first */
    int count;
    int arch;                 /* of the machine code */
    struct sass_kernel *code; /* of all kernels, for that architecture */
    int code_count;
};

/* Reads rows->code from the program. OSP_USAGE: it holds none for rows->arch; nothing is read where it was built without nvcc. */
osp_status rows_read_code(struct rows *rows, int arch);
void rows_free(struct rows *rows);

void rows_print(const struct rows *rows, FILE *stream);
osp_status rows_write_json(const struct rows *rows, const char *path); /* "-": standard output. OSP_UNWRITTEN, OSP_MEMORY */

#endif
