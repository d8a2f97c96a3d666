/* osprey ladder: the rungs of one op on one problem, from the plainest up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "climb.h"
#include "rows.h"
#include "tools/options.h"
#include "tools/tools.h"

static const struct command_help help = {
    .name = "ladder",
    .usage = "[options] OP",
    .about = "Climbs the ladder of an op: each rung runs the same problem, is checked against the plainest rung of the cpu "
             "backend, and\n"
             "shows what it asks of memory, what its machine code is made of, and, where the device is real, how long it takes.",
    .notes =
        "What is counted comes from the emulator's mode count, of the kernel's source: exact, and the same on every machine;\n"
        "rungs that choose a tile by the number of multiprocessors are shown one.\n"
        "Registers, shared memory and shares of instructions are read from the machine code in this program.\n"
        "Rungs within a whole network, layer by layer: osprey bench --ladder OP."};

struct ladder {
    const char *shape, *backend, *json;
    int arch, threads;
};

static int parse(struct ladder *l, int argc, char **argv, char **rest, int *count)
{
    const struct option table[] = {
        {"shape", 0, OPTION_TEXT, &l->shape, "SHAPE",
         "the problem: NxHxWxC,K,R,STRIDE for conv2d; osprey ladder OP --shape ? tells", 0, 0},
        {"backend", 0, OPTION_TEXT, &l->backend, "B", "cpu, emu, cuda or an overlay (default: emu)", 0, 0},
        {"arch", 0, OPTION_INT, &l->arch, "N", "machine code for which architecture: 80 is sm_80 (default: 80)", 10, 999},
        {"threads", 0, OPTION_INT, &l->threads, "N", "cpu: how many (default: all cores)", 1, 4096},
        {"json", 0, OPTION_TEXT, &l->json, "F", "everything (tools/ladder/ladder.schema.json); - for standard output", 0, 0},
        {.name = NULL}};
    l->backend = "emu";
    l->arch = 80;
    return options_parse(argc, argv, table, &help, rest, count);
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

/* Runs every rung. OSP_USAGE: there is no such backend, or it has none. */
static osp_status climb_all(struct rows *rows, const struct ladder *l, void *const reference[])
{
    struct osp_device_options options = {.threads = l->threads, .emu = strcmp(l->backend, "emu") ? NULL : "count"};
    struct osp_device_info info = {.name = ""};
    struct osp_device *device;
    const struct osp_backend *backend = climb_backend(l->backend);
    if (!backend)
        return no_backend(l->backend);
    const struct osp_ladder *ladder = backend->ops[rows->problem->call.op];
    if (!ladder)
        return osp_fail(OSP_USAGE, "backend %s has no rung of %s", l->backend, osp_op_name(rows->problem->call.op));
    rows->climbs = calloc((size_t)ladder->count, sizeof *rows->climbs);
    osp_status status = rows->climbs ? backend->open(&options, &device) : osp_fail(OSP_MEMORY, "out of memory for rungs");
    if (status)
        return status;
    if (backend->describe)
        backend->describe(device, &info);
    snprintf(rows->device, sizeof rows->device, "%s", *info.name ? info.name : backend->isa(device));
    rows->backend = backend;
    for (int i = 0; !status && i < ladder->count; i++) {
        status =
            climb_run(rows->problem, backend, device, ladder->rungs[i], reference, !info.emulated, &rows->climbs[rows->count]);
        rows->count += !status;
    }
    backend->close(device);
    return status;
}

static osp_status climb(struct rows *rows, const struct ladder *l)
{
    void *reference[OSP_MAX_OUTPUTS] = {NULL};
    osp_status status = climb_reference(rows->problem, reference);
    status = status ? status : climb_all(rows, l, reference);
    status = status || !rows->backend->code ? status : rows_read_code(rows, l->arch);
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++)
        free(reference[i]);
    return status;
}

static int report(const struct rows *rows, const struct ladder *l)
{
    bool standard = l->json && !strcmp(l->json, "-");
    if (!standard)
        rows_print(rows, stdout);
    osp_status status = stdout_flush();
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
    struct rows rows = {.problem = &problem, .arch = l->arch};
    int op = osp_op_find(word);
    if (op < 0)
        return no_op(word);
    osp_status status = problem_new((enum osp_op)op, l->shape, &problem);
    if (status)
        return say_failure(status);
    status = climb(&rows, l);
    int exit = status ? say_failure(status) : report(&rows, l);
    rows_free(&rows);
    problem_free(&problem);
    return exit;
}

int tool_ladder(int argc, char **argv)
{
    struct ladder l = {0};
    int count = 0;
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    if (!rest)
        return say_failure(osp_fail(OSP_MEMORY, "out of memory for arguments"));
    int parsed = parse(&l, argc, argv, rest, &count), exit = parsed < 0 ? EXIT_USAGE : EXIT_DONE;
    if (!parsed && count != 1) {
        say("ladder wants one OP, found %d; osprey ladder --help", count);
        exit = EXIT_USAGE;
    } else if (!parsed) {
        exit = run(&l, rest[0]);
    }
    free(rest);
    return exit;
}
