/* Layout: PKWARE APPNOTE 6.3.10. What torch.save writes of it: entries stored, flags 0x0808 (sizes in a descriptor behind the
 * data, name in UTF-8), padding in an extra field "FB" of the local header, zip64 end records in every file. */
#include "zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCAL = 0x04034b50,
    DESCRIPTOR = 0x08074b50,
    CENTRAL = 0x02014b50,
    END64 = 0x06064b50,
    LOCATOR = 0x07064b50,
    END = 0x06054b50,
};
enum { LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END64_BYTES = 56, LOCATOR_BYTES = 20, END_BYTES = 22 };
enum { ENCRYPTED = 0x0001, LEVEL = 0x0006, DESCRIBED = 0x0008, UTF8 = 0x0800, ZIP64_FIELD = 0x0001 };
#define FULL16 0xffffu
#define FULL32 0xffffffffu

/* The fields that a local and a directory header share, in their order; both are read with this. */
struct header {
    uint16_t needed, flags, method, time, date;
    uint32_t crc, packed, size;
    uint16_t name_size, extra_size;
};

struct directory {
    uint64_t count, at, size;
};

static osp_status expect(struct osp_cursor *c, const char *field, uint32_t signature)
{
    size_t at = c->at;
    uint32_t found;
    osp_status status = osp_read_u32(c, field, &found);
    if (status == OSP_OK && found != signature)
        return osp_refuse(c, at, field, "found signature 0x%08x, allowed 0x%08x", found, signature);
    return status;
}

static osp_status read_header(struct osp_cursor *c, struct header *h)
{
    osp_status status = osp_read_u16(c, "version needed", &h->needed);
    uint16_t *const words[] = {&h->flags, &h->method, &h->time, &h->date};
    for (int i = 0; i < 4 && status == OSP_OK; i++)
        status = osp_read_u16(c, "entry header", words[i]);
    uint32_t *const longs[] = {&h->crc, &h->packed, &h->size};
    for (int i = 0; i < 3 && status == OSP_OK; i++)
        status = osp_read_u32(c, "entry header", longs[i]);
    if (status == OSP_OK)
        status = osp_read_u16(c, "name length", &h->name_size);
    if (status == OSP_OK)
        status = osp_read_u16(c, "extra field length", &h->extra_size);
    return status;
}

/* ---- The end of the file: where the directory is -------------------------------------------------- */

/* The end record is the last thing in the file, without a comment; if it is not, say why. */
static osp_status find_end(struct osp_cursor *c)
{
    static const uint8_t signature[4] = {'P', 'K', 5, 6};
    if (c->size < END_BYTES)
        return osp_refuse(c, 0, "end record", "found a file of %zu bytes, allowed at least %d", c->size, END_BYTES);
    size_t at = c->size - END_BYTES;
    if (memcmp(c->data + at, signature, 4) == 0)
        return osp_read_seek(c, "end record", at);
    size_t farthest = at > FULL16 ? at - FULL16 : 0;
    while (at > farthest)
        if (memcmp(c->data + --at, signature, 4) == 0)
            return osp_refuse(c, at, "end record", "found %zu bytes after it, allowed 0", c->size - at - END_BYTES);
    return osp_refuse(c, c->size - END_BYTES, "end record", "found none, allowed one in the last %d bytes: the file is cut short",
                      END_BYTES);
}

/* Reads the four fields that say the same thing in both kinds of end record: this disk, the directory's disk, entries here,
 * entries. */
static osp_status check_disks(struct osp_cursor *c, size_t at, uint64_t disk, uint64_t start, uint64_t here, uint64_t all)
{
    if (disk != 0 || start != 0)
        return osp_refuse(c, at, "disk number", "found %llu and %llu, allowed 0: the archive is in several parts",
                          (unsigned long long)disk, (unsigned long long)start);
    if (here != all)
        return osp_refuse(c, at, "entry count", "found %llu on this disk and %llu in all, allowed the same twice",
                          (unsigned long long)here, (unsigned long long)all);
    return OSP_OK;
}

/* The zip64 record stands directly before its locator, and the locator before the end record (at `end`). A 32-bit field that is
 * not filled up must agree with its 64-bit one. */
