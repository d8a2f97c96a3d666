/* Private to safetensors.c and safetensors_header.c. */
#ifndef OSPREY_SAFETENSORS_FILE_H
#define OSPREY_SAFETENSORS_FILE_H

#include <pthread.h>

#include "file.h"
#include "safetensors.h"

struct osp_entry {
    struct osp_stored_tensor stored;
    uint32_t at; /* where the header names it */
};

/* Names sorted for lookup, without copying them: each is the first member of a row. */
struct osp_names {
    const char *const *first;
    size_t stride; /* bytes from one to the next */
    uint32_t *order;
    int count;
};

struct osp_safetensors {
    struct osp_file map; /* all zero when opened from memory */
    char *path;
    const uint8_t *bytes;
    size_t size;

    struct osp_entry *tensors; /* by place of their data */
    int count;
    struct osp_meta *meta; /* as in the file */
    int meta_count;
    size_t meta_at; /* where the header has __metadata__ */
    char *pool;     /* all names, keys and values */
    struct osp_names tensor_names, meta_names;

    pthread_mutex_t lock; /* for sha256 */
    char sha256[65];      /* "": not yet computed */
};

/* Reads the n bytes of JSON at offset 8: sets tensors, meta and pool. Data pointers are set and within the file, sizes agree
 * with shapes; order and names are not checked. */
osp_status osp_safetensors_header(struct osp_safetensors *file, const struct osp_cursor *c, size_t n);

#endif
