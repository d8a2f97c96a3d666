/* Files in, files out, and the one cursor that reads bytes from outside. DESIGN section 8. */
#ifndef OSPREY_FILE_H
#define OSPREY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "osprey.h"

/* ---- Reading ------------------------------------------------------------------------------------ */

struct osp_file {
    char *path;
    const uint8_t *data; /* mapped read-only, private; NULL when size is 0 */
    size_t size;         /* fstat, after open */
};

/* Maps a regular file. A directory, FIFO, socket or device is refused by name. OSP_UNREADABLE, OSP_MEMORY.
 * While a file is mapped, a read past an end that somebody cut off meanwhile would raise SIGBUS: osp_file_guard turns
 * that into an error (see file.c). */
osp_status osp_file_map(const char *path, struct osp_file *out);
void osp_file_unmap(struct osp_file *file);

/* Did the file keep its size and modification time since it was mapped? OSP_REFUSED with a sentence if not. */
osp_status osp_file_unchanged(const struct osp_file *file);

/* SHA-256 as 64 lower-case hex digits and a NUL. */
void osp_sha256_hex(const void *data, size_t size, char out[65]);

/* A checked reader. Every osp_read_* fails with OSP_REFUSED and one sentence, "FILE: offset O: FIELD: found X, allowed Y", and then
 * leaves the position as it was. No pointer arithmetic on input happens anywhere else. */
struct osp_cursor {
    const char *path;    /* for sentences */
    const uint8_t *data;
    size_t size, at;
    size_t base;         /* added to offsets in sentences: where data starts in the file */
};
osp_status osp_read_u8(struct osp_cursor *c, const char *field, uint8_t *out);
osp_status osp_read_u16(struct osp_cursor *c, const char *field, uint16_t *out); /* little-endian, as all below */
osp_status osp_read_u32(struct osp_cursor *c, const char *field, uint32_t *out);
osp_status osp_read_u64(struct osp_cursor *c, const char *field, uint64_t *out);
osp_status osp_read_bytes(struct osp_cursor *c, const char *field, uint64_t count, const uint8_t **out);
osp_status osp_read_seek(struct osp_cursor *c, const char *field, uint64_t at);
static inline size_t osp_read_left(const struct osp_cursor *c) { return c->size - c->at; }

/* "FILE: offset O: FIELD: " + your words; returns OSP_REFUSED. */
osp_status osp_refuse(const struct osp_cursor *c, size_t at, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Printable form of untrusted bytes for a sentence: at most 60 shown, control and non-ASCII bytes as \xNN, cut marked by "...". */
const char *osp_quote(char *buffer, size_t buffer_size, const void *bytes, size_t size);

static inline bool osp_mul(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool osp_add(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_add_overflow(a, b, out); }

/* ---- Writing ------------------------------------------------------------------------------------ */

/* Writes a whole file or nothing: a temporary sibling, flushed, synced, renamed over `path`, folder synced. */
struct osp_writer {
    FILE *stream; /* write here */
    char *path, *temporary;
};
osp_status osp_writer_open(const char *path, struct osp_writer *out);
osp_status osp_writer_commit(struct osp_writer *writer);  /* OSP_UNWRITTEN: the old file is intact, the temporary is gone */
void osp_writer_abandon(struct osp_writer *writer);       /* no-op after commit */

#endif
