/* What the two formats of torch.save have in common: a pickle, and storages that it names. */
#ifndef OSPREY_CHECKPOINT_SOURCE_H
#define OSPREY_CHECKPOINT_SOURCE_H

#include "checkpoint.h"
#include "pickle.h"
#include "zip.h"

struct storage {
    const char *key;
    uint32_t key_size;
    bool named; /* by the pickle: type and elements are set */
    bool whole; /* its checksum has been compared */
    enum osp_stored type;
    uint64_t elements;
    const uint8_t *data;
    uint64_t bytes;
    const struct zip_entry *entry; /* NULL: no checksum */
};

struct source {
    uint64_t file_size;
    struct pickle pickle;
    struct storage *storages; /* sorted by key */
    uint32_t storage_count;
    struct zip zip; /* no entries: a legacy stream */
};

/* Both leave nothing behind unless OSP_OK. OSP_REFUSED, OSP_MEMORY. */
osp_status archive_open(const char *path, const uint8_t *data, size_t size, struct source *out);
osp_status legacy_open(const char *path, const uint8_t *data, size_t size, struct source *out);
void source_close(struct source *source);
bool legacy_begins(const uint8_t *data, size_t size);

/* Gives each storage value of the pickle its place in `storages` (value.size), and each storage its type and elements, which must
 * be the same wherever it is named; all must be named. */
osp_status source_bind(struct source *source);

/* Compares a storage's checksum, once. */
osp_status source_check(struct source *source, struct storage *storage);

/* Finds the state dict and fills key, module_prefix, count, tensors, names and copies. (state.c) */
osp_status state_read(struct source *source, struct checkpoint *out);

#endif
