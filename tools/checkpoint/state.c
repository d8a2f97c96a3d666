/* Where in a checkpoint the state dict is, and its tensors as contiguous data. */
#include "source.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 1024 }; /* bytes of a tensor's name */

static bool is_dict(const struct pickle_value *v) { return v->kind == PICKLE_DICT || v->kind == PICKLE_ORDERED; }

/* Walks a dict's pairs: `cell` starts as the dict's first; false at the end. */
static bool pair(const struct pickle *p, uint32_t *cell, const struct pickle_value **key, const struct pickle_value **value)
{
    if (*cell == 0)
        return false;
    uint32_t second = p->cells[*cell].next;
    *key = pickle_at(p, p->cells[*cell].value);
    *value = pickle_at(p, p->cells[second].value);
    *cell = p->cells[second].next;
    return true;
}

static bool has_tensor(const struct pickle *p, const struct pickle_value *dict)
{
    const struct pickle_value *key, *value;
    for (uint32_t cell = dict->items.first; pair(p, &cell, &key, &value);)
        if (value->kind == PICKLE_TENSOR)
            return true;
    return false;
}

/* Says what is there instead of a state dict. */
static osp_status no_state(const struct pickle *p, const struct pickle_value *root)
{
    char list[400] = "", shown[80];
    size_t length = 0;
    const struct pickle_value *key, *value;
    if (!is_dict(root))
        return osp_refuse(&p->in, 0, "object", "found %s, allowed a state dict: a dict of names and tensors",
                          pickle_kind_name(root->kind));
    for (uint32_t cell = root->items.first, i = 0; i < 5 && pair(p, &cell, &key, &value); i++) {
        if (key->kind == PICKLE_STRING)
            osp_quote(shown, 40, pickle_bytes(p, key), key->size);
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s: %s", i ? ", " : " (",
                                   key->kind == PICKLE_STRING ? shown : "?", pickle_kind_name(value->kind));
    }
    return osp_refuse(
        &p->in, 0, "object",
        "found a dict of %u without tensors%s%s, allowed a state dict, at the top or under model, state_dict or model_state_dict",
        root->size / 2, list,
        root->size > 10 ? ", ...)"
        : length        ? ")"
                        : "");
}

/* The dict of tensors: under one of three names, else at the top. */
static osp_status find_state(const struct pickle *p, const struct pickle_value **out, const char **where)
{
    static const char *const names[] = {"model", "state_dict", "model_state_dict"};
    const struct pickle_value *root = pickle_at(p, p->root), *key, *value;
    *out = NULL;
    *where = "";
    for (uint32_t cell = is_dict(root) ? root->items.first : 0; pair(p, &cell, &key, &value);)
        for (int i = 0; i < 3; i++) {
            if (!pickle_is(p, key, names[i]) || !is_dict(value) || !has_tensor(p, value))
                continue;
            if (*out)
                return osp_refuse(&p->in, 0, "object", "found state dicts under \"%s\" and \"%s\", allowed one", *where,
                                  names[i]);
            *out = value;
            *where = names[i];
        }
    if (!*out && is_dict(root) && has_tensor(p, root))
        *out = root;
    return *out ? OSP_OK : no_state(p, root);
}

/* Copies a strided view's elements one by one into row-major order. */
static void gather(const struct pickle_tensor *t, size_t each, const uint8_t *from, uint8_t *to)
{
    int64_t index[OSP_STORED_RANK] = {0};
    uint64_t at = t->offset;
    for (uint64_t i = 0; i < t->elements; i++, to += each) {
        memcpy(to, from + at * each, each);
        for (int d = t->rank; d-- > 0;) {
            at += t->stride[d];
            if (++index[d] < t->dim[d])
                break;
            at -= t->stride[d] * (uint64_t)t->dim[d];
            index[d] = 0;
        }
    }
}

/* `spare`: how many bytes gathering may still take; in all, no more than the file has. */
static osp_status read_tensor(struct source *s, const struct pickle_value *value, uint64_t *spare, struct osp_stored_tensor *out,
                              void **copy)
{
    struct pickle *p = &s->pickle;
    struct pickle_tensor t;
    if (pickle_tensor(p, value->made.from, value->made.at, &t))
        return OSP_REFUSED;
    struct storage *storage = &s->storages[pickle_at(p, t.storage)->size];
    if (source_check(s, storage))
        return OSP_REFUSED;
    size_t each = osp_stored_size(storage->type);
    out->type = storage->type;
    out->rank = t.rank;
    memcpy(out->dim, t.dim, sizeof t.dim);
    out->bytes = t.elements * each;
    out->data = storage->data + t.offset * each;
    if (t.contiguous || t.elements == 0)
        return OSP_OK;
    if (out->bytes > *spare)
        return osp_refuse(&p->in, value->made.at, "strides",
                          "found views to be copied that take more bytes than the file has, allowed fewer");
    *spare -= out->bytes;
    *copy = malloc(out->bytes);
    if (!*copy)
        return osp_fail(OSP_MEMORY, "%s: out of memory: a tensor needs %llu bytes", p->in.path, (unsigned long long)out->bytes);
    gather(&t, each, storage->data, *copy);
    out->data = *copy;
    return OSP_OK;
}

