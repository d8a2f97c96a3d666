/* osprey compare: does a GPU make my detector faster? Its options, the run, and what comes out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare/asked.h"
#include "compare/findings.h"
#include "inputs.h"
#include "measure/into.h"
#include "measure/spec.h"
#include "options.h"
#include "report/report.h"
#include "report/view.h"
#include "runtime/file.h"
#include "signals.h"
#include "tools.h"

static const struct command_help help = {
    .name = "compare",
    .usage = "[options] PHOTO|DIR...\n       osprey compare --experiment article [options] [PHOTO|DIR...]\n"
             "       osprey compare --merge [options] A.json B.json...",
    .about =
        "Measures backends beside one another: the same network, weights and pixels; a table of stages, speed-ups with their\n"
        "99 % intervals, where the gain is lost, from which batch on one backend wins, whether they find the same, and why\n"
        "one is not faster.",
    .notes =
        "A column is BACKEND[:WORD]..., as cpu, cpu:threads=1, cpu:naive, cpu:conv2d=tile, cuda:precision=f16, cuda:driver=ptx, "
        "emu.\n"
        "Without --backends: every backend that is here. Where there is no GPU, the emulator and the PTX driver join the single\n"
        "picture; they show correctness, and their times say nothing of a GPU's. Runs alternate between the columns, so that a\n"
        "noisy machine is fair to all; each then finds the caches full of the others' weights, and can take longer than where\n"
        "it runs alone (osprey bench --backend COLUMN).\n\n"
        "--diff runs the first column and each other one node by node and says where they part, and how far apart\n"
        "each stage is.\n"
        "--merge wants files that --json wrote; what differs between the machines is said first.\n"
        "Exit status 1 also says that columns differ in what they find, or that one of them failed."};

enum { MOST_BATCH = 4096, MOST_SIZE = 4096, MOST_THREADS = 1024 };

/* ---- Options ------------------------------------------------------------------------------------ */

struct lists {
    const char *batches, *sizes, *threads;
};

static int parse(struct comparison *c, struct lists *lists, int argc, char **argv, char **rest, int *rest_count)
{
    const struct option table[] = {
        {.name = "what to compare"},
        {"backends", 0, OPTION_TEXT, &c->backends, "A,B", "columns, the reference first (default: all that is here)", 0, 0},
        {"model", 0, OPTION_TEXT, &c->model_path, "F", "weight file (default: the demo model)", 0, 0},
        {"batch", 0, OPTION_TEXT, &lists->batches, "N,N", "a sweep of pictures at a time", 0, 0},
        {"sizes", 0, OPTION_TEXT, &lists->sizes, "N,N", "a sweep of the network's shorter side, pixels", 0, 0},
        {"threads", 0, OPTION_TEXT, &lists->threads, "N,N", "cpu columns with so many threads", 0, 0},
        {"bucket", 0, OPTION_FLAG, &c->bucket, NULL, "all pictures: alone, padded to the largest, and by shape", 0, 0},
        {"diff", 0, OPTION_FLAG, &c->diff, NULL, "node by node: the first that differs by more than its bound", 0, 0},
        {"experiment", 0, OPTION_TEXT, &c->experiment, "article",
         "one picture; 100, one by one and batched; every precision.\nWithout PHOTO, sample photos cut and varied by --seed", 0,
         0},
        {"seed", 0, OPTION_INT, &c->seed, "N", "for the samples (default: 1)", 0, 1e9},
        {"recursive", 'r', OPTION_FLAG, &c->recursive, NULL, "folders in folders too", 0, 0},
        {.name = "how long"},
        {"seconds", 0, OPTION_REAL, &c->seconds, "X", "at most, of a column at a workload (default: 10)", 0.01, 1e5},
        {"memory-limit", 0, OPTION_BYTES, &c->memory_limit, "BYTES",
         "as 512M or 1G: batches that would need more are run in parts\n(default: what the devices have free)", 1, 1e15},
        {.name = "figures from elsewhere"},
        {"merge", 0, OPTION_FLAG, &c->merge, NULL, "measure nothing: show studies that --json wrote, joined", 0, 0},
        {"with", 0, OPTION_TEXT, &c->with, "F", "other programs' timings of the same work as columns", 0, 0},
        {.name = "where results go, beside the table"},
        {"report", 0, OPTION_TEXT, &c->report, "F", "one HTML page with everything", 0, 0},
        {"charts", 0, OPTION_TEXT, &c->charts, "DIR", "the charts as SVG files into an existing folder", 0, 0},
        {"json", 0, OPTION_TEXT, &c->json, "F", "every sample, for --merge and other programs", 0, 0},
        {"into", 0, OPTION_TEXT, &c->into, "F", "the table into this README too, between its markers", 0, 0},
        {"place", 0, OPTION_TEXT, &c->place, "NAME", "with --into: between the markers of this name (default: compare)", 0, 0},
        {"quiet", 'q', OPTION_FLAG, &c->quiet, NULL, "no remarks on the way; failures are still said", 0, 0},
        {.name = NULL}};
    c->seed = 1;
    c->seconds = 10;
    return options_parse(argc, argv, table, &help, rest, rest_count);
}

