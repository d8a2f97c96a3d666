/* osprey bench: what it writes, what it refuses, and how it ends. No test here looks at how long anything took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "schema.h"
#include "scratch.h"
#include "studies.h"
#include "tools/measure/measure.h"
#include "tools/measure/print.h"
#include "tools/measure/statistics.h"
#include "tools/signals.h"

#define PHOTO OSP_SOURCE "/models/demo/astronaut.png"
#define STUDY OSP_SOURCE "/tools/measure/study.schema.json"
#define TRACE OSP_SOURCE "/tools/measure/trace.schema.json"

/* A bench of two rounds on small inputs, with more arguments. */
#define bench(...)                                                                                                               \
    process_run((const char *const[]){"bench", "--least", "2", "--most", "2", "--size", "64x64", __VA_ARGS__, NULL}, NULL, 0,    \
                NULL)

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

static void fits_schema(const char *schema, const char *path)
{
    char why[512];
    if (!schema_accepts_file(schema, path, why, sizeof why))
        fail_msg("%s: %s", path, why);
}

/* ---- Usage ---------------------------------------------------------------------------------------- */

static void usage(void **state)
{
    process_expect(bench("--help"), 0, "usage: osprey bench", "");
    process_expect(bench("--backend", "gpu"), 2, "", "no backend is called 'gpu'; there is cpu");
    process_expect(bench("--backend", "cpu:magic"), 2, "", "'magic' is no rung of backend cpu");
    process_expect(bench("--backends", "cpu,cpu:conv2d=magic"), 2, "", "conv2d has no rung 'magic'");
    process_expect(bench("--backend", "cpu", "--backends", "cpu"), 2, "", "give one of them");
    process_expect(bench("--json", "-", "--csv", "-"), 2, "", "only one of them can be \"-\"");
    process_expect(bench("--size", "65x64"), 2, "", "found 65x64, allowed are multiples of 32");
    process_expect(bench("--into", PHOTO), 2, "", "--into wants --ladder");
    process_expect(bench("--ladder", "nms", "--place", "here"), 2, "", "--place wants --into");
    process_expect(bench("--ladder", "nms", "--into", PHOTO, "--place", "here"), 2, "", "<!-- results: here -->");
    process_expect(bench("--ladder", "sort"), 2, "", "no op is called 'sort'");
    process_expect(bench("-"), 2, "", "wants files");
    process_expect(bench(at("absent.png")), 1, "", "absent.png");
    process_expect(bench("--model", PHOTO), 3, "", "astronaut.png");
    process_expect(bench("--against", at("absent.json")), 2, "", "absent.json");
    process_expect(bench("--against", PHOTO), 2, "", "astronaut.png");
    process_expect(bench("--backend", "cuda:driver=/no/such.so"), 4, "failed: ", "/no/such.so");
    process_expect(bench("--backends", "cpu,cuda:driver=/no/such.so"), 1, "total", "/no/such.so");
}

/* ---- What is written ------------------------------------------------------------------------------- */

static void tables(void **state)
{
    struct outcome outcome = bench("--layers", "--backends", "cpu,cpu:threads=1", PHOTO);
    static const char *const words[] = {"program start", "open model", "open device",  "pack weights",  "first run, more",
                                        "decode",        "preprocess", "roi_align",    "postprocess",   "total",
                                        "drawing",       "p99",        "of roof",      "memory: arena", "backbone.body.conv_stem",
                                        "cpu:threads=1", "GFLOP/s",    "times as long"};
    assert_int_equal(outcome.status, 0);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(outcome.out, words[i]))
            fail_msg("no \"%s\" in: %s", words[i], outcome.out);
    assert_string_equal(outcome.err, ""); /* progress is for a terminal */
    process_free(&outcome);
}

/* Fields of a line up to its end; quoted fields do not occur here. */
static int count_fields(const char *line)
{
    int fields = 1;
    for (; *line && *line != '\r'; line++)
        fields += *line == ',';
    return fields;
}

static void check_csv(const char *path, const struct study *study)
{
    char *text = get_file(path, NULL);
    const struct cell *cell = &study->columns[0].cells[0];
    int lines = 0, totals = 0, layers = 0;
    assert_int_equal(strncmp(text, "# osprey ", 9), 0);
    for (char *line = strstr(text, "\r\n") + 2; *line; line = strstr(line, "\r\n") + 2) {
        assert_int_equal(count_fields(line), 19);
        totals += strncmp(line, "cpu,1 picture,total,total,", 26) == 0;
        layers += strncmp(line, "cpu,1 picture,layer,", 20) == 0;
        lines++;
    }
    assert_int_equal(totals, 1);
    assert_int_equal(layers, cell->layer_count);
    double total = samples_median(&cell->total);
    const char *numbers = strstr(strstr(text, "cpu,1 picture,total,total,"), ",,,,") + 4;
    assert_true(strtod(numbers, NULL) == 2); /* runs */
    assert_true(fabs(strtod(strchr(numbers, ',') + 1, NULL) - total) < 1e-6 * total);
    free(text);
}

