#include "counts.h"

#include <stdio.h>

static double ratio(int64_t a, int64_t b) { return b ? (double)a / (double)b : 0; }

static void print_space(const struct osp_space_counts *space)
{
    if (space->requests)
        fprintf(stderr, " %11lld %6.2f %6.2f %5.1f %9.3f", (long long)space->requests, ratio(space->units, space->requests),
                ratio(space->ideal, space->requests), ratio(space->lanes, space->requests), 1e-6 * (double)space->bytes);
    else
        fprintf(stderr, " %11s %6s %6s %5s %9s", "-", "-", "-", "-", "-");
}

static void add(struct osp_space_counts *sum, const struct osp_space_counts *space)
{
    sum->requests += space->requests;
    sum->lanes += space->lanes;
    sum->bytes += space->bytes;
    sum->units += space->units;
    sum->ideal += space->ideal;
}

static void print_kernel(const struct osp_kernel_counts *kernel)
{
    fprintf(stderr, "%-34s %8lld", kernel->kernel, (long long)kernel->launches);
    print_space(&kernel->global);
    print_space(&kernel->shared);
    fputc('\n', stderr);
}

void counts_print(const struct osp_session *session)
{
    struct osp_kernel_counts kernel, all = {.kernel = "all of them"};
    if (!osp_session_counts(session, 0, &kernel))
        return;
    fprintf(stderr,
            "\nwhat kernels asked of memory, counted by the emulator from their source; a request is one instruction of a warp.\n"
            "For each request: the sectors of 32 bytes, or the passes over 32 banks, that it took; the least that could have\n"
            "served it; and the lanes, of 32, that took part.\n"
            "%-34s %8s %11s %6s %6s %5s %9s %11s %6s %6s %5s %9s\n",
            "kernel", "launches", "global req.", "sect.", "least", "lanes", "MB", "shared req.", "passes", "least", "lanes",
            "MB");
    for (int i = 0; osp_session_counts(session, i, &kernel); i++) {
        print_kernel(&kernel);
        all.launches += kernel.launches;
        add(&all.global, &kernel.global);
        add(&all.shared, &kernel.shared);
    }
    print_kernel(&all);
}

static json_t *space_json(const struct osp_space_counts *space, const char *unit, const char *ideal)
{
    return json_pack("{sI sI sI sI sI}", "requests", (json_int_t)space->requests, "lanes", (json_int_t)space->lanes, "bytes",
                     (json_int_t)space->bytes, unit, (json_int_t)space->units, ideal, (json_int_t)space->ideal);
}

json_t *counts_kernel_json(const struct osp_kernel_counts *kernel)
{
    return json_pack("{ss sI sI sI so so}", "kernel", kernel->kernel, "launches", (json_int_t)kernel->launches, "blocks",
                     (json_int_t)kernel->blocks, "threads", (json_int_t)kernel->threads, "global",
                     space_json(&kernel->global, "sectors", "ideal_sectors"), "shared",
                     space_json(&kernel->shared, "wavefronts", "ideal_wavefronts"));
}

json_t *counts_json(const struct osp_session *session)
{
    struct osp_kernel_counts kernel;
    if (!osp_session_counts(session, 0, &kernel))
        return NULL;
    json_t *array = json_array();
    for (int i = 0; osp_session_counts(session, i, &kernel); i++)
        json_array_append_new(array, counts_kernel_json(&kernel));
    return array;
}
