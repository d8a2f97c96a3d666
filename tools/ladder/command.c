/* osprey ladder: the rungs of one op on one problem, from the plainest up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "climb.h"
#include "network.h"
#include "published.h"
#include "rows.h"
#include "sample.h"
#include "tools/measure/into.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/tools.h"

static const struct command_help help = {
    .name = "ladder",
    .usage = "[options] OP\n       osprey ladder [options] network\n       osprey ladder --published [--gpu NAME]",
    .about =
        "Climbs the ladder of an op: each rung runs the same problem, is checked against the plainest rung of the cpu "
        "backend, and\n"
        "shows what it asks of memory, what its machine code is made of, and how long it takes: measured where the device is "
        "real,\n"
        "else estimated from those counts for a GPU of a name. With the word network: the same for every layer of a network, as "
        "its\n"
        "plan would run it on that GPU, and for all of it.",
    .notes = "What is counted comes from the emulator's mode count, of the kernel's source, posing as the GPU so that rungs "
             "choose the\n"
             "tiles that they would there. Registers, shared memory and shares of instructions are read from the machine code in "
             "this\n"
             "program. Estimates are always called so; --published shows the estimator's error on what others measured.\n"
             "Rungs within a whole network, layer by layer, measured: osprey bench --ladder OP."};

enum { SAMPLE = 4 }; /* blocks of a launch that are counted for all */

struct ladder {
    const char *shape, *backend, *json, *into, *gpu_name;
    int arch, threads, counts, published, blocks;
    const struct gpu *gpu;
    struct network_options network;
};

static int parse(struct ladder *l, int argc, char **argv, char **rest, int *count)
{
    const struct option table[] = {
        {"shape", 0, OPTION_TEXT, &l->shape, "SHAPE",
         "the problem: NxHxWxC,K,R,STRIDE for conv2d; osprey ladder OP --shape ? tells", 0, 0},
        {"gpu", 0, OPTION_TEXT, &l->gpu_name, "NAME",
         "emu: as which GPU it poses, and that estimates are for: T4, A100, 3090...;\nlist tells all; none: one multiprocessor, "
         "no "
         "estimates (default: A100)",
         0, 0},
        {"backend", 0, OPTION_TEXT, &l->backend, "B", "cpu, emu, cuda or an overlay (default: emu)", 0, 0},
        {"arch", 0, OPTION_INT, &l->arch, "N", "machine code for which architecture: 80 is sm_80 (default: the GPU's)", 10, 999},
        {"threads", 0, OPTION_INT, &l->threads, "N", "cpu: how many (default: all cores)", 1, 4096},
        {"counts", 0, OPTION_FLAG, &l->counts, NULL, "what each kernel was counted for, too", 0, 0},
        {"published", 0, OPTION_FLAG, &l->published, NULL, "the estimator against what others measured", 0, 0},
        {"json", 0, OPTION_TEXT, &l->json, "F", "everything (tools/ladder/*.schema.json); - for standard output", 0, 0},
        {"into", 0, OPTION_TEXT, &l->into, "F",
         "the table into this README, between its markers:\n<!-- results: counts OP -->, or counts OP SHAPE with --shape", 0, 0},
        {"blocks", 0, OPTION_INT, &l->blocks, "N",
         "how many of a launch are counted, for all; 0: every one\n(default: 4; of a problem that --shape gives, every one)", 0,
         1 << 20},
        {.name = "network"},
        {"model", 0, OPTION_TEXT, &l->network.model, "F", "a model file (default: the demo model)", 0, 0},
        {"size", 0, OPTION_SIZE, &l->network.size, "HxW", "of the network's input (default: 800x1344)", 32, 4096},
        {"precision", 0, OPTION_TEXT, &l->network.precision, "P", "of products: f32, tf32, f16 or bf16 (default: f32)", 0, 0},
        {"use", 0, OPTION_TEXT, &l->network.use, "OP=RUNG", "pin a kernel, as in detect", 0, 0},
        {.name = NULL}};
    l->backend = "emu";
    l->network.size = (struct option_size){800, 1344};
    l->blocks = -1;
    return options_parse(argc, argv, table, &help, rest, count);
}

