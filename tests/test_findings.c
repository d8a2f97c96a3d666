/* Each rule of "why is it not faster?" on a study that is healthy but for one thing: it must fire, alone, on the column that has
 * it; and must not when the same thing stays just inside the threshold. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "studies.h"
#include "tools/compare/findings.h"

enum { CPU, CUDA };

static struct cell *cell_of(struct study *study, int column) { return &study->columns[column].cells[0]; }

/* Gives one stage this share of the first workload's run, and body what is left. */
static void share(struct study *study, int column, const char *stage, double amount)
{
    struct cell *cell = cell_of(study, column);
    double total = column == CPU ? 0.1 : 0.01, before = studies_stage(cell, stage)->seconds.values[2] / total;
    studies_samples(&studies_stage(cell, stage)->seconds, amount * total, STUDIES_ROUNDS);
    studies_samples(&studies_stage(cell, "body")->seconds, (0.5 + before - amount) * total, STUDIES_ROUNDS);
}

static void decode(struct study *study, double amount) { share(study, CPU, "decode", amount); }
static void preprocess(struct study *study, double amount) { share(study, CPU, "preprocess", amount); }
static void upload(struct study *study, double amount) { share(study, CUDA, "upload", amount - 0.01); } /* and 0.01 down */
static void gaps(struct study *study, double amount) { cell_of(study, CUDA)->gaps = 0.01 * 0.90 * amount / (1 - amount); }
static void start(struct study *study, double pictures)
{
    study->columns[CUDA].once = (struct once){.open_device = 0.01 * pictures};
}
static void few(struct study *study, double pictures) { study->break_evens[0].with_start = pictures; }
static void on_host(struct study *study, double amount) { share(study, CUDA, "postprocess", amount - 0.06); } /* decode, host */

/* A column of one thread, from which these stages gain only so much. */
static void serial(struct study *study, double gain)
{
    struct column *one;
    assert_int_equal(study_add_column(study, "cpu:threads=1", &one), OSP_OK);
    studies_set(&one->backend, "cpu");
    studies_set(&one->precision, "f32");
    one->threads = 1;
    one->machine = 1; /* of another machine, which is not known: else it would be found to leave a core unused */
    study->columns[CPU].machine = 1;
    one->peak_flops = 100e9;
    one->peak_bytes = 17e9;
    studies_cell(one, 0, 0.19, false);
    static const char *const slow[] = {"rpn", "proposals", "detections"};
    for (int i = 0; i < 3; i++) {
        double now = studies_stage(cell_of(study, CPU), slow[i])->seconds.values[2];
        studies_samples(&studies_stage(&one->cells[0], slow[i])->seconds, now * gain, STUDIES_ROUNDS);
    }
}

static void layer(struct study *study, int column, int i, double amount)
{
    struct cell *cell = cell_of(study, column);
    double total = column == CPU ? 0.1 : 0.01; /* the other layers take 0.7 of it less this one's share */
    double others = 0;
    for (int k = 0; k < cell->layer_count; k++)
        others += k == i ? 0 : cell->layers[k].seconds.values[2] / total;
    studies_samples(&cell->layers[i].seconds, total * others * amount / (1 - amount), STUDIES_ROUNDS);
}

static void copies(struct study *study, double amount)
{
    studies_set(&cell_of(study, CPU)->layers[3].op, "copy");
    cell_of(study, CPU)->layers[3].macs_done = 0;
    studies_samples(&cell_of(study, CPU)->layers[3].seconds, 0.1 * amount, STUDIES_ROUNDS);
}

static void idle_wave(struct study *study, double amount)
{
    cell_of(study, CUDA)->layers[3].waves = 2.2; /* of 3: more than half */
    cell_of(study, CUDA)->layers[2].waves = 0.4;
    layer(study, CUDA, 2, amount);
    cell_of(study, CUDA)->layers[2].macs_done *= amount * 6; /* as near to the roofline as before */
}

static void thin(struct study *study, double amount)
{
    cell_of(study, CUDA)->layers[2].occupancy = 0.12;
    layer(study, CUDA, 2, amount);
    cell_of(study, CUDA)->layers[2].macs_done *= amount * 6;
}

static void memory(struct study *study, double amount)
{
    struct layer *worst = &cell_of(study, CPU)->layers[2];
    layer(study, CPU, 2, amount);
    worst->macs_done = 0.1 * 200e9 * worst->seconds.values[2] / 2;
    worst->bytes = 0.8 * 34e9 * worst->seconds.values[2];
}

