/* make check-gpu: every CUDA kernel on every case of its op, and whole networks, on the driver that is given, against the cpu
 * backend. Writes a report to send back.
 *
 *     check DRIVER REPORT      DRIVER "": the system's; "ptx" or a path
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <cmocka.h>

#include "kernels/launch.h"
#include "tests/cases/harness.h"
#include "tests/networks.h"

static FILE *report, *wrong;
static const char *driver;
static int cases_run, cases_refused, broken, networks_run, networks_wrong;

/* ---- Kernels -------------------------------------------------------------------------------------- */

/* A case runs twice with the same node state; the second time nothing has to be loaded. */
static void ran(const struct harness_outcome *outcome)
{
    static char before[256];
    char now[256];
    int overlay = !strcmp(outcome->bench->backend->name, "cudnn");
    if (strcmp(outcome->bench->backend->name, "cuda") != 0 && !overlay)
        return;
    snprintf(now, sizeof now, "| %s | %s%s | %s |", osp_op_name(outcome->op), overlay ? "cudnn/" : "", outcome->kernel->name,
             outcome->test);
    int again = !strcmp(now, before);
    snprintf(before, sizeof before, "%s", now);
    cases_run += !again && !outcome->refusal;
    cases_refused += outcome->refusal != NULL;
    if (outcome->refusal)
        fprintf(report, "%s not for it: %s |  |\n", now, outcome->refusal);
    else if (again || outcome->broken)
        fprintf(report, "%s %s | %.1f |\n", now, outcome->broken ? "WRONG" : "good", 1e6 * outcome->seconds);
}

static void failed(const char *sentence)
{
    broken++;
    fprintf(wrong, "- %s\n", sentence);
}

static void open_devices(struct harness *harness)
{
    *harness = (struct harness){.backends = osp_backends, .ran = ran, .failed = failed};
    harness_add(harness, "cpu", &(struct osp_device_options){.threads = 0});
    int before = harness->count;
    harness_add(harness, "cuda", &(struct osp_device_options){.driver = driver});
    if (harness->count == before)
        failed(osp_message());
    else if (!driver) /* the overlay takes the system's alone; where its libraries are missing, that is said */
        harness_add(harness, "cudnn", &(struct osp_device_options){.device = 0});
}

static int check_kernels(void)
{
    fprintf(report, "## Kernels\n\nMicroseconds are of the second run of a case, between two events.\n\n"
                    "| op | kernel | case | verdict | us |\n|---|---|---|---|---|\n");
    return harness_main(open_devices);
}

/* ---- Networks ------------------------------------------------------------------------------------- */

static void check_network(const struct network *network, int graph)
{
    const struct osp_session_options options = {.backend = "cuda", .driver = driver, .graph = graph};
    const char *as = graph ? "graph" : "launches";
    struct network_outcome outcome = {0};
    struct osp_model *model;
    struct osp_image *picture;
    osp_status status = network_open(network, &model, &picture);
    if (!status) {
        status = network_compare(model, picture, &options, &outcome);
        osp_image_free(picture);
        osp_model_close(model);
    }
    int good = !status && network_agrees(&outcome);
    networks_run++;
    networks_wrong += !good;
    if (status)
        fprintf(wrong, "- %s, %s: %s\n", network->label, as, osp_message());
    if (status)
        fprintf(report, "| %s | %s | FAILED |  |  |  |  |  |\n", network->label, as);
    else
        fprintf(report, "| %s | %s | %s | %d of %d | %.3g | %.3g | %.3f | %.3f |\n", network->label, as, good ? "good" : "WRONG",
                outcome.found, outcome.wanted, outcome.box, outcome.score, 1e3 * outcome.first, 1e3 * outcome.again);
}

static void check_networks(void)
{
    fprintf(report, "\n## Networks\n\nAgainst the cpu backend: how many boxes of how many, and the largest differences of a box "
                    "and of a score. Milliseconds are from the first node to the last, between two events.\n\n"
                    "| network | as | verdict | boxes | pixels | score | first, ms | second, ms |\n"
                    "|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < network_count; i++)
        for (int graph = 0; graph < 2; graph++)
            check_network(&networks[i], graph);
}

static void write_nodes(const struct osp_plan *plan)
{
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        fprintf(report, "| %s | %s | %s | %.1f | %.3f |\n", line.node, line.kernel, line.shape, 1e6 * line.seconds,
                1e-6 * line.macs_done);
    }
}

