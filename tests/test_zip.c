/* The container: every row of hostile/zip.tsv; archives too large to keep; checksums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bytes.h"
#include "tools/checkpoint/checkpoint.h"
#include "tools/checkpoint/zip.h"

static osp_status open_and_close(const char *path)
{
    struct checkpoint c;
    osp_status status = checkpoint_open(path, &c);
    if (status == OSP_OK)
        checkpoint_close(&c);
    return status;
}

static void table(void **state) { assert_true(bytes_table("zip.tsv", "zip", open_and_close) >= 100); }

/* ---- Many entries --------------------------------------------------------------------------------- */

static void put(uint8_t **at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = i < 8 ? (uint8_t)(value >> 8 * i) : 0;
}

/* An archive of `count` empty entries t/000000, t/000001, ...; free() it. */
static uint8_t *make_empty_entries(unsigned count, bool zip64, size_t *size)
{
    enum { NAME = 8, LOCAL = 30 + NAME, CENTRAL = 46 + NAME, ENDS = 56 + 20 + 22 };
    uint8_t *zip = malloc((size_t)count * (LOCAL + CENTRAL) + ENDS), *at = zip;
    char name[32];
    assert_non_null(zip);
    for (int central = 0; central < 2; central++)
        for (unsigned i = 0; i < count; i++) {
            put(&at, central ? 0x02014b50 : 0x04034b50, 4);
            put(&at, 0, central ? 24 : 22); /* no flags, stored, CRC and sizes 0 */
            put(&at, NAME, 2);
            put(&at, 0, 2);
            if (central) {
                put(&at, 0, 10);
                put(&at, (uint64_t)i * LOCAL, 4);
            }
            snprintf(name, sizeof name, "t/%06u", i);
            memcpy(at, name, NAME);
            at += NAME;
        }
    size_t directory = (size_t)count * LOCAL, end = (size_t)(at - zip);
    if (zip64) {
        put(&at, 0x06064b50, 4);
        put(&at, 44, 8);
        put(&at, 0, 12);
        put(&at, count, 8);
        put(&at, count, 8);
        put(&at, end - directory, 8);
        put(&at, directory, 8);
        put(&at, 0x07064b50, 4);
        put(&at, 0, 4);
        put(&at, end, 8);
        put(&at, 1, 4);
    }
    put(&at, 0x06054b50, 4);
    put(&at, 0, 4);
    put(&at, zip64 ? 0xffff : count, 2);
    put(&at, zip64 ? 0xffff : count, 2);
    put(&at, end - directory, 4);
    put(&at, directory, 4);
    put(&at, 0, 2);
    *size = (size_t)(at - zip);
    return zip;
}

/* Z19: more entries than 16 bits count are read where the zip64 record counts them, and refused where it is missing. */
static void many_entries(void **state)
{
    static const unsigned count = 200000;
    size_t size;
    struct zip zip;
    uint8_t *bytes = make_empty_entries(count, true, &size);
    assert_int_equal(zip_open("many", bytes, size, &zip), OSP_OK);
    assert_int_equal(zip.count, count);
    assert_int_equal(zip_find(&zip, "t/123456", 8)->header, 123456u * 38);
    assert_null(zip_find(&zip, "t/200000", 8));
    assert_null(zip_find(&zip, "T/123456", 8)); /* names are told apart by case, though none may differ by it only */
    assert_int_equal(zip_stored(&zip), OSP_OK);
    zip_close(&zip);
    free(bytes);

    bytes = make_empty_entries(65536 + 3, false, &size);
    assert_int_equal(zip_open("many", bytes, size, &zip), OSP_REFUSED);
    assert_non_null(strstr(osp_message(), "directory: found its 3 entries to end here"));
    free(bytes);
}

/* ---- Checksums ------------------------------------------------------------------------------------ */

/* PyTorch's own checksums hold for every entry of its files, and no single wrong bit in the data passes. */
static void checksums(void **state)
{
    size_t size;
    struct zip zip;
    uint8_t *bytes = bytes_of_file(OSP_SOURCE "/tests/data/views.zip.pth", &size);
    assert_int_equal(zip_open("views", bytes, size, &zip), OSP_OK);
    for (size_t i = 0; i < zip.count; i++) {
        const struct zip_entry *e = &zip.entries[i];
        assert_int_equal(zip_check(&zip, e), OSP_OK);
        for (uint64_t k = 0; k < e->size * 8; k++) {
            bytes[e->data + k / 8] ^= (uint8_t)(1 << k % 8);
            assert_int_equal(zip_check(&zip, e), OSP_REFUSED);
            bytes[e->data + k / 8] ^= (uint8_t)(1 << k % 8);
        }
    }
    zip_close(&zip);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(many_entries), cmocka_unit_test(checksums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
