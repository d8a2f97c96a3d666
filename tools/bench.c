/* osprey bench: one backend, or a few side by side, in depth. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inputs.h"
#include "measure/against.h"
#include "measure/into.h"
#include "measure/ladder.h"
#include "measure/measure.h"
#include "measure/print.h"
#include "measure/tune.h"
#include "options.h"
#include "runtime/file.h"
#include "signals.h"
#include "tools.h"

static const struct command_help help = {
    .name = "bench",
    .usage = "[options] [PICTURE...]",
    .about = "Measures where the time goes, from picture files in memory to boxes: what is paid once, each stage, each layer.\n"
             "Without a PICTURE, the photo that ships with osprey.",
    .notes =
        "A column is BACKEND[:WORD]..., where a WORD is a rung (naive: pinned for every op that has it and can run it),\n"
        "OP=RUNG, NODE:OP=RUNG, threads=N, isa=X, precision=X, driver=PATH, device=N, emu=MODE, graph or whole (cpu:\n"
        "no slices of a batch): cpu:threads=1, cpu:naive, cuda:driver=ptx. Columns take turns, round by round, so that\n"
        "a noisy machine is fair to all.\n"
        "A column is measured until the 99 % interval of its time is narrow, or its share of time is spent; then it is said so.\n"
        "--against compares the time of every stage with that of an earlier --json; exit 1: something has become slower."};

enum { STEP = 32, LARGEST = 16384, MOST_COLUMNS = 64 };

struct bench {
    const char *model_path, *backend, *backends, *json, *csv, *trace, *against, *ladder, *from, *into, *place, *tune;
    struct option_size size;
    int batch, least, most, layers, quiet, standard;
    double seconds, narrow, slower;
    struct measure_options options;
    struct study study;
    struct measure *measure;
};

static int parse(struct bench *b, int argc, char **argv, char **rest, int *rest_count)
{
    const struct option table[] = {
        {.name = "what to measure"},
        {"model", 0, OPTION_TEXT, &b->model_path, "F", "the weight file (default: the demo model)", 0, 0},
        {"backend", 0, OPTION_TEXT, &b->backend, "COLUMN", "one column (default: cpu)", 0, 0},
        {"backends", 0, OPTION_TEXT, &b->backends, "A,B", "several, with the ratio of each to the first", 0, 0},
        {"batch", 0, OPTION_INT, &b->batch, "N", "pictures at a time (default: 1); PICTUREs are taken in turn", 1, 256},
        {"size", 0, OPTION_SIZE, &b->size, "HxW", "the largest network input, multiples of 32 (default: as the model says)", STEP,
         LARGEST},
        {.name = "how long"},
        {"seconds", 0, OPTION_REAL, &b->seconds, "X", "at most, of a column (default: 10); each has at least one run", 1e-3, 1e6},
        {"narrow", 0, OPTION_REAL, &b->narrow, "X", "half of the interval over the time at which enough is known (default: 0.01)",
         1e-6, 1},
        {"least", 0, OPTION_INT, &b->least, "N", "rounds at least (default: 10)", 1, 1000000},
        {"most", 0, OPTION_INT, &b->most, "N", "rounds at most (default: 1000)", 1, 1000000},
        {.name = "results"},
        {"layers", 0, OPTION_FLAG, &b->layers, NULL, "every layer: time, work, and its share of what this machine can do", 0, 0},
        {"json", 0, OPTION_TEXT, &b->json, "F",
         "everything, every sample (tools/measure/study.schema.json); - for standard output", 0, 0},
        {"csv", 0, OPTION_TEXT, &b->csv, "F", "a line for each total, stage and layer", 0, 0},
        {"trace", 0, OPTION_TEXT, &b->trace, "F", "one run as a Chrome trace, for Perfetto", 0, 0},
        {"against", 0, OPTION_TEXT, &b->against, "F", "an earlier --json: has anything become slower?", 0, 0},
        {"slower", 0, OPTION_REAL, &b->slower, "X", "with --against: the least slowdown that counts (default: 0.05)", 0.001, 100},
        {"ladder", 0, OPTION_TEXT, &b->ladder, "OP",
         "a table of OP's rungs on the first column's backend, layer by layer;\nfurther columns stand beside as yardsticks", 0,
         0},
        {"from", 0, OPTION_TEXT, &b->from, "RUNG", "with --ladder: only this rung and those above it", 0, 0},
        {"into", 0, OPTION_TEXT, &b->into, "F", "with --ladder: into this README, between its markers", 0, 0},
        {"place", 0, OPTION_TEXT, &b->place, "NAME", "with --into: between the markers of this name (default: OP)", 0, 0},
        {"tune", 0, OPTION_MAYBE, &b->tune, "F",
         "find the fastest rung of every layer, for detect --tuned: into this\nmachine's file in the cache folder, or into F", 0,
         0},
        {"quiet", 'q', OPTION_FLAG, &b->quiet, NULL, "no progress", 0, 0},
        {.name = NULL}};
    b->batch = 1;
    b->slower = 0.05;
    return options_parse(argc, argv, table, &help, rest, rest_count);
}

/* ---- What to measure ------------------------------------------------------------------------------ */

