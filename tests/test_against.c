/* The verdict against an earlier study: of samples that are made up, so that what must be said is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "studies.h"
#include "tools/measure/against.h"

static void must(osp_status status)
{
    if (status)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
}

/* SplitMix64, 0..1. */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Times as machines give them: a floor, a tail above it, and now and then something that got in the way. */
static struct samples draw(double floor_seconds, int count, double disturbed, uint64_t *seed)
{
    struct samples out = {0};
    for (int i = 0; i < count; i++) {
        double tail = -0.01 * log(1 - uniform(seed));
        must(samples_add(&out, floor_seconds * (1 + tail) * (uniform(seed) < disturbed ? 1.5 : 1)));
    }
    return out;
}

/* ---- The ratio ------------------------------------------------------------------------------------ */

static void ratios(void **state)
{
    uint64_t seed = 1;
    int held = 0;
    enum { TRIALS = 1000 };
    for (int i = 0; i < TRIALS; i++) { /* the true ratio is 1.1 */
        struct samples old = draw(0.020, 12 + i % 30, 0.1, &seed), new = draw(0.022, 10 + i % 17, 0.1, &seed);
        struct estimate e = samples_ratio_unpaired(&new, &old);
        assert_true(e.low <= e.value && e.value <= e.high);
        held += e.low <= 1.1 && 1.1 <= e.high;
        free(old.values);
        free(new.values);
    }
    print_message("the 99 %% interval held the ratio %d times in %d\n", held, TRIALS);
    assert_true(held >= TRIALS * 98 / 100);
    struct samples few = draw(1, 7, 0, &seed), many = draw(1, 2000, 0, &seed);
    assert_true(isnan(samples_ratio_unpaired(&few, &many).low));
    assert_true(fabs(samples_ratio_unpaired(&many, &many).value - 1) < 1e-3);
    free(few.values);
    free(many.values);
}

/* ---- The verdict ---------------------------------------------------------------------------------- */

static enum verdict judge(double old_floor, double new_floor, int count, double old_disturbed, double new_disturbed, double total)
{
    uint64_t seed = 7;
    struct estimate ratio;
    struct samples old = draw(old_floor, count, old_disturbed, &seed), new = draw(new_floor, count, new_disturbed, &seed);
    enum verdict verdict = against_judge(&new, &old, 0.05, total, &ratio);
    free(old.values);
    free(new.values);
    return verdict;
}

static void verdicts(void **state)
{
    assert_int_equal(judge(0.020, 0.020, 40, 0, 0, 0.03), VERDICT_SAME);
    assert_int_equal(judge(0.020, 0.022, 40, 0, 0, 0.03), VERDICT_SLOWER);
    assert_int_equal(judge(0.022, 0.020, 40, 0, 0, 0.03), VERDICT_FASTER);
    assert_int_equal(judge(0.020, 0.0206, 40, 0, 0, 0.03), VERDICT_SAME);  /* 3 %: less than what counts */
    assert_int_equal(judge(0.020, 0.020, 40, 0, 0.8, 0.03), VERDICT_SAME); /* a neighbour, most of the time: not ours */
    assert_int_equal(judge(0.020, 0.022, 40, 0.2, 0.2, 0.03), VERDICT_SLOWER);
    assert_int_equal(judge(0.020, 0.022, 40, 0, 0, 3), VERDICT_SAME);     /* 2 ms of 3 s */
    assert_int_equal(judge(0.020, 0.024, 3, 0, 0, 0.03), VERDICT_SLOWER); /* each slower than each */
    assert_int_equal(judge(0.020, 0.0204, 3, 0, 0, 0.03), VERDICT_SAME);
    assert_int_equal(judge(0, 0, 40, 0, 0, 0), VERDICT_SAME);
}

/* ---- Studies -------------------------------------------------------------------------------------- */

static void scale(struct samples *samples, double factor)
{
    for (int i = 0; i < samples->count; i++)
        samples->values[i] *= factor;
}

