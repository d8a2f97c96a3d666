/* safetensors: every row of hostile/safetensors.tsv, cut and damaged files, what is read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/safetensors.h"
#include "tests/bytes.h"
#include "tests/folder.h"

#define HOSTILE OSP_SOURCE "/tests/hostile/safetensors/"

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

/* ---- Any file that was accepted ---------------------------------------------------------------- */

/* Reads everything through the public calls; what the reader promises of an accepted file must hold. */
static void assert_sound(const struct osp_safetensors *file)
{
    const char *key, *value;
    uint64_t bytes = 0;
    for (int i = 0; i < osp_safetensors_count(file); i++) {
        const struct osp_stored_tensor *t = osp_safetensors_tensor(file, i);
        uint64_t count = 1;
        for (int d = 0; d < t->rank; d++)
            count *= (uint64_t)t->dim[d];
        assert_true(count * osp_stored_size(t->type) == t->bytes);
        float *numbers = malloc(count * sizeof *numbers + 1);
        osp_stored_read(t, 0, count, numbers); /* under ASan: no byte outside */
        free(numbers);
        assert_ptr_equal(osp_safetensors_find(file, t->name), t);
        bytes += t->bytes;
    }
    assert_true(bytes <= osp_safetensors_bytes(file));
    for (int i = 0; i < osp_safetensors_meta_count(file); i++) {
        osp_safetensors_meta_at(file, i, &key, &value);
        assert_ptr_equal(osp_safetensors_meta(file, key), value);
    }
    assert_null(osp_safetensors_find(file, "no such name"));
    assert_null(osp_safetensors_meta(file, "no such key"));
}

static osp_status open_bytes(const void *data, size_t size)
{
    uint8_t *copy = bytes_copy(data, size);
    struct osp_safetensors *file = NULL;
    osp_status status = osp_safetensors_open_memory("bytes", copy, size, &file);
    if (status == OSP_OK)
        assert_sound(file);
    else
        assert_null(file);
    osp_safetensors_close(file);
    free(copy);
    return status;
}

/* ---- A good file ------------------------------------------------------------------------------- */

static const struct osp_meta good_meta[] = {
    {"architecture", "x"}, {"", "ignored"}, {"odd \"key\"\n", "tab\t, quote \", \xc3\xa9"}};
static const struct osp_stored_tensor good_tensors[] = {
    {"z.weight", OSP_STORED_F32, 2, {2, 2}, (const uint8_t *)"\0\0\x80\x3f\0\0\0\xc0\0\0\x40\x40\0\0\0\x3f", 16}, /* 1 -2 3 0.5 */
    {"empty", OSP_STORED_F64, 3, {4, 0, 2}, NULL, 0},
    {"a.half", OSP_STORED_F16, 1, {2}, (const uint8_t *)"\0\x3c\1\0", 4}, /* 1, 2^-24 */
    {"count \"\n\xc3\xa9", OSP_STORED_I64, 0, {0}, (const uint8_t *)"\xfe\xff\xff\xff\xff\xff\xff\xff", 8},
    {"flags", OSP_STORED_BOOL, 1, {3}, (const uint8_t *)"\0\1\2", 3},
};

/* The good file's bytes; the key "" is refused by the writer, and so left out. */
static uint8_t *good_file(size_t *size)
{
    struct osp_meta meta[] = {good_meta[0], good_meta[2]};
    assert_int_equal(osp_safetensors_write("good", meta, 2, good_tensors, 5), OSP_OK);
    uint8_t *bytes = bytes_of_file("good", size);
    assert_int_equal(unlink("good"), 0);
    return bytes;
}

static size_t header_size(const uint8_t *bytes) { return bytes[0] + 256u * bytes[1]; }

static void written_and_read(void **state)
{
    size_t size;
    uint8_t *bytes = good_file(&size);
    struct osp_safetensors *file;
    assert_int_equal(osp_safetensors_open_memory("good", bytes, size, &file), OSP_OK);
    assert_sound(file);
    assert_int_equal((8 + header_size(bytes)) % 64, 0);
    assert_int_equal(size, 8 + header_size(bytes) + 31);
    assert_int_equal(osp_safetensors_count(file), 5);
    for (int i = 0; i < 5; i++) {
        const struct osp_stored_tensor *wrote = &good_tensors[i], *read = osp_safetensors_find(file, wrote->name);
        assert_non_null(read);
        assert_int_equal(read->type, wrote->type);
        assert_int_equal(read->rank, wrote->rank);
        assert_memory_equal(read->dim, wrote->dim, sizeof read->dim);
        assert_int_equal(read->bytes, wrote->bytes);
        if (wrote->bytes)
            assert_memory_equal(read->data, wrote->data, wrote->bytes);
    }
    assert_string_equal(osp_safetensors_tensor(file, 0)->name, "z.weight"); /* by place of the data, not by name */
    assert_string_equal(osp_safetensors_meta(file, "architecture"), "x");
    assert_string_equal(osp_safetensors_meta(file, good_meta[2].key), good_meta[2].value);
    const char *key, *value;
    osp_safetensors_meta_at(file, 0, &key, &value);
    assert_string_equal(key, "architecture");
    assert_string_equal(osp_safetensors_path(file), "good");
    assert_int_equal(osp_safetensors_bytes(file), size);
    char hex[65];
    osp_sha256_hex(bytes, size, hex);
    for (int i = 0; i < 2; i++) {
        const char *found;
        assert_int_equal(osp_safetensors_sha256(file, &found), OSP_OK);
        assert_string_equal(found, hex);
    }
    assert_int_equal(osp_safetensors_unchanged(file), OSP_OK);
    osp_safetensors_close(file);
    osp_safetensors_close(NULL);
    free(bytes);
}

