/* osprey detect: options, and what has to be there before the first picture. */
#include "detect.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "options.h"
#include "runtime/file.h"
#include "signals.h"
#include "tools.h"

static const struct command_help help = {
    .name = "detect",
    .usage = "[options] INPUT...",
    .about = "Finds objects in pictures (JPEG and PNG, by content) and prints a table of them.\n"
             "INPUT is a picture; a folder, whose pictures are taken by name; @LIST, a text file with one\n"
             "picture or folder a line (lines that begin with # are skipped); or - for a picture on standard input.",
    .notes =
        "Boxes are x0 y0 x1 y1 in pixels of the picture as it is seen (turned upright by its EXIF orientation, unless\n"
        "--ignore-exif), from 0, best score first. Every output names what made it: version, model, backend, kernels.\n\n"
        "--coco writes one object: info (with the provenance), images, annotations (each with its score), categories.\n"
        "pycocotools reads it as it is, COCOeval(COCO(\"truth.json\"), COCO(\"F\"), \"bbox\"), and its annotations as results,\n"
        "COCO(\"truth.json\").loadRes(json.load(open(\"F\"))[\"annotations\"]). Pictures are numbered from 1 in input order, or\n"
        "as --coco-ids says.\n"
        "--csv writes a comment line with the provenance, a header line, and a line for each detection.\n"
        "--voc writes one XML file a picture; its boxes are not rounded to whole pixels.\n"
        "File names that are not UTF-8 are written with \\xNN for each such byte."};

/* ---- Options ------------------------------------------------------------------------------------ */

static int parse(struct detect *d, int argc, char **argv, char **rest, int *rest_count)
{
    const struct option table[] = {
        {.name = "what to find"},
        {"model", 0, OPTION_TEXT, &d->model_path, "F", "weight file (default: the demo model)", 0, 0},
        {"score", 0, OPTION_REAL, &d->score, "X", "least score, 0 to 1 (default: 0.5)", 0, 1},
        {"only", 0, OPTION_TEXT, &d->only, "A,B", "these classes only", 0, 0},
        {"top", 0, OPTION_FLAG, &d->top, NULL, "the best box of each class only, best score first", 0, 0},
        {"recursive", 'r', OPTION_FLAG, &d->recursive, NULL, "folders in folders too", 0, 0},
        {"ignore-exif", 0, OPTION_FLAG, &d->image_options.ignore_exif, NULL, "take pictures as stored, not as seen", 0, 0},
        {.name = "where results go"},
        {"json", 0, OPTION_FLAG, &d->json, NULL, "one JSON object a line and picture, instead of the table", 0, 0},
        {"coco", 0, OPTION_TEXT, &d->coco, "F", "COCO JSON into F; no table", 0, 0},
        {"coco-ids", 0, OPTION_TEXT, &d->coco_ids, "F", "ids for --coco from this data set, by file_name and class name", 0, 0},
        {"csv", 0, OPTION_TEXT, &d->csv, "F", "CSV into F; no table", 0, 0},
        {"voc", 0, OPTION_TEXT, &d->voc, "DIR", "Pascal VOC XML files into DIR; no table", 0, 0},
        {"out", 0, OPTION_TEXT, &d->out, "DIR", "annotated pictures into DIR, in the format of the input", 0, 0},
        {"times", 0, OPTION_FLAG, &d->show_times, NULL, "where the time went, on standard error", 0, 0},
        {"quiet", 'q', OPTION_FLAG, &d->quiet, NULL, "no progress bar and no remarks; failures are still said", 0, 0},
        {.name = "how it is computed"},
        {"backend", 0, OPTION_TEXT, &d->session_options.backend, "NAME", "what computes (default: cpu)", 0, 0},
        {"threads", 0, OPTION_INT, &d->session_options.threads, "N", "default: all cores; results do not depend on it", 1, 1024},
        {"batch", 0, OPTION_INT, &d->batch, "N", "pictures at a time, padded to the largest (default: 1)", 1, MAX_BATCH},
        {"precision", 0, OPTION_TEXT, &d->session_options.precision, "P",
         "of products: f32, tf32, f16 or bf16, where the backend has\nkernels of it (default: f32)", 0, 0},
        {"memory-limit", 0, OPTION_BYTES, &d->memory_limit, "BYTES",
         "as 512M or 1G: batches that would need more are run in parts\n(default: what the device has free)", 1, 1e15},
        {"isa", 0, OPTION_TEXT, &d->session_options.isa, "X", "cpu: portable, avx2 or avx512 (default: the best here)", 0, 0},
        {"driver", 0, OPTION_TEXT, &d->session_options.driver, "PATH",
         "cuda: the driver library, or ptx for the one that interprets\nPTX (default: $OSPREY_CUDA_DRIVER, or libcuda.so.1)", 0,
         0},
        {"device", 0, OPTION_INT, &d->session_options.device, "N", "cuda: which GPU, from 0", 0, 255},
        {"emu", 0, OPTION_TEXT, &d->session_options.emu, "MODE",
         "emu: fast, shuffled=SEED, check or count (default: fast); behind it\nmay stand ,multiprocessors=N and ,arch=80: what "
         "it poses as",
         0, 0},
        {"graph", 0, OPTION_FLAG, &d->session_options.graph, NULL, "cuda, emu: run the network as one captured graph", 0, 0},
        {"use", 0, OPTION_TEXT, &d->session_options.use, "OP=RUNG",
         "pin a kernel, for all layers or for one (NODE:OP=RUNG);\nmore with commas", 0, 0},
        {"tuned", 0, OPTION_MAYBE, &d->session_options.tuned, "F",
         "kernels as osprey bench --tune found them fastest here, or in F;\nother kernels may round otherwise", 0, 0},
        {"pack-cache", 0, OPTION_MAYBE, &d->session_options.pack_cache, "F",
         "cpu: keep packed weights beside the model (MODEL.packed), or in F:\nfrom the second run on they are mapped", 0, 0},
        {"resize", 0, OPTION_TEXT, &d->session_options.resize, "RULE",
         "double or f32-reciprocal (default: as the model file says)", 0, 0},
        {.name = NULL}};
    d->score = 0.5;
    d->batch = 1;
    return options_parse(argc, argv, table, &help, rest, rest_count);
}