static osp_status add_pictures(struct bench *b, const struct inputs *inputs)
{
    osp_status status = OSP_OK;
    for (size_t i = 0; !status && i < inputs->count; i++) {
        if (inputs->items[i].standard)
            status = osp_fail(OSP_USAGE, "\"-\": bench reads a picture again and again, and wants files");
        else
            status = measure_add_file(b->measure, inputs->items[i].path);
    }
    return status;
}

static osp_status name_images(struct bench *b, const struct inputs *inputs)
{
    int length = asprintf(&b->study.images, "%s%s", inputs->items[0].path, inputs->count > 1 ? " and others" : "");
    return length < 0 ? osp_fail(OSP_MEMORY, "out of memory for a name") : OSP_OK;
}

static osp_status list_columns(const struct bench *b, char **out)
{
    const char *asked = b->backends ? b->backends : b->backend ? b->backend : "cpu";
    if (b->ladder)
        return ladder_columns(b->ladder, b->from, asked, out);
    *out = strdup(asked);
    return *out ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory for columns");
}

static osp_status add_columns(struct bench *b)
{
    char *list;
    int column;
    osp_status status = list_columns(b, &list);
    if (status)
        return status;
    for (char *rest = list, *one; !status && (one = strsep(&rest, ",")) != NULL;) {
        if (b->study.column_count == MOST_COLUMNS)
            status = osp_fail(OSP_USAGE, "--backends: more than %d", MOST_COLUMNS);
        else
            status = measure_add_column(b->measure, one, &column);
    }
    free(list);
    return status;
}

static osp_status size_work(const struct bench *b, struct work *work)
{
    *work = (struct work){.pictures = b->batch};
    if (b->size.height % STEP || b->size.width % STEP)
        return osp_fail(OSP_USAGE, "--size: found %dx%d, allowed are multiples of %d", b->size.height, b->size.width, STEP);
    if (b->size.height) {
        work->min_size = b->size.height < b->size.width ? b->size.height : b->size.width;
        work->max_size = b->size.height < b->size.width ? b->size.width : b->size.height;
    }
    return OSP_OK;
}

static osp_status add_work(struct bench *b)
{
    struct work work;
    int w;
    char name[64];
    osp_status status = size_work(b, &work);
    if (status)
        return status;
    snprintf(name, sizeof name, b->batch == 1 ? "1 picture" : "batch %d", b->batch);
    return measure_add_work(b->measure, name, "single", &work, &w);
}

/* ---- Progress ----------------------------------------------------------------------------------- */

static void show(void *user, const struct measure_progress *p)
{
    fprintf(stderr, "\r\033[K%s, %s: ", p->column, p->workload);
    if (p->round == 0)
        fprintf(stderr, "warming up");
    else
        fprintf(stderr, "round %d, %.1f of %.0f s", p->round, p->spent, p->limit);
    if (!isnan(p->width))
        fprintf(stderr, ", within %.1f %% (%.1f)", p->width * 100, p->narrow * 100);
    fflush(stderr);
}

