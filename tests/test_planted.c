/* Faults that were planted in kernels, and who notices them: 26 kernels with one fault each, beside twins without it. The checked
 * build names 21 of them, at the guilty line; the other 5 are found by what the table gives as their companion. Nothing has
 * anything to say of a twin, in natural order or in shuffled ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu/builds.h"
#include "emu/faults.h"

enum { SEEDS = 5, MAX_TEXT = 256 }; /* seed 0 is the natural order */

/* What was seen of each, for the table that is printed at the end. */
static struct seen {
    bool wrong_natural, wrong_shuffled, fast_reports, differs;
    char kinds[MAX_TEXT], companion[MAX_TEXT];
} seen[PLANTED];

/* ---- One launch ------------------------------------------------------------------------------------------ */

static void need(emu_status status)
{
    if (status != EMU_OK)
        fail_msg("the emulator answers %d", status);
}

/* Runs a kernel; its errors are left in the emulator. The results are in `data->out`. */
static void run(const struct emu_table *emu, const struct planted *p, bool bug, uint64_t seed, struct data *data)
{
    float *a, *b, *out;
    const float *given;
    char name[32];
    size_t bytes = sizeof(float) * (p->tight ? (size_t)p->n : ROOM);
    emu->clear_errors();
    emu->set_seed(seed);
    need(emu->alloc((void **)&a, bytes));
    need(emu->alloc((void **)&b, sizeof data->b));
    need(emu->alloc((void **)&out, bytes));
    need(emu->copy_to_device(a, data->a, bytes, NULL));
    need(emu->copy_to_device(b, data->b, sizeof data->b, NULL));
    need(emu->fill(out, 0, bytes, NULL));
    given = p->host && bug ? data->a : a;
    int n = p->n;
    void *arguments[] = {&given, &b, &out, &n};
    snprintf(name, sizeof name, "%s_%d", bug ? "bug" : "right", p->number);
    need(emu->launch(name, p->grid, p->block, 0, NULL, arguments));
    emu->wait_all();

    /* After an error no call works: it is kept aside for those that look at the results. */
    long errors = emu->errors();
    if (!errors)
        need(emu->copy_to_host(data->out, out, bytes, NULL));
    else
        memcpy(data->out, out, bytes); /* the device's memory is this process's */
    emu->free(a);
    emu->free(b);
    emu->free(out);
    emu->set_seed(0);
}

static const char *first_error(const struct emu_table *emu)
{
    struct emu_error error;
    return emu->error(0, &error) ? error.text : "none";
}

/* ---- Twins: nothing to say, and right ----------------------------------------------------------------------- */

static void check_twins(const char *build)
{
    const struct emu_table *emu = build_open(build);
    static struct data data, want;
    for (int i = 0; i < PLANTED; i++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            fault_data(&planted[i], &data, &want);
            run(emu, &planted[i], false, seed, &data);
            if (emu->errors())
                fail_msg("%s, twin of %d, seed %d: %s", build, planted[i].number, (int)seed, first_error(emu));
            if (!fault_right(&planted[i], &data, &want))
                fail_msg("%s, twin of %d, seed %d: wrong values", build, planted[i].number, (int)seed);
        }
    assert_string_equal(emu->leaks(), "");
}

static void test_twins(void **state)
{
    check_twins("fast");
    check_twins("pattern");
    for (const char *const *build = builds_checked(); *build; build++)
        check_twins(*build);
}

/* ---- The checked build: right kind, kernel, line, block, thread --------------------------------------------- */

static void judge_report(const struct planted *p, const char *build, const struct emu_error *error, char *kinds)
{
    char kernel[32];
    unsigned thread = error->thread[0] + error->thread[1] * p->block[0];
    bool placed = strcmp(error->kind, "copy-unwaited") != 0; /* that one is about the whole thread, which has ended */
    snprintf(kernel, sizeof kernel, "bug_%d", p->number);
    if (!among(p->must, error->kind) && !among(p->may, error->kind))
        fail_msg("%s, bug %d: not what is wrong: %s", build, p->number, error->text);
    if (strcmp(error->kernel, kernel) != 0)
        fail_msg("%s, bug %d: in kernel %s", build, p->number, error->kernel);
    if (placed && !line_marked(error->file, error->line, "bug", p->number))
        fail_msg("%s, bug %d: at an innocent line: %s", build, p->number, error->text);
    if (error->block[0] < p->first_block || error->block[0] >= p->grid[0] || error->block[1] >= p->grid[1] ||
        thread < p->first_thread || thread >= p->block[0] * p->block[1])
        fail_msg("%s, bug %d: by an innocent thread: %s", build, p->number, error->text);
    if (!among(kinds, error->kind))
        snprintf(kinds + strlen(kinds), MAX_TEXT - strlen(kinds), "%s%s", *kinds ? " " : "", error->kind);
}

