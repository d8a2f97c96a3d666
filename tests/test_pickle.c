/* Pickles as data: every row of hostile/pickle.tsv, and files that differ by one opcode or are too large to keep. */
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
#include "tools/checkpoint/pickle.h"
#include "tools/checkpoint/zip.h"

static osp_status open_and_close(const char *path)
{
    struct checkpoint c;
    osp_status status = checkpoint_open(path, &c);
    if (status == OSP_OK)
        checkpoint_close(&c);
    return status;
}

static void table(void **state) { assert_true(bytes_table("pickle.tsv", "pickle", open_and_close) >= 160); }

/* Reads a pickle from a block of exactly its size, and drops it. */
static osp_status read(const void *data, size_t size)
{
    struct pickle p;
    size_t used;
    uint8_t *copy = bytes_copy(data, size);
    osp_status status = pickle_read("test", copy, size, 0, &p, &used);
    if (status == OSP_OK)
        pickle_close(&p);
    free(copy);
    return status;
}

#define assert_says(words)                                                                                                       \
    do {                                                                                                                         \
        if (!strstr(osp_message(), words))                                                                                       \
            fail_msg("\"%s\" does not say \"%s\"", osp_message(), words);                                                        \
    } while (0)

/* P02: every opcode that is not on the list is refused by its number, whatever follows. */
static void opcodes(void **state)
{
    static const char known[] = "()]}NKMJGUXqrhjtaesubcQR.\x80\x85\x86\x87\x88\x89\x8a\x8b\x8c";
    int refused = 0;
    for (int code = 0; code < 256; code++) {
        char words[64];
        const uint8_t pickle[] = {0x80, 2, 'N', (uint8_t)code, 0, 0, 0, 0, '.'};
        snprintf(words, sizeof words, "offset 3: opcode: found 0x%02x, allowed only", code);
        if (code != 0 && memchr(known, code, sizeof known - 1))
            continue;
        assert_int_equal(read(pickle, sizeof pickle), OSP_REFUSED);
        assert_says(words);
        refused++;
    }
    assert_int_equal(refused, 256 - 34);
}

/* P05: every opcode that pops finds the stack empty, or too little above a mark. */
static void underflow(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } ops[] = {{"\x85", 1},
               {"\x86", 1},
               {"\x87", 1},
               {"t", 1},
               {"a", 1},
               {"e", 1},
               {"s", 1},
               {"u", 1},
               {"b", 1},
               {"Q", 1},
               {"R", 1},
               {"q\x00", 2},
               {"r\x00\x00\x00\x00", 5}};
    static const char *const before[] = {"\x80\x02", "\x80\x02(", "\x80\x02N(", "\x80\x02}(N(", "\x80\x02](N("};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (size_t k = 0; k < sizeof before / sizeof *before; k++) {
            uint8_t pickle[16];
            size_t size = strlen(before[k]);
            memcpy(pickle, before[k], size);
            memcpy(pickle + size, ops[i].bytes, ops[i].size);
            size += ops[i].size;
            pickle[size++] = '.';
            bool empty_tuple = memcmp(pickle + 2, "(t", 2) == 0;
            assert_int_equal(read(pickle, size), empty_tuple ? OSP_OK : OSP_REFUSED);
        }
    assert_int_equal(read("\x80\x02.", 3), OSP_REFUSED);
    assert_says("STOP: found 0 values");
}

