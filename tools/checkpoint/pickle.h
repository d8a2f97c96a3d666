/* A pickle read as data. It is a program for a stack machine; this one knows the few opcodes and names that a state dict and
 * plain data beside it are made of, builds tagged values, and never calls anything. Loops instead of recursion, every index
 * checked. */
#ifndef OSPREY_CHECKPOINT_PICKLE_H
#define OSPREY_CHECKPOINT_PICKLE_H

#include "runtime/file.h"
#include "runtime/safetensors.h"

/* Values, list items, memo slots and stack places in one pickle; the pickle of a 300-tensor state dict has about 6,000. */
enum { PICKLE_LIMIT = 1 << 21 };

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,    /* number */
    PICKLE_INT,     /* number */
    PICKLE_LONG,    /* at, size: more than 8 little-endian bytes */
    PICKLE_FLOAT,   /* its value is of no use here */
    PICKLE_STRING,  /* at, size: UTF-8 */
    PICKLE_TUPLE,   /* items */
    PICKLE_LIST,    /* items */
    PICKLE_DICT,    /* items: key, value, key, value; number of them in size */
    PICKLE_ORDERED, /* the same, a collections.OrderedDict */
    PICKLE_REBUILD_TENSOR,
    PICKLE_REBUILD_PARAMETER,
    PICKLE_ORDERED_TYPE,
    PICKLE_STORAGE_TYPE, /* number: enum osp_stored */
    PICKLE_STORAGE,      /* made: the tuple of its persistent id */
    PICKLE_TENSOR,       /* made: the tuple of _rebuild_tensor_v2's arguments */
    PICKLE_KINDS
};

struct pickle_value {
    uint8_t kind;
    uint32_t size; /* bytes of a string, items of a container */
    union {
        int64_t number;
        uint64_t at; /* in the pickle */
        struct {
            uint32_t first, last; /* cells, 0: none */
        } items;
        struct {
            uint32_t from, at; /* a value; the opcode's offset in the pickle, for sentences */
        } made;
    };
};

struct pickle_cell {
    uint32_t value, next; /* next cell, 0: none */
};

struct pickle {
    struct osp_cursor in;
    struct pickle_value *values;
    struct pickle_cell *cells; /* the first is not used */
    uint32_t value_count, value_room, cell_count, cell_room;
    uint32_t root;
};

/* Reads one pickle from the start of `data`; `base` is its place in the file, `used` gets its length. OSP_REFUSED, OSP_MEMORY. */
osp_status pickle_read(const char *path, const uint8_t *data, size_t size, size_t base, struct pickle *out, size_t *used);
void pickle_close(struct pickle *pickle);

static inline const struct pickle_value *pickle_at(const struct pickle *p, uint32_t value) { return &p->values[value]; }
const char *pickle_kind_name(enum pickle_kind kind); /* "a list" */

/* Fills `out` with the first n items of a container that has at least n. */
void pickle_items(const struct pickle *p, const struct pickle_value *container, uint32_t n, uint32_t *out);

/* The bytes of a string or long. */
const uint8_t *pickle_bytes(const struct pickle *p, const struct pickle_value *value);
bool pickle_is(const struct pickle *p, const struct pickle_value *value, const char *string);

/* ---- Storages and tensors (rebuild.c) ------------------------------------------------------------- */

struct pickle_storage {
    const char *key; /* digits only */
    uint32_t key_size;
    enum osp_stored type;
    uint64_t elements;
};

struct pickle_tensor {
    uint32_t storage; /* a value */
    uint64_t offset;  /* elements into the storage */
    int rank;
    int64_t dim[OSP_STORED_RANK];
    uint64_t stride[OSP_STORED_RANK]; /* elements */
    uint64_t elements;
    bool contiguous;
};

/* Both check everything that they read, and are called for each storage and tensor while the pickle is read. `at` is for
 * sentences. */
osp_status pickle_storage(const struct pickle *p, uint32_t id, size_t at, struct pickle_storage *out);
osp_status pickle_tensor(const struct pickle *p, uint32_t arguments, size_t at, struct pickle_tensor *out);

#endif
