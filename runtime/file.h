/* Files in, files out, and the one cursor that reads bytes from outside. DESIGN section 8. */
#ifndef OSPREY_FILE_H
#define OSPREY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "osprey.h"

/* Leaves the sentence for osp_message() and returns the code (status.c). Control characters become '?'. */
osp_status osp_fail(osp_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Reading ------------------------------------------------------------------------------------ */

struct osp_file { /* all zero: nothing is mapped */
    char *path;
    const uint8_t *data; /* mapped read-only, private; NULL when size is 0 */
    size_t size;         /* fstat, after open */
    int64_t modified;    /* nanoseconds since 1970 */
    int fd, slot;        /* for osp_file_unchanged */
};

/* Maps a regular file. A folder, FIFO, socket or device is refused by name, and never waited for. OSP_UNREADABLE, OSP_MEMORY.
 *
 * What is guaranteed while it is mapped: no read within data[0..size) ever ends the process. Bytes that somebody cuts off
 * meanwhile read as zeros from then on (a SIGBUS handler, file.c, set when a file is mapped and passing on what is not ours),
 * and osp_file_unchanged says so. Bytes that somebody overwrites are seen as they are at that moment: a parser must not rely on
 * reading the same byte twice alike, and who needs a consistent whole asks osp_file_unchanged after the last read. */
osp_status osp_file_map(const char *path, struct osp_file *out);
void osp_file_unmap(struct osp_file *file); /* no-op on one that is all zero */

/* Did the file keep its size, its modification time and all its bytes since it was mapped? OSP_REFUSED with a sentence if not.
 * A file replaced by rename is unchanged: the map holds the old one. */
osp_status osp_file_unchanged(const struct osp_file *file);

/* Gives back the memory of what was read so far: bytes come from the file again when they are next asked for, by any thread. */
void osp_file_give_back(const struct osp_file *file);

/* "a folder", "a FIFO", ... from st_mode. */
const char *osp_file_type(unsigned mode);

/* What a file seems to be by its first bytes, as words for a sentence, with the way to go on if there is one: "a zip archive, as
 * PyTorch writes; convert it first: osprey convert". NULL: nothing that is known. */
const char *osp_file_looks_like(const void *data, size_t size);

/* SHA-256 as 64 lower-case hex digits and a NUL. */
void osp_sha256_hex(const void *data, size_t size, char out[65]);
void osp_sha256_file(const struct osp_file *file, char out[65]); /* takes 8 MB of memory however large the file is */

/* Tells damage and mistakes, not malice, at the speed of memory. seed: 0, or the sum of what came before. */
uint64_t osp_checksum(uint64_t seed, const void *data, size_t size);

/* A checked reader. Every osp_read_* fails with OSP_REFUSED and one sentence, "FILE: offset O: FIELD: found X, allowed Y", and
 * then leaves the position as it was. No pointer arithmetic on input happens anywhere else. */
struct osp_cursor {
    const char *path; /* for sentences */
    const uint8_t *data;
    size_t size, at;
    size_t base; /* added to offsets in sentences: where data starts in the file */
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

/* Printable form of untrusted bytes for a sentence: 60 shown, control and non-ASCII bytes as \xNN, the cut marked by "...". */
const char *osp_quote(char *buffer, size_t buffer_size, const void *bytes, size_t size);

static inline bool osp_mul(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool osp_add(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_add_overflow(a, b, out); }

/* ---- Writing ------------------------------------------------------------------------------------ */

/* Writes a whole file or nothing: a temporary sibling, flushed, synced, renamed over `path`, folder synced. A link is followed:
 * what it points to is replaced, and the link stays. An existing file's mode is kept. A device or a FIFO (/dev/null, /dev/stdout)
 * is written directly, for nothing stands there that could be kept; a folder, a socket or a link to nothing is refused. */
struct osp_writer {
    FILE *stream;    /* write here; errors are found at commit */
    char *path;      /* links resolved */
    char *temporary; /* NULL: written directly */
};
osp_status osp_writer_open(const char *path, struct osp_writer *out); /* OSP_UNWRITTEN, OSP_MEMORY */
osp_status osp_writer_commit(struct osp_writer *writer); /* OSP_UNWRITTEN: the old file is intact, the temporary is gone */
void osp_writer_abandon(struct osp_writer *writer);      /* no-op after commit */

#endif