/* P11: every prefix of real pickles is refused. */
static void prefixes(void **state)
{
    static const char *const files[] = {"nested_model", "views", "parameters"};
    for (int i = 0; i < 3; i++) {
        char path[256];
        size_t size;
        struct zip zip;
        snprintf(path, sizeof path, OSP_SOURCE "/tests/data/%s.zip.pth", files[i]);
        uint8_t *bytes = bytes_of_file(path, &size);
        assert_int_equal(zip_open(path, bytes, size, &zip), OSP_OK);
        const struct zip_entry *pickle = NULL;
        for (size_t k = 0; k < zip.count; k++)
            if (strncmp(zip.entries[k].name + zip.entries[k].name_size - 8, "data.pkl", 8) == 0)
                pickle = &zip.entries[k];
        assert_non_null(pickle);
        assert_int_equal(read(bytes + pickle->data, pickle->size), OSP_OK);
        for (size_t length = 0; length < pickle->size; length++)
            assert_int_equal(read(bytes + pickle->data, length), OSP_REFUSED);
        zip_close(&zip);
        free(bytes);
    }
}

/* P15, P17: a million tuples in each other are read without recursion; more objects than the limit are refused, of every kind. */
static void depth(void **state)
{
    static const struct {
        const char *unit;
        size_t count;
        osp_status status;
    } cases[] = {
        {"\x85", 1000000, OSP_OK}, {"\x85", 3000000, OSP_REFUSED}, {"(", 3000000, OSP_REFUSED}, {"h", 3000000, OSP_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool get = cases[i].unit[0] == 'h';
        size_t size = 5, room = 2 * cases[i].count + 6;
        uint8_t *pickle = malloc(room);
        assert_non_null(pickle);
        memcpy(pickle, "\x80\x02)q\x00", 5);
        for (size_t k = 0; k < cases[i].count; k++) {
            pickle[size++] = (uint8_t)cases[i].unit[0];
            if (get)
                pickle[size++] = 0;
        }
        pickle[size++] = '.';
        assert_int_equal(read(pickle, size), cases[i].status);
        if (cases[i].status != OSP_OK)
            assert_says("found more than 2097152 objects");
        free(pickle);
    }
}

/* C40: many tensors with long names that begin alike, in a legacy stream; then one name twice. */
static void many_tensors(void **state)
{
    enum { COUNT = 100000, NAME = 64 };
    static const char head[] =
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s."
        "\x80\x02}X\x05\0\0\0model}q\x03(X\x01\0\0\0aq\0ctorch._utils\n_rebuild_tensor_v2\nq\1((X\7\0\0\0storagectorch\n"
        "ByteStorage\nX\1\0\0\0"
        "7X\3\0\0\0cpuK\1tQK\0))\x89"
        "ccollections\nOrderedDict\n)Rtq\2R";
    static const char tail[] = "us.\x80\x02]X\1\0\0\0"
                               "7a.\1\0\0\0\0\0\0\0\x2a";
    uint8_t *stream = malloc(sizeof head + sizeof tail + (size_t)COUNT * (NAME + 10));
    assert_non_null(stream);
    size_t size = sizeof head - 1, last = 0;
    memcpy(stream, head, size);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[NAME + 1];
        snprintf(name, sizeof name, "a.name.that.begins.as.all.the.others.do.and.goes.on.like.t.%05u", i);
        last = size + 5;
        memcpy(stream + size, "X\x40\0\0\0", 5);
        memcpy(stream + size + 5, name, NAME);
        memcpy(stream + size + 5 + NAME, "h\1h\2R", 5);
        size += NAME + 10;
    }
    memcpy(stream + size, tail, sizeof tail - 1);
    size += sizeof tail - 1;
    struct checkpoint c;
    osp_status status = checkpoint_parse("many", stream, size, &c);
    if (status != OSP_OK)
        fail_msg("%s", osp_message());
    assert_int_equal(c.count, COUNT + 1);
    assert_int_equal(c.tensors[COUNT].data[0], 42);
    checkpoint_close(&c);

    stream[last + NAME - 1]--; /* the last name is now the one before */
    assert_int_equal(checkpoint_parse("many", stream, size, &c), OSP_REFUSED);
    assert_says("twice, allowed once");
    free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table),    cmocka_unit_test(opcodes), cmocka_unit_test(underflow),
                                       cmocka_unit_test(prefixes), cmocka_unit_test(depth),   cmocka_unit_test(many_tensors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
