/* peers-loop MODEL PICTURE BACKEND THREADS: osprey as one of the programs that peers.py times.
 *
 * Opens everything, says so on one line of JSON, and then runs the detector once for each line that it reads: pixels in memory to
 * boxes. Each run is answered by one line of JSON: seconds, seconds of each stage, detections. Ends at the end of its input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/osprey.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Nodes of one stage follow one another. */
static void print_stages(const struct osp_plan *plan)
{
    struct osp_line line;
    double seconds = 0;
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        osp_plan_line(plan, i, &line);
        seconds += line.seconds;
        struct osp_line next = {.stage = ""};
        if (i + 1 < osp_plan_lines(plan))
            osp_plan_line(plan, i + 1, &next);
        if (strcmp(line.stage, next.stage) != 0) {
            printf("\"%s\": %.9f%s", line.stage, seconds, *next.stage ? ", " : "");
            seconds = 0;
        }
    }
}

static void print_detections(const struct osp_detections *found)
{
    for (int i = 0; i < found->count; i++) {
        const struct osp_detection *d = &found->items[i];
        printf("%s{\"label\": %d, \"score\": %.9g, \"box\": [%.9g, %.9g, %.9g, %.9g]}", i ? ", " : "", d->label, (double)d->score,
               (double)d->box[0], (double)d->box[1], (double)d->box[2], (double)d->box[3]);
    }
}

static int run(struct osp_session *session, const struct osp_image *picture)
{
    struct osp_detections found;
    double start = now();
    if (osp_detect(session, picture, &found))
        return 1;
    double seconds = now() - start;
    printf("{\"seconds\": %.9f, \"stages\": {", seconds);
    print_stages(osp_session_last_plan(session));
    printf("}, \"detections\": [");
    print_detections(&found);
    printf("]}\n");
    fflush(stdout);
    osp_detections_free(&found);
    return 0;
}

int main(int argc, char **argv)
{
    struct osp_model *model = NULL;
    struct osp_session *session = NULL;
    struct osp_image *picture = NULL;
    const char *sha256;
    char line[16];
    if (argc != 5) {
        fprintf(stderr, "usage: peers-loop MODEL PICTURE BACKEND THREADS\n");
        return 2;
    }
    const struct osp_session_options options = {.backend = argv[3], .threads = atoi(argv[4])};
    double start = now();
    int failed = osp_model_open(argv[1], &model) || osp_session_open(model, &options, &session);
    double opened = now() - start;
    failed = failed || osp_image_load(argv[2], NULL, &picture);
    failed = failed || osp_model_sha256(model, &sha256);
    if (!failed) {
        printf("{\"version\": \"%s\", \"device\": \"%s\", \"open\": %.9f, \"model_sha256\": \"%s\"}\n", OSP_VERSION,
               osp_session_isa(session), opened, sha256);
        fflush(stdout);
    }
    while (!failed && fgets(line, sizeof line, stdin))
        failed = run(session, picture);
    if (failed)
        fprintf(stderr, "%s\n", osp_message());
    osp_image_free(picture);
    osp_session_close(session);
    osp_model_close(model);
    return failed;
}
