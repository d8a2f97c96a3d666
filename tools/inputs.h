/* Which pictures a command line means: files, folders, lists, standard input. */
#ifndef OSPREY_TOOLS_INPUTS_H
#define OSPREY_TOOLS_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/osprey.h"

struct input {
    char *path;    /* as given, or folder and name; "-" for standard input */
    bool standard; /* to be read from standard input */
};

struct inputs {
    struct input *items; /* in the order given; a folder's pictures by name */
    size_t count, room;
    size_t skipped; /* files in folders that are neither JPEG nor PNG */
    int failed;     /* folders and lists that could not be read or held no picture; said on stderr */
};

/* Sorts out the INPUT arguments. OSP_USAGE or OSP_MEMORY; whatever else goes wrong is said on stderr and counted in `failed`. */
osp_status inputs_collect(char **arguments, int count, bool recursive, struct inputs *out);
void inputs_free(struct inputs *inputs);

/* Is this path, followed through links, one of the input files? */
bool inputs_include(const struct inputs *inputs, const char *path);

/* All of standard input, at most 1 GiB. Ends early when a signal asks for it. OSP_UNREADABLE, OSP_MEMORY. */
osp_status read_standard_input(uint8_t **data, size_t *size);

#endif