static osp_status check_options(struct comparison *c, const struct lists *lists, int rest_count)
{
    osp_status status = OSP_OK;
    if (lists->batches)
        status = numbers_parse("batch", lists->batches, MOST_BATCH, &c->batches);
    if (status == OSP_OK && lists->sizes)
        status = numbers_parse("sizes", lists->sizes, MOST_SIZE, &c->sizes);
    if (status == OSP_OK && lists->threads)
        status = numbers_parse("threads", lists->threads, MOST_THREADS, &c->threads);
    if (status == OSP_OK && c->experiment && strcmp(c->experiment, "article") != 0)
        status = osp_fail(OSP_USAGE, "--experiment: found \"%s\", allowed is article", c->experiment);
    if (status == OSP_OK && c->merge &&
        (c->backends || c->experiment || c->diff || c->bucket || lists->batches || lists->sizes || lists->threads))
        status = osp_fail(OSP_USAGE,
                          "--merge measures nothing, and goes with none of --backends, --batch, --sizes, --threads, --bucket, "
                          "--diff and --experiment");
    if (status == OSP_OK && c->merge && rest_count < 1)
        status = osp_fail(OSP_USAGE, "--merge wants files that --json wrote, found none");
    if (status == OSP_OK && c->place && !c->into)
        status = osp_fail(OSP_USAGE, "--place wants --into F");
    c->place = c->place ? c->place : "compare";
    if (status == OSP_OK && c->into)
        status = into_check(c->place, c->into);
    if (status == OSP_OK && !c->merge && !c->experiment && rest_count == 0)
        status = osp_fail(OSP_USAGE, "no PHOTO given; osprey compare --help tells more");
    return status;
}

/* ---- What is measured with ---------------------------------------------------------------------- */

static void show_progress(void *user, const struct measure_progress *p)
{
    fprintf(stderr, "\r\033[K%.60s, %.24s: %s %d", p->workload, p->column, p->round ? "round" : "warming up", p->round);
    if (p->width >= 0)
        fprintf(stderr, ", known to %.1f %%", 100 * p->width);
    fflush(stderr);
}

static bool shows_progress(const struct comparison *c) { return !c->quiet && isatty(STDERR_FILENO); }

static void clear_progress(const struct comparison *c)
{
    if (shows_progress(c))
        fputs("\r\033[K", stderr);
}

static osp_status no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory while a comparison is prepared"); }

static osp_status note_pictures(struct comparison *c, const struct inputs *inputs)
{
    char words[4200];
    int count = measure_pictures(c->measure);
    if (count == 1)
        snprintf(words, sizeof words, "%s", base_name(inputs->items[0].path));
    else
        snprintf(words, sizeof words, "%d files, %s and others", count, base_name(inputs->items[0].path));
    char *clean = clean_text(words, false);
    free(c->study.images);
    c->study.images = clean;
    return clean ? OSP_OK : no_memory();
}

/* One that cannot be read is said and counted; the rest goes on. */
static osp_status add_pictures(struct comparison *c, char **rest, int rest_count)
{
    struct inputs inputs;
    if (c->experiment && rest_count == 0)
        return samples_add_pictures(c, 100);
    osp_status status = inputs_collect(rest, rest_count, c->recursive, &inputs);
    if (status != OSP_OK)
        return status;
    c->failed_pictures = inputs.failed;
    for (size_t i = 0; i < inputs.count && status == OSP_OK && !signal_caught(); i++) {
        status = inputs.items[i].standard
                     ? osp_fail(OSP_USAGE, "\"-\": compare reads each picture again and again, and wants files")
                     : measure_add_file(c->measure, inputs.items[i].path);
        if (status == OSP_OK && !c->first)
            status = osp_image_load(inputs.items[i].path, NULL, &c->first);
        if (status == OSP_UNREADABLE || status == OSP_BAD_IMAGE) {
            say("%s", osp_message());
            c->failed_pictures++;
            status = OSP_OK;
        }
    }
    if (status == OSP_OK && measure_pictures(c->measure) == 0)
        status = osp_fail(OSP_BAD_IMAGE, "no picture could be read: there is nothing to compare with");
    if (status == OSP_OK)
        status = note_pictures(c, &inputs);
    inputs_free(&inputs);
    return status;
}

/* ---- Node by node ------------------------------------------------------------------------------- */

