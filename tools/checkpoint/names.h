/* A checkpoint's tensors under the names that the networks use. */
#ifndef OSPREY_CHECKPOINT_NAMES_H
#define OSPREY_CHECKPOINT_NAMES_H

#include "checkpoint.h"
#include "models/zoo.h"

struct named {
    const char *name;
    const struct osp_stored_tensor *tensor; /* of the checkpoint */
};

struct names {
    struct named *items; /* sorted by name */
    int count;
    int dropped; /* *.num_batches_tracked, which inference does not need */
    int renamed; /* from before torchvision 0.13 */
    char *text;
};

/* OSP_REFUSED if two tensors get the same name, OSP_MEMORY. path: for sentences. */
osp_status names_read(const struct checkpoint *checkpoint, const char *path, struct names *out);
void names_free(struct names *names);
const struct osp_stored_tensor *names_find(const struct names *names, const char *name); /* NULL: none */

/* The network that has these tensors; `wanted`: its name if the user said so, else NULL. OSP_USAGE if several have and none was
 * said, or another was; OSP_REFUSED, with what it looks like, if none has. */
osp_status names_network(const struct names *names, const char *path, const char *wanted, const struct osp_network **out);

#endif
