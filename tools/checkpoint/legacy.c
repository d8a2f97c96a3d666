/* The stream format of torch.save before 1.6, and of _use_new_zipfile_serialization=False: five pickles one after the other (a
 * magic number, the protocol, facts about the machine, the object, the sorted keys of the storages), then for each key an int64
 * count and the raw elements. There are no checksums. */
#include "source.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
enum { PROTOCOL = 1001 };

/* PROTO 2, LONG1 of 10 bytes. */
bool legacy_begins(const uint8_t *data, size_t size)
{
    return size >= 4 + sizeof magic && memcmp(data, "\x80\x02\x8a\x0a", 4) == 0 && memcmp(data + 4, magic, sizeof magic) == 0;
}

static osp_status next(struct osp_cursor *c, struct pickle *out)
{
    size_t used;
    osp_status status = pickle_read(c->path, c->data + c->at, c->size - c->at, c->at, out, &used);
    if (status == OSP_OK)
        c->at += used;
    return status;
}

static osp_status check_magic(const struct pickle *p)
{
    const struct pickle_value *root = pickle_at(p, p->root);
    if (root->kind == PICKLE_LONG && root->size == sizeof magic && memcmp(pickle_bytes(p, root), magic, sizeof magic) == 0)
        return OSP_OK;
    return osp_refuse(&p->in, 0, "magic number", "found another, allowed 0x1950a86a20f9469cfc6c");
}

static osp_status check_protocol(const struct pickle *p)
{
    const struct pickle_value *root = pickle_at(p, p->root);
    if (root->kind == PICKLE_INT && root->number == PROTOCOL)
        return OSP_OK;
    if (root->kind == PICKLE_INT)
        return osp_refuse(&p->in, 0, "protocol", "found %lld, allowed %d", (long long)root->number, PROTOCOL);
    return osp_refuse(&p->in, 0, "protocol", "found %s, allowed the int %d", pickle_kind_name(root->kind), PROTOCOL);
}

/* {"protocol_version": 1001, "little_endian": True, "type_sizes": {...}} */
static osp_status check_machine(const struct pickle *p)
{
    const struct pickle_value *root = pickle_at(p, p->root), *little = NULL;
    if (root->kind != PICKLE_DICT)
        return osp_refuse(&p->in, 0, "machine facts", "found %s, allowed a dict", pickle_kind_name(root->kind));
    for (uint32_t cell = root->items.first, i = 0; i < root->size; i += 2) {
        uint32_t value = p->cells[cell].next;
        if (pickle_is(p, pickle_at(p, p->cells[cell].value), "little_endian"))
            little = pickle_at(p, p->cells[value].value);
        cell = p->cells[value].next;
    }
    if (!little || little->kind != PICKLE_BOOL || !little->number)
        return osp_refuse(&p->in, 0, "little_endian", "found %s, allowed True", little ? "another value" : "none");
    return OSP_OK;
}

/* A list of digit strings, strictly ascending as strings. They stay in the file, so the pickle need not outlive this. */
static osp_status list_storages(const struct pickle *p, struct source *s)
{
    const struct pickle_value *root = pickle_at(p, p->root);
    char shown[256];
    if (root->kind != PICKLE_LIST)
        return osp_refuse(&p->in, 0, "storage keys", "found %s, allowed a list", pickle_kind_name(root->kind));
    s->storages = calloc((size_t)root->size + 1, sizeof *s->storages);
    if (!s->storages)
        return osp_fail(OSP_MEMORY, "%s: out of memory: %u storages need %zu bytes", p->in.path, root->size,
                        root->size * sizeof *s->storages);
    uint32_t cell = root->items.first;
    for (; s->storage_count < root->size; cell = p->cells[cell].next) {
        const struct pickle_value *key = pickle_at(p, p->cells[cell].value);
        struct storage *storage = &s->storages[s->storage_count++];
        if (key->kind != PICKLE_STRING)
            return osp_refuse(&p->in, 0, "storage keys", "found %s, allowed strings", pickle_kind_name(key->kind));
        *storage = (struct storage){.key = (const char *)pickle_bytes(p, key), .key_size = key->size};
        if (s->storage_count == 1)
            continue;
        uint32_t shorter = storage[-1].key_size < key->size ? storage[-1].key_size : key->size;
        int order = memcmp(storage[-1].key, storage->key, shorter);
        if (order > 0 || (order == 0 && storage[-1].key_size >= key->size))
            return osp_refuse(&p->in, (size_t)key->at, "storage keys", "found \"%s\", allowed each once and in order",
                              osp_quote(shown, sizeof shown, storage->key, key->size));
    }
    return OSP_OK;
}

static osp_status read_storages(struct osp_cursor *c, struct source *s)
{
    for (uint32_t i = 0; i < s->storage_count; i++) {
        struct storage *storage = &s->storages[i];
        uint64_t count;
        size_t at = c->at;
        if (osp_read_u64(c, "storage elements", &count))
            return OSP_REFUSED;
        if (count != storage->elements)
            return osp_refuse(c, at, "storage elements", "found %llu for key %.*s, allowed %llu, as the object says",
                              (unsigned long long)count, (int)storage->key_size, storage->key,
                              (unsigned long long)storage->elements);
        storage->bytes = count * osp_stored_size(storage->type); /* pickle_storage keeps this below 2^64 */
        if (osp_read_bytes(c, "storage data", storage->bytes, &storage->data))
            return OSP_REFUSED;
    }
    if (osp_read_left(c) != 0)
        return osp_refuse(c, c->at, "end", "found %zu bytes after the last storage, allowed 0", osp_read_left(c));
    return OSP_OK;
}

/* Reads one of the pickles, checks it and drops it. */
static osp_status passing(struct osp_cursor *c, osp_status (*check)(const struct pickle *))
{
    struct pickle p;
    osp_status status = next(c, &p);
    if (status == OSP_OK) {
        status = check(&p);
        pickle_close(&p);
    }
    return status;
}

osp_status legacy_open(const char *path, const uint8_t *data, size_t size, struct source *out)
{
    struct osp_cursor c = {.path = path, .data = data, .size = size};
    struct source s = {.file_size = size};
    struct pickle keys = {0};
    osp_status status = passing(&c, check_magic);
    if (status == OSP_OK)
        status = passing(&c, check_protocol);
    if (status == OSP_OK)
        status = passing(&c, check_machine);
    if (status == OSP_OK)
        status = next(&c, &s.pickle);
    if (status == OSP_OK)
        status = next(&c, &keys);
    if (status == OSP_OK)
        status = list_storages(&keys, &s);
    pickle_close(&keys);
    if (status == OSP_OK)
        status = source_bind(&s);
    if (status == OSP_OK)
        status = read_storages(&c, &s);
    if (status == OSP_OK)
        *out = s;
    else
        source_close(&s);
    return status;
}
