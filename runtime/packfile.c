/* Files of packed weights, little-endian:
 *
 *     magic [32] | u64 checksum | u64 size of the file | u64 model | u64 count | made by [192]
 *     count rows: u64 offset, u64 bytes, name [176]
 *     blocks, each on a multiple of 64
 *
 * The checksum is of what stands between it and the blocks, and from there on of each block in turn.
 */
#include "packfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAGIC = 32, SUMMED = MAGIC + 8, MADE_BY = 192, HEAD = MAGIC + 4 * 8 + MADE_BY, ROW = 16 + OSP_PACKFILE_NAME, ALIGN = 64 };

static const char magic[MAGIC] = "osprey packed weights 1\n";
enum {
    NAMED = sizeof "osprey packed weights " - 1
}; /* so much of it says that a file is of this kind; the rest, which version */

struct row {
    uint64_t offset, bytes;
    char name[OSP_PACKFILE_NAME];
};

struct osp_packfile {
    struct osp_file map; /* all zero: none */
    struct row *rows;
    int count;
    char remark[512];
};

/* What packed forms depend on besides the model: the code that packs, and for what. */
static void made_by(const struct osp_packfile_key *key, char out[MADE_BY])
{
    memset(out, 0, MADE_BY);
    snprintf(out, MADE_BY, "osprey %s %s, %s, %s", OSP_VERSION, OSP_PACKING, key->backend, key->packing);
}

/* ---- Reading ------------------------------------------------------------------------------------ */

/* Rows are copied before they are checked. */
static osp_status read_rows(struct osp_packfile *file, struct osp_cursor *c, uint64_t count)
{
    if (count > osp_read_left(c) / ROW)
        return osp_refuse(c, c->at, "count", "found %llu, allowed %zu", (unsigned long long)count, osp_read_left(c) / ROW);
    file->rows = calloc((size_t)count + 1, sizeof *file->rows);
    if (!file->rows)
        return osp_fail(OSP_MEMORY, "%s: out of memory for %llu rows", c->path, (unsigned long long)count);
    osp_status status = OSP_OK;
    const uint8_t *name;
    for (uint64_t i = 0; !status && i < count; i++) {
        struct row *row = &file->rows[i];
        size_t at = c->at;
        if (!(status = osp_read_u64(c, "offset", &row->offset)) && !(status = osp_read_u64(c, "bytes", &row->bytes)))
            status = osp_read_bytes(c, "name", sizeof row->name, &name);
        if (status)
            return status;
        memcpy(row->name, name, sizeof row->name);
        if (row->offset % ALIGN || row->offset > c->size || row->bytes > c->size - row->offset)
            return osp_refuse(c, at, "offset",
                              "found %llu bytes at %llu, allowed what lies in the file's %zu on a multiple of %d",
                              (unsigned long long)row->bytes, (unsigned long long)row->offset, c->size, ALIGN);
        if (row->name[sizeof row->name - 1])
            return osp_refuse(c, at + 16, "name", "found one without an end, allowed at most %zu bytes", sizeof row->name - 1);
    }
    file->count = (int)count;
    return OSP_OK;
}

/* table: where the rows end. */
static uint64_t checksum_of(const struct osp_packfile *file, const uint8_t *data, size_t table)
{
    uint64_t sum = osp_checksum(0, data + SUMMED, table - SUMMED);
    for (int i = 0; i < file->count; i++)
        sum = osp_checksum(sum, data + file->rows[i].offset, (size_t)file->rows[i].bytes);
    return sum;
}

static osp_status read_all(struct osp_packfile *file, const struct osp_packfile_key *key)
{
    struct osp_cursor c = {.path = file->map.path, .data = file->map.data, .size = file->map.size};
    const uint8_t *head, *maker;
    uint64_t sum, size, model, count;
    char wanted[MADE_BY], shown[MADE_BY + 8];
    osp_status status = osp_read_bytes(&c, "magic", MAGIC, &head);
    if (status || (status = osp_read_u64(&c, "checksum", &sum)) || (status = osp_read_u64(&c, "size", &size)) ||
        (status = osp_read_u64(&c, "model", &model)) || (status = osp_read_u64(&c, "count", &count)) ||
        (status = osp_read_bytes(&c, "made by", MADE_BY, &maker)))
        return status;
    made_by(key, wanted);
    if (memcmp(head, magic, MAGIC) != 0)
        return osp_refuse(&c, 0, "magic", "found another version of this kind of file");
    if (memcmp(maker, wanted, MADE_BY) != 0)
        return osp_refuse(&c, HEAD - MADE_BY, "made by", "found \"%s\", allowed \"%s\"",
                          osp_quote(shown, sizeof shown, maker, strnlen((const char *)maker, MADE_BY)), wanted);
    if (model != key->model)
        return osp_refuse(&c, SUMMED + 8, "model", "found weights of another model");
    if (size != c.size)
        return osp_refuse(&c, SUMMED, "size", "found %llu, allowed %zu, which the file has", (unsigned long long)size, c.size);
    if ((status = read_rows(file, &c, count)))
        return status;
    if (sum != checksum_of(file, c.data, c.at))
        return osp_refuse(&c, MAGIC, "checksum", "found one that its contents do not have: the file is damaged");
    return OSP_OK;
}