static osp_status read_end64(struct osp_cursor *c, size_t end, struct directory *d)
{
    struct directory small = *d;
    uint32_t disk, disks;
    uint64_t at, rest, here;
    uint16_t version[2];
    if (end < LOCATOR_BYTES + END64_BYTES)
        return osp_refuse(c, end, "zip64 locator", "found %zu bytes before it, allowed at least %d", end,
                          LOCATOR_BYTES + END64_BYTES);
    size_t locator = end - LOCATOR_BYTES, record = locator - END64_BYTES;
    if (osp_read_seek(c, "zip64 locator", locator) || expect(c, "zip64 locator", LOCATOR) ||
        osp_read_u32(c, "zip64 locator", &disk) || osp_read_u64(c, "zip64 locator", &at) ||
        osp_read_u32(c, "zip64 locator", &disks))
        return OSP_REFUSED;
    if (at != record || disk != 0 || disks != 1)
        return osp_refuse(c, locator, "zip64 locator", "found offset %llu on disk %u of %u, allowed offset %zu on disk 0 of 1",
                          (unsigned long long)at, disk, disks, record);
    uint32_t start;
    if (osp_read_seek(c, "zip64 end record", record) || expect(c, "zip64 end record", END64) ||
        osp_read_u64(c, "zip64 end record", &rest) || osp_read_u16(c, "zip64 end record", &version[0]) ||
        osp_read_u16(c, "zip64 end record", &version[1]) || osp_read_u32(c, "zip64 end record", &disk) ||
        osp_read_u32(c, "zip64 end record", &start) || osp_read_u64(c, "zip64 end record", &here) ||
        osp_read_u64(c, "zip64 end record", &d->count) || osp_read_u64(c, "zip64 end record", &d->size) ||
        osp_read_u64(c, "zip64 end record", &d->at) || check_disks(c, record, disk, start, here, d->count))
        return OSP_REFUSED;
    if (rest != END64_BYTES - 12)
        return osp_refuse(c, record + 4, "zip64 record size", "found %llu, allowed %d", (unsigned long long)rest,
                          END64_BYTES - 12);
    if ((small.count != FULL16 && small.count != d->count) || (small.size != FULL32 && small.size != d->size) ||
        (small.at != FULL32 && small.at != d->at))
        return osp_refuse(
            c, record, "zip64 end record",
            "found %llu entries, directory of %llu bytes at %llu, allowed what the end record says: %llu, %llu, %llu",
            (unsigned long long)d->count, (unsigned long long)d->size, (unsigned long long)d->at, (unsigned long long)small.count,
            (unsigned long long)small.size, (unsigned long long)small.at);
    return OSP_OK;
}

/* Finds the directory, which must end where the end records begin. */
static osp_status read_end(struct osp_cursor *c, struct directory *d)
{
    uint16_t disk, start, here, count, comment;
    uint32_t size, at;
    if (find_end(c))
        return OSP_REFUSED;
    size_t end = c->at;
    if (expect(c, "end record", END) || osp_read_u16(c, "end record", &disk) || osp_read_u16(c, "end record", &start) ||
        osp_read_u16(c, "end record", &here) || osp_read_u16(c, "end record", &count) || osp_read_u32(c, "end record", &size) ||
        osp_read_u32(c, "end record", &at) || osp_read_u16(c, "end record", &comment) ||
        check_disks(c, end, disk, start, here, count))
        return OSP_REFUSED;
    if (comment != 0)
        return osp_refuse(c, end + 20, "comment length", "found %u with no byte left in the file, allowed 0", comment);
    *d = (struct directory){.count = count, .at = at, .size = size};
    bool filled = count == FULL16 || size == FULL32 || at == FULL32;
    static const uint8_t signature[4] = {'P', 'K', 6, 7};
    if (filled || (end >= LOCATOR_BYTES && memcmp(c->data + end - LOCATOR_BYTES, signature, 4) == 0)) {
        if (read_end64(c, end, d))
            return OSP_REFUSED;
        end -= LOCATOR_BYTES + END64_BYTES;
    }
    uint64_t after;
    if (!osp_add(d->at, d->size, &after) || after != end)
        return osp_refuse(c, end, "directory", "found %llu bytes at offset %llu, allowed a directory that ends at %zu",
                          (unsigned long long)d->size, (unsigned long long)d->at, end);
    if (d->count > d->size / CENTRAL_BYTES)
        return osp_refuse(c, end, "entry count", "found %llu, allowed at most %llu in a directory of %llu bytes",
                          (unsigned long long)d->count, (unsigned long long)(d->size / CENTRAL_BYTES),
                          (unsigned long long)d->size);
    if (d->count == 0)
        return osp_refuse(c, end, "entry count", "found 0, allowed 1 or more: the archive is empty");
    return OSP_OK;
}

