/* osprey compare as its users run it: what it says, writes and answers, and how it ends. The program has one backend more, whose
 * costs and faults are set (tests/sim). No test here looks at how long anything took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "markup.h"
#include "process.h"
#include "schema.h"
#include "scratch.h"
#include "studies.h"

#define MODEL  OSP_SOURCE "/models/demo/demo.safetensors"
#define PHOTO  OSP_SOURCE "/models/demo/astronaut.png"
#define OTHER  OSP_SOURCE "/models/demo/camera.png"
#define SCHEMA OSP_SOURCE "/tools/measure/study.schema.json"

/* As short as it goes: a run or two of each column. */
#define compare(...)                                                                                                             \
    process_run((const char *const[]){"compare", "--model", MODEL, "--seconds", "0.01", __VA_ARGS__, NULL}, NULL, 0, NULL)

static void read_study(const char *path, struct study *study)
{
    char why[512];
    if (!schema_accepts_file(SCHEMA, path, why, sizeof why))
        fail_msg("%s: %s", path, why);
    assert_int_equal(study_load(path, study), OSP_OK);
}

/* ---- Usage -------------------------------------------------------------------------------------- */

static void usage(void **state)
{
    process_expect(compare("--help"), 0, "usage: osprey compare", "");
    process_expect(compare("--backends", "cpu"), 2, "", "no PHOTO given");
    process_expect(compare("--backends", "gpu", PHOTO), 2, "", "no backend is called 'gpu'; there is cpu");
    process_expect(compare("--backends", "cpu:magic", PHOTO), 2, "", "'magic' is no rung of backend cpu");
    process_expect(compare("--backends", "cpu:backbone.none:conv2d=tile", PHOTO), 2, "", "no node 'backbone.none'");
    process_expect(compare("--batch", "1,x", PHOTO), 2, "", "--batch: found \"1,x\"");
    process_expect(compare("--sizes", "0", PHOTO), 2, "", "--sizes: found \"0\"");
    process_expect(compare("--experiment", "thesis"), 2, "", "allowed is article");
    process_expect(compare("--merge", "--diff", "a.json"), 2, "", "--merge measures nothing");
    process_expect(compare("--merge"), 2, "", "found none");
    process_expect(compare("--place", "here", PHOTO), 2, "", "--place wants --into");
    process_expect(compare("--into", PHOTO, "--place", "here", PHOTO), 2, "", "<!-- results: here -->");
    process_expect(compare("-"), 2, "", "wants files");
    process_expect(compare("--backends", "cpu", at("absent.png")), 1, "", "absent.png");
    process_expect(compare("--backends", "cpu", "--bucket", PHOTO), 2, "", "allowed are two and more");
    process_expect(compare("--backends", "cpu:threads=1", "--memory-limit", "1M", "--batch", "2", PHOTO), 4, "",
                   "the memory limit of 1 MB leaves");
}

/* ---- What comes out ----------------------------------------------------------------------------- */

static void remove_files(const char *folder)
{
    DIR *open = opendir(folder);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;)
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(open), entry->d_name, 0), 0);
    closedir(open);
}

static void one_picture_and_its_files(void **state)
{
    struct study study;
    char json[512], page[512], folder[512];
    strcpy(json, at("c.json"));
    strcpy(page, at("c.html"));
    strcpy(folder, at("charts"));
    assert_int_equal(mkdir(folder, 0777), 0);
    process_expect(compare("--backends", "cpu:threads=1,cpu:threads=1:conv2d=lanes", "--json", json, "--report", page, "--charts",
                           folder, "--diff", "--seconds", "0.3", PHOTO),
                   0, "agree    cpu:threads=1 and cpu:threads=1:conv2d=lanes: ", "");
    read_study(json, &study);
    assert_int_equal(study.column_count, 2);
    assert_int_equal(study.agreement_count, 1);
    assert_true(study.agreements[0].agree && study.agreements[0].matched > 0 && !study.agreements[0].first_node);
    assert_string_equal(study.columns[1].kernels, "conv2d=lanes");
    assert_non_null(strstr(study.command, "osprey compare --model "));
    assert_true(study.finding_count > 0);
    study_free(&study);
    char *text = get_file(page, NULL);
    assert_well_formed(text);
    assert_non_null(strstr(text, "data:image/jpeg;base64,"));
    assert_true(strlen(text) < 1000000);
    free(text);
    assert_true(entries(folder) >= 6);
    text = get_file(at("charts/time.svg"), NULL);
    assert_well_formed(text);
    free(text);
    remove_files(folder);
    assert_int_equal(rmdir(folder), 0);
}

/* The process counts against its limit, and how much it needs by itself depends on the build: the limit grows until one picture
 * fits, and then sixteen do not. */
