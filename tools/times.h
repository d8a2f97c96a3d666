/* Where the time of a detect run went: what is paid once, and what each picture costs. */
#ifndef OSPREY_TOOLS_TIMES_H
#define OSPREY_TOOLS_TIMES_H

#include "runtime/osprey.h"

enum { TIMES_STAGES = 16 };

/* Seconds: [0] in the first batch, [1] in all others. */
struct times {
    double open_model, hash, open_session, plan, pack; /* hash 0: nothing asked for it */
    int pictures[2], stages;
    double decode[2], upload[2], network[2], download[2], postprocess[2], drawing[2], writing[2];
    struct {
        const char *name;
        double seconds[2];
    } stage[TIMES_STAGES];
};

/* Adds the run that the session has just done. `later`: 0 for the first batch, 1 for others. */
void times_add_run(struct times *times, int later, const struct osp_session *session);

void times_print(const struct times *times); /* on stderr */

#endif
