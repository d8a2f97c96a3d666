/* safetensors, opened: the frame, the order of the data, names looked up. The header's text is read in safetensors_header.c.
 *
 *     u64 n | n bytes of JSON, padded by spaces | data
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "safetensors_file.h"

/* "found ..., allowed ...", and what the file looks like instead if that is known. */
static osp_status refuse_frame(const struct osp_cursor *c, size_t at, const char *field, const char *words)
{
    const char *looks = osp_file_looks_like(c->data, c->size);
    return osp_refuse(c, at, field, "%s%s%s", words, looks ? "; this looks like " : "", looks ? looks : "");
}

/* The length of the header, which starts at offset 8. */
static osp_status read_frame(struct osp_cursor *c, size_t *out)
{
    char words[160];
    uint64_t n;
    if (c->size < 8) {
        snprintf(words, sizeof words, "found a file of %zu bytes, allowed at least 8 for the length and 2 for a header", c->size);
        return refuse_frame(c, 0, "header length", words);
    }
    osp_status status = osp_read_u64(c, "header length", &n);
    if (status != OSP_OK)
        return status;
    uint64_t left = osp_read_left(c), most = left < OSP_STORED_HEADER ? left : OSP_STORED_HEADER;
    if (n < 2 || n > most) {
        snprintf(words, sizeof words, "found %llu, allowed 2 to %llu (%s)", (unsigned long long)n, (unsigned long long)most,
                 left < OSP_STORED_HEADER ? "the bytes that follow" : "the format's limit");
        return refuse_frame(c, 0, "header length", words);
    }
    if (c->data[8] != '{') {
        char shown[8];
        snprintf(words, sizeof words, "found \"%s\" as its first byte, allowed \"{\"",
                 osp_quote(shown, sizeof shown, c->data + 8, 1));
        return refuse_frame(c, 8, "header", words);
    }
    *out = (size_t)n;
    return OSP_OK;
}

/* ---- Order of the data ------------------------------------------------------------------------- */

/* By start, then by end: a tensor without bytes comes before the one that starts where it lies; then by place in the header. */
static int by_offset(const void *left, const void *right)
{
    const struct osp_entry *a = left, *b = right;
    if (a->stored.data != b->stored.data)
        return a->stored.data < b->stored.data ? -1 : 1;
    if (a->stored.bytes != b->stored.bytes)
        return a->stored.bytes < b->stored.bytes ? -1 : 1;
    return a->at < b->at ? -1 : 1;
}

/* Every byte of the data belongs to exactly one tensor. */
static osp_status check_order(struct osp_safetensors *file, const struct osp_cursor *c, size_t data_at)
{
    bool sorted = true;
    for (int i = 1; i < file->count && sorted; i++)
        sorted = by_offset(&file->tensors[i - 1], &file->tensors[i]) < 0;
    if (!sorted)
        qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, by_offset);

    uint64_t end = 0, size = c->size - data_at;
    for (int i = 0; i < file->count; i++) {
        const struct osp_stored_tensor *t = &file->tensors[i].stored;
        uint64_t start = (uint64_t)(t->data - (c->data + data_at));
        if (start != end) {
            char name[128], field[192];
            snprintf(field, sizeof field, "tensor \"%s\" data_offsets", osp_quote(name, sizeof name, t->name, strlen(t->name)));
            return osp_refuse(c, file->tensors[i].at, field,
                              "found a start of %llu, allowed %llu, where the tensor before it ends (%s)",
                              (unsigned long long)start, (unsigned long long)end, start > end ? "a hole" : "an overlap");
        }
        end += t->bytes;
    }
    if (end != size)
        return osp_refuse(c, data_at + (size_t)end, "data", "found %llu bytes after the last tensor, allowed 0",
                          (unsigned long long)(size - end));
    return OSP_OK;
}

/* ---- Names -------------------------------------------------------------------------------------- */

