/* Device memory with guard bands, for the harness: what a kernel writes outside its operands is found. A watched device gets
 * memory of the exact size instead. */
#ifndef OSPREY_BLOCK_H
#define OSPREY_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/backend.h"

/* What guards, outputs and scratch are filled with: a NaN; as an integer, nothing that a kernel computes. */
static const uint32_t block_poison = 0x7fc0dead;

struct bench {
    const struct osp_backend *backend;
    struct osp_device *device;
    char label[320]; /* "avx2 x3" */
    bool watched;    /* the device itself reports wrong accesses: blocks are bare, and memory that nobody wrote stays so */
};

struct block {
    size_t bytes;   /* of the body */
    size_t guard;   /* bytes before the body */
    size_t total;   /* guards included */
    void *device;   /* the whole block; NULL: none */
    uint8_t *image; /* what was put there */
};

/* The body holds `host`, or poison where that is NULL (on a watched device, nothing). Fails the running test when there is no memory. */
struct block block_new(const struct bench *bench, const void *host, size_t bytes);
void block_free(const struct bench *bench, struct block *block);

/* Device address of the body; NULL for no block. */
void *block_body(const struct block *block);

/* Downloads the body into out (NULL: does not); false when anything changed that must not have. */
bool block_intact(const struct bench *bench, const struct block *block, bool body_may_change, void *out);

#endif
