/* Files that keep packed weights from run to run. For runtime/ only.
 *
 * Such a file belongs to one model, one build of the packing code and one kind of device; all three stand in it, and what does
 * not fit is passed over, never used. It is mapped and read in place. */
#ifndef OSPREY_PACKFILE_H
#define OSPREY_PACKFILE_H

#include "file.h"

struct osp_packfile;

struct osp_packfile_key {
    uint64_t model;      /* checksum of the weight file */
    const char *backend; /* "cpu" */
    const char *packing; /* of that backend: "avx512" */
};

/* One block of packed weights. */
struct osp_packfile_block {
    const char *name; /* "backbone.body.conv1 cpu/conv2d/tile" */
    const void *data;
    size_t bytes;
};

enum { OSP_PACKFILE_NAME = 176 }; /* room for a name and its NUL */

/* OSP_UNWRITTEN: something else stands there, which is not to be replaced. */
osp_status osp_packfile_check(const char *path);

/* Maps the file and checks it whole. One that is not there, does not fit or is damaged has no blocks; osp_packfile_remark then
 * says why. OSP_MEMORY, OSP_UNWRITTEN as above. */
osp_status osp_packfile_open(const char *path, const struct osp_packfile_key *key, struct osp_packfile **out);
void osp_packfile_close(struct osp_packfile *file); /* NULL is allowed */

const char *osp_packfile_remark(const struct osp_packfile *file); /* "": it fits, or there was none */

/* Block i; 0: there are no more. Its data is 64-byte aligned, and mapped until the file is closed. */
int osp_packfile_block(const struct osp_packfile *file, int i, struct osp_packfile_block *out);

/* Data of the block of this name and size; NULL: none. */
const void *osp_packfile_find(const struct osp_packfile *file, const char *name, size_t bytes);

/* Whether what is mapped is still as it was checked: osp_file_unchanged. */
osp_status osp_packfile_unchanged(const struct osp_packfile *file);

/* Writes a file of these blocks, whole or not at all; *bytes: its size. OSP_UNWRITTEN, OSP_MEMORY. */
osp_status osp_packfile_write(const char *path, const struct osp_packfile_key *key, const struct osp_packfile_block *blocks,
                              int count, size_t *bytes);

#endif
