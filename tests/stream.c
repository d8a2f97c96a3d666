#include "tests/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void put(FILE *out, const char *bytes, size_t size) { assert_int_equal(fwrite(bytes, 1, size, out), size); }

#define PUT(out, literal) put(out, literal, sizeof literal - 1)

static void put_number(FILE *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 0xff), out);
}

/* BINUNICODE */
static void put_text(FILE *out, const char *prefix, const char *text)
{
    fputc('X', out);
    put_number(out, strlen(prefix) + strlen(text), 4);
    put(out, prefix, strlen(prefix));
    put(out, text, strlen(text));
}

/* LONG1 of 8 bytes */
static void put_int(FILE *out, int64_t value)
{
    PUT(out, "\x8a\x08");
    put_number(out, (uint64_t)value, 8);
}

static void put_key(FILE *out, int index)
{
    char key[16];
    snprintf(key, sizeof key, "%08d", index);
    put_text(out, "", key);
}

static const char *storage_type(enum osp_stored type)
{
    static const char *const names[OSP_STORED_COUNT] = {
        [OSP_STORED_F64] = "Double", [OSP_STORED_F32] = "Float", [OSP_STORED_F16] = "Half",  [OSP_STORED_BF16] = "BFloat16",
        [OSP_STORED_I64] = "Long",   [OSP_STORED_I32] = "Int",   [OSP_STORED_I16] = "Short", [OSP_STORED_I8] = "Char",
        [OSP_STORED_U8] = "Byte",    [OSP_STORED_BOOL] = "Bool"};
    return names[type];
}

static int64_t elements(const struct osp_stored_tensor *t) { return (int64_t)(t->bytes / osp_stored_size(t->type)); }

static void put_tensor(FILE *out, const struct osp_stored_tensor *t, int index)
{
    int64_t stride[OSP_STORED_RANK], step = 1;
    for (int d = t->rank; d-- > 0; step *= t->dim[d])
        stride[d] = step;
    PUT(out, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(out, "", "storage");
    fprintf(out, "ctorch\n%sStorage\n", storage_type(t->type));
    put_key(out, index);
    put_text(out, "", "cpu");
    put_int(out, elements(t));
    PUT(out, "NtQK");
    fputc(0, out);
    for (int which = 0; which < 2; which++) {
        fputc('(', out);
        for (int d = 0; d < t->rank; d++)
            put_int(out, which ? stride[d] : t->dim[d]);
        fputc('t', out);
    }
    PUT(out, "\x89"
             "ccollections\nOrderedDict\n)RtR");
}

void stream_write(const char *path, const char *key, const char *prefix, const struct osp_stored_tensor *tensors, int count)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    PUT(out, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s."
             "\x80\x02");
    if (key) {
        fputc('}', out);
        put_text(out, "", key);
    }
    PUT(out, "ccollections\nOrderedDict\n)R(");
    for (int i = 0; i < count; i++) {
        put_text(out, prefix, tensors[i].name);
        put_tensor(out, &tensors[i], i);
    }
    fputc('u', out);
    if (key)
        fputc('s', out);
    PUT(out, ".\x80\x02](");
    for (int i = 0; i < count; i++)
        put_key(out, i);
    PUT(out, "e.");
    for (int i = 0; i < count; i++) {
        put_number(out, (uint64_t)elements(&tensors[i]), 8);
        put(out, (const char *)tensors[i].data, tensors[i].bytes);
    }
    assert_int_equal(fclose(out), 0);
}