static void refuse_write(const struct osp_meta *meta, int meta_count, const struct osp_stored_tensor *tensors, int count,
                         const char *words)
{
    assert_int_equal(osp_safetensors_write("out", meta, meta_count, tensors, count), OSP_USAGE);
    folder_assert_says("out: cannot be written: ");
    folder_assert_says(words);
    assert_int_equal(access("out", F_OK), -1);
}

static void not_written(void **state)
{
    struct osp_stored_tensor twice[] = {good_tensors[0], good_tensors[0]}, t = good_tensors[0];
    refuse_write(NULL, 0, twice, 2, "tensor \"z.weight\": found twice, allowed once");
    refuse_write(good_meta, 2, NULL, 0, "metadata \"\": found a name of no or too many bytes");
    refuse_write((struct osp_meta[]){{"k", "1"}, {"k", "2"}}, 2, NULL, 0, "metadata \"k\": found twice, allowed once");
    refuse_write((struct osp_meta[]){{"k", "\xff"}}, 1, NULL, 0, "metadata \"k\": found a value that is not UTF-8");
    refuse_write((struct osp_meta[]){{"\xff", "v"}}, 1, NULL, 0, "metadata \"\\xff\": found bytes that are not UTF-8");
    t.bytes = 15;
    refuse_write(NULL, 0, &t, 1, "its bytes do not fit its shape");
    t = good_tensors[0];
    t.rank = OSP_STORED_RANK + 1;
    refuse_write(NULL, 0, &t, 1, "its bytes do not fit its shape");
    t = good_tensors[0];
    t.dim[1] = -2;
    refuse_write(NULL, 0, &t, 1, "its bytes do not fit its shape");
    t = good_tensors[0];
    t.name = "__metadata__";
    refuse_write(NULL, 0, &t, 1, "its name is reserved");
    t.name = "";
    refuse_write(NULL, 0, &t, 1, "found a name of no or too many bytes");
    refuse_write(NULL, 0, NULL, OSP_STORED_TENSORS + 1, "found 1048577 tensors, allowed at most 1048576");
    assert_int_equal(osp_safetensors_write(".", NULL, 0, good_tensors, 5), OSP_UNWRITTEN);
    assert_int_equal(osp_safetensors_write("absent/out", NULL, 0, good_tensors, 5), OSP_UNWRITTEN);
}

/* ---- Hostile files ------------------------------------------------------------------------------ */

/* Opens a file of the table; afterwards a good one must open as if nothing had been. */
static osp_status open_row(const char *path)
{
    struct osp_safetensors *file = NULL;
    osp_status status = osp_safetensors_open(path, &file);
    char said[1024];
    snprintf(said, sizeof said, "%s", osp_message());
    if (status == OSP_OK)
        assert_sound(file);
    osp_safetensors_close(file);

    size_t size;
    uint8_t *bytes = bytes_of_file(path, &size);
    assert_int_equal(open_bytes(bytes, size), status); /* the same from memory */
    free(bytes);
    bytes = bytes_of_file(HOSTILE "S12-header-in-other-order", &size);
    assert_int_equal(open_bytes(bytes, size), OSP_OK);
    free(bytes);
    osp_fail(status, "%s", said);
    return status;
}

static void table(void **state)
{
    int rows = bytes_table("safetensors.tsv", "safetensors", open_row), files = 0;
    DIR *listing = opendir(HOSTILE);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));)
        files += entry->d_name[0] != '.';
    closedir(listing);
    assert_int_equal(rows, files); /* no file without a row */
    assert_true(rows > 150);
}

static struct osp_safetensors *opened(const char *name)
{
    char path[512];
    struct osp_safetensors *file = NULL;
    snprintf(path, sizeof path, HOSTILE "%s", name);
    assert_int_equal(osp_safetensors_open(path, &file), OSP_OK);
    return file;
}