/* ---- The directory -------------------------------------------------------------------------------- */

static osp_status check_name(const struct osp_cursor *c, size_t at, const char *name, size_t size)
{
    char shown[256];
    const char *fault = NULL;
    if (size == 0 || size > ZIP_NAME_LIMIT)
        return osp_refuse(c, at, "entry name", "found %zu bytes, allowed 1 to %d", size, ZIP_NAME_LIMIT);
    for (size_t i = 0; i < size && !fault; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '\\')
            fault = "no control byte and no backslash";
    for (size_t i = 0, part = 0; i <= size && !fault; i++) {
        if (i < size && name[i] != '/')
            continue;
        size_t length = i - part;
        if (length == 0 || (length == 1 && name[part] == '.') || (length == 2 && memcmp(name + part, "..", 2) == 0))
            fault = "a relative path without empty, '.' and '..' parts";
        part = i + 1;
    }
    if (fault)
        return osp_refuse(c, at, "entry name", "found \"%s\", allowed %s", osp_quote(shown, sizeof shown, name, size), fault);
    return OSP_OK;
}

/* Takes from the zip64 extra field those of size, packed size and offset that are filled up in the header, in that order. */
static osp_status read_extra(struct osp_cursor *c, size_t size, uint64_t *const wide[3], const uint64_t filled[3])
{
    size_t end = c->at + size; /* the caller has seen that these bytes are there */
    bool seen = false;
    while (end - c->at >= 4) {
        uint16_t id, length;
        size_t at = c->at;
        const uint8_t *skipped;
        if (osp_read_u16(c, "extra field", &id) || osp_read_u16(c, "extra field length", &length))
            return OSP_REFUSED;
        if (length > end - c->at)
            return osp_refuse(c, at, "extra field length", "found %u, allowed at most %zu", length, end - c->at);
        size_t next = c->at + length;
        for (int i = 0; i < 3 && id == ZIP64_FIELD && !seen; i++) {
            if (!wide[i] || *wide[i] != filled[i])
                continue;
            if (next - c->at < 8)
                return osp_refuse(c, at, "zip64 extra field", "found %u bytes, allowed 8 for each field that is filled up",
                                  length);
            if (osp_read_u64(c, "zip64 extra field", wide[i]))
                return OSP_REFUSED;
        }
        seen |= id == ZIP64_FIELD;
        if (osp_read_bytes(c, "extra field", next - c->at, &skipped))
            return OSP_REFUSED;
    }
    if (!seen)
        for (int i = 0; i < 3; i++)
            if (wide[i] && *wide[i] == filled[i])
                return osp_refuse(c, end - size, "zip64 extra field",
                                  "found none, allowed one: a size or an offset is filled up");
    return osp_read_seek(c, "extra field", end);
}