/* All layers at this share of the roofline. */
static void reach(struct study *study, double amount)
{
    for (int i = 0; i < 4; i++) {
        cell_of(study, CPU)->layers[i].macs_done *= amount / 0.45;
        cell_of(study, CPU)->layers[i].bytes = 0;
    }
}

static void pinned(struct study *study, double times)
{
    struct column *other;
    assert_int_equal(study_add_column(study, "cpu:naive", &other), OSP_OK);
    struct column *cpu = &study->columns[CPU];
    studies_set(&other->backend, "cpu");
    studies_set(&other->precision, "f32");
    studies_set(&other->kernels, "conv2d=naive");
    other->threads = 2;
    other->peak_flops = cpu->peak_flops;
    other->peak_bytes = cpu->peak_bytes;
    studies_cell(other, 0, 0.1 * times, false);
}

static void precision(struct study *study, double amount)
{
    studies_set(&study->columns[CUDA].precisions, amount > 0 ? "f32 tf32 f16" : "f32");
}

static void cores(struct study *study, double unused) { study->machines[0].cores = 2 + (int)unused; }

static void clock_lost(struct study *study, double amount)
{
    cell_of(study, CPU)->clock_mhz_last = 3300 * (1 - amount);
    cell_of(study, CPU)->temperature = 92;
}

static void link_share(struct study *study, double amount)
{
    study->columns[CUDA].link_lanes = 4;
    study->columns[CUDA].link_bytes = amount * 16 * 8e9 / 8 * 128 / 130;
}

static const struct {
    const char *rule;
    void (*plant)(struct study *, double);
    double fires, does_not;
    int column;
    const char *words; /* that its sentence must have */
} planted[] = {
    {"decode-bound", decode, 0.26, 0.24, CPU, "decoding the picture files takes 26.0 ms of 100 ms, 26 % (threshold 25 %)"},
    {"preprocess-bound", preprocess, 0.40, 0.24, CPU, "resizing and normalising takes 40.0 ms of 100 ms, 40 %"},
    {"transfer-bound", upload, 0.30, 0.14, CUDA,
     "copying to and from the device takes 3.00 ms of 10.0 ms, 30 % (threshold 15 %)"},
    {"launch-bound", gaps, 0.30, 0.19, CUDA, "waiting between kernels"},
    {"first-run-cost", start, 40, 9.5, CUDA,
     "Start-up takes 400 ms, as long as 40 pictures of 10.0 ms each (threshold: 10); most of it is opening the device"},
    {"too-few-pictures", few, 20, 8, CUDA, "ahead of cpu from 20 pictures on; the largest workload here has 8"},
    {"serial-stages", serial, 1.05, 1.5, CPU,
     "From 1 to 2 threads these stages gain less than 20 %: rpn, proposals, detections."},
    {"serial-stages", on_host, 0.30, 0.09, CUDA, "The device waits while the host does these stages: decode, postprocess"},
    {"placed-copies", copies, 0.06, 0.04, CPU, "copying values between backends takes 6.00 ms"},
    {"small-maps", idle_wave, 0.40, 0.20, CUDA,
     "The longest is backbone.fpn.inner (1x80x80x256 -> 1x80x80x256): its blocks fill the device 0.40 times."},
    {"low-occupancy", thin, 0.40, 0.20, CUDA, "1 layer with an occupancy below 25 % takes 40 % of the network's"},
    {"memory-bound", memory, 0.40, 0.20, CPU, "27.2 GB/s of the 34.0 GB/s that were measured"},
    {"far-from-roofline", reach, 0.05, 0.31, CPU, "reach 10.0 GFLOP/s, 5.0 % of what the measured peaks"},
    {"near-roofline", reach, 0.80, 0.59, CPU, "run at 160 GFLOP/s, 80 % of the measured peak of 200 GFLOP/s"},
    {"pinned-kernels", pinned, 8, 1.02, 2, "Pinned to conv2d=naive it takes 8.00\xc3\x97 as long as cpu"},
    {"precision-unused", precision, 1, 0, CUDA, "the device also has tf32, f16"},
    {"threads-unused", cores, 6, 0, CPU, "It uses 2 threads of 8 cores"},
    {"clock-throttled", clock_lost, 0.30, 0.09, CPU,
     "the clock went from 3300 to 2310 MHz, 30 % less (threshold 10 %), at 92 degrees"},
    {"narrow-link", link_share, 0.24, 0.65, CUDA, "it runs with 4 lanes"},
};