/* Where the time goes in the first of the networks: what a later version is to beat. */
static void time_nodes(void)
{
    const struct osp_session_options options = {.backend = "cuda", .driver = driver};
    struct osp_model *model = NULL;
    struct osp_image *picture = NULL;
    struct osp_session *session = NULL;
    osp_status status = network_open(&networks[0], &model, &picture);
    if (!status)
        status = osp_session_open(model, &options, &session);
    for (int run = 0; !status && run < 2; run++) {
        struct osp_detections found;
        status = osp_detect(session, picture, &found);
        if (!status)
            osp_detections_free(&found);
    }
    fprintf(
        report,
        "\n## %s, node by node\n\nOf the second run, between events.\n\n| node | kernel | shape | us | million multiply-adds |\n"
        "|---|---|---|---|---|\n",
        networks[0].label);
    if (status)
        failed(osp_message());
    else
        write_nodes(osp_session_last_plan(session));
    osp_session_close(session);
    osp_image_free(picture);
    osp_model_close(model);
}

/* ---- The report ----------------------------------------------------------------------------------- */

static const struct osp_backend *cuda(void)
{
    const struct osp_backend *const *backend = osp_backends;
    while (strcmp((*backend)->name, "cuda") != 0)
        backend++;
    return *backend;
}

static void write_head(const struct osp_device *device)
{
    const struct cuda_limits *limits = cuda_limits_of(device);
    const char *label = cuda()->isa(device);
    char date[64];
    struct utsname host;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    uname(&host);
    fprintf(report, "# osprey check-gpu\n\n");
    if (strstr(label, "PTX interpreter"))
        fprintf(report,
                "**This is a rehearsal: no GPU took part.** The driver interprets PTX on a CPU; its times say nothing of a "
                "GPU.\n\n");
    fprintf(report,
            "device: %s; %d multiprocessors, %zu KiB of shared memory each, %zu a block, %.1f MiB of L2\n\n"
            "osprey %s, commit %s, kernels by nvcc %s; %s %s %s, %s\n\n",
            label, limits->multiprocessors, limits->shared_per_multiprocessor >> 10, limits->shared_per_block >> 10,
            (double)limits->l2_bytes / (1 << 20), OSP_VERSION, OSP_COMMIT, CUDA_NVCC, host.sysname, host.release, host.machine,
            date);
}

/* What went wrong, in sentences, and the count of all. */
static int write_end(const char *sentences, const char *name)
{
    char total[256];
    snprintf(total, sizeof total, "%d cases of kernels, %d not for the kernel, %d broken rules; %d runs of networks, %d wrong",
             cases_run, cases_refused, broken, networks_run, networks_wrong);
    if (*sentences)
        fprintf(report, "\n## What went wrong\n\n%s", sentences);
    fprintf(report, "\n## Total\n\n%s.\n", total);
    printf("%s%s; report in %s\n", sentences, total, name);
    return fclose(report);
}

int main(int argc, char **argv)
{
    struct osp_device *device;
    char *sentences = NULL;
    size_t size = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: check-gpu DRIVER REPORT\n");
        return 2;
    }
    driver = *argv[1] ? argv[1] : NULL;
    if (cuda()->open(&(struct osp_device_options){.driver = driver}, &device)) {
        fprintf(stderr, "check-gpu: %s%s\n", osp_message(), driver ? "" : " (make check-gpu DRIVER=ptx is a rehearsal)");
        return 4;
    }
    if (!(report = fopen(argv[2], "w")) || !(wrong = open_memstream(&sentences, &size))) {
        fprintf(stderr, "check-gpu: %s: %s\n", argv[2], strerror(errno));
        return 5;
    }
    setvbuf(report, NULL, _IOLBF, 0); /* what a run that is cut short has found can still be read */
    write_head(device);
    cuda()->close(device);
    int ops_failed = check_kernels();
    check_networks();
    time_nodes();
    fclose(wrong);
    int unwritten = write_end(sentences, argv[2]);
    free(sentences);
    return ops_failed || broken || networks_wrong || unwritten || !cases_run;
}
