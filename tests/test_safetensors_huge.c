/* safetensors far larger than what is kept in tests/hostile: time and memory stay in proportion to the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/safetensors.h"
#include "sanitized.h"
#include "tests/folder.h"

static char *folder;

static int make_folder(void **state)
{
    folder = folder_enter();
    return 0;
}

static int remove_folder(void **state)
{
    folder_leave(folder);
    return 0;
}

struct text {
    char *bytes;
    size_t size;
};

static void put_length(char *bytes, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(n >> 8 * i & 0xff);
}

/* A file whose header of n bytes is `first`, then `unit` as often as it fits, then spaces and `last`. */
static struct text repeated(const char *first, const char *unit, const char *last, size_t n)
{
    struct text file = {malloc(8 + n), 8 + n};
    size_t size = strlen(unit), at = 8 + strlen(first), end = 8 + n - strlen(last);
    memset(file.bytes, ' ', file.size);
    put_length(file.bytes, n);
    memcpy(file.bytes + 8, first, strlen(first));
    for (; at + size <= end; at += size)
        memcpy(file.bytes + at, unit, size);
    memcpy(file.bytes + end, last, strlen(last));
    return file;
}

struct cost {
    double seconds;  /* of the processor */
    double overhead; /* MiB at the peak, beyond the process as it was, the file's bytes included in that */
    int status;      /* or the negative signal */
};

/* Opens the file in a child, so that its peak of memory is its own; and frees it. */
static struct cost open_huge(struct text text, const char *words)
{
    struct rusage usage;
    int report[2];
    assert_int_equal(pipe(report), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct osp_safetensors *file = NULL;
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        osp_status status = osp_safetensors_open_memory("huge", text.bytes, text.size, &file);
        getrusage(RUSAGE_SELF, &after);
        long kib = after.ru_maxrss - before.ru_maxrss;
        if (status != OSP_OK && !strstr(osp_message(), words)) {
            print_error("says \"%s\", expected \"%s\"\n", osp_message(), words);
            status = (osp_status)99;
        }
        osp_safetensors_close(file);
        _exit(write(report[1], &kib, sizeof kib) == sizeof kib ? (int)status : 98);
    }
    int status;
    long kib = 0;
    close(report[1]);
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_int_equal(read(report[0], &kib, sizeof kib), sizeof kib);
    close(report[0]);
    free(text.bytes);
    return (struct cost){.seconds = (double)usage.ru_utime.tv_sec + 1e-6 * (double)usage.ru_utime.tv_usec,
                         .overhead = (double)kib / 1024,
                         .status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status)};
}

/* Beyond its own bytes an open file may take its size and 64 MiB. ASan's own memory is not counted against that. */
static void assert_cheap(struct cost cost, double file_bytes)
{
    if (!SANITIZED && cost.overhead > file_bytes / 1048576 + 64)
        fail_msg("takes %.0f MiB for a file of %.0f", cost.overhead, file_bytes / 1048576);
    if (cost.seconds > (SANITIZED ? 60 : 10))
        fail_msg("takes %.1f s of the processor", cost.seconds);
}

static void huge_headers(void **state)
{
    static const struct {
        const char *first, *unit, *last, *words;
    } huge[] = {
        {"[", "[", "]", "offset 8: header: found \"[\" as its first byte"},
        {"{\"a\":", "[", "]}", "found brackets nested more than 4 deep"},
        {"{", "\"a\":{", "}", "found brackets nested more than 4 deep"},
        {"{\"a\":[", "1,", "1]}", "bytes of text, allowed at most 65536"},
        {"{\"", "n", "\":{}}", "bytes of text, allowed at most 24578"},
        {"{\"__metadata__\":{\"a\":\"", "v", "\"}}", "bytes of text, allowed at most 4194304"},
        {"{\"__metadata__\":{\"a\":\"\"", ",\"b\":\"\"", "}}", "pairs, allowed at most 65536"},
        {"{\"a\":\"\"", ",\"b\":0", "}", "tensors, allowed at most 1048576"},
        {"{\"__metadata__\":{\"a\":", "[", "}}", "found brackets nested more than 4 deep"},
        {"{\"\\", "\\\\", "", "header: found its end, allowed \":\" after a name"},
    };
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        struct cost cost = open_huge(repeated(huge[i].first, huge[i].unit, huge[i].last, 90000000), huge[i].words);
        assert_int_equal(cost.status, OSP_REFUSED);
        assert_cheap(cost, 90e6);
        assert_true(cost.overhead < 8 || SANITIZED); /* refused before anything of its size was allocated */
    }
    /* The longest values that jansson gets. */
    struct cost cost = open_huge(repeated("{\"__metadata__\":{\"a\":\"", "v", "\"}}", OSP_STORED_META_VALUE), "");
    assert_int_equal(cost.status, OSP_OK);
    assert_cheap(cost, OSP_STORED_META_VALUE);
    cost = open_huge(repeated("{\"a\":{\"dtype\":\"U8\",\"shape\":[0", ",1", "],\"data_offsets\":[0,0]}}", 60000),
                     "shape: found 29974 sizes, allowed at most 8");
    assert_int_equal(cost.status, OSP_REFUSED);
    assert_cheap(cost, 60000);
}

