/* osprey ladder network: a whole network, layer by layer, as its plan would run it on a GPU that is not at hand. */
#ifndef OSPREY_TOOLS_LADDER_NETWORK_H
#define OSPREY_TOOLS_LADDER_NETWORK_H

#include "gpu.h"
#include "tools/options.h"

struct network_options {
    const char *model, *precision, *use, *json; /* NULL: the demo model, f32, as the plan chooses, none */
    struct option_size size;                    /* of the network's input */
    const struct gpu *gpu;
    int blocks; /* of each launch, that are counted; 0: all */
};

/* Prints the table, or writes JSON; the program's exit status. */
int network_run(const struct network_options *options);

#endif