/* It is to be packed anew: remembers why. */
static void pass_over(struct osp_packfile *file)
{
    snprintf(file->remark, sizeof file->remark, "%s", osp_message());
    osp_file_unmap(&file->map);
    free(file->rows);
    file->rows = NULL;
    file->count = 0;
}

/* What is not a file of ours must not be replaced by one. */
static osp_status check_magic(const struct osp_file *map)
{
    if (map->size == 0 || (map->size >= MAGIC && !memcmp(map->data, magic, NAMED)))
        return OSP_OK;
    const char *looks = osp_file_looks_like(map->data, map->size);
    return osp_fail(OSP_UNWRITTEN, "%s: found %s, which is left as it is; allowed is a file of packed weights, or none",
                    map->path, looks ? looks : "another file");
}

osp_status osp_packfile_check(const char *path)
{
    struct osp_file map;
    osp_status status = osp_file_map(path, &map);
    if (status)
        return OSP_OK;
    status = check_magic(&map);
    osp_file_unmap(&map);
    return status;
}

osp_status osp_packfile_open(const char *path, const struct osp_packfile_key *key, struct osp_packfile **out)
{
    struct osp_packfile *file = calloc(1, sizeof *file);
    if (!file)
        return osp_fail(OSP_MEMORY, "%s: out of memory, %zu bytes", path, sizeof *file);
    osp_status status = OSP_OK;
    if (access(path, F_OK) == 0 || errno != ENOENT) {
        status = osp_file_map(path, &file->map);
        if (!status && (status = check_magic(&file->map))) {
            osp_packfile_close(file);
            return status;
        }
        if (!status)
            status = read_all(file, key);
        if (!status)
            status = osp_file_unchanged(&file->map);
    }
    if (status == OSP_MEMORY) {
        osp_packfile_close(file);
        return status;
    }
    if (status)
        pass_over(file);
    *out = file;
    return OSP_OK;
}

void osp_packfile_close(struct osp_packfile *file)
{
    if (!file)
        return;
    osp_file_unmap(&file->map);
    free(file->rows);
    free(file);
}

const char *osp_packfile_remark(const struct osp_packfile *file) { return file->remark; }

int osp_packfile_block(const struct osp_packfile *file, int i, struct osp_packfile_block *out)
{
    if (i >= file->count)
        return 0;
    const struct row *row = &file->rows[i];
    *out = (struct osp_packfile_block){row->name, file->map.data + row->offset, (size_t)row->bytes};
    return 1;
}

const void *osp_packfile_find(const struct osp_packfile *file, const char *name, size_t bytes)
{
    struct osp_packfile_block block;
    for (int i = 0; osp_packfile_block(file, i, &block); i++)
        if (block.bytes == bytes && !strcmp(block.name, name))
            return block.data;
    return NULL;
}

osp_status osp_packfile_unchanged(const struct osp_packfile *file)
{
    return file->map.path ? osp_file_unchanged(&file->map) : OSP_OK;
}

/* ---- Writing ------------------------------------------------------------------------------------ */

static uint64_t aligned(uint64_t at) { return (at + ALIGN - 1) / ALIGN * ALIGN; }

static void put_u64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/* All that stands before the blocks. */
static uint8_t *make_table(const struct osp_packfile_key *key, const struct osp_packfile_block *blocks, int count, size_t *size)
{
    size_t table = HEAD + (size_t)count * ROW;
    uint8_t *bytes = calloc(1, table);
    if (!bytes)
        return NULL;
    uint64_t at = aligned(table), end = table;
    for (int i = 0; i < count; i++) {
        uint8_t *row = bytes + HEAD + (size_t)i * ROW;
        put_u64(row, at);
        put_u64(row + 8, blocks[i].bytes);
        snprintf((char *)row + 16, OSP_PACKFILE_NAME, "%s", blocks[i].name);
        end = at + blocks[i].bytes;
        at = aligned(end);
    }
    memcpy(bytes, magic, MAGIC);
    put_u64(bytes + SUMMED, end);
    put_u64(bytes + SUMMED + 8, key->model);
    put_u64(bytes + SUMMED + 16, (uint64_t)count);
    made_by(key, (char *)bytes + HEAD - MADE_BY);
    uint64_t sum = osp_checksum(0, bytes + SUMMED, table - SUMMED);
    for (int i = 0; i < count; i++)
        sum = osp_checksum(sum, blocks[i].data, blocks[i].bytes);
    put_u64(bytes + MAGIC, sum);
    *size = table;
    return bytes;
}

osp_status osp_packfile_write(const char *path, const struct osp_packfile_key *key, const struct osp_packfile_block *blocks,
                              int count, size_t *bytes)
{
    static const char zeros[ALIGN];
    struct osp_writer writer;
    size_t at = 0;
    uint8_t *table = make_table(key, blocks, count, &at);
    if (!table)
        return osp_fail(OSP_MEMORY, "%s: out of memory for a table of %d rows", path, count);
    osp_status status = osp_writer_open(path, &writer);
    if (!status) {
        fwrite(table, 1, at, writer.stream);
        for (int i = 0; i < count; i++) {
            size_t gap = aligned(at) - at;
            fwrite(zeros, 1, gap, writer.stream);
            fwrite(blocks[i].data, 1, blocks[i].bytes, writer.stream);
            at += gap + blocks[i].bytes;
        }
        status = osp_writer_commit(&writer);
    }
    free(table);
    if (!status)
        *bytes = at;
    return status;
}