/* n tensors of one byte, whose long names differ only at their end; named backwards if asked. */
static struct cost open_many(int n, bool backwards, bool twice)
{
    struct text file = {calloc((size_t)n, 112), 9};
    for (int k = 0; k < n; k++) {
        int i = backwards ? n - 1 - k : k;
        file.size +=
            (size_t)sprintf(file.bytes + file.size,
                            "%s\"backbone.body.layers.blocks.%07d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                            k ? "," : "", twice ? i / 2 : i, i, i + 1);
    }
    file.bytes[8] = '{';
    file.bytes[file.size++] = '}';
    put_length(file.bytes, file.size - 8);
    file.size += (size_t)n; /* the data, one byte each */
    assert_true(file.size < (size_t)n * 112);
    double bytes = (double)file.size;
    struct cost cost = open_huge(file, "twice, allowed once");
    assert_cheap(cost, bytes);
    return cost;
}

/* A million tensors: time grows as their number does (times ten; a quadratic search would take a hundred times). */
static void many_tensors(void **state)
{
    int n = SANITIZED ? 100000 : 1000000;
    double tenth = open_many(n / 10, false, false).seconds;
    struct cost cost = open_many(n, false, false);
    assert_int_equal(cost.status, OSP_OK);
    if (cost.seconds > 30 * (tenth + 0.02))
        fail_msg("%.2f s for %d tensors, %.2f s for %d", cost.seconds, n, tenth, n / 10);
    assert_int_equal(open_many(n / 10, true, false).status, OSP_OK);
    assert_int_equal(open_many(n / 10, true, true).status, OSP_REFUSED);
}

/* Files that are long and hold nothing: the size passes, reading them would take for ever. */
static void sparse_files(void **state)
{
    char length[8];
    FILE *stream = fopen("huge", "w");
    assert_non_null(stream);
    put_length(length, 99999999);
    assert_int_equal(fwrite(length, 1, 8, stream), 8);
    assert_int_equal(fflush(stream), 0);
    int shift = 62; /* the largest that this filesystem takes: tmpfs 8 EiB, ext4 16 TiB */
    while (shift > 40 && ftruncate(fileno(stream), (off_t)((UINT64_C(2) << shift) - 1)) != 0)
        shift--;
    fclose(stream);
    assert_true(shift > 40);
    struct osp_safetensors *file;
    osp_status status = osp_safetensors_open("huge", &file);
    if (shift > 46) { /* beyond the address space */
        assert_int_equal(status, OSP_MEMORY);
        folder_assert_says("bytes cannot be mapped: ");
    } else {
        assert_int_equal(status, OSP_REFUSED);
        folder_assert_says("header: found \"\\x00\" as its first byte");
    }

    assert_int_equal(truncate("huge", (off_t)1 << 40), 0); /* 1 TiB can be mapped */
    assert_int_equal(osp_safetensors_open("huge", &file), OSP_REFUSED);
    folder_assert_says("huge: offset 8: header: found \"\\x00\" as its first byte");
    unlink("huge");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huge_headers),
        cmocka_unit_test(many_tensors),
        cmocka_unit_test(sparse_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
