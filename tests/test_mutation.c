/* Every barrier, every __syncwarp and every wait for copies of every production kernel is taken away, one at a time, and a case
 * of the kernel's op must notice: by a report of the checked emulator or by a wrong value. So that none is there for nothing, and
 * none could be lost without a test that fails. What a case must reach is read from the source: a wait that no case comes to is a
 * failure too.
 *
 * A kernel that lost a barrier may do anything, so each runs in a process of its own: this program, started again with arguments.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cases/harness.h"
#include "kernels/cuda.h"
#include "kernels/emu/emu_ctl.h"
#include "process.h"

enum { MAX_SITES = 1024, MAX_CASES = 64, TRIED = 16, MAX_TEXT = 300 };

/* A place where a kernel waits, and the cases of its op that bring it there. */
struct site {
    struct emu_wait wait; /* of the first visit; its strings are the kernel's own */
    enum osp_op op;
    int rung;
    int cases[MAX_CASES], case_count;
};

static struct site sites[MAX_SITES];
static int site_count, tried, missed;
static double case_seconds[MAX_CASES];

static const struct case_table *const tables[] = {
#define OSP_OP(name, help) &cases_##name,
#include "runtime/ops.def"
#undef OSP_OP
};

/* ---- One rung alone on the checked emulator ----------------------------------------------------------------- */

static const struct emu_table *emu;
static const struct osp_kernel *only[1];
static const struct osp_ladder ladder = {only, 1};
static struct osp_backend backend;
static struct harness harness;

static const struct osp_ladder *open_rung(enum osp_op op, int rung)
{
    static const struct osp_backend *const backends[] = {&backend, NULL};
    const struct osp_backend *whole = NULL;
    char path[CUDA_PATH];
    const struct emu_table *(*get)(void);
    for (int i = 0; osp_backends[i]; i++)
        if (!strcmp(osp_backends[i]->name, "emu"))
            whole = osp_backends[i];
    assert_non_null(whole);
    if (!whole->ops[op] || rung >= whole->ops[op]->count)
        return NULL;
    backend = *whole;
    backend.base = whole; /* so that this rung, were it even the plainest, may refuse a case as its table says */
    backend.ops[op] = &ladder;
    only[0] = whole->ops[op]->rungs[rung];
    harness = (struct harness){.backends = backends, .quiet = true};
    harness_add(&harness, "emu", &(struct osp_device_options){.emu = "check"});
    assert_int_equal(harness.count, 1);
    void *library = cuda_library_beside("libosprey-emu-check.so", path);
    assert_non_null(library);
    *(void **)&get = dlsym(library, "emu_interface");
    emu = get();
    return whole->ops[op];
}

/* Returns the number of failures; 0 also where the rung refuses the case, and launches nothing. */
static int run_case(enum osp_op op, int number)
{
    struct case_table one = *tables[op];
    struct emu_totals before, after;
    one.cases += number;
    one.count = 1;
    emu->totals(&before);
    int failures = harness_run(&harness, &one, op);
    emu->totals(&after);
    return after.launches == before.launches ? 0 : failures;
}

/* ---- The process that has lost a barrier ---------------------------------------------------------------------- */

static struct mutant {
    char **argv; /* "omit" or "loosen", file, line, op, rung, cases */
    int argc;
} mutant;

static void run_mutant(void **state)
{
    enum osp_op op = (enum osp_op)atoi(mutant.argv[4]);
    open_rung(op, atoi(mutant.argv[5]));
    emu->set_watchdog(3);
    (strcmp(mutant.argv[1], "omit") ? emu->loosen : emu->omit)(mutant.argv[2], atoi(mutant.argv[3]));
    for (int i = 6; i < mutant.argc; i++)
        if (run_case(op, atoi(mutant.argv[i])) || emu->errors())
            fail();
}

static int mutant_main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(run_mutant)};
    struct emu_error error;
    mutant = (struct mutant){argv, argc};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (emu->error(0, &error))
        printf("\nnoticed: %s\n", error.text);
    else if (failed)
        printf("\nnoticed: value: %s\n", harness.first);
    return 0;
}

/* ---- The sites -------------------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static struct site *site_of(const struct emu_wait *wait, enum osp_op op, int rung)
{
    for (int i = 0; i < site_count; i++) {
        struct site *site = &sites[i];
        if (site->op == op && site->rung == rung && site->wait.what == wait->what && site->wait.line == wait->line &&
            !strcmp(site->wait.file, wait->file) && !strcmp(site->wait.kernel, wait->kernel))
            return site;
    }
    assert_true(site_count < MAX_SITES);
    sites[site_count] = (struct site){.wait = *wait, .op = op, .rung = rung};
    return &sites[site_count++];
}

/* The cases, cheapest first: most sites are noticed by the first. */
static void add_case(struct site *site, int number)
{
    int at = site->case_count++;
    for (; at > 0 && case_seconds[site->cases[at - 1]] > case_seconds[number]; at--)
        site->cases[at] = site->cases[at - 1];
    site->cases[at] = number;
}