/* Which GPU is meant: A100 where none was named. OSP_USAGE. */
static osp_status choose_gpu(struct ladder *l)
{
    const char *name = l->gpu_name ? l->gpu_name : "A100";
    if (!strcmp(name, "none"))
        return OSP_OK;
    l->gpu = gpu_find(name);
    if (l->gpu)
        return OSP_OK;
    char names[512] = "";
    for (int i = 0; gpu_at(i); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s, ", gpu_at(i)->name);
    return osp_fail(OSP_USAGE, "--gpu: found '%.40s', allowed are %slist and none", name, names);
}

static int no_op(const char *word)
{
    const char *names[OSP_OP_COUNT + 1] = {NULL};
    for (int i = 0; i < OSP_OP_COUNT; i++)
        names[i] = osp_op_name((enum osp_op)i);
    const char *near = nearest_word(word, names);
    if (near)
        say("no op is called %s; is %s meant?", word, near);
    else
        say("no op is called %s; osprey info --plan lists those of a network", word);
    return EXIT_USAGE;
}

static osp_status no_backend(const char *word)
{
    char names[256] = "";
    for (int i = 0; osp_backend_name(i); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", osp_backend_name(i));
    return osp_fail(OSP_USAGE, "--backend: found '%s', allowed are %s", word, names);
}

/* The emulator in a mode, as the GPU. */
static osp_status open_emulator(const struct ladder *l, const char *how, struct osp_device **out)
{
    char mode[80];
    snprintf(mode, sizeof mode, "%s,multiprocessors=%d,arch=%d", how, l->gpu ? l->gpu->multiprocessors : 1,
             l->gpu ? l->gpu->arch : 90);
    return climb_backend("emu")->open(&(struct osp_device_options){.emu = mode}, out);
}

/* One device runs all of it, and on another, where only some blocks are counted, they are. */
static osp_status climb_sampled(const struct rows *rows, struct osp_device *device, struct osp_device *counting,
                                const struct osp_kernel *rung, void *const reference[], struct climb *out)
{
    struct climb counts;
    osp_status status = climb_run(rows->problem, rows->backend, device, rung, reference, false, out);
    if (status || out->refusal || !counting)
        return status;
    status = climb_count(rows->problem, rows->backend, counting, rung, &counts);
    out->kernel_count = counts.kernel_count;
    memcpy(out->kernels, counts.kernels, sizeof out->kernels);
    return status;
}

static osp_status climb_emulated(struct rows *rows, const struct ladder *l, const struct osp_ladder *ladder,
                                 void *const reference[])
{
    char part[40] = "count";
    struct osp_device *device = NULL, *counting = NULL;
    struct progress progress;
    const int blocks = l->blocks >= 0 ? l->blocks : l->shape && !l->into ? 0 : SAMPLE;
    if (blocks && !sample_is_whole(rows->problem->call.op)) {
        rows->blocks = blocks;
        snprintf(part, sizeof part, "count,blocks=%d", blocks);
    }
    osp_status status = open_emulator(l, blocks ? "fast" : part, &device);
    status = status || !blocks ? status : open_emulator(l, part, &counting);
    if (!status)
        snprintf(rows->device, sizeof rows->device, "%s", rows->backend->isa(counting ? counting : device));
    progress_begin(&progress, (size_t)ladder->count, false);
    for (int i = 0; !status && i < ladder->count; i++) {
        status = climb_sampled(rows, device, counting, ladder->rungs[i], reference, &rows->climbs[rows->count]);
        rows->count += !status;
        progress_step(&progress);
    }
    progress_clear(&progress);
    rows->backend->close(device);
    rows->backend->close(counting);
    return status;
}

static osp_status climb_device(struct rows *rows, const struct ladder *l, const struct osp_ladder *ladder,
                               void *const reference[])
{
    struct osp_device_info info = {.name = ""};
    struct osp_device *device;
    osp_status status = rows->backend->open(&(struct osp_device_options){.threads = l->threads}, &device);
    if (status)
        return status;
    if (rows->backend->describe)
        rows->backend->describe(device, &info);
    snprintf(rows->device, sizeof rows->device, "%s", *info.name ? info.name : rows->backend->isa(device));
    for (int i = 0; !status && i < ladder->count; i++) {
        status = climb_run(rows->problem, rows->backend, device, ladder->rungs[i], reference, !info.emulated,
                           &rows->climbs[rows->count]);
        rows->count += !status;
    }
    rows->backend->close(device);
    return status;
}

/* Runs every rung. OSP_USAGE: there is no such backend, or it has none. */
static osp_status climb_all(struct rows *rows, const struct ladder *l, void *const reference[])
{
    const struct osp_ladder *ladder;
    rows->backend = climb_backend(l->backend);
    if (!rows->backend)
        return no_backend(l->backend);
    ladder = rows->backend->ops[rows->problem->call.op];
    if (!ladder)
        return osp_fail(OSP_USAGE, "backend %s has no rung of %s", l->backend, osp_op_name(rows->problem->call.op));
    rows->climbs = calloc((size_t)ladder->count, sizeof *rows->climbs);
    if (!rows->climbs)
        return osp_fail(OSP_MEMORY, "out of memory for rungs");
    return strcmp(l->backend, "emu") ? climb_device(rows, l, ladder, reference) : climb_emulated(rows, l, ladder, reference);
}

/* `arch`: asked for, and so it must be there; 0: none was. */
static osp_status read_code(struct rows *rows, int arch)
{
    char archs[64];
    osp_status status = code_read(rows->backend, &rows->code);
    bool found = !rows->code.count || !arch;
    for (int i = 0; i < rows->code.count && !found; i++)
        found = rows->code.kernels[i].arch == arch;
    code_archs(&rows->code, archs, sizeof archs);
    if (!status && !found)
        return osp_fail(OSP_USAGE, "--arch: found %d, allowed are %s: this program has no machine code for others", arch, archs);
    return status;
}

static osp_status climb(struct rows *rows, const struct ladder *l)
{
    void *reference[OSP_MAX_OUTPUTS] = {NULL};
    osp_status status = climb_reference(rows->problem, reference);
    status = status ? status : climb_all(rows, l, reference);
    status = status ? status : read_code(rows, l->arch);
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++)
        free(reference[i]);
    return status;
}

/* Between which markers a README has the table: one for the usual problem, and one for each other whose shape it names. */
static void place_of(const struct ladder *l, enum osp_op op, char out[160])
{
    snprintf(out, 160, "counts %s%s%.96s", osp_op_name(op), l->shape ? " " : "", l->shape ? l->shape : "");
}

static int report(const struct rows *rows, const struct ladder *l)
{
    bool standard = l->json && !strcmp(l->json, "-");
    char place[160];
    osp_status status = OSP_OK;
    place_of(l, rows->problem->call.op, place);
    if (l->into)
        status = into_write(place, l->into, rows_print_markdown, rows);
    else if (!standard)
        rows_print(rows, l->counts, stdout);
    status = status ? status : stdout_flush();
    if (!status && l->json)
        status = rows_write_json(rows, l->json);
    if (status)
        return say_failure(status);
    int wrong = 0;
    for (int i = 0; i < rows->count; i++)
        wrong += !rows->climbs[i].refusal && !climb_is_good(&rows->climbs[i]);
    return wrong ? EXIT_DIFFERENT : EXIT_DONE;
}

static int run(const struct ladder *l, const char *word)
{
    struct problem problem;
    struct rows rows = {.problem = &problem,
                        .gpu = strcmp(l->backend, "emu") ? NULL : l->gpu,
                        .arch = l->arch  ? l->arch
                                : l->gpu ? l->gpu->arch
                                         : 80};
    int op = osp_op_find(word);
    if (op < 0)
        return no_op(word);
    char place[160];
    place_of(l, (enum osp_op)op, place);
    osp_status status = l->into ? into_check(place, l->into) : OSP_OK;
    status = status ? status : problem_new((enum osp_op)op, l->shape, &problem);
    if (status)
        return say_failure(status);
    status = climb(&rows, l);
    int exit = status ? say_failure(status) : report(&rows, l);
    rows_free(&rows);
    problem_free(&problem);
    return exit;
}

static int run_network(struct ladder *l)
{
    if (!l->gpu || l->shape || l->into || strcmp(l->backend, "emu") != 0) {
        say("network wants a GPU's name in --gpu, and no --shape, --into or --backend");
        return EXIT_USAGE;
    }
    l->network.gpu = l->gpu;
    l->network.blocks = l->blocks >= 0 ? l->blocks : SAMPLE;
    l->network.json = l->json;
    return network_run(&l->network);
}

/* What needs no op: the GPUs, and the estimator's errors. */
static int print_only(const struct ladder *l)
{
    if (l->published)
        published_print(l->gpu_name ? l->gpu : NULL, stdout);
    else
        gpu_print_all(stdout);
    osp_status status = stdout_flush();
    return status ? say_failure(status) : EXIT_DONE;
}

static int choose(struct ladder *l, char **rest, int count)
{
    bool list = l->gpu_name && !strcmp(l->gpu_name, "list");
    osp_status status = list ? OSP_OK : choose_gpu(l);
    if (status)
        return say_failure(status);
    if (count == 0 && (list || l->published))
        return print_only(l);
    if (count != 1 || list || l->published) {
        say("ladder wants one OP, or network, and neither with --published and --gpu list; found %d; osprey ladder --help",
            count);
        return EXIT_USAGE;
    }
    return strcmp(rest[0], "network") ? run(l, rest[0]) : run_network(l);
}

int tool_ladder(int argc, char **argv)
{
    struct ladder l = {0};
    int count = 0;
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    if (!rest)
        return say_failure(osp_fail(OSP_MEMORY, "out of memory for arguments"));
    int parsed = parse(&l, argc, argv, rest, &count), exit = parsed < 0 ? EXIT_USAGE : EXIT_DONE;
    if (!parsed)
        exit = choose(&l, rest, count);
    free(rest);
    return exit;
}