static osp_status read_central(struct osp_cursor *c, uint64_t directory, struct zip_entry *out)
{
    struct header h;
    uint16_t made, comment, disk, internal;
    uint32_t external, offset;
    const uint8_t *name, *extra;
    size_t at = c->at;
    if (expect(c, "directory entry", CENTRAL) || osp_read_u16(c, "version made by", &made) || read_header(c, &h) ||
        osp_read_u16(c, "comment length", &comment) || osp_read_u16(c, "disk number", &disk) ||
        osp_read_u16(c, "attributes", &internal) || osp_read_u32(c, "attributes", &external) ||
        osp_read_u32(c, "header offset", &offset) || osp_read_bytes(c, "entry name", h.name_size, &name) ||
        check_name(c, at + CENTRAL_BYTES, (const char *)name, h.name_size) ||
        osp_read_bytes(c, "extra field", h.extra_size, &extra))
        return OSP_REFUSED;
    if (h.flags & ENCRYPTED)
        return osp_refuse(c, at + 8, "flags", "found 0x%04x: the entry is encrypted, allowed 0, 0x0008, 0x0800 or 0x0808",
                          h.flags);
    if (h.flags & ~(DESCRIBED | UTF8 | (h.method ? LEVEL : 0)))
        return osp_refuse(c, at + 8, "flags", "found 0x%04x, allowed 0, 0x0008, 0x0800 or 0x0808", h.flags);
    if (comment != 0 || disk != 0)
        return osp_refuse(c, at + 32, "directory entry", "found a comment of %u bytes and disk %u, allowed 0 and 0", comment,
                          disk);
    uint64_t size = h.size, packed = h.packed, header = offset;
    c->at -= h.extra_size;
    if (read_extra(c, h.extra_size, (uint64_t *[]){&size, &packed, &header}, (uint64_t[]){FULL32, FULL32, FULL32}))
        return OSP_REFUSED;
    if (header >= directory)
        return osp_refuse(c, at + 42, "header offset", "found %llu, allowed less than %llu, where the directory begins",
                          (unsigned long long)header, (unsigned long long)directory);
    *out = (struct zip_entry){.name = (const char *)name,
                              .name_size = h.name_size,
                              .crc = h.crc,
                              .flags = h.flags,
                              .method = h.method,
                              .header = header,
                              .size = size,
                              .packed = packed};
    return OSP_OK;
}

/* ---- The entries ---------------------------------------------------------------------------------- */

static osp_status differs(const struct osp_cursor *c, const struct zip_entry *e, size_t at, const char *field, uint64_t found,
                          uint64_t allowed)
{
    char shown[256];
    return osp_refuse(c, at, field, "found %llu in the local header of \"%s\", allowed %llu, as in the directory",
                      (unsigned long long)found, osp_quote(shown, sizeof shown, e->name, e->name_size),
                      (unsigned long long)allowed);
}

/* The local header must say what the directory says. Where a descriptor follows the data, size and checksum may be 0 in it. */
static osp_status read_local(struct osp_cursor *c, struct zip_entry *e)
{
    struct header h;
    char shown[256];
    const uint8_t *name, *extra;
    size_t at = (size_t)e->header;
    if (osp_read_seek(c, "local header", at) || expect(c, "local header", LOCAL) || read_header(c, &h) ||
        osp_read_bytes(c, "entry name", h.name_size, &name) || osp_read_bytes(c, "extra field", h.extra_size, &extra))
        return OSP_REFUSED;
    if (h.name_size != e->name_size || memcmp(name, e->name, e->name_size) != 0) {
        char local[256];
        return osp_refuse(c, at + LOCAL_BYTES, "entry name", "found \"%s\", allowed \"%s\", as in the directory",
                          osp_quote(local, sizeof local, name, h.name_size),
                          osp_quote(shown, sizeof shown, e->name, e->name_size));
    }
    if (h.flags != e->flags)
        return differs(c, e, at + 6, "flags", h.flags, e->flags);
    if (h.method != e->method)
        return differs(c, e, at + 8, "compression method", h.method, e->method);
    uint64_t size = h.size, packed = h.packed;
    e->data = c->at;
    c->at -= h.extra_size;
    if (read_extra(c, h.extra_size, (uint64_t *[]){&size, &packed, NULL}, (uint64_t[]){FULL32, FULL32, FULL32}))
        return OSP_REFUSED;
    bool later = (h.flags & DESCRIBED) && h.crc == 0 && size == 0 && packed == 0;
    if (!later && h.crc != e->crc)
        return differs(c, e, at + 14, "CRC", h.crc, e->crc);
    if (!later && packed != e->packed)
        return differs(c, e, at + 18, "packed size", packed, e->packed);
    if (!later && size != e->size)
        return differs(c, e, at + 22, "size", size, e->size);
    return OSP_OK;
}