static osp_status open_kept(const struct comparison *c, int column, struct spec *spec, struct osp_session **out)
{
    osp_status status = spec_parse(c->study.columns[column].name, spec);
    if (status != OSP_OK)
        return status;
    spec->options.keep = 1;
    spec->options.graph = 0;
    return osp_session_open(measure_model(c->measure), &spec->options, out);
}

/* The agreement of the two on the single picture. */
static osp_status agreement_for(struct comparison *c, int a, int b, struct agreement **out)
{
    for (int i = 0; i < c->study.agreement_count; i++) {
        *out = &c->study.agreements[i];
        if ((*out)->a == a && (*out)->b == b && (*out)->workload == c->single)
            return OSP_OK;
    }
    osp_status status = study_add_agreement(&c->study, out);
    if (status == OSP_OK) {
        (*out)->a = a;
        (*out)->b = b;
        (*out)->workload = c->single;
        (*out)->iou = 1;
        (*out)->agree = true;
    }
    return status;
}

static osp_status diff_columns(struct comparison *c, int a, int b, FILE *out)
{
    struct spec specs[2] = {{0}};
    struct osp_session *sessions[2] = {NULL};
    struct agreement *agreement;
    fprintf(out, "\nnode by node: %s against %s\n", c->study.columns[b].name, c->study.columns[a].name);
    osp_status status = open_kept(c, a, &specs[0], &sessions[0]);
    if (status == OSP_OK)
        status = open_kept(c, b, &specs[1], &sessions[1]);
    if (status == OSP_OK)
        status = agreement_for(c, a, b, &agreement);
    if (status == OSP_OK)
        status = diff_sessions(sessions[0], sessions[1], c->first, agreement, out);
    for (int i = 0; i < 2; i++) {
        osp_session_close(sessions[i]);
        spec_free(&specs[i]);
    }
    return status;
}

/* The first column against each other one. */
static osp_status diff_all(struct comparison *c, FILE *out)
{
    osp_status status = OSP_OK;
    int a = -1, pairs = 0;
    for (int b = 0; b < c->study.column_count && status == OSP_OK; b++) {
        if (c->study.columns[b].failure || c->study.columns[b].foreign)
            continue;
        if (a >= 0) {
            status = diff_columns(c, a, b, out);
            pairs++;
        } else {
            a = b;
        }
    }
    if (status == OSP_OK && pairs == 0)
        fprintf(out, "\nnode by node: there are no two columns that ran\n");
    return status;
}

/* ---- What comes out ----------------------------------------------------------------------------- */

static osp_status print_into(const void *user, FILE *stream)
{
    const struct study *study = user;
    const struct machine *machine = study->machine_count > 0 ? &study->machines[0] : NULL;
    fprintf(stream, "`%s`, on %s with %d cores, commit %s, %.10s:\n\n```\n", study->command,
            machine ? text_or(machine->cpu, "?") : "?", machine ? machine->cores : 0, text_or(study->commit, "unknown"),
            text_or(study->date, ""));
    table_print(study, stream);
    fprintf(stream, "```\n");
    return OSP_OK;
}

static osp_status write_into(const struct comparison *c) { return into_write(c->place, c->into, print_into, &c->study); }

static osp_status write_report(const struct comparison *c)
{
    struct report_pictures pictures = {.image = c->first, .workload = c->single, .classes = NULL};
    if (!c->measure || !c->first)
        return report_write(&c->study, NULL, c->report);
    const char **classes = calloc((size_t)c->model.classes, sizeof *classes);
    if (!classes)
        return no_memory();
    for (int i = 0; i < c->model.classes; i++)
        classes[i] = osp_model_class(measure_model(c->measure), i);
    pictures.classes = classes;
    pictures.class_count = c->model.classes;
    osp_status status = report_write(&c->study, &pictures, c->report);
    free(classes);
    return status;
}

/* Says what failed. Returns the first failure of all. */
static osp_status first_failure(osp_status first, osp_status status)
{
    if (status != OSP_OK)
        say("%s", osp_message());
    return first == OSP_OK ? status : first;
}

/* Every file is tried, though one before it failed. Returns the first failure. */
static osp_status write_files(const struct comparison *c)
{
    osp_status first = OSP_OK;
    if (c->json)
        first = first_failure(first, study_save(&c->study, c->json));
    if (c->charts)
        first = first_failure(first, charts_write(&c->study, c->charts));
    if (c->into)
        first = first_failure(first, write_into(c));
    if (c->report)
        first = first_failure(first, write_report(c));
    return first;
}