static void check_planted(const char *build)
{
    const struct emu_table *emu = build_open(build);
    static struct data data, want;
    for (int i = 0; i < PLANTED; i++) {
        const struct planted *p = &planted[i];
        char kinds[MAX_TEXT] = "", word[64];
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct emu_error error;
            fault_data(p, &data, &want);
            run(emu, p, true, seed, &data);
            for (int e = 0; emu->error(e, &error); e++)
                judge_report(p, build, &error, kinds);
            if (seed == 0 && p->must && !emu->errors())
                fail_msg("%s, bug %d (%s): no report", build, p->number, p->what);
        }
        for (const char *at = p->must; at && sscanf(at, "%63s", word) == 1; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL)
            if (!among(kinds, word))
                fail_msg("%s, bug %d (%s): no %s, but %s", build, p->number, p->what, word, kinds);
        snprintf(seen[i].kinds, sizeof seen[i].kinds, "%s", kinds);
    }
    emu->clear_errors();
    assert_string_equal(emu->leaks(), "");
}

static void test_checked(void **state)
{
    for (const char *const *build = builds_checked(); *build; build++)
        check_planted(*build);
}

/* ---- The fast build, and the companions ---------------------------------------------------------------------- */

static void test_fast(void **state)
{
    const struct emu_table *emu = build_open("fast");
    static struct data data, want, natural;
    for (int i = 0; i < PLANTED; i++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            fault_data(&planted[i], &data, &want);
            run(emu, &planted[i], true, seed, &data);
            bool wrong = !fault_right(&planted[i], &data, &want);
            seen[i].fast_reports |= emu->errors() > 0;
            if (seed == 0)
                natural = data;
            seen[i].differs |= !fault_right(&planted[i], &data, &natural);
            *(seed ? &seen[i].wrong_shuffled : &seen[i].wrong_natural) |= wrong;
        }
    emu->clear_errors();
}

static void noticed(int i, const char *how) { snprintf(seen[i].companion, MAX_TEXT, "%s", how); }

static int companion_of(const char *name, int from)
{
    while (from < PLANTED && !(planted[from].companion && !strcmp(planted[from].companion, name)))
        from++;
    return from;
}

static void test_values(void **state)
{
    for (int i = -1; (i = companion_of(VALUES, i + 1)) < PLANTED;) {
        if (!seen[i].wrong_natural)
            fail_msg("bug %d: the values are right", planted[i].number);
        noticed(i, VALUES);
    }
}

static void test_seeds(void **state)
{
    for (int i = -1; (i = companion_of(SEEDED, i + 1)) < PLANTED;) {
        if (!seen[i].differs)
            fail_msg("bug %d: the same bits in %d orders", planted[i].number, (int)SEEDS);
        noticed(i, SEEDED);
    }
}

/* Every kernel in the build with -fsanitize=bounds: it may speak of nothing but the row that ends too late. */
static void test_bounds(void **state)
{
    struct place {
        const char *file;
        uint32_t line, column;
    } *first = build_symbol("bounds", "bounds_first");
    long *count = build_symbol("bounds", "bounds_count");
    const struct emu_table *emu = build_open("bounds");
    static struct data data, want;
    for (int i = 0; i < PLANTED; i++)
        for (int bug = 0; bug < 2; bug++) {
            *count = 0;
            fault_data(&planted[i], &data, &want);
            run(emu, &planted[i], bug, 0, &data);
            if (!bug && *count)
                fail_msg("twin of %d: index out of bounds at %s:%u", planted[i].number, first->file, first->line);
            if (bug && *count && !line_marked(first->file, (int)first->line, "bug", planted[i].number))
                fail_msg("bug %d: index out of bounds at an innocent line, %s:%u", planted[i].number, first->file, first->line);
            if (bug && planted[i].companion && !strcmp(planted[i].companion, BOUNDS)) {
                assert_int_not_equal(*count, 0);
                noticed(i, BOUNDS);
            }
        }
    emu->clear_errors();
}

/* A pattern in locals makes the value wrong; and the compiler warned of the line. */
static void test_pattern(void **state)
{
    const struct emu_table *emu = build_open("pattern");
    static struct data data, want;
    char text[1024], file[64];
    int line, warnings = 0;
    FILE *stream = fopen(build_path("warnings.txt"), "r");
    assert_non_null(stream);
    while (fgets(text, sizeof text, stream))
        if (sscanf(text, "%63[^:]:%d:", file, &line) == 2 && strstr(text, "warning:") && strstr(text, "uninitialized")) {
            warnings++;
            if (!line_marked(file, line, "bug", 24))
                fail_msg("a warning at an innocent line: %s", text);
        }
    fclose(stream);
    assert_int_not_equal(warnings, 0);

    int i = companion_of(PATTERN, 0);
    assert_in_range(i, 0, PLANTED - 1);
    fault_data(&planted[i], &data, &want);
    run(emu, &planted[i], true, 0, &data);
    assert_int_equal(emu->errors(), 0);
    assert_false(fault_right(&planted[i], &data, &want));
    noticed(i, PATTERN);
}