static const char *name_at(const struct osp_names *names, uint32_t i)
{
    return *(const char *const *)((const char *)names->first + i * names->stride);
}

static int by_name(const void *left, const void *right, void *names)
{
    return strcmp(name_at(names, *(const uint32_t *)left), name_at(names, *(const uint32_t *)right));
}

/* Sorts `count` names, of which `first` is the first and the others lie `stride` bytes apart. *twice: a name's second holder, or
 * -1. */
static osp_status sort_names(struct osp_names *names, const char *const *first, size_t stride, int count, int *twice)
{
    *names = (struct osp_names){.first = first, .stride = stride, .count = count, .order = NULL};
    *twice = -1;
    if (count == 0)
        return OSP_OK;
    names->order = malloc((size_t)count * sizeof *names->order);
    if (!names->order)
        return osp_fail(OSP_MEMORY, "out of memory: %zu bytes to sort %d names", (size_t)count * sizeof *names->order, count);
    for (int i = 0; i < count; i++)
        names->order[i] = (uint32_t)i;
    qsort_r(names->order, (size_t)count, sizeof *names->order, by_name, names);
    for (int i = 1; i < count && *twice < 0; i++) {
        if (by_name(&names->order[i - 1], &names->order[i], names) == 0)
            *twice = (int)names->order[i];
    }
    return OSP_OK;
}