static void a_batch_is_run_in_parts(void **state)
{
    struct study study;
    char json[512], limit[16];
    int status = 4;
    strcpy(json, at("c.json"));
    for (int mebibytes = 32; status == 4 && mebibytes < 16384; mebibytes += mebibytes / 4) {
        snprintf(limit, sizeof limit, "%dM", mebibytes);
        struct outcome outcome = compare("--backends", "cpu:threads=1", "--batch", "16", "--memory-limit", limit, "--seconds",
                                         "2", "--json", json, PHOTO);
        status = outcome.status;
        if (status == 0) {
            assert_non_null(strstr(outcome.out, " parts for want of memory"));
            assert_non_null(strstr(outcome.err, "batch 16: 16 pictures at a time in "));
        }
        process_free(&outcome);
    }
    assert_int_equal(status, 0);
    read_study(json, &study);
    assert_true(study.workloads[1].chunks > 1);
    study_free(&study);
}

static void buckets_need_no_padding(void **state)
{
    struct study study;
    char json[512];
    strcpy(json, at("c.json"));
    process_expect(compare("--backends", "cpu:threads=1", "--bucket", "--seconds", "2", "--json", json, PHOTO, OTHER), 0,
                   "one by one", "");
    read_study(json, &study);
    assert_int_equal(study.workload_count, 4);
    for (int w = 0; w < study.workload_count; w++)
        assert_true(study.columns[0].cells[w].measured);
    assert_string_equal(study.workloads[3].name, "1 batch of one shape each, up to 2");
    assert_true(study.columns[0].cells[3].drift == 0);
    study_free(&study);
}

/* ---- Differences -------------------------------------------------------------------------------- */

/* Two taps of one layer in each other's place. */
static void a_wrong_tap_is_found_where_it_is(void **state)
{
    static const char *const nodes[] = {"backbone.body.conv_stem", "backbone.fpn.layer_blocks.1.0"};
    setenv("OSPREY_SIM", "0 0", 1);
    for (int i = 0; i < 2; i++) {
        struct study study;
        char columns[128], words[128], json[512];
        strcpy(json, at("c.json"));
        snprintf(columns, sizeof columns, "cpu:threads=1,sim:threads=1,sim:threads=1:%s:conv2d=wrong_tap", nodes[i]);
        snprintf(words, sizeof words, "the first node beyond its bound: %s ", nodes[i]);
        process_expect(compare("--backends", columns, "--diff", "--json", json, PHOTO), 1, words, "");
        read_study(json, &study);
        int found = 0;
        for (int a = 0; a < study.agreement_count; a++) {
            const struct agreement *pair = &study.agreements[a];
            assert_int_equal(pair->first_node != NULL, pair->a == 0 && pair->b == 2);
            if (!pair->first_node)
                continue;
            assert_string_equal(pair->first_node, nodes[i]);
            assert_false(pair->agree);
            assert_true(pair->first_difference > 100 * pair->first_bound);
            found++;
        }
        assert_int_equal(found, 1);
        study_free(&study);
    }
}

/* A column that cannot be opened, and one whose device goes in the middle: each says why, and the others come to their end. */
static void failures_stay_with_their_column(void **state)
{
    struct study study;
    char json[512], page[512];
    strcpy(json, at("c.json"));
    strcpy(page, at("c.html"));
    setenv("OSPREY_SIM", "0 0 -1 -1 1 2", 1);
    process_expect(compare("--backends", "cpu:threads=1,cuda:driver=/no/such.so,sim:threads=1", "--batch", "1,2", "--seconds",
                           "2", "--diff", "--json", json, "--report", page, PHOTO),
                   1, "sim:threads=1 failed: sim: the device was taken away", "");
    read_study(json, &study);
    assert_null(study.columns[0].failure);
    assert_non_null(strstr(study.columns[1].failure, "/no/such.so"));
    assert_string_equal(study.columns[2].failure, "sim: the device was taken away");
    for (int w = 0; w < study.workload_count; w++)
        assert_true(study.columns[0].cells[w].measured);
    study_free(&study);
    char *text = get_file(page, NULL);
    assert_non_null(strstr(text, "sim:threads=1 failed: sim: the device was taken away"));
    free(text);
    setenv("OSPREY_SIM", "0 0", 1);
}

/* ---- Files from elsewhere ----------------------------------------------------------------------- */

static void studies_are_joined_and_shown_again(void **state)
{
    struct study study;
    char here[512], there[512], page[512];
    strcpy(here, at("here.json"));
    strcpy(there, at("there.json"));
    strcpy(page, at("both.html"));
    studies_healthy(&study);
    assert_int_equal(study_save(&study, here), OSP_OK);
    studies_set(&study.machines[0].host, "server");
    studies_set(&study.machines[0].cpu, "another processor");
    assert_int_equal(study_save(&study, there), OSP_OK);
    study_free(&study);
    process_expect(compare("--merge", "--report", page, here, there), 0, "another processor", "");
    char *text = get_file(page, NULL);
    assert_non_null(strstr(text, "These are results of 2 machines"));
    free(text);
    process_expect(compare("--merge", here), 0, "cuda", "");
    put_file(there, "{\"schema\": 1}", 13);
    process_expect(compare("--merge", here, there), 3, "", "there.json");
    process_expect(compare("--merge", here, at("absent.json")), 1, "", "absent.json");
}