static int compare(const struct study *old, const struct study *new, char *text, size_t size)
{
    int slower = -1;
    FILE *stream = fmemopen(text, size, "w");
    assert_non_null(stream);
    must(against_print(old, new, 0.05, stream, &slower));
    assert_int_equal(fclose(stream), 0);
    return slower;
}

static int lines_with(const char *text, const char *words)
{
    int count = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        count++;
    return count;
}

/* One stage of one column takes 10 % longer: it is named, and nothing else is. */
static void the_stage_is_named(void **state)
{
    char text[4096];
    struct study old, new;
    studies_healthy(&old);
    studies_healthy(&new);
    assert_int_equal(compare(&old, &new, text, sizeof text), 0);
    assert_int_equal(lines_with(text, "no difference of 5 % or more is shown"), 4);
    scale(&studies_stage(&new.columns[1].cells[0], "rpn")->seconds, 1.1);
    assert_int_equal(compare(&old, &new, text, sizeof text), 1);
    assert_non_null(strstr(text, "  cuda, rpn: 1.100 times as long (99 %: "));
    assert_int_equal(lines_with(text, "SLOWER"), 1);
    scale(&studies_stage(&new.columns[1].cells[0], "rpn")->seconds, 1 / 1.21);
    assert_int_equal(compare(&old, &new, text, sizeof text), 0); /* faster is no regression */
    assert_non_null(strstr(text, "rpn: 0.909 times as long"));
    assert_int_equal(lines_with(text, ": faster"), 1);
    study_free(&old);
    study_free(&new);
}

/* Runs that had to wait for a core do not count; without enough others nothing is judged. */
static void disturbed_runs(void **state)
{
    char text[4096];
    struct study old, new;
    studies_healthy(&old);
    studies_healthy(&new);
    struct cell *cell = &new.columns[0].cells[0];
    for (int r = 0; r < cell->total.count; r++)
        must(samples_add(&cell->waited, r < 4 ? cell->total.values[r] : 0));
    struct samples *body = &studies_stage(cell, "body")->seconds;
    for (int r = 0; r < 4; r++)
        body->values[r] *= 3;
    assert_int_equal(compare(&old, &new, text, sizeof text), 0);
    scale(body, 1.1);
    assert_int_equal(compare(&old, &new, text, sizeof text), 1);
    assert_non_null(strstr(text, "  cpu, body: 1.100 times as long"));
    cell->waited.values[4] = cell->total.values[4]; /* 7 of 12 are left */
    assert_int_equal(compare(&old, &new, text, sizeof text), 0);
    assert_non_null(strstr(text, "  cpu: not judged: other programs took the cores in 0 of 12 runs then, and in 5 of 12 now"));
    study_free(&old);
    study_free(&new);
}

static void what_cannot_be_compared(void **state)
{
    char text[4096];
    int slower;
    struct study old, new;
    studies_healthy(&old);
    studies_healthy(&new);
    must(against_check(&old, &new));
    studies_set(&old.columns[0].device, "another machine");
    old.partial = true;
    compare(&old, &new, text, sizeof text);
    assert_non_null(strstr(text, "cpu ran on another machine then, and on "));
    assert_non_null(strstr(text, "stopped by a signal"));
    studies_set(&old.columns[0].name, "onednn");
    studies_set(&old.columns[1].name, "emu");
    assert_int_equal(against_check(&old, &new), OSP_USAGE);
    assert_non_null(strstr(osp_message(), "no column of the same name that did the same work"));
    assert_int_equal(against_print(&old, &new, 0.05, stderr, &slower), OSP_USAGE);
    studies_set(&old.columns[0].name, "cpu");
    for (int w = 0; w < old.workload_count; w++)
        old.workloads[w].height *= 2;
    assert_int_equal(against_check(&old, &new), OSP_USAGE);
    studies_set(&old.model_sha256, "0123");
    assert_int_equal(against_check(&old, &new), OSP_USAGE);
    assert_non_null(strstr(osp_message(), "another model"));
    study_free(&old);
    study_free(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(the_stage_is_named),
        cmocka_unit_test(disturbed_runs),
        cmocka_unit_test(what_cannot_be_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