/* "face,car" to a flag for each class. */
static osp_status choose_classes(struct detect *d)
{
    char *list = strdup(d->only), *rest = list;
    const char **names = calloc((size_t)d->classes + 1, sizeof *names);
    osp_status status = OSP_OK;
    d->wanted = calloc((size_t)d->classes, sizeof *d->wanted);
    if (!list || !names || !d->wanted)
        status = output_no_memory();
    for (int i = 1; status == OSP_OK && i < d->classes; i++)
        names[i - 1] = osp_model_class(d->model, i);
    for (char *name; status == OSP_OK && (name = strsep(&rest, ","));) {
        bool known = false;
        for (int i = 1; i < d->classes; i++)
            if (strcmp(name, osp_model_class(d->model, i)) == 0)
                known = d->wanted[i] = true;
        const char *near = known ? NULL : nearest_word(name, names);
        if (!known)
            status = osp_fail(OSP_USAGE, "--only: the model has no class \"%s\"%s%s; osprey info lists them", name,
                              near ? ", is it " : "", near ? near : "");
    }
    free(names);
    free(list);
    return status;
}

/* ---- Before the first picture ------------------------------------------------------------------- */

/* An output must not take the place of what is read. */
static osp_status check_target(const struct detect *d, const char *option, const char *path)
{
    struct osp_model_info model;
    struct stat a, b;
    osp_model_describe(d->model, &model);
    bool is_model = stat(path, &a) == 0 && stat(model.path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    if (is_model || inputs_include(&d->inputs, path))
        return osp_fail(OSP_USAGE, "--%s: %s is %s, and would be overwritten", option, path, is_model ? "the model" : "an input");
    return OSP_OK;
}

static osp_status keep_output(struct detect *d, osp_status opened, struct output *const *output)
{
    if (opened == OSP_OK)
        d->outputs[d->output_count++] = *output;
    return opened;
}

/* Every output that can hold provenance names the model by its hash. Taken before the first run, so that it is of the very file
 * that runs: packing sees it if that has changed since it was opened. */
static osp_status hash_model(struct detect *d)
{
    double start = now();
    osp_status status = d->json || d->coco || d->csv || d->voc ? osp_model_sha256(d->model, &d->run.sha256) : OSP_OK;
    if (d->run.sha256)
        d->times.hash = now() - start;
    return status;
}

static osp_status open_outputs(struct detect *d)
{
    struct output *output = NULL;
    osp_status status = d->coco_ids && !d->coco ? osp_fail(OSP_USAGE, "--coco-ids wants --coco") : OSP_OK;
    if (status == OSP_OK && d->coco)
        status = check_target(d, "coco", d->coco);
    if (status == OSP_OK && d->csv)
        status = check_target(d, "csv", d->csv);
    if (status == OSP_OK && d->json)
        status = keep_output(d, json_output_new(&d->run, &output), &output);
    else if (status == OSP_OK && !d->coco && !d->csv && !d->voc)
        status = keep_output(d, table_output_new(&d->run, &output), &output);
    if (status == OSP_OK && d->coco)
        status = keep_output(d, coco_output_new(&d->run, d->coco, d->coco_ids, &output), &output);
    if (status == OSP_OK && d->csv)
        status = keep_output(d, csv_output_new(&d->run, d->csv, &output), &output);
    if (status == OSP_OK && d->voc)
        status = keep_output(d, voc_output_new(&d->run, d->voc, &output), &output);
    if (status == OSP_OK && d->out)
        status = keep_output(d, pictures_output_new(&d->run, d->out, &output), &output);
    return status;
}

/* commit: files get their names; else nothing of them stays. */
static osp_status close_outputs(struct detect *d, bool commit)
{
    osp_status first = OSP_OK;
    for (int i = 0; i < d->output_count; i++) {
        osp_status status = d->outputs[i]->finish(d->outputs[i], commit);
        if (status != OSP_OK)
            say("%s", osp_message());
        first = first == OSP_OK ? status : first;
    }
    d->output_count = 0;
    return first;
}

/* Model, session, inputs, outputs. Returns an exit status; a failure has been said. */
static int prepare(struct detect *d, char **rest, int rest_count)
{
    double start = now();
    osp_status status = osp_model_open(d->model_path, &d->model);
    if (status != OSP_OK)
        return say_model_failure(status);
    d->times.open_model = now() - start;
    struct osp_model_info info;
    osp_model_describe(d->model, &info);
    d->classes = info.classes;
    if (d->only)
        status = choose_classes(d);
    start = now();
    if (status == OSP_OK)
        status = osp_session_open(d->model, &d->session_options, &d->session);
    d->times.open_session = now() - start;
    if (status == OSP_OK)
        status = inputs_collect(rest, rest_count, d->recursive, &d->inputs);
    if (status == OSP_OK && (d->memory_limit > 0 || d->batch > 1))
        status = budget_open(&d->budget, d->model, d->session, d->memory_limit);
    d->run = (struct run){d->model, d->session, &d->inputs, d->batch, NULL, json_object()};
    if (status == OSP_OK)
        status = d->run.kernels ? open_outputs(d) : output_no_memory();
    if (status == OSP_OK)
        status = hash_model(d);
    return status == OSP_OK ? EXIT_DONE : say_failure(status);
}

/* ---- After the last picture --------------------------------------------------------------------- */

/* A tuning file that was made at another size of picture chooses nothing, or little. */
static void say_untuned(const struct detect *d)
{
    const struct osp_plan *plan = osp_session_last_plan(d->session);
    struct osp_plan_memory size;
    int missing = 0, layers = plan ? osp_plan_lines(plan) : 0;
    for (int i = 0; i < layers; i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        missing += !line.untuned;
    }
    if (!osp_session_tuned(d->session) || d->session_options.use || !missing)
        return;
    osp_plan_memory(plan, &size);
    say("%s has no choice for %d of %d layers at %d x %dx%d, which run as the plan's model says", osp_session_tuned(d->session),
        missing, layers, size.n, size.h, size.w);
}

static void say_summary(const struct detect *d)
{
    say_untuned(d);
    long failed = d->failed + d->inputs.failed;
    if (d->inputs.count != 1 || d->inputs.skipped || failed)
        say("%ld picture%s, %ld detection%s, %ld failed; %zu other file%s passed over", d->pictures, d->pictures == 1 ? "" : "s",
            d->detections, d->detections == 1 ? "" : "s", failed, d->inputs.skipped, d->inputs.skipped == 1 ? "" : "s");
    if (d->largest_batch)
        say("%s %.0f MB: at most %d pictures at a time instead of %d", d->memory_limit > 0 ? "memory limit" : "free memory",
            d->budget.limit / 1e6, d->largest_batch, d->batch);
    const char *const files[] = {d->coco, d->csv};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i])
            say("wrote %s", files[i]);
    if (d->voc)
        say("wrote annotations into %s", d->voc);
    if (d->out)
        say("wrote annotated pictures into %s", d->out);
}