/* What lies between an entry's data and the next header: nothing, or its descriptor with 32-bit or 64-bit sizes. */
static osp_status read_descriptor(struct osp_cursor *c, const struct zip_entry *e, uint64_t next)
{
    uint64_t end, packed, size;
    char shown[256];
    osp_quote(shown, sizeof shown, e->name, e->name_size);
    if (!osp_add(e->data, e->packed, &end) || end > next)
        return osp_refuse(c, (size_t)e->header, "size", "found %llu bytes of \"%s\" at offset %llu, allowed to end at %llu",
                          (unsigned long long)e->packed, shown, (unsigned long long)e->data, (unsigned long long)next);
    uint64_t left = next - end;
    bool described = e->flags & DESCRIBED;
    if (described ? left != 16 && left != 24 : left != 0)
        return osp_refuse(c, (size_t)end, "gap", "found %llu bytes between \"%s\" and what follows, allowed %s",
                          (unsigned long long)left, shown, described ? "a descriptor of 16 or 24" : "0");
    if (!described)
        return OSP_OK;
    uint32_t crc, words[2];
    if (osp_read_seek(c, "descriptor", end) || expect(c, "descriptor", DESCRIPTOR) || osp_read_u32(c, "descriptor", &crc))
        return OSP_REFUSED;
    if (left == 24) {
        if (osp_read_u64(c, "descriptor", &packed) || osp_read_u64(c, "descriptor", &size))
            return OSP_REFUSED;
    } else {
        if (osp_read_u32(c, "descriptor", &words[0]) || osp_read_u32(c, "descriptor", &words[1]))
            return OSP_REFUSED;
        packed = words[0];
        size = words[1];
    }
    if (crc != e->crc || packed != e->packed || size != e->size)
        return osp_refuse(c, (size_t)end, "descriptor",
                          "found CRC 0x%08x and sizes %llu and %llu, allowed 0x%08x, %llu and %llu for \"%s\"", crc,
                          (unsigned long long)packed, (unsigned long long)size, e->crc, (unsigned long long)e->packed,
                          (unsigned long long)e->size, shown);
    return OSP_OK;
}

static int by_header(const void *a, const void *b)
{
    const struct zip_entry *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c; }

static int by_name(const void *a, const void *b)
{
    const struct zip_entry *x = a, *y = b;
    uint32_t shorter = x->name_size < y->name_size ? x->name_size : y->name_size;
    for (uint32_t i = 0; i < shorter; i++)
        if (lower(x->name[i]) != lower(y->name[i]))
            return lower(x->name[i]) - lower(y->name[i]);
    return (x->name_size > y->name_size) - (x->name_size < y->name_size);
}

/* Entries fill the file from its first byte to the directory at `end`, one after the other. */
static osp_status read_entries(struct zip *zip, uint64_t end)
{
    struct osp_cursor *c = &zip->file;
    qsort(zip->entries, zip->count, sizeof *zip->entries, by_header);
    if (zip->entries[0].header != 0)
        return osp_refuse(c, 0, "first entry", "found %llu bytes before it, allowed 0",
                          (unsigned long long)zip->entries[0].header);
    for (size_t i = 0; i < zip->count; i++) {
        uint64_t next = i + 1 < zip->count ? zip->entries[i + 1].header : end;
        if (read_local(c, &zip->entries[i]) || read_descriptor(c, &zip->entries[i], next))
            return OSP_REFUSED;
    }
    qsort(zip->entries, zip->count, sizeof *zip->entries, by_name);
    for (size_t i = 1; i < zip->count; i++) {
        const struct zip_entry *e = &zip->entries[i];
        char shown[2][256];
        if (by_name(e - 1, e) == 0)
            return osp_refuse(c, (size_t)e->header, "entry name", "found \"%s\" beside \"%s\", allowed each once, in any case",
                              osp_quote(shown[0], sizeof shown[0], e->name, e->name_size),
                              osp_quote(shown[1], sizeof shown[1], e[-1].name, e[-1].name_size));
    }
    return OSP_OK;
}

