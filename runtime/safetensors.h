/* The weight file: safetensors, read and written. Half a page of rules, no code execution.
 * Tensors keep the checkpoint's names and shapes; __metadata__ holds what osprey needs to know of the network. */
#ifndef OSPREY_SAFETENSORS_H
#define OSPREY_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "osprey.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits beyond the format's own, so that the memory an open file takes stays below its size and 64 MiB; the writer keeps them
 * too. */
enum {
    OSP_STORED_RANK = 8,
    OSP_STORED_NAME = 4096, /* bytes of a tensor's name or of a metadata key */
    OSP_STORED_TENSORS = 1 << 20,
    OSP_STORED_META = 1 << 16,       /* pairs */
    OSP_STORED_META_VALUE = 1 << 22, /* bytes */
    OSP_STORED_HEADER = 100000000    /* bytes, the reference reader's limit */
};

enum osp_stored {
    OSP_STORED_F64,
    OSP_STORED_F32,
    OSP_STORED_F16,
    OSP_STORED_BF16,
    OSP_STORED_I64,
    OSP_STORED_I32,
    OSP_STORED_I16,
    OSP_STORED_I8,
    OSP_STORED_U8,
    OSP_STORED_BOOL,
    OSP_STORED_COUNT
};
size_t osp_stored_size(enum osp_stored type);      /* bytes an element */
const char *osp_stored_name(enum osp_stored type); /* "F32" */

/* A tensor in a file: bytes are little-endian, row-major, perhaps not aligned. */
struct osp_stored_tensor {
    const char *name;
    enum osp_stored type;
    int rank;
    int64_t dim[OSP_STORED_RANK];
    const uint8_t *data;
    uint64_t bytes;
};

struct osp_safetensors; /* an open file: mapped, checked, sorted by name */

/* Every rule of the format is checked here, once: afterwards each tensor's bytes are there, and are as many as its shape says.
 * Data are not looked at. Tensors without elements are allowed, and BOOL bytes other than 0 and 1 read as 1. OSP_UNREADABLE,
 * OSP_REFUSED (spec/hostile-input.md, S01 to S18), OSP_MEMORY. */
osp_status osp_safetensors_open(const char *path, struct osp_safetensors **out);
/* The same for bytes in memory, which must outlive the file; the name is for sentences. */
osp_status osp_safetensors_open_memory(const char *name, const void *data, size_t size, struct osp_safetensors **out);
void osp_safetensors_close(struct osp_safetensors *file); /* NULL is allowed */

/* OSP_REFUSED if somebody wrote to the file, or cut it, since it was opened (file.h): ask after the last read of weights. */
osp_status osp_safetensors_unchanged(const struct osp_safetensors *file);

/* Gives back the memory of the weights that were read so far; they can be read again. */
void osp_safetensors_give_back(const struct osp_safetensors *file);

const char *osp_safetensors_path(const struct osp_safetensors *file);

uint64_t osp_safetensors_checksum(const struct osp_safetensors *file); /* osp_checksum, of the whole file */

/* 64 hex digits, computed at first use, then kept. OSP_REFUSED: the file has changed meanwhile. */
osp_status osp_safetensors_sha256(const struct osp_safetensors *file, const char **out);
uint64_t osp_safetensors_bytes(const struct osp_safetensors *file);
int osp_safetensors_count(const struct osp_safetensors *file);
const struct osp_stored_tensor *osp_safetensors_tensor(const struct osp_safetensors *file, int i); /* in the data's order */
const struct osp_stored_tensor *osp_safetensors_find(const struct osp_safetensors *file, const char *name); /* NULL: none */
const char *osp_safetensors_meta(const struct osp_safetensors *file, const char *key);                      /* NULL: none */
int osp_safetensors_meta_count(const struct osp_safetensors *file);
void osp_safetensors_meta_at(const struct osp_safetensors *file, int i, const char **key, const char **value);

/* Widens elements [first, first + count) of a floating-point tensor to f32 (F64 is rounded); integers are converted. Alignment
 * does not matter. */
void osp_stored_read(const struct osp_stored_tensor *tensor, uint64_t first, uint64_t count, float *out);

float osp_f16_to_f32(uint16_t half);
uint16_t osp_f32_to_f16(float value); /* nearest, ties to even; overflow to infinity */

/* Writes a file: metadata pairs in the given order, tensors in the given order, data aligned to 64 bytes by header padding.
 * type F16 on a tensor whose data is F32 is up to the caller to convert first. OSP_UNWRITTEN, OSP_MEMORY; OSP_USAGE for what
 * osp_safetensors_open would refuse (a name twice, bytes that do not fit the shape, ...). */
struct osp_meta {
    const char *key, *value;
};
osp_status osp_safetensors_write(const char *path, const struct osp_meta *meta, int meta_count,
                                 const struct osp_stored_tensor *tensors, int tensor_count);

/* The same, with a last look: check() gets the name under which the finished file stands before it takes its place, and a status
 * other than OSP_OK from it leaves nothing behind. */
osp_status osp_safetensors_write_checked(const char *path, const struct osp_meta *meta, int meta_count,
                                         const struct osp_stored_tensor *tensors, int tensor_count,
                                         osp_status (*check)(void *context, const char *temporary), void *context);

#ifdef __cplusplus
}
#endif
#endif