/* Every case as the kernel stands: nothing is noticed, and the sites are those that it comes to. */
static void find_sites(enum osp_op op, int rung)
{
    struct emu_wait wait;
    assert_true(tables[op]->count <= MAX_CASES);
    for (int i = 0; i < tables[op]->count; i++) {
        emu->clear_waits();
        case_seconds[i] = -now();
        if (run_case(op, i))
            fail_msg("with all its barriers: %s", harness.first);
        case_seconds[i] += now();
        for (int w = 0; emu->waits(w, &wait); w++)
            add_case(site_of(&wait, op, rung), i);
    }
}

/* ---- Taking one away ----------------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void try_site(const struct site *site, const char *how)
{
    static const char *const names[] = {
        [EMU_BARRIER] = "barrier", [EMU_WARP_BARRIER] = "warp barrier", [EMU_COPY_WAIT] = "wait for copies"};
    char line[16], op[16], rung[16], numbers[TRIED][16], what[MAX_TEXT] = "NOBODY";
    const char *argv[6 + TRIED + 1] = {how, site->wait.file, line, op, rung};
    int cases = site->case_count < TRIED ? site->case_count : TRIED;
    snprintf(line, sizeof line, "%d", site->wait.line);
    snprintf(op, sizeof op, "%d", (int)site->op);
    snprintf(rung, sizeof rung, "%d", site->rung);
    for (int i = 0; i < cases; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%d", site->cases[i]);
        argv[5 + i] = numbers[i];
    }
    struct outcome outcome = process_run(argv, NULL, 0, NULL);
    const char *said = strstr(outcome.out, "\nnoticed: ");
    if (said)
        snprintf(what, sizeof what, "%.*s", (int)strcspn(said + 10, "\n"), said + 10);
    else if (outcome.status > 128)
        snprintf(what, sizeof what, "the process, ended by signal %d", outcome.status - 128);
    else if (outcome.status)
        fail_msg("%s:%d: exit %d: %s", site->wait.file, site->wait.line, outcome.status, outcome.err);
    process_free(&outcome);
    tried++;
    missed += !strcmp(what, "NOBODY");
    print_message("%-26s %-20s:%-4d %-15s %-7s noticed by %.110s\n", site->wait.kernel, base_name(site->wait.file),
                  site->wait.line, names[site->wait.what], how, what);
}

static void test_op(enum osp_op op)
{
    int before = missed;
    for (int rung = 0;; rung++) {
        int first = site_count;
        const struct osp_ladder *whole = open_rung(op, rung);
        if (!whole)
            break;
        find_sites(op, rung);
        harness_close(&harness);
        for (int i = first; i < site_count; i++) {
            try_site(&sites[i], "omit");
            if (sites[i].wait.what == EMU_COPY_WAIT)
                try_site(&sites[i], "loosen");
        }
    }
    if (missed > before)
        fail_msg("%s: %d barriers or waits that nobody misses", osp_op_name(op), missed - before);
}

#define OSP_OP(name, help)                                                                                                       \
    static void test_##name(void **state) { test_op(OSP_##name); }
#include "runtime/ops.def"
#undef OSP_OP

/* ---- What no case came to -------------------------------------------------------------------------------------- */

/* The compiler's name of an included file may begin with "./". */
static int is_site(const char *path, int line)
{
    for (int i = 0; i < site_count; i++) {
        const char *file = sites[i].wait.file;
        if (sites[i].wait.line == line && !strcmp(strncmp(file, "./", 2) ? file : file + 2, path))
            return 1;
    }
    return 0;
}

/* The barriers and waits in the lines of a file, comments aside, that are no site. */
static int unvisited(const char *path)
{
    static const char *const words[] = {"__syncthreads", "__syncwarp", "cuda_copy_wait"};
    char text[1024];
    int count = 0;
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    for (int line = 1; fgets(text, sizeof text, stream); line++) {
        const char *comment = strstr(text, "//"), *other = strstr(text, "/*");
        const char *star = text + strspn(text, " ");
        comment = other && (!comment || other < comment) ? other : comment;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            const char *at = strstr(text, words[i]);
            if (!at || *star == '*' || (comment && comment < at) || is_site(path, line))
                continue;
            print_error("%s:%d: no case comes to this %s\n", path, line, words[i]);
            count++;
        }
    }
    fclose(stream);
    return count;
}

static void test_all_visited(void **state)
{
    int count = 0;
    for (int op = 0; op < OSP_OP_COUNT; op++) {
        char folder[128], path[512];
        snprintf(folder, sizeof folder, "kernels/%s", osp_op_name((enum osp_op)op));
        DIR *entries = opendir(folder);
        for (struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
            const char *dot = strrchr(entry->d_name, '.');
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            if (dot && (!strcmp(dot, ".cu") || !strcmp(dot, ".h")))
                count += unvisited(path);
        }
        if (entries)
            closedir(entries);
    }
    assert_int_equal(count, 0);
}

static int print_sum(void **state)
{
    print_message("%d of %d barriers and waits are missed when they are gone\n", tried - missed, tried);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return mutant_main(argc, argv);
    setenv("OSPREY", "/proc/self/exe", 1);
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* a mutant's test fails by a jump, and leaves everything open */
    process_find(argv[0]);
    const struct CMUnitTest tests[] = {
#define OSP_OP(name, help) cmocka_unit_test(test_##name),
#include "runtime/ops.def"
#undef OSP_OP
        cmocka_unit_test(test_all_visited)};
    return cmocka_run_group_tests(tests, NULL, print_sum);
}