/* 0, or 1 where columns differ or failed, or a picture could not be read. */
static int judge(const struct comparison *c)
{
    bool fault = c->failed_pictures > 0;
    for (int i = 0; i < c->study.agreement_count; i++)
        fault = fault || !c->study.agreements[i].agree || c->study.agreements[i].first_node;
    for (int i = 0; i < c->study.column_count; i++)
        fault = fault || c->study.columns[i].failure;
    return fault ? EXIT_IMAGE : EXIT_DONE;
}

static int put_out(const struct comparison *c, const char *diff)
{
    table_print(&c->study, stdout);
    if (diff)
        fputs(diff, stdout);
    osp_status status = stdout_flush(), files = write_files(c);
    if (status != OSP_OK)
        return say_failure(status);
    if (files != OSP_OK)
        return exit_of(files);
    return signal_caught() ? 128 + signal_caught() : judge(c);
}

/* ---- The two ways ------------------------------------------------------------------------------- */

/* What follows from the samples. */
static osp_status conclude(struct comparison *c, struct agreement_cut cut)
{
    osp_status status = c->with ? with_programs(&c->study, c->with) : OSP_OK;
    if (status == OSP_OK)
        status = agreements_find(&c->study, cut);
    if (status == OSP_OK)
        status = fits_find(&c->study);
    return status == OSP_OK ? findings_find(&c->study) : status;
}

/* Columns, workloads, conclusions; --diff goes into *diff, which free() takes. */
static osp_status measure_all(struct comparison *c, char **rest, int rest_count, char **diff)
{
    size_t diff_size;
    struct agreement_cut cut = {c->model.box_score_threshold, c->model.detections_per_image};
    osp_status status = add_pictures(c, rest, rest_count);
    if (status == OSP_OK)
        status = columns_add(c);
    if (status == OSP_OK)
        status = works_measure(c);
    clear_progress(c);
    if (status == OSP_OK)
        status = drifts_find(c, cut);
    if (status == OSP_OK)
        status = conclude(c, cut);
    FILE *out = status == OSP_OK && c->diff && !signal_caught() ? open_memstream(diff, &diff_size) : NULL;
    if (!out)
        return status;
    status = diff_all(c, out);
    if (fclose(out) != 0 && status == OSP_OK)
        status = no_memory();
    return status;
}

static int run(struct comparison *c, int argc, char **argv, char **rest, int rest_count)
{
    struct measure_options options = {
        .seconds = c->seconds, .layers = true, .drawing = true, .peaks = true, .program = "/proc/self/exe"};
    char *diff = NULL;
    if (shows_progress(c))
        options.progress = show_progress;
    signals_watch();
    osp_status status = measure_new(c->model_path, &options, &c->study, &c->measure);
    if (status != OSP_OK)
        return say_model_failure(status);
    osp_model_describe(measure_model(c->measure), &c->model);
    c->study.command = typed_command(argc, argv);
    status = c->study.command ? OSP_OK : no_memory();
    if (status == OSP_OK)
        status = measure_all(c, rest, rest_count, &diff);
    int exit = status == OSP_OK ? put_out(c, diff) : say_failure(status);
    free(diff);
    return exit;
}

/* The cut is not known of a study that was read: nothing is borderline. */
static osp_status merge_all(struct comparison *c, char **files, int count)
{
    osp_status status = study_load(files[0], &c->study);
    for (int i = 1; i < count && status == OSP_OK; i++) {
        struct study next;
        status = study_load(files[i], &next);
        if (status != OSP_OK)
            break;
        status = merge_studies(&c->study, &next, stdout);
        study_free(&next);
    }
    return status == OSP_OK ? conclude(c, (struct agreement_cut){0}) : status;
}

static int merge(struct comparison *c, char **files, int count)
{
    osp_status status = merge_all(c, files, count);
    return status == OSP_OK ? put_out(c, NULL) : say_failure(status);
}

int tool_compare(int argc, char **argv)
{
    struct comparison comparison = {0};
    struct lists lists = {0};
    int rest_count, status;
    char **rest = calloc((size_t)argc, sizeof *rest);
    if (!rest)
        return say_failure(no_memory());
    study_init(&comparison.study);
    int parsed = parse(&comparison, &lists, argc, argv, rest, &rest_count);
    osp_status checked = parsed == 0 ? check_options(&comparison, &lists, rest_count) : OSP_OK;
    if (parsed != 0)
        status = parsed < 0 ? EXIT_USAGE : EXIT_DONE;
    else if (checked != OSP_OK)
        status = say_failure(checked);
    else
        status = comparison.merge ? merge(&comparison, rest, rest_count) : run(&comparison, argc, argv, rest, rest_count);
    for (int i = 0; i < MOST_WORKS; i++)
        free(comparison.orders[i].picture);
    measure_free(comparison.measure);
    osp_image_free(comparison.first);
    study_free(&comparison.study);
    free(rest);
    return status;
}