static void find(struct study *study, void (*plant)(struct study *, double), double amount)
{
    studies_healthy(study);
    if (plant)
        plant(study, amount);
    assert_int_equal(findings_find(study), OSP_OK);
}

static void a_healthy_study_has_no_findings(void **state)
{
    struct study study;
    find(&study, NULL, 0);
    for (int i = 0; i < study.finding_count; i++)
        print_error("%d %s: %s\n", study.findings[i].column, study.findings[i].rule, study.findings[i].sentence);
    assert_int_equal(study.finding_count, 0);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    findings_print(&study, out);
    fclose(out);
    assert_non_null(strstr(text, "nothing found"));
    free(text);
    study_free(&study);
}

static void each_rule_fires_alone(void **state)
{
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        struct study study;
        find(&study, planted[i].plant, planted[i].fires);
        bool right = study.finding_count == 1 && !strcmp(study.findings[0].rule, planted[i].rule) &&
                     study.findings[0].column == planted[i].column && strstr(study.findings[0].sentence, planted[i].words);
        for (int k = 0; !right && k < study.finding_count; k++)
            print_error("%s planted; found on %d: %s: %s\n", planted[i].rule, study.findings[k].column, study.findings[k].rule,
                        study.findings[k].sentence);
        assert_int_equal(study.finding_count, 1);
        assert_true(right);
        assert_true(study.findings[0].advice[0] != 0);
        study_free(&study);
    }
}

static void each_rule_keeps_quiet_inside_its_threshold(void **state)
{
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        struct study study;
        find(&study, planted[i].plant, planted[i].does_not);
        for (int k = 0; k < study.finding_count; k++)
            if (!strcmp(study.findings[k].rule, planted[i].rule))
                fail_msg("%s at %g: %s", planted[i].rule, planted[i].does_not, study.findings[k].sentence);
        study_free(&study);
    }
}

static void every_rule_is_tested(void **state)
{
    for (int r = 0; r < finding_rule_count; r++) {
        bool found = false;
        for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
            found |= !strcmp(planted[i].rule, finding_rules[r].name);
        if (!found)
            fail_msg("%s has no study that triggers it", finding_rules[r].name);
    }
}

static void emulated_and_failed_columns_have_none(void **state)
{
    struct study study;
    studies_healthy(&study);
    upload(&study, 0.5);
    study.columns[CUDA].emulated = true;
    assert_int_equal(findings_find(&study), OSP_OK);
    assert_int_equal(study.finding_count, 0);
    study.columns[CUDA].emulated = false;
    studies_set(&study.columns[CUDA].failure, "out of memory");
    assert_int_equal(findings_find(&study), OSP_OK);
    assert_int_equal(study.finding_count, 0);
    study_free(&study);
}

static void asking_again_replaces_the_answers(void **state)
{
    struct study study;
    find(&study, decode, 0.3);
    assert_int_equal(study.finding_count, 1);
    assert_int_equal(findings_find(&study), OSP_OK);
    assert_int_equal(study.finding_count, 1);
    study_free(&study);
    find(&study, NULL, 0);
    study_free(&study);
}

/* The rule tells the workload that is furthest beyond. */
static void the_worst_workload_is_told(void **state)
{
    struct study study;
    studies_healthy(&study);
    upload(&study, 0.2);
    studies_samples(&studies_stage(&study.columns[CUDA].cells[1], "upload")->seconds, 0.03, STUDIES_ROUNDS);
    assert_int_equal(findings_find(&study), OSP_OK);
    assert_int_equal(study.finding_count, 1);
    assert_non_null(strstr(study.findings[0].sentence, "batch 8: copying"));
    study_free(&study);
}

static void an_empty_study_is_no_trouble(void **state)
{
    struct study study;
    study_init(&study);
    assert_int_equal(findings_find(&study), OSP_OK);
    assert_int_equal(study.finding_count, 0);
    study_free(&study);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_study_has_no_findings),
        cmocka_unit_test(each_rule_fires_alone),
        cmocka_unit_test(each_rule_keeps_quiet_inside_its_threshold),
        cmocka_unit_test(every_rule_is_tested),
        cmocka_unit_test(emulated_and_failed_columns_have_none),
        cmocka_unit_test(asking_again_replaces_the_answers),
        cmocka_unit_test(the_worst_workload_is_told),
        cmocka_unit_test(an_empty_study_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
