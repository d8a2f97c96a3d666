#include "source.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    const struct storage *x = a, *y = b;
    uint32_t shorter = x->key_size < y->key_size ? x->key_size : y->key_size;
    int order = memcmp(x->key, y->key, shorter);
    return order ? order : (x->key_size > y->key_size) - (x->key_size < y->key_size);
}

osp_status source_bind(struct source *source)
{
    struct pickle *p = &source->pickle;
    for (uint32_t i = 0; i < p->value_count; i++) {
        struct pickle_value *value = &p->values[i];
        struct pickle_storage said;
        if (value->kind != PICKLE_STORAGE)
            continue;
        if (pickle_storage(p, value->made.from, value->made.at, &said))
            return OSP_REFUSED;
        struct storage wanted = {.key = said.key, .key_size = said.key_size}, *found = NULL;
        if (source->storage_count > 0)
            found = bsearch(&wanted, source->storages, source->storage_count, sizeof wanted, by_key);
        if (!found)
            return osp_refuse(&p->in, value->made.at, "storage key", "found \"%.*s\", allowed one that the file has data for",
                              (int)said.key_size, said.key);
        if (found->named && (found->type != said.type || found->elements != said.elements))
            return osp_refuse(&p->in, value->made.at, "storage", "found \"%.*s\" as %llu of %s, allowed %llu of %s, as before",
                              (int)said.key_size, said.key, (unsigned long long)said.elements, osp_stored_name(said.type),
                              (unsigned long long)found->elements, osp_stored_name(found->type));
        found->named = true;
        found->type = said.type;
        found->elements = said.elements;
        value->size = (uint32_t)(found - source->storages);
    }
    for (uint32_t i = 0; i < source->storage_count; i++)
        if (!source->storages[i].named)
            return osp_refuse(&p->in, 0, "storages", "found data \"%.*s\" that nothing refers to, allowed only data of tensors",
                              (int)source->storages[i].key_size, source->storages[i].key);
    return OSP_OK;
}

osp_status source_check(struct source *source, struct storage *storage)
{
    if (storage->whole || !storage->entry)
        return OSP_OK;
    storage->whole = true;
    return zip_check(&source->zip, storage->entry);
}

void source_close(struct source *source)
{
    pickle_close(&source->pickle);
    zip_close(&source->zip);
    free(source->storages);
    source->storages = NULL;
}