/* ---- Streams ------------------------------------------------------------------------------------------------- */

enum fault { NO_FAULT, NO_EVENT_WAIT, NO_STREAM_WAIT, WRONG_STREAM, FAULTS };

/* One stream fills, another adds and copies to the host. Returns what the host sees. */
static float two_streams(const struct emu_table *emu, enum fault fault, uint64_t seed)
{
    static const unsigned grid[3] = {4, 1, 1}, block[3] = {256, 1, 1};
    struct emu_stream *first, *second;
    struct emu_event *filled;
    float *x, *y, *host, five = 5, one = 1, result;
    int n = 1024;
    size_t bytes = (size_t)n * sizeof(float);
    emu->set_seed(seed);
    need(emu->alloc((void **)&x, bytes));
    need(emu->alloc((void **)&y, bytes));
    need(emu->host_alloc((void **)&host, bytes));
    need(emu->fill(x, 0, bytes, NULL));
    need(emu->wait_all());
    memset(host, 0, bytes);
    need(emu->stream_create(&first));
    need(emu->stream_create(&second));
    need(emu->event_create(&filled));

    need(emu->launch("stream_fill", grid, block, 0, first, (void *[]){&x, &five, &n}));
    need(emu->event_record(filled, first));
    if (fault != NO_EVENT_WAIT)
        need(emu->stream_wait_event(second, filled));
    need(emu->launch("stream_add", grid, block, 0, second, (void *[]){&x, &y, &one, &n}));
    need(emu->copy_to_host(host, y, bytes, second));
    if (fault != NO_STREAM_WAIT)
        need(emu->stream_wait(fault == WRONG_STREAM ? first : second));
    result = host[n - 1];

    need(emu->wait_all());
    need(emu->event_destroy(filled));
    need(emu->stream_destroy(first));
    need(emu->stream_destroy(second));
    need(emu->free(x));
    need(emu->free(y));
    need(emu->host_free(host));
    emu->set_seed(0);
    return result;
}

enum { STREAM_SEEDS = 16 };
static int wrong_results[FAULTS];

static void check_streams(const char *build)
{
    const struct emu_table *emu = build_open(build);
    emu->clear_errors();
    for (enum fault fault = 0; fault < FAULTS; fault++) {
        int wrong = 0;
        for (uint64_t seed = 0; seed < STREAM_SEEDS; seed++)
            wrong += two_streams(emu, fault, seed) != 6;
        if (!fault != !wrong)
            fail_msg("%s, stream fault %d: wrong in %d of %d orders", build, (int)fault, wrong, (int)STREAM_SEEDS);
        wrong_results[fault] = wrong;
    }
    assert_int_equal(emu->errors(), 0);
    assert_string_equal(emu->leaks(), "");
}

static void test_streams(void **state)
{
    check_streams("fast");
    for (const char *const *build = builds_checked(); *build; build++)
        check_streams(*build);
}

/* ---- The table ------------------------------------------------------------------------------------------------- */

static int print_table(void **state)
{
    static const char *const faults[] = {"none", "event wait missing", "stream wait missing", "wrong stream waited for"};
    int checked = 0, companions = 0;
    print_message("\n%2s  %-47s %-8s %-8s %-7s %s\n", "", "planted", "natural", "shuffled", "fast", "noticed by");
    for (int i = 0; i < PLANTED; i++) {
        print_message("%2d  %-47s %-8s %-8s %-7s %s\n", planted[i].number, planted[i].what,
                      seen[i].wrong_natural ? "wrong" : "right", seen[i].wrong_shuffled ? "wrong" : "right",
                      seen[i].fast_reports ? "reports" : "-", *seen[i].companion ? seen[i].companion : seen[i].kinds);
        checked += planted[i].must && *seen[i].kinds;
        companions += *seen[i].companion != 0;
    }
    print_message("%d of %d noticed: %d by the checked build, %d by its companions\n", checked + companions, (int)PLANTED,
                  checked, companions);
    for (int i = 0; i < FAULTS; i++)
        print_message("streams, fault: %-24s wrong results in %d of %d orders\n", faults[i], wrong_results[i], (int)STREAM_SEEDS);
    return checked + companions != PLANTED;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins),   cmocka_unit_test(test_checked), cmocka_unit_test(test_fast),
        cmocka_unit_test(test_values),  cmocka_unit_test(test_seeds),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_pattern), cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests(tests, NULL, print_table);
}