/* Nodes lie in their stages, and stages end to end; together they are the run whose total is the median. */
static void check_trace(const char *path, const struct study *study)
{
    json_t *root = json_load_file(path, 0, NULL), *event;
    double from = 0, to = 0, sum = 0;
    int nodes = 0;
    size_t i;
    assert_non_null(root);
    json_array_foreach(json_object_get(root, "traceEvents"), i, event)
    {
        double start = json_number_value(json_object_get(event, "ts")), length = json_number_value(json_object_get(event, "dur"));
        const char *category = json_string_value(json_object_get(event, "cat"));
        if (!category)
            continue;
        if (!strcmp(category, "stage")) {
            assert_true(fabs(start - to) < 1e-3);
            from = start;
            to = start + length;
            sum += strcmp(json_string_value(json_object_get(event, "name")), "drawing") != 0 ? length : 0;
        } else {
            assert_true(start > from - 1e-3 && start + length < to + 1e-3);
            nodes++;
        }
    }
    const struct cell *cell = &study->columns[0].cells[0];
    assert_int_equal(nodes, cell->layer_count);
    assert_true(fabs(sum / 1e6 - cell->total.values[0]) < 1e-6 || fabs(sum / 1e6 - cell->total.values[1]) < 1e-6);
    json_decref(root);
}

static void files(void **state)
{
    struct study study;
    char json[512], csv[512], trace[512];
    strcpy(json, at("b.json"));
    strcpy(csv, at("b.csv"));
    strcpy(trace, at("b.trace"));
    process_expect(bench("--json", json, "--csv", csv, "--trace", trace, "--batch", "1", PHOTO), 0, "total", "");
    fits_schema(STUDY, json);
    fits_schema(TRACE, trace);
    must(study_load(json, &study));
    assert_int_equal(study.columns[0].cells[0].total.count, 2);
    assert_int_equal(study.workloads[0].height, 64);
    assert_non_null(strstr(study.command, "osprey bench --least 2"));
    assert_true(study.columns[0].once.program_start > 0);
    check_csv(csv, &study);
    check_trace(trace, &study);
    study_free(&study);
}

/* The same of a batch, of the emulator, of one captured graph, and of a column that failed. */
static void other_columns(void **state)
{
    struct study study;
    char json[512], trace[512];
    strcpy(json, at("b.json"));
    strcpy(trace, at("b.trace"));
    process_expect(
        bench("--backends", "cpu,emu,emu:graph,cuda:driver=/no/such.so", "--json", json, "--trace", trace, "--batch", "2", PHOTO),
        1, "emulated", "/no/such.so");
    fits_schema(STUDY, json);
    fits_schema(TRACE, trace);
    must(study_load(json, &study));
    assert_int_equal(study.column_count, 4);
    assert_int_equal(study.workloads[0].batch, 2);
    assert_true(study.columns[1].cells[0].measured && study.columns[1].emulated && study.columns[1].gpu);
    assert_int_equal(study.columns[2].cells[0].layer_count, 0);
    assert_non_null(study.columns[3].failure);
    study_free(&study);
    struct outcome outcome = bench("--json", "-", PHOTO);
    assert_int_equal(outcome.status, 0);
    json_t *root = json_loads(outcome.out, 0, NULL); /* nothing but the study */
    assert_non_null(root);
    json_decref(root);
    process_free(&outcome);
}