/* ---- CRC-32, eight bytes a step (tables of the reflected polynomial, "slicing by 8") --------------- */

static void crc_tables(uint32_t table[8][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        table[0][i] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

static uint32_t crc32(const uint32_t t[8][256], const uint8_t *p, uint64_t size)
{
    uint32_t crc = FULL32;
    for (; size >= 8; p += 8, size -= 8) {
        crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = t[7][crc & 0xff] ^ t[6][crc >> 8 & 0xff] ^ t[5][crc >> 16 & 0xff] ^ t[4][crc >> 24] ^ t[3][p[4]] ^ t[2][p[5]] ^
              t[1][p[6]] ^ t[0][p[7]];
    }
    for (; size > 0; p++, size--)
        crc = crc >> 8 ^ t[0][(crc ^ *p) & 0xff];
    return ~crc;
}

/* ---- The face ------------------------------------------------------------------------------------- */

osp_status zip_open(const char *path, const uint8_t *data, size_t size, struct zip *out)
{
    struct zip zip = {.file = {.path = path, .data = data, .size = size}};
    struct directory d;
    if (read_end(&zip.file, &d))
        return OSP_REFUSED;
    zip.entries = calloc((size_t)d.count, sizeof *zip.entries);
    if (!zip.entries)
        return osp_fail(OSP_MEMORY, "%s: out of memory: %llu zip entries need %llu bytes", path, (unsigned long long)d.count,
                        (unsigned long long)(d.count * sizeof *zip.entries));
    osp_status status = osp_read_seek(&zip.file, "directory", d.at);
    for (; zip.count < d.count && status == OSP_OK; zip.count++)
        status = read_central(&zip.file, d.at, &zip.entries[zip.count]);
    if (status == OSP_OK && zip.file.at != d.at + d.size)
        status = osp_refuse(&zip.file, zip.file.at, "directory", "found its %llu entries to end here, allowed to end at %llu",
                            (unsigned long long)d.count, (unsigned long long)(d.at + d.size));
    if (status == OSP_OK)
        status = read_entries(&zip, d.at);
    if (status != OSP_OK) {
        zip_close(&zip);
        return status;
    }
    crc_tables(zip.crc_table);
    *out = zip;
    return OSP_OK;
}

void zip_close(struct zip *zip)
{
    free(zip->entries);
    zip->entries = NULL;
    zip->count = 0;
}

osp_status zip_stored(const struct zip *zip)
{
    char shown[256];
    for (size_t i = 0; i < zip->count; i++) {
        const struct zip_entry *e = &zip->entries[i];
        osp_quote(shown, sizeof shown, e->name, e->name_size);
        if (e->method != 0)
            return osp_refuse(&zip->file, (size_t)e->header + 8, "compression method", "found %u for \"%s\", allowed 0 (stored)",
                              e->method, shown);
        if (e->packed != e->size)
            return osp_refuse(&zip->file, (size_t)e->header + 18, "packed size",
                              "found %llu for \"%s\" of %llu bytes, allowed the same", (unsigned long long)e->packed, shown,
                              (unsigned long long)e->size);
    }
    return OSP_OK;
}

const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t name_size)
{
    struct zip_entry key = {.name = name, .name_size = (uint32_t)name_size};
    if (name_size > ZIP_NAME_LIMIT)
        return NULL;
    const struct zip_entry *e = bsearch(&key, zip->entries, zip->count, sizeof key, by_name);
    return e && memcmp(e->name, name, name_size) == 0 ? e : NULL;
}

osp_status zip_check(const struct zip *zip, const struct zip_entry *entry)
{
    uint32_t found = crc32(zip->crc_table, zip->file.data + entry->data, entry->size);
    char shown[256];
    if (found == entry->crc)
        return OSP_OK;
    return osp_refuse(&zip->file, (size_t)entry->data, "CRC",
                      "found 0x%08x, allowed 0x%08x, as the directory says: \"%s\" is damaged", found, entry->crc,
                      osp_quote(shown, sizeof shown, entry->name, entry->name_size));
}