static void clear_line(const struct bench *b)
{
    if (b->options.progress)
        fputs("\r\033[K", stderr);
}

/* ---- Results -------------------------------------------------------------------------------------- */

struct result_file {
    const char *path; /* NULL: not asked for */
    osp_status (*write)(const struct study *, const char *);
};

/* Does a result file take standard output, in place of the tables? OSP_USAGE: more than one does. */
static osp_status find_standard(const struct bench *b, int *out)
{
    const char *paths[] = {b->json, b->csv, b->trace};
    int found = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        found += paths[i] && !strcmp(paths[i], "-");
    *out = found > 0;
    return found > 1 ? osp_fail(OSP_USAGE, "--json, --csv, --trace: only one of them can be \"-\"") : OSP_OK;
}

/* Every file is tried, though one before it failed. Returns the first failure. */
static osp_status write_files(const struct bench *b)
{
    const struct result_file files[] = {{b->json, study_save}, {b->csv, study_write_csv}, {b->trace, study_write_trace}};
    osp_status first = OSP_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        osp_status status = files[i].path ? files[i].write(&b->study, files[i].path) : OSP_OK;
        if (status)
            say("%s", osp_message());
        first = first ? first : status;
    }
    return first;
}

/* How many columns could not be measured, each with its reason said. */
static int say_failed_columns(const struct study *study)
{
    int failed = 0;
    for (int i = 0; i < study->column_count; i++)
        if (study->columns[i].failure) {
            say("%s: %s", study->columns[i].name, study->columns[i].failure);
            failed++;
        }
    return failed;
}

/* The tables on standard output, or the one of a ladder. */
static osp_status print_tables(const struct bench *b)
{
    if (b->ladder && b->into)
        return ladder_write(&b->study, b->ladder, b->from, b->place, b->into);
    if (b->ladder && !b->standard)
        return ladder_print(&b->study, b->ladder, b->from, stdout);
    if (!b->ladder && !b->standard)
        study_print(&b->study, b->layers);
    return OSP_OK;
}

static int report(const struct bench *b, const struct study *old)
{
    osp_status printed = print_tables(b);
    if (printed)
        say("%s", osp_message());
    int failed = say_failed_columns(&b->study), slower = 0;
    osp_status compared = OSP_OK;
    if (old && !signal_caught())
        compared = against_print(old, &b->study, b->slower, b->standard ? stderr : stdout, &slower);
    if (compared)
        say("%s", osp_message());
    osp_status written = stdout_flush(), files = written ? OSP_OK : write_files(b);
    if (written)
        return say_failure(written);
    if (files)
        return exit_of(files);
    if (signal_caught())
        return 128 + signal_caught();
    if (compared || printed)
        return exit_of(printed ? printed : compared);
    return failed == b->study.column_count ? EXIT_BACKEND : failed || slower ? EXIT_DIFFERENT : EXIT_DONE;
}

static int measure(struct bench *b, const struct inputs *inputs, const struct study *old)
{
    signals_watch();
    osp_status status = measure_new(b->model_path, &b->options, &b->study, &b->measure);
    if (status)
        return say_model_failure(status);
    status = add_pictures(b, inputs);
    if (!status)
        status = name_images(b, inputs);
    if (!status)
        status = add_columns(b);
    if (!status)
        status = add_work(b);
    if (!status && old)
        status = against_check(old, &b->study);
    if (status)
        return say_failure(status);
    status = measure_run(b->measure);
    clear_line(b);
    return status ? say_failure(status) : report(b, old);
}