static void clean_up(struct detect *d)
{
    json_decref(d->run.kernels);
    inputs_free(&d->inputs);
    osp_session_close(d->session);
    osp_model_close(d->model);
    free(d->wanted);
}

static int run(struct detect *d, char **rest, int rest_count)
{
    if (rest_count == 0) {
        say("no INPUT given: a picture, a folder, @LIST or -; osprey detect --help tells more");
        return EXIT_USAGE;
    }
    signals_watch();
    int status = prepare(d, rest, rest_count);
    bool ready = status == EXIT_DONE;
    if (ready)
        status = detect_all(d);
    if (close_outputs(d, ready) != OSP_OK && status < EXIT_USAGE)
        status = EXIT_UNWRITTEN;
    if (ready && pack_cache_write(d->session, d->quiet) != OSP_OK && status < EXIT_USAGE)
        status = EXIT_UNWRITTEN;
    if (ready && d->show_times)
        times_print(&d->times);
    if (ready && !d->quiet && status <= EXIT_IMAGE)
        say_summary(d);
    return signal_caught() ? 128 + signal_caught() : status;
}

int tool_detect(int argc, char **argv)
{
    struct detect detect = {0};
    int rest_count, status;
    char **rest = calloc((size_t)argc, sizeof *rest);
    if (!rest)
        return say_failure(output_no_memory());
    int parsed = parse(&detect, argc, argv, rest, &rest_count);
    if (parsed != 0)
        status = parsed < 0 ? EXIT_USAGE : EXIT_DONE;
    else
        status = run(&detect, rest, rest_count);
    clean_up(&detect);
    free(rest);
    return status;
}
