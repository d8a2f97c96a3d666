/* Fat binaries, as `nvcc -fatbin` writes them: which PTX in one suits the device. There is no public description; these are the
 * fields that were seen in files made here, all little-endian:
 *
 *     file     0  u32 0xba55ed50     4 u16 version 1     6 u16 bytes of this header (16)     8 u64 bytes of entries after it
 *     entry    0  u16 1: PTX text, 2: machine code       4 u32 bytes of the entry's header   8 u64 bytes of content after it
 *             16  u32 bytes compressed, 0: not           28 u32 target: 80 for sm_80         40 u64 flags
 *
 * Flags 0x2000 and 0x8000: compressed, 0x100000: for exactly that target (sm_90a). Text is filled up with zeros at its end.
 * A program that nvcc made holds a wrapper instead: u32 0x466243b1, u32 version, pointer to the file. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t FILE_MAGIC = 0xba55ed50, WRAPPER_MAGIC = 0x466243b1, ELF_MAGIC = 0x464c457f;
enum { FILE_HEADER = 16, ENTRY_HEADER = 48, KIND_PTX = 1, COMPRESSED = 0xa000, EXACT_TARGET = 0x100000 };

static uint64_t little(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

struct entry {
    const unsigned char *content;
    uint64_t bytes, flags, compressed;
    int kind, target;
};

/* The entry at *at, which moves behind it; false: the end, or (then *bad) an entry that is not one. */
static bool next_entry(const unsigned char *file, uint64_t end, uint64_t *at, struct entry *out, bool *bad)
{
    if (*at == end)
        return false;
    *bad = end - *at < ENTRY_HEADER;
    if (*bad)
        return false;
    const unsigned char *p = file + *at;
    uint64_t header = little(p + 4, 4), bytes = little(p + 8, 8);
    *bad = header < ENTRY_HEADER || header > end - *at || bytes > end - *at - header;
    if (*bad)
        return false;
    *out = (struct entry){p + header, bytes, little(p + 40, 8), little(p + 16, 4), (int)little(p, 2), (int)little(p + 28, 4)};
    *at += header + bytes;
    return true;
}

static CUresult copy_text(const char *from, size_t bytes, char **text, size_t *size)
{
    *text = malloc(bytes + 1);
    if (!*text)
        return CUDA_ERROR_OUT_OF_MEMORY;
    memcpy(*text, from, bytes);
    (*text)[bytes] = 0;
    *size = bytes;
    return CUDA_SUCCESS;
}

static CUresult from_file(const unsigned char *file, char **text, size_t *size, char *log, size_t room)
{
    uint64_t header = little(file + 6, 2), bytes = little(file + 8, 8), at = header, end = header + bytes;
    struct entry e, best = {0};
    bool bad = false, packed = false;
    int used = snprintf(log, room, "no PTX for sm_%d in the fat binary; it holds", drv.sm);
    if (header < FILE_HEADER || end < header) {
        snprintf(log, room, "a fat binary with a header of %llu bytes", (unsigned long long)header);
        return CUDA_ERROR_INVALID_IMAGE;
    }
    while (next_entry(file, end, &at, &e, &bad)) {
        bool is_packed = e.compressed || e.flags & COMPRESSED, exact = e.flags & EXACT_TARGET;
        bool suits = e.kind == KIND_PTX && (exact ? e.target == drv.sm : e.target <= drv.sm);
        if (used >= 0 && (size_t)used < room)
            used += snprintf(log + used, room - (size_t)used, " %s_%d%s%s", e.kind == KIND_PTX ? "compute" : "sm", e.target,
                             exact ? "a" : "", is_packed ? " (compressed)" : "");
        packed |= suits && is_packed;
        if (suits && !is_packed && (!best.content || e.target >= best.target))
            best = e;
    }
    if (bad) {
        snprintf(log, room, "the fat binary is cut off or damaged at byte %llu", (unsigned long long)at);
        return CUDA_ERROR_INVALID_IMAGE;
    }
    if (!best.content) {
        if (packed)
            snprintf(log, room,
                     "the PTX in the fat binary is compressed, which this driver does not read: give nvcc --no-compress");
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    *log = 0;
    return copy_text((const char *)best.content, strnlen((const char *)best.content, best.bytes), text, size);
}

CUresult drv_image_text(const void *image, char **text, size_t *size, char *log, size_t room)
{
    const unsigned char *p = image;
    uint32_t magic = 0; /* a text may be shorter than a magic number */
    for (int i = 0; i < 4 && (i == 0 || p[i - 1]); i++)
        magic |= (uint32_t)p[i] << 8 * i;
    if (magic == WRAPPER_MAGIC) {
        memcpy(&p, p + 8, sizeof p);
        magic = p ? (uint32_t)little(p, 4) : 0;
        if (magic != FILE_MAGIC) {
            snprintf(log, room, "a wrapper that points to no fat binary");
            return CUDA_ERROR_INVALID_IMAGE;
        }
    }
    if (magic == FILE_MAGIC)
        return from_file(p, text, size, log, room);
    if (magic == ELF_MAGIC) {
        snprintf(log, room, "machine code for a GPU, without PTX: this driver interprets PTX");
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    return copy_text((const char *)p, strlen((const char *)p), text, size);
}
