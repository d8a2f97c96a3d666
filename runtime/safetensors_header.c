/* The JSON header of a safetensors file, read in two passes.
 *
 * jansson's tree of a whole header would take ten to thirty times the header's bytes. So the header's object, and that of
 * __metadata__, are walked here, member by member, and jansson gets one name or one value at a time, each of limited size and
 * depth: it judges the JSON, this file only finds where a member ends. The first pass counts, so that the second, which decodes,
 * allocates exactly once. The file may change between the passes; the second then runs out of room and says so. */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "safetensors_file.h"

enum {
    DEPTH = 4,           /* header, tensor, shape: 3 are needed */
    TENSOR_TEXT = 65536, /* bytes of one tensor's description; 200 are usual */
    FIELD = 384          /* a quoted name at its longest, and the part */
};

/* ---- Members of an object ----------------------------------------------------------------------- */

struct walk {
    const struct osp_cursor *c;
    const char *field;
    size_t at, end; /* file offsets: after the "{" at first, then after a member */
    int depth;      /* of the object itself; the header has 1 */
    bool begun, done;
};

struct span {
    size_t from, to; /* file offsets */
};

struct member {
    struct span name, value; /* the name with its quotes; the value perhaps with white space behind it */
};

static size_t skip_space(const struct walk *w, size_t at)
{
    const uint8_t *text = w->c->data;
    while (at < w->end && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
        at++;
    return at;
}

/* From an opening quote to behind the closing one; to w->end if there is none. */
static size_t skip_string(const struct walk *w, size_t at)
{
    const uint8_t *text = w->c->data;
    for (at++; at < w->end && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < w->end ? at + 1 : w->end;
}

static osp_status unexpected(const struct walk *w, size_t at, const char *allowed)
{
    char shown[16];
    if (at >= w->end)
        return osp_refuse(w->c, at, w->field, "found its end, allowed %s", allowed);
    return osp_refuse(w->c, at, w->field, "found \"%s\", allowed %s", osp_quote(shown, sizeof shown, w->c->data + at, 1),
                      allowed);
}

/* Finds the end of the value at `at`: a comma or a closing bracket that is not its own. */
static osp_status skip_value(const struct walk *w, size_t at, size_t *out)
{
    const uint8_t *text = w->c->data;
    int depth = w->depth;
    while (at < w->end) {
        uint8_t b = text[at];
        if (b == '"') {
            at = skip_string(w, at);
            continue;
        }
        if (depth == w->depth && (b == ',' || b == '}' || b == ']'))
            break;
        if ((b == '{' || b == '[') && ++depth > DEPTH)
            return osp_refuse(w->c, at, w->field, "found brackets nested more than %d deep, allowed %d", DEPTH, DEPTH);
        if (b == '}' || b == ']')
            depth--;
        at++;
    }
    *out = at;
    return OSP_OK;
}

/* The next member, or done. */
static osp_status next_member(struct walk *w, struct member *out)
{
    const uint8_t *text = w->c->data;
    size_t at = skip_space(w, w->at);
    if (at < w->end && text[at] == '}') {
        w->at = at + 1;
        w->done = true;
        return OSP_OK;
    }
    if (w->begun) {
        if (at >= w->end || text[at] != ',')
            return unexpected(w, at, "\",\" or \"}\"");
        at = skip_space(w, at + 1);
    }
    if (at >= w->end || text[at] != '"')
        return unexpected(w, at, "a name in quotes");
    out->name.from = at;
    out->name.to = skip_string(w, at);
    at = skip_space(w, out->name.to);
    if (at >= w->end || text[at] != ':')
        return unexpected(w, at, "\":\" after a name");
    out->value.from = skip_space(w, at + 1);
    osp_status status = skip_value(w, out->value.from, &out->value.to);
    w->at = out->value.to;
    w->begun = true;
    return status;
}

static size_t length(struct span span) { return span.to - span.from; }

/* ---- One value through jansson ------------------------------------------------------------------ */

static osp_status refuse_json(const struct osp_cursor *c, struct span span, const char *field, const json_error_t *error)
{
    char shown[256];
    size_t read = error->position > 0 ? (size_t)error->position : 0; /* by jansson, before it gave up */
    size_t at = span.from + (read < length(span) ? read : 0);
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
    case json_error_unknown: /* what jansson says when most of its own allocations fail */
        return osp_fail(OSP_MEMORY, "%s: offset %zu: %s: out of memory for %zu bytes of JSON", c->path, span.from, field,
                        length(span));
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return osp_refuse(c, at, field, "found the character \\u0000, allowed any other");
    case json_error_invalid_utf8:
        return osp_refuse(c, at, field, "found bytes that are not UTF-8, allowed only UTF-8");
    case json_error_duplicate_key:
        return osp_refuse(c, at, field, "found the same key twice, allowed once");
    case json_error_numeric_overflow:
        return osp_refuse(c, at, field, "found a number that does not fit 64 bits, allowed 0 to 2^63 - 1");
    default:
        return osp_refuse(c, span.from, field, "found \"%s\", which is not JSON",
                          osp_quote(shown, sizeof shown, c->data + span.from, length(span)));
    }
}

/* NULL: not one JSON value; `error` says why. */
static json_t *parse(const struct osp_cursor *c, struct span span, json_error_t *error)
{
    return json_loadb((const char *)c->data + span.from, length(span), JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, error);
}

/* "found": a value as text, cut to what a sentence bears. */
static const char *show(char *buffer, size_t size, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    osp_quote(buffer, size, text ? text : "?", text ? strlen(text) : 1);
    free(text);
    return buffer;
}

/* ---- First pass: count -------------------------------------------------------------------------- */

struct room {
    size_t tensors, meta;
    size_t pool; /* bytes: a decoded string and its end are no longer than its text with both quotes */
};

/* The name as it stands in the text; one written with escapes is caught when it is decoded. */
static bool is_metadata(const struct osp_cursor *c, struct span name)
{
    static const char text[] = "\"__metadata__\"";
    return length(name) == sizeof text - 1 && memcmp(c->data + name.from, text, sizeof text - 1) == 0;
}

static osp_status refuse_text(const struct osp_cursor *c, struct span span, const char *field, const char *allowed)
{
    char shown[256];
    return osp_refuse(c, span.from, field, "found \"%s\", allowed %s",
                      osp_quote(shown, sizeof shown, c->data + span.from, length(span)), allowed);
}

static osp_status walk_metadata(const struct osp_cursor *c, struct span value, struct walk *out)
{
    *out = (struct walk){.c = c, .field = "__metadata__", .at = value.from + 1, .end = value.to, .depth = 2};
    if (length(value) > 0 && c->data[value.from] == '{')
        return OSP_OK;
    return refuse_text(c, value, "__metadata__", "an object of strings");
}

static osp_status limit(const struct osp_cursor *c, size_t at, const char *field, const char *unit, size_t found, size_t allowed)
{
    return found <= allowed ? OSP_OK : osp_refuse(c, at, field, "found %zu %s, allowed at most %zu", found, unit, allowed);
}

/* An escape takes up to six bytes for each decoded one. */
static osp_status limit_name(const struct osp_cursor *c, struct span name, const char *field)
{
    return limit(c, name.from, field, "bytes of text", length(name), 6 * OSP_STORED_NAME + 2);
}

static osp_status count_metadata(const struct osp_cursor *c, struct span value, struct room *room)
{
    struct walk w;
    struct member m;
    osp_status status = walk_metadata(c, value, &w);
    while (status == OSP_OK && (status = next_member(&w, &m)) == OSP_OK && !w.done) {
        room->meta++;
        room->pool += length(m.name) + length(m.value);
        status = limit_name(c, m.name, "__metadata__ key");
        if (status == OSP_OK && (length(m.value) == 0 || c->data[m.value.from] != '"'))
            status = refuse_text(c, m.value, "__metadata__ value", "a string");
        if (status == OSP_OK)
            status = limit(c, m.value.from, "__metadata__ value", "bytes of text", length(m.value), OSP_STORED_META_VALUE);
    }
    if (status == OSP_OK)
        status = limit(c, value.from, "__metadata__", "pairs", room->meta, OSP_STORED_META);
    if (status == OSP_OK && skip_space(&w, w.at) != value.to)
        status = unexpected(&w, skip_space(&w, w.at), "\",\" or \"}\" after __metadata__");
    return status;
}

static osp_status count_members(const struct osp_cursor *c, size_t end, struct room *room)
{
    struct walk w = {.c = c, .field = "header", .at = 9, .end = end, .depth = 1};
    struct member m;
    osp_status status;
    while ((status = next_member(&w, &m)) == OSP_OK && !w.done) {
        if (is_metadata(c, m.name)) {
            status = count_metadata(c, m.value, room);
        } else {
            room->tensors++;
            room->pool += length(m.name);
            status = limit_name(c, m.name, "tensor name");
            if (status == OSP_OK)
                status = limit(c, m.value.from, "tensor description", "bytes of text", length(m.value), TENSOR_TEXT);
        }
        if (status != OSP_OK)
            return status;
    }
    if (status == OSP_OK)
        status = limit(c, 8, "header", "tensors", room->tensors, OSP_STORED_TENSORS);
    for (size_t at = w.at; status == OSP_OK && at < end; at++) {
        if (c->data[at] != ' ')
            status = unexpected(&w, at, "only spaces after the closing \"}\"");
    }
    return status;
}

/* ---- Second pass: decode ------------------------------------------------------------------------ */

struct decoding {
    struct osp_safetensors *file;
    const struct osp_cursor *c;
    size_t data_at; /* where the data starts */
    struct room room, used;
};

static osp_status changed_meanwhile(const struct decoding *d, size_t at)
{
    return osp_refuse(d->c, at, "header", "found other bytes than a moment before, allowed only a file that stays as it is");
}

/* Decodes a JSON string into the pool. most: bytes. */
static osp_status keep_string(struct decoding *d, struct span span, const char *field, size_t most, const char **out)
{
    json_error_t error;
    json_t *value = parse(d->c, span, &error);
    if (!value)
        return refuse_json(d->c, span, field, &error);
    osp_status status = OSP_OK;
    size_t size = json_string_length(value);
    if (size > most) {
        status = limit(d->c, span.from, field, "bytes", size, most);
    } else if (!json_is_string(value) || size + 1 > d->room.pool - d->used.pool) { /* the first pass saw to both */
        status = changed_meanwhile(d, span.from);
    } else {
        *out = memcpy(d->file->pool + d->used.pool, json_string_value(value), size + 1);
        d->used.pool += size + 1;
    }
    json_decref(value);
    return status;
}

struct tensor_text {
    struct decoding *d;
    struct osp_entry *entry;
    json_t *dtype, *shape, *offsets; /* borrowed */
};

/* tensor "NAME" PART */
static const char *name_tensor(char field[FIELD], const struct tensor_text *t, const char *part)
{
    char name[FIELD - 64];
    const char *full = t->entry->stored.name;
    snprintf(field, FIELD, "tensor \"%s\"%s%s", osp_quote(name, sizeof name, full, strlen(full)), *part ? " " : "", part);
    return field;
}

__attribute__((format(printf, 3, 4))) static osp_status refuse_part(const struct tensor_text *t, const char *part,
                                                                    const char *format, ...)
{
    char words[512], field[FIELD];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return osp_refuse(t->d->c, t->entry->at, name_tensor(field, t, part), "%s", words);
}

static osp_status read_keys(struct tensor_text *t, json_t *object)
{
    char shown[256];
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return refuse_part(t, "", "found %s, allowed an object with dtype, shape and data_offsets",
                           show(shown, sizeof shown, object));
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "dtype") == 0)
            t->dtype = value;
        else if (strcmp(key, "shape") == 0)
            t->shape = value;
        else if (strcmp(key, "data_offsets") == 0)
            t->offsets = value;
        else
            return refuse_part(t, "", "found the key \"%s\", allowed dtype, shape and data_offsets",
                               osp_quote(shown, sizeof shown, key, strlen(key)));
    }
    const char *missing = !t->dtype ? "dtype" : !t->shape ? "shape" : !t->offsets ? "data_offsets" : NULL;
    return missing ? refuse_part(t, missing, "found none, allowed exactly one") : OSP_OK;
}