/* Files that are odd and right: what is read must be what they hold. */
static void odd_and_right(void **state)
{
    float x[4];
    struct osp_safetensors *file = opened("S12-header-in-other-order");
    assert_string_equal(osp_safetensors_tensor(file, 0)->name, "b");
    osp_stored_read(osp_safetensors_find(file, "a"), 0, 2, x);
    assert_true(x[0] == 3 && x[1] == 4);
    osp_stored_read(osp_safetensors_find(file, "b"), 1, 1, x);
    assert_true(x[0] == 2);
    osp_safetensors_close(file);

    file = opened("S15-empty-shares-a-start"); /* the empty one is named last and lies first */
    assert_int_equal(osp_safetensors_tensor(file, 0)->bytes, 0);
    assert_int_equal(osp_safetensors_find(file, "b")->dim[1], 9);
    assert_int_equal(osp_safetensors_find(file, "a")->data[3], 4);
    osp_safetensors_close(file);

    file = opened("S16-unaligned");
    assert_int_equal((uintptr_t)osp_safetensors_tensor(file, 0)->data % 8, 1);
    osp_stored_read(osp_safetensors_tensor(file, 0), 0, 1, x);
    assert_true(x[0] == 1.5f);
    osp_safetensors_close(file);

    file = opened("S17-newline");
    assert_non_null(osp_safetensors_find(file, "a\nb"));
    osp_safetensors_close(file);
    file = opened("S09-rank-0");
    assert_int_equal(osp_safetensors_tensor(file, 0)->rank, 0);
    osp_safetensors_close(file);
    file = opened("S07-metadata-last");
    assert_string_equal(osp_safetensors_meta(file, "k"), "v");
    osp_safetensors_close(file);
    file = opened("S18-nothing");
    assert_int_equal(osp_safetensors_count(file), 0);
    assert_null(osp_safetensors_find(file, "a"));
    osp_safetensors_close(file);
}

static void every_prefix(void **state)
{
    size_t size;
    uint8_t *bytes = good_file(&size);
    for (size_t i = 0; i < size; i++) {
        if (open_bytes(bytes, i) != OSP_REFUSED)
            fail_msg("a prefix of %zu of %zu bytes: not refused", i, size);
    }
    assert_int_equal(open_bytes(bytes, size), OSP_OK);
    free(bytes);
}

/* Changes in the length are refused, in the data accepted. In the header's text some lead to another right file: another letter
 * of a name or of metadata. Two rules cannot be broken unnoticed: the numbers of data_offsets, and what must add up to them. */
static void every_flip(void **state)
{
    size_t size;
    uint8_t *good = good_file(&size), *bytes = bytes_copy(good, size);
    size_t data_at = 8 + header_size(good), accepted = 0;
    for (size_t i = 0; i < size; i++) {
        const uint8_t changes[] = {good[i] ^ 0x01, good[i] ^ 0x80, 0x00, 0xff};
        for (size_t k = 0; k < sizeof changes; k++) {
            bytes[i] = changes[k];
            osp_status status = open_bytes(bytes, size);
            if (bytes[i] != good[i] && ((i < 8 && status != OSP_REFUSED) || (i >= data_at && status != OSP_OK)))
                fail_msg("byte %zu set to %02x: status %d", i, bytes[i], status);
            accepted += i >= 8 && i < data_at && status == OSP_OK;
            assert_true(status == OSP_OK || status == OSP_REFUSED);
        }
        bytes[i] = good[i];
    }
    assert_true(accepted > 0 && accepted < (data_at - 8)); /* of 4 changes a byte */
    const char *text = (const char *)good, *offsets = text + 8;
    while ((offsets = memmem(offsets, (size_t)(text + data_at - offsets), "data_offsets\":[", 15))) {
        offsets += 15;
        for (size_t i = (size_t)(offsets - text); good[i] != ']'; i++) {
            for (int b = '0'; b <= '9'; b++) {
                bytes[i] = (uint8_t)b;
                if (b != good[i] && good[i] != ',')
                    assert_int_equal(open_bytes(bytes, size), OSP_REFUSED);
            }
            bytes[i] = good[i];
        }
    }
    free(bytes);
    free(good);
}

static void changed_while_open(void **state)
{
    size_t size;
    uint8_t *bytes = good_file(&size);
    FILE *stream = fopen("file", "w");
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
    struct osp_safetensors *file;
    assert_int_equal(osp_safetensors_open("file", &file), OSP_OK);
    assert_int_equal(osp_safetensors_unchanged(file), OSP_OK);
    assert_int_equal(truncate("file", 0), 0);
    float x[4] = {9, 9, 9, 9};
    osp_stored_read(osp_safetensors_find(file, "z.weight"), 0, 4, x);
    assert_true(x[0] == 0 && x[3] == 0); /* and no signal */
    assert_int_equal(osp_safetensors_unchanged(file), OSP_REFUSED);
    folder_assert_says("file: the file changed while it was in use: found 0 bytes");
    for (int i = 0; i < 2; i++) {
        const char *sha256 = NULL;
        assert_int_equal(osp_safetensors_sha256(file, &sha256), OSP_REFUSED);
        assert_null(sha256);
    }
    osp_safetensors_close(file);
    unlink("file");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_read),   cmocka_unit_test(not_written),  cmocka_unit_test(table),
        cmocka_unit_test(odd_and_right),      cmocka_unit_test(every_prefix), cmocka_unit_test(every_flip),
        cmocka_unit_test(changed_while_open),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
