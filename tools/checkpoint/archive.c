/* The zip format of torch.save (1.6 and later): TOP/data.pkl, TOP/data/<key>, TOP/version, TOP/byteorder and some that need no
 * reading. */
#include "source.h"

#include <stdlib.h>
#include <string.h>

static bool ends(const struct zip_entry *e, const char *with)
{
    size_t size = strlen(with);
    return e->name_size >= size && memcmp(e->name + e->name_size - size, with, size) == 0;
}

static bool contains(const struct zip_entry *e, const char *part)
{
    return memmem(e->name, e->name_size, part, strlen(part)) != NULL;
}

/* What else a zip file with these names may be. */
static osp_status check_kind(const struct zip *zip)
{
    bool script = false, numpy = false, pickle = false;
    char shown[256];
    const struct zip_entry *e = zip->entries;
    for (size_t i = 0; i < zip->count; i++) {
        script = script || ends(&e[i], "/constants.pkl") || contains(&e[i], "/code/");
        numpy = numpy || ends(&e[i], ".npy");
        pickle = pickle || ends(&e[i], "/data.pkl");
    }
    if (script)
        return osp_fail(
            OSP_REFUSED,
            "%s: found a TorchScript archive, allowed a state dict: load it in PyTorch and torch.save(model.state_dict())",
            zip->file.path);
    if (numpy && !pickle)
        return osp_fail(OSP_REFUSED, "%s: found a NumPy .npz archive, allowed a checkpoint of torch.save or a safetensors file",
                        zip->file.path);
    if (!pickle)
        return osp_fail(
            OSP_REFUSED,
            "%s: found a zip archive of something else (\"%s\"), allowed a checkpoint of torch.save: there is no data.pkl in it",
            zip->file.path, osp_quote(shown, sizeof shown, e->name, e->name_size));
    return OSP_OK;
}

/* The length of the one top folder's name, its slash included. */
static osp_status find_top(const struct zip *zip, size_t *out)
{
    const struct zip_entry *first = &zip->entries[0];
    char shown[2][256];
    const char *slash = memchr(first->name, '/', first->name_size);
    size_t size = slash ? (size_t)(slash - first->name) + 1 : 0;
    if (!slash)
        return osp_refuse(&zip->file, (size_t)first->header, "top folder",
                          "found \"%s\" in no folder, allowed one folder for all entries",
                          osp_quote(shown[0], sizeof shown[0], first->name, first->name_size));
    for (size_t i = 0; i < zip->count; i++) {
        const struct zip_entry *e = &zip->entries[i];
        if (e->name_size < size || memcmp(e->name, first->name, size) != 0)
            return osp_refuse(&zip->file, (size_t)e->header, "top folder",
                              "found \"%s\" beside \"%s\", allowed one folder for all entries",
                              osp_quote(shown[0], sizeof shown[0], e->name, e->name_size),
                              osp_quote(shown[1], sizeof shown[1], first->name, first->name_size));
    }
    *out = size;
    return OSP_OK;
}

/* Finds an entry of the top folder and compares its checksum; NULL if there is none. */
static osp_status find(const struct zip *zip, size_t top, const char *name, const struct zip_entry **out)
{
    char path[ZIP_NAME_LIMIT + 16];
    memcpy(path, zip->entries[0].name, top);
    strcpy(path + top, name);
    *out = zip_find(zip, path, strlen(path));
    return *out ? zip_check(zip, *out) : OSP_OK;
}

static osp_status check_format(const struct zip *zip, size_t top)
{
    const struct zip_entry *version, *order;
    char shown[256];
    if (find(zip, top, "version", &version) || find(zip, top, "byteorder", &order))
        return OSP_REFUSED;
    if (!version)
        return osp_refuse(&zip->file, 0, "version", "found no such entry in the archive, allowed one, as torch.save writes it");
    const uint8_t *text = zip->file.data + (order ? order->data : 0);
    if (order && (order->size != 6 || memcmp(text, "little", 6) != 0))
        return osp_refuse(&zip->file, (size_t)order->data, "byteorder", "found \"%s\", allowed \"little\"",
                          osp_quote(shown, sizeof shown, text, order->size));
    return OSP_OK;
}

/* Every entry TOP/data/<digits>; the zip has them sorted. */
static osp_status list_storages(struct source *s, size_t top)
{
    char shown[256];
    s->storages = calloc(s->zip.count, sizeof *s->storages);
    if (!s->storages)
        return osp_fail(OSP_MEMORY, "%s: out of memory: %zu storages need %zu bytes", s->zip.file.path, s->zip.count,
                        s->zip.count * sizeof *s->storages);
    for (size_t i = 0; i < s->zip.count; i++) {
        const struct zip_entry *e = &s->zip.entries[i];
        if (e->name_size < top + 5 || memcmp(e->name + top, "data/", 5) != 0)
            continue;
        struct storage *storage = &s->storages[s->storage_count++];
        *storage = (struct storage){.key = e->name + top + 5,
                                    .key_size = e->name_size - (uint32_t)top - 5,
                                    .data = s->zip.file.data + e->data,
                                    .bytes = e->size,
                                    .entry = e};
        for (uint32_t k = 0; k < storage->key_size; k++)
            if (storage->key[k] < '0' || storage->key[k] > '9')
                return osp_refuse(&s->zip.file, (size_t)e->header, "entry name", "found \"%s\", allowed digits after data/",
                                  osp_quote(shown, sizeof shown, e->name, e->name_size));
    }
    return OSP_OK;
}

static osp_status check_sizes(const struct source *s)
{
    for (uint32_t i = 0; i < s->storage_count; i++) {
        const struct storage *storage = &s->storages[i];
        uint64_t bytes = storage->elements * osp_stored_size(storage->type); /* pickle_storage keeps this below 2^64 */
        if (storage->bytes != bytes)
            return osp_refuse(&s->zip.file, (size_t)storage->entry->data, "storage",
                              "found %llu bytes in data/%.*s, allowed %llu for %llu of %s", (unsigned long long)storage->bytes,
                              (int)storage->key_size, storage->key, (unsigned long long)bytes,
                              (unsigned long long)storage->elements, osp_stored_name(storage->type));
    }
    return OSP_OK;
}

static osp_status read(struct source *s)
{
    size_t top = 0, used;
    const struct zip_entry *pickle;
    osp_status status;
    if (check_kind(&s->zip) || zip_stored(&s->zip) || find_top(&s->zip, &top) || check_format(&s->zip, top) ||
        find(&s->zip, top, "data.pkl", &pickle))
        return OSP_REFUSED;
    if (!pickle)
        return osp_refuse(&s->zip.file, 0, "data.pkl", "found none in the top folder, allowed one");
    status = pickle_read(s->zip.file.path, s->zip.file.data + pickle->data, (size_t)pickle->size, (size_t)pickle->data,
                         &s->pickle, &used);
    if (status != OSP_OK)
        return status;
    if (used != pickle->size)
        return osp_refuse(&s->pickle.in, used, "data.pkl", "found %llu bytes after STOP, allowed 0",
                          (unsigned long long)(pickle->size - used));
    if ((status = list_storages(s, top)) != OSP_OK)
        return status;
    return source_bind(s) ? OSP_REFUSED : check_sizes(s);
}

osp_status archive_open(const char *path, const uint8_t *data, size_t size, struct source *out)
{
    struct source s = {.file_size = size};
    osp_status status = zip_open(path, data, size, &s.zip);
    if (status == OSP_OK)
        status = read(&s);
    if (status == OSP_OK)
        *out = s;
    else
        source_close(&s);
    return status;
}