/* A name is 1 to NAME_LIMIT bytes without control characters. */
static osp_status check_name(const struct pickle *p, const struct pickle_value *key)
{
    char shown[256] = "";
    if (key->kind != PICKLE_STRING)
        return osp_refuse(&p->in, 0, "state dict", "found %s as a key, allowed strings", pickle_kind_name(key->kind));
    const uint8_t *bytes = pickle_bytes(p, key);
    bool good = key->size >= 1 && key->size <= NAME_LIMIT;
    for (uint32_t i = 0; good && i < key->size; i++)
        good = bytes[i] >= 0x20 && bytes[i] != 0x7f;
    if (!good)
        return osp_refuse(&p->in, (size_t)key->at, "tensor name",
                          "found \"%s\" of %u bytes, allowed 1 to %d without control characters",
                          osp_quote(shown, sizeof shown, bytes, key->size), key->size, NAME_LIMIT);
    return OSP_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static osp_status check_unique(const struct pickle *p, const struct checkpoint *c)
{
    const char **sorted = calloc((size_t)c->count, sizeof *sorted);
    char shown[256];
    if (!sorted)
        return osp_fail(OSP_MEMORY, "%s: out of memory: %d names need %zu bytes", p->in.path, c->count,
                        (size_t)c->count * sizeof *sorted);
    for (int i = 0; i < c->count; i++)
        sorted[i] = c->tensors[i].name;
    qsort(sorted, (size_t)c->count, sizeof *sorted, by_name);
    osp_status status = OSP_OK;
    for (int i = 1; i < c->count && status == OSP_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status = osp_refuse(&p->in, 0, "state dict", "found \"%s\" twice, allowed once",
                                osp_quote(shown, sizeof shown, sorted[i], strlen(sorted[i])));
    free(sorted);
    return status;
}

/* Checks names and values, and copies the names. */
static osp_status read_names(const struct pickle *p, const struct pickle_value *state, struct checkpoint *c)
{
    const struct pickle_value *key, *value;
    char shown[256];
    size_t bytes = 0;
    for (uint32_t cell = state->items.first; pair(p, &cell, &key, &value); bytes += key->size + 1) {
        if (check_name(p, key))
            return OSP_REFUSED;
        if (value->kind != PICKLE_TENSOR)
            return osp_refuse(&p->in, (size_t)key->at, "state dict", "found %s under \"%s\", allowed tensors",
                              pickle_kind_name(value->kind), osp_quote(shown, sizeof shown, pickle_bytes(p, key), key->size));
    }
    c->count = (int)(state->size / 2);
    c->tensors = calloc((size_t)c->count, sizeof *c->tensors);
    c->copies = calloc((size_t)c->count, sizeof *c->copies);
    c->names = malloc(bytes);
    if (!c->tensors || !c->copies || !c->names)
        return osp_fail(OSP_MEMORY, "%s: out of memory: %d tensors need %zu bytes", p->in.path, c->count,
                        bytes + (size_t)c->count * (sizeof *c->tensors + sizeof *c->copies));
    char *name = c->names;
    uint32_t cell = state->items.first;
    for (int i = 0; pair(p, &cell, &key, &value); i++) {
        c->tensors[i].name = name;
        memcpy(name, pickle_bytes(p, key), key->size);
        name[key->size] = '\0';
        name += key->size + 1;
    }
    return check_unique(p, c);
}

osp_status state_read(struct source *source, struct checkpoint *out)
{
    struct pickle *p = &source->pickle;
    const struct pickle_value *state, *key, *value;
    osp_status status = find_state(p, &state, &out->key);
    if (status == OSP_OK)
        status = read_names(p, state, out);
    uint64_t spare = source->file_size;
    uint32_t cell = status == OSP_OK ? state->items.first : 0;
    for (int i = 0; status == OSP_OK && pair(p, &cell, &key, &value); i++)
        status = read_tensor(source, value, &spare, &out->tensors[i], &out->copies[i]);
    return status;
}