/* --tune goes its own way: it measures other things, and has other results. */
static int run_tune(const struct bench *b, const struct inputs *inputs)
{
    struct work work = {0};
    osp_status status = OSP_OK;
    const char **paths = calloc(inputs->count, sizeof *paths);
    if (!paths)
        return say_failure(osp_fail(OSP_MEMORY, "out of memory for pictures"));
    if (b->backends || b->layers || b->json || b->csv || b->trace || b->against || b->ladder)
        status =
            osp_fail(OSP_USAGE, "--tune takes one --backend and writes a tuning file: it goes with none of --backends, --layers, "
                                "--json, --csv, --trace, --against and --ladder");
    if (!status)
        status = size_work(b, &work);
    for (size_t i = 0; !status && i < inputs->count; i++) {
        paths[i] = inputs->items[i].path;
        if (inputs->items[i].standard)
            status = osp_fail(OSP_USAGE, "\"-\": bench reads a picture again and again, and wants files");
    }
    const struct tune_asked asked = {.model_path = b->model_path,
                                     .column = b->backend ? b->backend : "cpu",
                                     .paths = paths,
                                     .path_count = (int)inputs->count,
                                     .batch = b->batch,
                                     .min_size = work.min_size,
                                     .max_size = work.max_size,
                                     .least = b->least ? b->least : 10,
                                     .most = b->most ? b->most : 1000,
                                     .seconds = b->seconds > 0 ? b->seconds : 10,
                                     .file = b->tune,
                                     .quiet = b->quiet};
    int exit = status ? say_failure(status) : tune(&asked);
    free(paths);
    return exit;
}

static int run(struct bench *b, char **pictures, int count)
{
    struct inputs inputs;
    struct study old;
    char photo[PATH_MAX], *shipped[] = {photo};
    osp_status status = OSP_OK;
    if (b->backend && b->backends) {
        say("--backend names one column, --backends several: give one of them");
        return EXIT_USAGE;
    }
    if ((b->into || b->from) && !b->ladder) {
        say("%s wants --ladder OP", b->into ? "--into" : "--from");
        return EXIT_USAGE;
    }
    if (b->place && !b->into) {
        say("--place wants --into F");
        return EXIT_USAGE;
    }
    b->place = b->place ? b->place : b->ladder;
    status = b->into ? into_check(b->place, b->into) : OSP_OK;
    if (!status)
        status = find_standard(b, &b->standard);
    if (!status && count == 0)
        status = osp_shipped_file("astronaut.png", photo, sizeof photo);
    if (!status)
        status = inputs_collect(count ? pictures : shipped, count ? count : 1, false, &inputs);
    if (status)
        return say_failure(status);
    int exit = inputs.failed || inputs.count == 0 ? EXIT_IMAGE : EXIT_DONE;
    if (exit == EXIT_DONE && b->tune) {
        exit = run_tune(b, &inputs);
        inputs_free(&inputs);
        return exit;
    }
    if (exit == EXIT_DONE && b->against && (status = study_load(b->against, &old)) != OSP_OK)
        exit = status == OSP_MEMORY ? say_failure(status) : (say("%s", osp_message()), EXIT_USAGE);
    if (exit == EXIT_DONE) {
        exit = measure(b, &inputs, b->against ? &old : NULL);
        if (b->against)
            study_free(&old);
    }
    inputs_free(&inputs);
    return exit;
}

int tool_bench(int argc, char **argv)
{
    struct bench b = {0};
    int count, parsed;
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    study_init(&b.study);
    b.study.command = typed_command(argc, argv);
    if (!rest || !b.study.command)
        return say_failure(osp_fail(OSP_MEMORY, "out of memory for arguments"));
    parsed = parse(&b, argc, argv, rest, &count);
    b.options = (struct measure_options){.least = b.least,
                                         .most = b.most,
                                         .seconds = b.seconds,
                                         .narrow = b.narrow,
                                         .layers = b.layers || b.json || b.csv || b.trace || b.ladder,
                                         .drawing = true,
                                         .peaks = true,
                                         .program = "/proc/self/exe",
                                         .progress = !b.quiet && isatty(STDERR_FILENO) ? show : NULL};
    int exit = parsed < 0 ? EXIT_USAGE : parsed > 0 ? EXIT_DONE : run(&b, rest, count);
    measure_free(b.measure);
    study_free(&b.study);
    free(rest);
    return exit;
}
