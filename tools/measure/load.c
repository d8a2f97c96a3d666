/* How long this program waited for cores that others had. */
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "inside.h"

/* /proc/PID/task/TID/schedstat: nanoseconds on a core, nanoseconds ready to run without one, slices. */
static double waited(void)
{
    char path[64];
    double ran, wait;
    snprintf(path, sizeof path, "/proc/self/task/%ld/schedstat", (long)getpid());
    FILE *file = fopen(path, "re");
    int count = file ? fscanf(file, "%lf %lf", &ran, &wait) : 0;
    if (file)
        fclose(file);
    return count == 2 ? 1e-9 * wait : NAN;
}

struct load load_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (struct load){(double)now.tv_sec + 1e-9 * (double)now.tv_nsec, waited()};
}

void load_since(struct measure *m, const struct load *then)
{
    struct load now = load_now();
    m->measuring.clock += now.clock - then->clock;
    m->measuring.waited += now.waited - then->waited;
    if (m->study->machine_count > 0 && m->measuring.clock > 0)
        m->study->machines[0].core_wait = m->measuring.waited / m->measuring.clock;
}
