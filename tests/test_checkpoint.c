/* Checkpoints written by PyTorch, judged by what PyTorch says they hold (tests/data/make.py); and the same files damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bytes.h"
#include "tools/checkpoint/checkpoint.h"

#define DATA OSP_SOURCE "/tests/data/"

/* ---- Values --------------------------------------------------------------------------------------- */

static const struct osp_stored_tensor *find(const struct checkpoint *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->tensors[i].name, name) == 0)
            return &c->tensors[i];
    return NULL;
}

/* "2x3", "-" for a scalar. */
static void shape_text(const struct osp_stored_tensor *t, char *out, size_t size)
{
    snprintf(out, size, t->rank ? "" : "-");
    for (int i = 0; i < t->rank; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s%lld", i ? "x" : "", (long long)t->dim[i]);
}

static bool same_bytes(const struct osp_stored_tensor *t, const char *hex)
{
    size_t size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    if (t->bytes != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char digits[3];
        snprintf(digits, sizeof digits, "%02x", t->data[i]);
        if (memcmp(digits, hex + 2 * i, 2) != 0)
            return false;
    }
    return true;
}

/* Opens the file of a "file" line and compares what is said of the whole. */
static void open_as_said(char *line, struct checkpoint *c)
{
    char path[512];
    char *rest = line, *name = strsep(&rest, " "), *format = strsep(&rest, " "), *key = strsep(&rest, " "),
         *prefix = strsep(&rest, "\n");
    assert_non_null(prefix);
    snprintf(path, sizeof path, DATA "%s", name);
    osp_status status = checkpoint_open(path, c);
    if (status != OSP_OK)
        print_error("%s\n", osp_message());
    assert_int_equal(status, OSP_OK);
    assert_string_equal(c->format, strcmp(format, "zip") == 0 ? "PyTorch zip" : "PyTorch legacy stream");
    assert_string_equal(c->key, strcmp(key, "-") == 0 ? "" : key);
    assert_int_equal(c->module_prefix, prefix[0] == '1');
    assert_int_equal(checkpoint_unchanged(c), OSP_OK);
}

static void compare_tensor(char *line, const struct checkpoint *c)
{
    char shape[128];
    char *rest = line, *name = strsep(&rest, " "), *type = strsep(&rest, " "), *dims = strsep(&rest, " "),
         *hex = strsep(&rest, "\n");
    assert_non_null(hex);
    const struct osp_stored_tensor *t = find(c, name);
    assert_non_null(t);
    shape_text(t, shape, sizeof shape);
    assert_string_equal(osp_stored_name(t->type), type);
    assert_string_equal(shape, dims);
    if (!same_bytes(t, hex))
        fail_msg("%s: %s has other values", c->file.path, name);
}

/* Every file of expected.txt has exactly the tensors listed, with their bytes. */
static void values(void **state)
{
    struct checkpoint c = {0};
    char *line = NULL;
    size_t room = 0;
    int files = 0, tensors = 0;
    FILE *expected = fopen(DATA "expected.txt", "r");
    assert_non_null(expected);
    while (getline(&line, &room, expected) > 0) {
        if (strncmp(line, "file ", 5) == 0) {
            assert_int_equal(tensors, c.count);
            checkpoint_close(&c);
            open_as_said(line + 5, &c);
            files++;
            tensors = 0;
        } else {
            assert_int_equal(strncmp(line, "tensor ", 7), 0);
            compare_tensor(line + 7, &c);
            tensors++;
        }
    }
    assert_int_equal(tensors, c.count);
    checkpoint_close(&c);
    free(line);
    fclose(expected);
    assert_true(files >= 17);
}

/* Contiguous tensors are not copied: two views of one storage lie in the same bytes of the map. */
static void shared_storage(void **state)
{
    struct checkpoint c;
    assert_int_equal(checkpoint_open(DATA "views.zip.pth", &c), OSP_OK);
    const struct osp_stored_tensor *base = find(&c, "base"), *slice = find(&c, "slice"), *strided = find(&c, "transposed");
    assert_ptr_equal(slice->data, base->data + 7 * 4);
    assert_true(base->data > c.file.data && base->data < c.file.data + c.file.size);
    assert_false(strided->data > c.file.data && strided->data < c.file.data + c.file.size);
    checkpoint_close(&c);
}

/* A safetensors file is read by the same call, by its content. */
static void safetensors(void **state)
{
    static const float data[] = {1, 2, 3, 4};
    const struct osp_stored_tensor tensors[] = {
        {.name = "module.a", .type = OSP_STORED_F32, .rank = 2, .dim = {2, 1}, .data = (const uint8_t *)data, .bytes = 8},
        {.name = "module.b", .type = OSP_STORED_F32, .rank = 1, .dim = {2}, .data = (const uint8_t *)(data + 2), .bytes = 8}};
    char path[] = "/tmp/osprey-checkpoint-XXXXXX";
    struct checkpoint c;
    close(mkstemp(path));
    assert_int_equal(osp_safetensors_write(path, NULL, 0, tensors, 2), OSP_OK);
    assert_int_equal(checkpoint_open(path, &c), OSP_OK);
    assert_string_equal(c.format, "safetensors");
    assert_int_equal(c.count, 2);
    assert_true(c.module_prefix);
    assert_memory_equal(find(&c, "b")->data, data + 2, 8);
    assert_int_equal(checkpoint_unchanged(&c), OSP_OK);
    checkpoint_close(&c);
    unlink(path);
}

/* ---- Damage --------------------------------------------------------------------------------------- */

static const char *const samples[] = {"views.zip.pth", "views.stream.pth", "nested_model.zip.pth", "nested_model.stream.pth"};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void prefixes(void **state)
{
    for (int s = 0; s < SAMPLES; s++) {
        size_t size;
        char path[512];
        snprintf(path, sizeof path, DATA "%s", samples[s]);
        uint8_t *whole = bytes_of_file(path, &size);
        for (size_t length = 0; length < size; length++) {
            struct checkpoint c;
            uint8_t *cut = bytes_copy(whole, length);
            osp_status status = checkpoint_parse("cut", cut, length, &c);
            if (status != OSP_REFUSED || strncmp(osp_message(), "cut: ", 5) != 0)
                fail_msg("%s: its first %zu bytes give status %d (%s)", samples[s], length, status, osp_message());
            free(cut);
        }
        free(whole);
    }
}

/* One byte more is refused as well. */
static void longer(void **state)
{
    for (int s = 0; s < SAMPLES; s++) {
        size_t size;
        char path[512];
        struct checkpoint c;
        snprintf(path, sizeof path, DATA "%s", samples[s]);
        uint8_t *whole = bytes_of_file(path, &size), *more = malloc(size + 1);
        assert_non_null(more);
        memcpy(more, whole, size);
        more[size] = 0;
        assert_int_equal(checkpoint_parse("longer", more, size + 1, &c), OSP_REFUSED);
        free(more);
        free(whole);
    }
}

/* Each byte changed in three ways: refused, or read as something; never a crash. In a zip the data are under a checksum, so that
 * what is read holds the same values but for the headers' dates, padding and the like. */
static void flips(void **state)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    for (int s = 0; s < SAMPLES; s++) {
        size_t size, refused = 0;
        char path[512];
        snprintf(path, sizeof path, DATA "%s", samples[s]);
        uint8_t *whole = bytes_of_file(path, &size);
        for (size_t at = 0; at < size; at++)
            for (int k = 0; k < 3; k++) {
                struct checkpoint c;
                whole[at] ^= changes[k];
                osp_status status = checkpoint_parse("flipped", whole, size, &c);
                if (status == OSP_OK)
                    checkpoint_close(&c);
                else
                    assert_int_equal(status, OSP_REFUSED);
                refused += status != OSP_OK;
                whole[at] ^= changes[k];
            }
        assert_true(refused > size); /* more than a third */
        free(whole);
    }
}

static void no_file(void **state)
{
    struct checkpoint c;
    assert_int_equal(checkpoint_open("/nowhere/at/all.pth", &c), OSP_UNREADABLE);
    assert_int_equal(checkpoint_open("/tmp", &c), OSP_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values), cmocka_unit_test(shared_storage), cmocka_unit_test(safetensors), cmocka_unit_test(prefixes),
        cmocka_unit_test(longer), cmocka_unit_test(flips),          cmocka_unit_test(no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
