/* make check-gpu: every CUDA kernel on every case of its op, and whole networks, on the driver that is given, against the cpu
 * backend. Writes a report to send back.
 *
 *     check DRIVER REPORT      DRIVER "": the system's; "ptx" or a path
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <cmocka.h>

#include "tests/cases/harness.h"
#include "tests/networks.h"

static FILE *report;
static const char *driver;
static int cases_run, cases_broken, networks_run, networks_broken;

static int rehearsal(const char *device) { return strstr(device, "PTX interpreter") != NULL; }

/* ---- Kernels -------------------------------------------------------------------------------------- */

/* A case runs twice with the same node state; the second time nothing has to be loaded. */
static void ran(const struct bench *bench, enum osp_op op, const struct osp_kernel *kernel, const char *test, int broken,
                double seconds)
{
    static char before[256];
    char now[256];
    if (strcmp(bench->backend->name, "cuda") != 0)
        return;
    snprintf(now, sizeof now, "| %s | %s | %s |", osp_op_name(op), kernel->name, test);
    int again = !strcmp(now, before);
    snprintf(before, sizeof before, "%s", now);
    cases_run += !again;
    cases_broken += broken != 0;
    if (again || broken)
        fprintf(report, "%s %s | %.1f |\n", now, broken ? "WRONG" : "good", 1e6 * seconds);
}

static void open_devices(struct harness *harness)
{
    *harness = (struct harness){.backends = osp_backends, .ran = ran};
    harness_add(harness, "cpu", &(struct osp_device_options){.threads = 0});
    harness_add(harness, "cuda", &(struct osp_device_options){.driver = driver});
}

/* ---- Networks ------------------------------------------------------------------------------------- */

static void check_network(const struct network *network, int graph)
{
    const struct osp_session_options options = {.backend = "cuda", .driver = driver, .graph = graph};
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
    networks_broken += !good;
    if (status)
        fprintf(report, "| %s | %s | FAILED: %s |  |  |  |  |\n", network->label, graph ? "graph" : "launches", osp_message());
    else
        fprintf(report, "| %s | %s | %s: %d boxes, cpu %d | %.3g | %.3g | %.3f | %.3f |\n", network->label,
                graph ? "graph" : "launches", good ? "good" : "WRONG", outcome.found, outcome.wanted, outcome.box, outcome.score,
                1e3 * outcome.first, 1e3 * outcome.again);
}

/* ---- The report ----------------------------------------------------------------------------------- */

static int write_head(void)
{
    const struct osp_backend *const *backend = osp_backends;
    char date[64];
    struct utsname host;
    time_t now = time(NULL);
    while (strcmp((*backend)->name, "cuda") != 0)
        backend++;
    struct osp_device *device;
    if ((*backend)->open(&(struct osp_device_options){.driver = driver}, &device)) {
        fprintf(stderr, "check-gpu: %s\n", osp_message());
        return 0;
    }
    strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    uname(&host);
    const char *label = (*backend)->isa(device);
    fprintf(report, "# osprey check-gpu\n\n");
    if (rehearsal(label))
        fprintf(
            report,
            "**This is a rehearsal: no GPU took part.** The driver interprets PTX on a CPU; its times say nothing of a GPU.\n\n");
    fprintf(report, "device: %s\n\nosprey %s, commit %s; %s %s %s, %s\n\n", label, OSP_VERSION, OSP_COMMIT, host.sysname,
            host.release, host.machine, date);
    (*backend)->close(device);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 3 || !(report = fopen(argv[2], "w"))) {
        fprintf(stderr, "usage: check DRIVER REPORT\n");
        return 2;
    }
    driver = *argv[1] ? argv[1] : NULL;
    if (!write_head())
        return 4;
    fprintf(report,
            "## Kernels\n\nMicroseconds are of the second run, between two events.\n\n| op | kernel | case | verdict | us |\n"
            "|---|---|---|---|---|\n");
    int failed = harness_main(open_devices);
    fprintf(
        report,
        "\n## Networks\n\nDifferences from the cpu backend; milliseconds from the first node to the last, between two events.\n\n"
        "| network | as | verdict | pixels | score | first, ms | second, ms |\n|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < network_count; i++)
        for (int graph = 0; graph < 2; graph++)
            check_network(&networks[i], graph);
    fprintf(report, "\n%d cases, %d broken rules; %d networks, %d wrong; %d ops failed.\n", cases_run, cases_broken, networks_run,
            networks_broken, failed);
    int unwritten = fclose(report);
    printf("%d cases, %d broken rules; %d networks, %d wrong; report in %s\n", cases_run, cases_broken, networks_run,
           networks_broken, argv[2]);
    return failed || networks_broken || unwritten || !cases_run;
}
