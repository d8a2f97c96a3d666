#include "times.h"

#include <stdio.h>
#include <string.h>

/* Stage names are string constants of the networks, and outlive the plan. */
static int stage_index(struct times *times, const char *name)
{
    int i = 0;
    while (i < times->stages && strcmp(times->stage[i].name, name) != 0)
        i++;
    if (i == times->stages && i < TIMES_STAGES) {
        times->stage[i].name = name;
        times->stages++;
    }
    return i < TIMES_STAGES ? i : TIMES_STAGES - 1;
}

void times_add_run(struct times *times, int later, const struct osp_session *session)
{
    struct osp_session_times t;
    osp_session_times(session, &t);
    times->plan += t.plan;
    times->pack += t.pack;
    times->upload[later] += t.upload;
    times->network[later] += t.network;
    times->download[later] += t.download;
    times->postprocess[later] += t.postprocess;
    const struct osp_plan *plan = osp_session_last_plan(session);
    if (t.graph) {
        times->stage[stage_index(times, "one captured graph")].seconds[later] += t.network;
        return;
    }
    for (int i = 0; plan && i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        times->stage[stage_index(times, line.stage)].seconds[later] += line.seconds;
    }
}

static void print_once(const char *what, double seconds) { fprintf(stderr, "  %-22s %12.3f\n", what, seconds * 1e3); }

static void print_each(const struct times *times, const char *what, const double seconds[2])
{
    fprintf(stderr, "  %-22s", what);
    for (int i = 0; i < 2; i++)
        if (times->pictures[i] > 0)
            fprintf(stderr, " %12.3f", seconds[i] * 1e3 / times->pictures[i]);
    fputc('\n', stderr);
}

void times_print(const struct times *times)
{
    fprintf(stderr, "milliseconds, once\n");
    print_once("open model", times->open_model);
    if (times->hash > 0)
        print_once("hash model", times->hash);
    print_once("open session", times->open_session);
    print_once("make plans", times->plan);
    print_once("pack weights", times->pack);
    if (times->pictures[0] + times->pictures[1] == 0)
        return;
    fprintf(stderr, "%-24s %12s", "milliseconds, a picture", "first batch");
    if (times->pictures[1] > 0)
        fprintf(stderr, " %12s (mean of %d)", "others", times->pictures[1]);
    fputc('\n', stderr);
    double total[2];
    for (int i = 0; i < 2; i++)
        total[i] = times->decode[i] + times->upload[i] + times->network[i] + times->download[i] + times->postprocess[i] +
                   times->drawing[i] + times->writing[i];
    print_each(times, "decode", times->decode);
    print_each(times, "upload", times->upload);
    for (int i = 0; i < times->stages; i++)
        print_each(times, times->stage[i].name, times->stage[i].seconds);
    print_each(times, "network, all of it", times->network);
    print_each(times, "download", times->download);
    print_each(times, "postprocess", times->postprocess);
    print_each(times, "drawing", times->drawing);
    print_each(times, "writing", times->writing);
    print_each(times, "total", total);
}