/* What cannot be written is said, the tables are there all the same, and an old file is as it was. */
static void failed_writes(void **state)
{
    struct rlimit before, small = {8192, RLIM_INFINITY};
    char json[512];
    strcpy(json, at("b.json"));
    process_expect(bench("--json", "/no/such/folder/b.json", "--csv", at("b.csv"), PHOTO), 5, "total", "/no/such/folder");
    assert_int_equal(access(at("b.csv"), F_OK), 0); /* the other file is not lost with it */
    put_file(json, "old", 3);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct outcome outcome = bench("--json", json, PHOTO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    process_expect(outcome, 5, "total", "b.json");
    char *text = get_file(json, NULL);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(entries(at("")), 2); /* no temporary file is left */
}

/* ---- Against -------------------------------------------------------------------------------------- */

static void scale_all(struct study *study, double factor)
{
    struct cell *cell = &study->columns[0].cells[0];
    for (int r = 0; r < cell->total.count; r++) {
        cell->total.values[r] *= factor;
        for (int i = 0; i < cell->stage_count; i++)
            cell->stages[i].seconds.values[r] *= factor;
    }
}

static void against(void **state)
{
    struct study study;
    char now[512], old[512];
    strcpy(now, at("now.json"));
    strcpy(old, at("old.json"));
    process_expect(bench("--json", now, PHOTO), 0, "total", "");
    must(study_load(now, &study));
    scale_all(&study, 1e-3);
    must(study_save(&study, old));
    process_expect(bench("--against", old, PHOTO), 1, "total: ", "");
    process_expect(bench("--against", old, PHOTO), 1, "SLOWER", "");
    scale_all(&study, 1e6);
    must(study_save(&study, old));
    process_expect(bench("--against", old, PHOTO), 0, ": faster", "");
    process_expect(bench("--against", old, "--backend", "cpu:threads=1", PHOTO), 2, "", "no column of the same name");
    process_expect(bench("--against", old, "--batch", "2", PHOTO), 2, "", "did the same work");
    process_expect(bench("--against", old, "--size", "96x96", PHOTO), 2, "", "did the same work"); /* known once it has run */
    studies_set(&study.model_sha256, "0000000000000000000000000000000000000000000000000000000000000000");
    must(study_save(&study, old));
    process_expect(bench("--against", old, PHOTO), 2, "", "another model");
    study_free(&study);
}

/* ---- Signals -------------------------------------------------------------------------------------- */

static void sleep_a_little(void) { nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); }

/* Has it said what it does on SIGINT? */
static bool catches(pid_t pid)
{
    char path[64], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "SigCgt: %llx", &mask) == 1)
            break;
    if (file)
        fclose(file);
    return mask >> (SIGINT - 1) & 1;
}

static void stopped(void **state)
{
    char json[512], csv[512];
    strcpy(json, at("b.json"));
    strcpy(csv, at("b.csv"));
    struct process process = process_start((const char *const[]){"bench", "--seconds", "1000", "--most", "1000000", "--narrow",
                                                                 "1e-6", "--json", json, "--csv", csv, PHOTO, NULL},
                                           NULL);
    while (!catches(process.pid))
        sleep_a_little();
    for (int i = 0; i < 50; i++)
        sleep_a_little();
    kill(process.pid, SIGINT);
    process_expect(process_wait(&process), 130, "stopped by a signal", "");
    fits_schema(STUDY, json);
    json_t *root = json_load_file(json, 0, NULL);
    assert_true(json_is_true(json_object_get(root, "partial")));
    json_decref(root);
    char *text = get_file(csv, NULL);
    assert_non_null(strstr(text, ", stopped by a signal\r\n"));
    free(text);
}

static void interrupt(void *user, const struct measure_progress *progress)
{
    if (progress->round == 4)
        raise(SIGINT);
}

/* What was measured until then is kept. The last test: a signal that was caught stays so. */
static void what_was_measured_is_kept(void **state)
{
    struct study study, read;
    struct measure *m;
    struct measure_options options = {
        .least = 100, .most = 100, .seconds = 1000, .narrow = 1e-9, .layers = true, .progress = interrupt};
    int c, w;
    study_init(&study);
    signals_watch();
    must(measure_new(NULL, &options, &study, &m));
    must(measure_add_file(m, PHOTO));
    must(measure_add_column(m, "cpu", &c));
    must(measure_add_work(m, "1 picture", "single", &(struct work){.min_size = 64, .max_size = 64}, &w));
    must(measure_add_work(m, "another", "single", &(struct work){.min_size = 96, .max_size = 96}, &w));
    must(measure_run(m));
    must(study_save(&study, at("partial.json")));
    fits_schema(STUDY, at("partial.json"));
    must(study_load(at("partial.json"), &read));
    assert_true(read.partial && read.columns[0].cells[0].partial && read.columns[0].cells[0].measured);
    assert_int_equal(read.columns[0].cells[0].total.count, 4); /* the run in progress was finished */
    assert_false(read.columns[0].cells[1].measured);
    study_free(&read);
    measure_free(m);
    study_free(&study);
}

int main(int argc, char **argv)
{
    process_find(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(usage, scratch_empty),
        cmocka_unit_test_teardown(tables, scratch_empty),
        cmocka_unit_test_teardown(files, scratch_empty),
        cmocka_unit_test_teardown(other_columns, scratch_empty),
        cmocka_unit_test_teardown(failed_writes, scratch_empty),
        cmocka_unit_test_teardown(against, scratch_empty),
        cmocka_unit_test_teardown(stopped, scratch_empty),
        cmocka_unit_test_teardown(what_was_measured_is_kept, scratch_empty),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
