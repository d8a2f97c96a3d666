/* safetensors, written: the header as one jansson tree, padded by spaces so that the data start on a multiple of 64 bytes. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "safetensors.h"

enum { ALIGNMENT = 64 };

static osp_status refuse(const char *path, const char *what, const char *name, const char *words)
{
    char shown[256];
    return osp_fail(OSP_USAGE, "%s: cannot be written: %s \"%s\": %s", path, what,
                    osp_quote(shown, sizeof shown, name, strlen(name)), words);
}

static osp_status no_memory(const char *path) { return osp_fail(OSP_MEMORY, "%s: out of memory for the header", path); }

/* Adds one member to an object; takes `value` over. */
static osp_status add(const char *path, json_t *object, const char *what, const char *name, json_t *value)
{
    size_t length = strlen(name);
    const char *wrong = length == 0 || length > OSP_STORED_NAME ? "found a name of no or too many bytes, allowed 1 to 4096"
                        : json_object_get(object, name)         ? "found twice, allowed once"
                                                                : NULL;
    if (wrong) {
        json_decref(value);
        return refuse(path, what, name, wrong);
    }
    json_t *text = json_string(name); /* NULL: not UTF-8 (or no memory, which then shows below) */
    bool unicode = text != NULL;
    json_decref(text);
    if (!unicode) {
        json_decref(value);
        return refuse(path, what, name, "found bytes that are not UTF-8 in its name, allowed only UTF-8");
    }
    return value && json_object_set_new(object, name, value) == 0 ? OSP_OK : no_memory(path);
}

static osp_status add_meta(const char *path, json_t *header, const struct osp_meta *meta, int count)
{
    if (count == 0)
        return OSP_OK;
    if (count > OSP_STORED_META)
        return osp_fail(OSP_USAGE, "%s: cannot be written: found %d metadata pairs, allowed at most %d", path, count,
                        OSP_STORED_META);
    json_t *pairs = json_object();
    osp_status status = add(path, header, "metadata", "__metadata__", pairs);
    for (int i = 0; i < count && status == OSP_OK; i++) {
        if (strlen(meta[i].value) > OSP_STORED_META_VALUE)
            return refuse(path, "metadata", meta[i].key, "found a value of more than 4194304 bytes");
        json_t *value = json_string(meta[i].value);
        status = value ? add(path, pairs, "metadata", meta[i].key, value)
                       : refuse(path, "metadata", meta[i].key, "found a value that is not UTF-8, allowed only UTF-8");
    }
    return status;
}

/* Does `bytes` fit shape and type, as the reader will ask? */
static bool consistent(const struct osp_stored_tensor *tensor)
{
    if (tensor->rank < 0 || tensor->rank > OSP_STORED_RANK || (unsigned)tensor->type >= OSP_STORED_COUNT)
        return false;
    uint64_t bytes = osp_stored_size(tensor->type);
    bool empty = false;
    for (int i = 0; i < tensor->rank; i++) {
        empty = empty || tensor->dim[i] == 0;
        if (tensor->dim[i] < 0 || !osp_mul(bytes, tensor->dim[i] ? (uint64_t)tensor->dim[i] : 1, &bytes) || bytes > INT64_MAX)
            return false;
    }
    return tensor->bytes == (empty ? 0 : bytes);
}

static osp_status add_tensor(const char *path, json_t *header, const struct osp_stored_tensor *tensor, uint64_t *offset)
{
    uint64_t end;
    if (strcmp(tensor->name, "__metadata__") == 0 || !consistent(tensor) || !osp_add(*offset, tensor->bytes, &end) ||
        end > INT64_MAX)
        return refuse(path, "tensor", tensor->name, "its name is reserved, or its bytes do not fit its shape and type");
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++) {
        if (json_array_append_new(shape, json_integer(tensor->dim[i])) != 0) {
            json_decref(shape);
            return no_memory(path);
        }
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", osp_stored_name(tensor->type), "shape", shape, "data_offsets",
                              (json_int_t)*offset, (json_int_t)end);
    *offset = end;
    return add(path, header, "tensor", tensor->name, entry);
}

/* The header's text, unpadded; free it. */
static osp_status make_header(const char *path, const struct osp_meta *meta, int meta_count,
                              const struct osp_stored_tensor *tensors, int tensor_count, char **out)
{
    if (tensor_count > OSP_STORED_TENSORS)
        return osp_fail(OSP_USAGE, "%s: cannot be written: found %d tensors, allowed at most %d", path, tensor_count,
                        OSP_STORED_TENSORS);
    json_t *header = json_object();
    if (!header)
        return no_memory(path);
    uint64_t offset = 0;
    osp_status status = add_meta(path, header, meta, meta_count);
    for (int i = 0; i < tensor_count && status == OSP_OK; i++)
        status = add_tensor(path, header, &tensors[i], &offset);
    char *text = status == OSP_OK ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (status == OSP_OK && !text)
        status = no_memory(path);
    if (status == OSP_OK && strlen(text) > OSP_STORED_HEADER - ALIGNMENT)
        status = osp_fail(OSP_USAGE, "%s: cannot be written: found a header of %zu bytes, allowed at most %d", path, strlen(text),
                          OSP_STORED_HEADER - ALIGNMENT);
    if (status == OSP_OK)
        *out = text;
    else
        free(text);
    return status;
}

/* Errors are the stream's, and found at commit; writing goes on to no purpose until then. */
static void write_all(FILE *stream, const char *header, const struct osp_stored_tensor *tensors, int tensor_count)
{
    size_t length = strlen(header), padded = (8 + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - 8;
    for (int i = 0; i < 8; i++)
        fputc((int)(padded >> 8 * i & 0xff), stream);
    fwrite(header, 1, length, stream);
    for (; length < padded; length++)
        fputc(' ', stream);
    for (int i = 0; i < tensor_count && !ferror(stream); i++) {
        if (tensors[i].bytes > 0)
            fwrite(tensors[i].data, 1, tensors[i].bytes, stream);
    }
}

osp_status osp_safetensors_write_checked(const char *path, const struct osp_meta *meta, int meta_count,
                                         const struct osp_stored_tensor *tensors, int tensor_count,
                                         osp_status (*check)(void *context, const char *temporary), void *context)
{
    char *header = NULL;
    osp_status status = make_header(path, meta, meta_count, tensors, tensor_count, &header);
    if (status != OSP_OK)
        return status;
    struct osp_writer writer;
    status = osp_writer_open(path, &writer);
    if (status == OSP_OK) {
        write_all(writer.stream, header, tensors, tensor_count);
        if (check && fflush(writer.stream) == 0) /* a failure to write is found at commit */
            status = check(context, writer.temporary);
        if (status == OSP_OK)
            status = osp_writer_commit(&writer);
        else
            osp_writer_abandon(&writer);
    }
    free(header);
    return status;
}

osp_status osp_safetensors_write(const char *path, const struct osp_meta *meta, int meta_count,
                                 const struct osp_stored_tensor *tensors, int tensor_count)
{
    return osp_safetensors_write_checked(path, meta, meta_count, tensors, tensor_count, NULL, NULL);
}
