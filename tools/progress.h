/* A progress bar on stderr, where that is a terminal: what is done of how much, rate, time left. */
#ifndef OSPREY_TOOLS_PROGRESS_H
#define OSPREY_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    bool on;
    size_t total, done;
    double start, drawn; /* seconds */
};

void progress_begin(struct progress *progress, size_t total, bool quiet);
void progress_step(struct progress *progress);  /* one picture more is done */
void progress_clear(struct progress *progress); /* before anything else is printed, and at the end */

double now(void); /* monotonic seconds */

#endif
