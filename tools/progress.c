#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24 };
static const double redraw_after = 0.1; /* seconds */

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_begin(struct progress *progress, size_t total, bool quiet)
{
    *progress = (struct progress){.on = !quiet && total > 1 && isatty(STDERR_FILENO), .total = total, .start = now()};
}

void progress_step(struct progress *progress)
{
    double t = now(), spent = t - progress->start;
    progress->done++;
    if (!progress->on || t - progress->drawn < redraw_after)
        return;
    progress->drawn = t;
    int filled = (int)(progress->done * BAR / progress->total);
    long left = (long)(spent / (double)progress->done * (double)(progress->total - progress->done) + 0.5);
    fprintf(stderr, "\r\033[K[%.*s%*s] %zu/%zu  %.1f/s  %ld:%02ld left", filled, "########################", BAR - filled, "",
            progress->done, progress->total, (double)progress->done / (spent > 0 ? spent : 1), left / 60, left % 60);
    fflush(stderr);
}

void progress_clear(struct progress *progress)
{
    if (progress->on && progress->drawn > 0)
        fputs("\r\033[K", stderr);
    progress->drawn = 0;
}