/* -1: no such name. */
static int find_name(const struct osp_names *names, const char *name)
{
    int low = 0, high = names->count;
    while (low < high) {
        int middle = low + (high - low) / 2, order = strcmp(name, name_at(names, names->order[middle]));
        if (order == 0)
            return (int)names->order[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static osp_status index_names(struct osp_safetensors *file, const struct osp_cursor *c)
{
    int twice;
    char shown[128];
    osp_status status = OSP_OK;
    if (file->count > 0)
        status = sort_names(&file->tensor_names, &file->tensors->stored.name, sizeof *file->tensors, file->count, &twice);
    if (status == OSP_OK && file->count > 0 && twice >= 0) {
        const char *name = file->tensors[twice].stored.name;
        return osp_refuse(c, file->tensors[twice].at, "tensor name", "found \"%s\" twice, allowed once",
                          osp_quote(shown, sizeof shown, name, strlen(name)));
    }
    if (status == OSP_OK && file->meta_count > 0)
        status = sort_names(&file->meta_names, &file->meta->key, sizeof *file->meta, file->meta_count, &twice);
    if (status == OSP_OK && file->meta_count > 0 && twice >= 0) {
        const char *key = file->meta[twice].key;
        return osp_refuse(c, file->meta_at, "__metadata__", "found the key \"%s\" twice, allowed once",
                          osp_quote(shown, sizeof shown, key, strlen(key)));
    }
    return status;
}

/* ---- Opening ------------------------------------------------------------------------------------ */

static osp_status read_all(struct osp_safetensors *file)
{
    struct osp_cursor c = {.path = file->path, .data = file->bytes, .size = file->size};
    size_t n = 0;
    osp_status status = read_frame(&c, &n);
    if (status == OSP_OK)
        status = osp_safetensors_header(file, &c, n);
    if (status == OSP_OK)
        status = check_order(file, &c, 8 + n);
    if (status == OSP_OK)
        status = index_names(file, &c);
    return status;
}

/* Takes the map over, whether it succeeds or not. */
static osp_status open_mapped(struct osp_file map, const char *name, const void *data, size_t size, struct osp_safetensors **out)
{
    struct osp_safetensors *file = calloc(1, sizeof *file);
    char *path = strdup(name);
    if (!file || !path) {
        free(file);
        free(path);
        osp_file_unmap(&map);
        return osp_fail(OSP_MEMORY, "%s: out of memory, %zu bytes", name, sizeof *file + strlen(name) + 1);
    }
    pthread_mutex_init(&file->lock, NULL);
    file->map = map;
    file->path = path;
    file->bytes = data;
    file->size = size;
    osp_status status = read_all(file), changed = osp_safetensors_unchanged(file);
    if (changed != OSP_OK)
        status = changed; /* then that is the reason */
    if (status == OSP_OK)
        *out = file;
    else
        osp_safetensors_close(file);
    return status;
}

osp_status osp_safetensors_open(const char *path, struct osp_safetensors **out)
{
    struct osp_file map;
    osp_status status = osp_file_map(path, &map);
    return status == OSP_OK ? open_mapped(map, path, map.data, map.size, out) : status;
}

osp_status osp_safetensors_open_memory(const char *name, const void *data, size_t size, struct osp_safetensors **out)
{
    return open_mapped((struct osp_file){0}, name, data, size, out);
}

void osp_safetensors_close(struct osp_safetensors *file)
{
    if (!file)
        return;
    pthread_mutex_destroy(&file->lock);
    osp_file_unmap(&file->map);
    free(file->path);
    free(file->tensors);
    free(file->meta);
    free(file->pool);
    free(file->tensor_names.order);
    free(file->meta_names.order);
    free(file);
}

osp_status osp_safetensors_unchanged(const struct osp_safetensors *file)
{
    return file->map.path ? osp_file_unchanged(&file->map) : OSP_OK;
}

void osp_safetensors_give_back(const struct osp_safetensors *file) { osp_file_give_back(&file->map); }

/* ---- Asking ------------------------------------------------------------------------------------- */

const char *osp_safetensors_path(const struct osp_safetensors *file) { return file->path; }
uint64_t osp_safetensors_bytes(const struct osp_safetensors *file) { return file->size; }
int osp_safetensors_count(const struct osp_safetensors *file) { return file->count; }
int osp_safetensors_meta_count(const struct osp_safetensors *file) { return file->meta_count; }

/* Piece by piece, so that no more of the file is in memory at a time. */
uint64_t osp_safetensors_checksum(const struct osp_safetensors *file)
{
    const size_t most = 8 << 20;
    uint64_t sum = 0;
    for (size_t at = 0, piece; at < file->size; at += piece) {
        piece = file->size - at < most ? file->size - at : most;
        sum = osp_checksum(sum, file->bytes + at, piece);
        osp_safetensors_give_back(file);
    }
    return sum;
}

osp_status osp_safetensors_sha256(const struct osp_safetensors *file, const char **out)
{
    osp_status status = OSP_OK;
    struct osp_safetensors *cached = (struct osp_safetensors *)file; /* immutable but for this, under its lock */
    pthread_mutex_lock(&cached->lock);
    if (!cached->sha256[0]) {
        if (file->map.path)
            osp_sha256_file(&file->map, cached->sha256);
        else
            osp_sha256_hex(file->bytes, file->size, cached->sha256);
        status = osp_safetensors_unchanged(file);
        if (status != OSP_OK)
            cached->sha256[0] = '\0';
    }
    pthread_mutex_unlock(&cached->lock);
    if (status == OSP_OK)
        *out = file->sha256;
    return status;
}

const struct osp_stored_tensor *osp_safetensors_tensor(const struct osp_safetensors *file, int i)
{
    return &file->tensors[i].stored;
}

const struct osp_stored_tensor *osp_safetensors_find(const struct osp_safetensors *file, const char *name)
{
    int i = find_name(&file->tensor_names, name);
    return i < 0 ? NULL : &file->tensors[i].stored;
}

const char *osp_safetensors_meta(const struct osp_safetensors *file, const char *key)
{
    int i = find_name(&file->meta_names, key);
    return i < 0 ? NULL : file->meta[i].value;
}

void osp_safetensors_meta_at(const struct osp_safetensors *file, int i, const char **key, const char **value)
{
    *key = file->meta[i].key;
    *value = file->meta[i].value;
}