static void the_table_goes_into_a_readme(void **state)
{
    static const char before[] = "# A text\n\n<!-- results: compare -->\nold\n<!-- /results -->\nand on\n";
    char readme[512];
    strcpy(readme, at("README.md"));
    put_file(readme, before, sizeof before - 1);
    process_expect(compare("--backends", "cpu:threads=1", "--into", readme, PHOTO), 0, "cpu:threads=1 takes ", "");
    char *text = get_file(readme, NULL);
    assert_int_equal(strncmp(text, before, strlen("# A text\n\n<!-- results: compare -->\n")), 0);
    assert_non_null(strstr(text, "`osprey compare --model "));
    assert_non_null(strstr(text, "```\ncpu:threads=1 takes "));
    assert_non_null(strstr(text, "```\n<!-- /results -->\nand on\n"));
    assert_null(strstr(text, "\nold\n"));
    free(text);
    put_file(readme, "no place", 8);
    process_expect(compare("--backends", "cpu:threads=1", "--into", readme, PHOTO), 2, "", "has no place for the results");
}

/* One README, two tables; each says by what it was made, as a shell would take it. */
static void a_readme_has_a_place_for_each_of_two_tables(void **state)
{
    static const char one[] = "<!-- results: compare -->\n", two[] = "<!-- results: one 'thread' -->\n",
                      end[] = "old\n<!-- /results -->\n";
    char readme[512], before[256];
    strcpy(readme, at("README.md"));
    int length = snprintf(before, sizeof before, "%s%s%s%s", one, end, two, end);
    put_file(readme, before, (size_t)length);
    process_expect(compare("--backends", "cpu:threads=1", "--into", readme, "--place", "one 'thread'", PHOTO), 0,
                   "cpu:threads=1 takes ", "");
    char *text = get_file(readme, NULL), *second = strstr(text, two);
    assert_non_null(second);
    assert_int_equal(second - text, strstr(before, two) - before);
    assert_memory_equal(text, before, (size_t)(second - text)); /* the other table is as it was */
    assert_non_null(strstr(second, "--place 'one '\\''thread'\\''' "));
    assert_non_null(strstr(second, "```\ncpu:threads=1 takes "));
    assert_null(strstr(second, "\nold\n"));
    free(text);
}

/* ---- Ends --------------------------------------------------------------------------------------- */

static void a_full_disk_leaves_the_old_report(void **state)
{
    struct rlimit before, small = {8192, RLIM_INFINITY};
    char page[512];
    strcpy(page, at("c.html"));
    put_file(page, "old", 3);
    process_expect(compare("--backends", "cpu", "--report", "/dev/full", "--json", at("c.json"), PHOTO), 5, "cpu takes ",
                   "/dev/full");
    assert_int_equal(access(at("c.json"), F_OK), 0); /* the other file is not lost with it */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct outcome outcome = compare("--backends", "cpu", "--report", page, PHOTO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    process_expect(outcome, 5, "cpu takes ", "c.html");
    char *text = get_file(page, NULL);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(entries(at("")), 2); /* no temporary file is left */
}

/* Is a picture being measured: has it been that long that the picture is read and the device open? */
static bool runs(pid_t pid)
{
    char path[64], text[512] = "";
    long ticks = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fgets(text, sizeof text, file))
            sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld", &ticks);
        fclose(file);
    }
    return ticks > 2 * sysconf(_SC_CLK_TCK);
}

static void what_was_measured_before_a_signal_is_written(void **state)
{
    struct study study;
    char json[512], page[512];
    strcpy(json, at("c.json"));
    strcpy(page, at("c.html"));
    struct process process =
        process_start((const char *const[]){"compare", "--model", MODEL, "--backends", "cpu:threads=1,cpu", "--seconds", "1000",
                                            "--batch", "64", "--json", json, "--report", page, PHOTO, NULL},
                      NULL);
    while (!runs(process.pid))
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    kill(process.pid, SIGINT);
    process_expect(process_wait(&process), 130, "Partial: it was stopped before all was measured.", "");
    read_study(json, &study);
    assert_true(study.partial);
    study_free(&study);
    char *text = get_file(page, NULL);
    assert_non_null(strstr(text, "The run was ended early."));
    free(text);
}

int main(int argc, char **argv)
{
    char program[4096];
    const char *build = getenv("BUILD"), *slash = strrchr(argv[0], '/');
    if (build)
        snprintf(program, sizeof program, "%s/tests/osprey-sim", build);
    else
        snprintf(program, sizeof program, "%.*s/osprey-sim", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
    setenv("OSPREY", program, 1);
    process_find(argv[0]);
#define TEST(f) cmocka_unit_test_teardown(f, scratch_empty)
    const struct CMUnitTest tests[] = {
        TEST(usage),
        TEST(one_picture_and_its_files),
        TEST(a_batch_is_run_in_parts),
        TEST(buckets_need_no_padding),
        TEST(a_wrong_tap_is_found_where_it_is),
        TEST(failures_stay_with_their_column),
        TEST(studies_are_joined_and_shown_again),
        TEST(the_table_goes_into_a_readme),
        TEST(a_readme_has_a_place_for_each_of_two_tables),
        TEST(a_full_disk_leaves_the_old_report),
        TEST(what_was_measured_before_a_signal_is_written),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