static osp_status read_dtype(struct tensor_text *t)
{
    const char *name = json_string_value(t->dtype); /* NULL unless a string */
    for (int i = 0; name && i < OSP_STORED_COUNT; i++) {
        if (strcmp(name, osp_stored_name(i)) == 0) {
            t->entry->stored.type = i;
            return OSP_OK;
        }
    }
    char shown[256];
    return refuse_part(t, "dtype", "found %s, allowed F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL",
                       show(shown, sizeof shown, t->dtype));
}

/* Sets shape and bytes. Sizes are multiplied with 0 taken as 1, so that no later product of some of them can wrap either. */
static osp_status read_shape(struct tensor_text *t)
{
    char shown[256];
    struct osp_stored_tensor *s = &t->entry->stored;
    if (!json_is_array(t->shape))
        return refuse_part(t, "shape", "found %s, allowed a list of integers", show(shown, sizeof shown, t->shape));
    if (json_array_size(t->shape) > OSP_STORED_RANK)
        return refuse_part(t, "shape", "found %zu sizes, allowed at most %d", json_array_size(t->shape), OSP_STORED_RANK);
    s->rank = (int)json_array_size(t->shape);
    uint64_t bytes = osp_stored_size(s->type);
    bool empty = false;
    for (int i = 0; i < s->rank; i++) {
        const json_t *size = json_array_get(t->shape, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return refuse_part(t, "shape", "found %s, allowed integers of 0 and more", show(shown, sizeof shown, size));
        s->dim[i] = json_integer_value(size);
        empty = empty || s->dim[i] == 0;
        if (!osp_mul(bytes, s->dim[i] ? (uint64_t)s->dim[i] : 1, &bytes) || bytes > INT64_MAX)
            return refuse_part(t, "shape", "found %s, whose bytes pass 2^63, allowed less", show(shown, sizeof shown, t->shape));
    }
    s->bytes = empty ? 0 : bytes;
    return OSP_OK;
}

static osp_status read_offsets(struct tensor_text *t)
{
    char shown[256];
    struct osp_stored_tensor *s = &t->entry->stored;
    const json_t *first = json_array_get(t->offsets, 0), *second = json_array_get(t->offsets, 1); /* NULL unless there */
    if (json_array_size(t->offsets) != 2 || !json_is_integer(first) || !json_is_integer(second) || json_integer_value(first) < 0)
        return refuse_part(t, "data_offsets", "found %s, allowed [start, end], integers of 0 and more",
                           show(shown, sizeof shown, t->offsets));
    json_int_t start = json_integer_value(first), end = json_integer_value(second);
    uint64_t size = t->d->c->size - t->d->data_at;
    if (end < start)
        return refuse_part(t, "data_offsets", "found an end of %lld, allowed at least its start, %lld", (long long)end,
                           (long long)start);
    if ((uint64_t)end > size)
        return refuse_part(t, "data_offsets", "found an end of %lld, allowed at most %llu, the bytes that follow the header",
                           (long long)end, (unsigned long long)size);
    if ((uint64_t)(end - start) != s->bytes)
        return refuse_part(t, "data_offsets", "found %lld bytes, allowed %llu, which its shape and dtype take",
                           (long long)(end - start), (unsigned long long)s->bytes);
    s->data = t->d->c->data + t->d->data_at + start;
    return OSP_OK;
}

static osp_status keep_tensor(struct decoding *d, const struct member *m)
{
    if (d->used.tensors == d->room.tensors)
        return changed_meanwhile(d, m->name.from);
    struct tensor_text t = {.d = d, .entry = &d->file->tensors[d->used.tensors++]};
    t.entry->at = (uint32_t)m->name.from;
    osp_status status = keep_string(d, m->name, "tensor name", OSP_STORED_NAME, &t.entry->stored.name);
    if (status != OSP_OK)
        return status;
    if (!*t.entry->stored.name || strcmp(t.entry->stored.name, "__metadata__") == 0)
        return osp_refuse(d->c, m->name.from, "tensor name", "found %s, allowed a name of 1 to %d bytes",
                          *t.entry->stored.name ? "__metadata__ written with escapes" : "an empty one", OSP_STORED_NAME);
    json_error_t error;
    json_t *object = parse(d->c, m->value, &error);
    if (!object) {
        char field[FIELD];
        return refuse_json(d->c, m->value, name_tensor(field, &t, ""), &error);
    }
    status = read_keys(&t, object);
    if (status == OSP_OK)
        status = read_dtype(&t);
    if (status == OSP_OK)
        status = read_shape(&t);
    if (status == OSP_OK)
        status = read_offsets(&t);
    json_decref(object);
    return status;
}

static osp_status keep_metadata(struct decoding *d, const struct member *of)
{
    if (d->file->meta_at != 0)
        return osp_refuse(d->c, of->name.from, "__metadata__", "found twice, allowed once");
    d->file->meta_at = of->name.from;
    struct walk w;
    struct member m;
    osp_status status = walk_metadata(d->c, of->value, &w);
    while (status == OSP_OK && (status = next_member(&w, &m)) == OSP_OK && !w.done) {
        if (d->used.meta == d->room.meta)
            return changed_meanwhile(d, m.name.from);
        struct osp_meta *pair = &d->file->meta[d->used.meta++];
        status = keep_string(d, m.name, "__metadata__ key", OSP_STORED_NAME, &pair->key);
        if (status == OSP_OK)
            status = keep_string(d, m.value, "__metadata__ value", OSP_STORED_META_VALUE, &pair->value);
    }
    return status;
}

static osp_status keep_members(struct decoding *d)
{
    struct walk w = {.c = d->c, .field = "header", .at = 9, .end = d->data_at, .depth = 1};
    struct member m;
    osp_status status;
    while ((status = next_member(&w, &m)) == OSP_OK && !w.done) {
        status = is_metadata(d->c, m.name) ? keep_metadata(d, &m) : keep_tensor(d, &m);
        if (status != OSP_OK)
            break;
    }
    return status;
}

osp_status osp_safetensors_header(struct osp_safetensors *file, const struct osp_cursor *c, size_t n)
{
    struct decoding d = {.file = file, .c = c, .data_at = 8 + n};
    osp_status status = count_members(c, d.data_at, &d.room);
    if (status != OSP_OK)
        return status;
    file->tensors = calloc(d.room.tensors + 1, sizeof *file->tensors); /* never 0 bytes: NULL is a failure */
    file->meta = calloc(d.room.meta + 1, sizeof *file->meta);
    file->pool = malloc(d.room.pool + 1);
    if (!file->tensors || !file->meta || !file->pool)
        return osp_fail(OSP_MEMORY, "%s: out of memory, %zu bytes for the names of %zu tensors", c->path,
                        d.room.tensors * sizeof *file->tensors + d.room.meta * sizeof *file->meta + d.room.pool, d.room.tensors);
    status = keep_members(&d);
    file->count = (int)d.used.tensors;
    file->meta_count = (int)d.used.meta;
    return status;
}
