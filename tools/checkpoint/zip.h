/* The container of a .pth file: a zip archive whose entries are stored, not compressed.
 *
 * Every rule of spec/hostile-input.md 1.5 Z is checked before a single entry is used: the directory says the same as the
 * local headers, and header, data and descriptor of all entries lie end to end from the first byte to the directory, so that
 * nothing overlaps and nothing is hidden. */
#ifndef OSPREY_CHECKPOINT_ZIP_H
#define OSPREY_CHECKPOINT_ZIP_H

#include "runtime/file.h"

enum { ZIP_NAME_LIMIT = 1024 }; /* bytes of an entry's name */

struct zip_entry {
    const char *name; /* in the directory, not NUL-terminated */
    uint32_t name_size;
    uint32_t crc; /* as the directory says; zip_check compares it with the data */
    uint16_t flags, method;
    uint64_t header; /* offset of the local header */
    uint64_t data;   /* offset of the first byte */
    uint64_t size;
    uint64_t packed; /* bytes in the file; equal to size once zip_stored has agreed */
};

struct zip {
    struct osp_cursor file;
    struct zip_entry *entries; /* sorted by name, ASCII letters folded to lower case */
    size_t count;
    uint32_t crc_table[8][256];
};

/* Reads the directory of an archive that lies in memory, which must outlive `out`. OSP_REFUSED, OSP_MEMORY. */
osp_status zip_open(const char *path, const uint8_t *data, size_t size, struct zip *out);
void zip_close(struct zip *zip);

/* Is every entry stored? Apart from zip_open, so that an archive of another kind can be called by its name first. */
osp_status zip_stored(const struct zip *zip);

/* NULL: none. */
const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t name_size);

/* Does the data have the checksum that the directory says? */
osp_status zip_check(const struct zip *zip, const struct zip_entry *entry);

#endif
