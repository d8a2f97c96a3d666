/* A backend for tests: the cpu's kernels on a device that takes as long as one is told. It joins a program that is linked with
 * this file before the library (sim.mk), for the library's own table of backends is then never asked for.
 *
 * OSPREY_SIM holds the devices, separated by semicolons; a column chooses one by device=N, counted from 0. Each is
 *
 *     FIXED EACH [FIRST LAST FACTOR [RUNS]]
 *
 * A run of n pictures, from the upload on, takes FIXED + n * EACH seconds (or longer, where the cpu is slower than that); the
 * nodes FIRST to LAST of the plan, counted from 0, take FACTOR times as long as the cpu needs for them. After RUNS runs it fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/backend.h"
#include "runtime/session.h"

enum { MOST = 16 };

extern const struct osp_backend cpu_backend, cuda_backend, emu_backend, sim_backend;
extern const struct osp_ladder sim_conv2d_ladder; /* wrong_tap.c */

/* A device that is open. */
static struct sim {
    struct osp_device *cpu; /* NULL: this place is free */
    double fixed, each, factor;
    int first, last;
    int nodes, pictures;
    int runs;               /* that are left; below 0: any number */
    double started, marked; /* the run, the last mark */
} sims[MOST];

static struct sim *sim_of(const struct osp_device *device)
{
    int i = 0;
    while (sims[i].cpu != device)
        i++;
    return &sims[i];
}

/* To the microsecond: asleep for most of it, awake at the end. */
static void wait_until(double deadline)
{
    double left = deadline - osp_seconds();
    if (left > 1e-3) {
        struct timespec rest = {(time_t)(left - 5e-4), (long)((left - 5e-4 - (double)(time_t)(left - 5e-4)) * 1e9)};
        nanosleep(&rest, NULL);
    }
    while (osp_seconds() < deadline)
        ;
}

static osp_status read_settings(int device, struct sim *sim)
{
    const char *text = getenv("OSPREY_SIM");
    for (int i = 0; text && i < device; i++)
        text = strchr(text, ';') ? strchr(text, ';') + 1 : NULL;
    *sim = (struct sim){.factor = 1, .first = -1, .last = -1, .runs = -1};
    int got =
        text ? sscanf(text, "%lf %lf %d %d %lf %d", &sim->fixed, &sim->each, &sim->first, &sim->last, &sim->factor, &sim->runs)
             : 0;
    return got == 2 || got == 5 || got == 6 ? OSP_OK
                                            : osp_fail(OSP_UNAVAILABLE, "sim: OSPREY_SIM describes no device %d", device);
}

static osp_status sim_open(const struct osp_device_options *options, struct osp_device **out)
{
    struct osp_device_options host = *options;
    struct sim *sim = sims;
    host.device = 0;
    while (sim < sims + MOST && sim->cpu)
        sim++;
    osp_status status = sim < sims + MOST ? read_settings(options->device, sim) : osp_fail(OSP_MEMORY, "sim: %d devices", MOST);
    if (!status)
        status = cpu_backend.open(&host, out);
    if (!status)
        sim->cpu = *out;
    return status;
}

static void sim_close(struct osp_device *device)
{
    sim_of(device)->cpu = NULL;
    cpu_backend.close(device);
}

static osp_status sim_alloc(struct osp_device *d, size_t bytes, void **out) { return cpu_backend.memory->alloc(d, bytes, out); }
static void sim_free(struct osp_device *d, void *p) { cpu_backend.memory->free(d, p); }
static osp_status sim_download(struct osp_device *d, void *to, const void *from, size_t n)
{
    return cpu_backend.memory->download(d, to, from, n);
}
static osp_status sim_available(struct osp_device *d, size_t *free_bytes, size_t *total)
{
    return cpu_backend.memory->available(d, free_bytes, total);
}

/* One for each picture, and one for the rows that say where they are. */
static osp_status sim_upload(struct osp_device *d, void *to, const void *from, size_t n)
{
    sim_of(d)->pictures++;
    return cpu_backend.memory->upload(d, to, from, n);
}

static osp_status sim_reserve(struct osp_device *d, int marks)
{
    sim_of(d)->nodes = marks - OSP_MARKS;
    return cpu_backend.clock->reserve(d, marks);
}

static osp_status sim_mark(struct osp_device *d, int mark)
{
    struct sim *sim = sim_of(d);
    int node = mark - 1;
    if (mark == sim->nodes + OSP_MARK_UP_FROM) {
        if (sim->runs == 0)
            return osp_fail(OSP_UNAVAILABLE, "sim: the device was taken away");
        sim->runs -= sim->runs > 0;
        sim->started = osp_seconds();
        sim->pictures = -1;
    }
    if (node >= sim->first && node <= sim->last)
        wait_until(sim->marked + (osp_seconds() - sim->marked) * sim->factor);
    if (mark == sim->nodes && sim->fixed + sim->each > 0)
        wait_until(sim->started + sim->fixed + sim->each * sim->pictures);
    sim->marked = osp_seconds();
    return cpu_backend.clock->mark(d, mark);
}

static osp_status sim_seconds(struct osp_device *d, int from, int to, double *out)
{
    return cpu_backend.clock->seconds(d, from, to, out);
}

static int sim_threads(const struct osp_device *d) { return cpu_backend.threads(d); }
static const char *sim_isa(const struct osp_device *d) { return cpu_backend.isa(d); }

static const struct osp_memory memory = {sim_alloc, sim_free, sim_upload, sim_download, sim_available};
static const struct osp_clock clock_marks = {sim_reserve, sim_mark, sim_seconds};

const struct osp_backend sim_backend = {
    .name = "sim",
    .base = &cpu_backend,
    .open = sim_open,
    .close = sim_close,
    .memory = &memory,
    .clock = &clock_marks,
    .threads = sim_threads,
    .isa = sim_isa,
    .ops = {[OSP_conv2d] = &sim_conv2d_ladder},
};

const struct osp_backend *const osp_backends[] = {&cpu_backend, &cuda_backend, &emu_backend, &sim_backend, NULL};
