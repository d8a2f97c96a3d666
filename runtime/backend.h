/* The backend contract: memory, a clock, and one ladder of kernels for each op. DESIGN section 4. */
#ifndef OSPREY_BACKEND_H
#define OSPREY_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "ops.h"
#include "osprey.h"

#ifdef __cplusplus
extern "C" {
#endif

enum osp_dtype { OSP_F32, OSP_F16, OSP_BF16, OSP_U8, OSP_I32, OSP_I64 };
size_t osp_dtype_size(enum osp_dtype dtype);

enum { OSP_MAX_RANK = 4 };

struct osp_shape {
    int rank;
    int64_t dim[OSP_MAX_RANK];
};
int64_t osp_shape_count(const struct osp_shape *shape); /* elements; 1 for rank 0 */

struct osp_tensor {
    enum osp_dtype dtype;
    struct osp_shape shape;
    void *data; /* device memory; NULL: an absent optional input, or a call that is not yet bound to memory */
};

/* A weight as the graph sees it: f32 rows computed on request from the mapped file, with batch norm folded in.
 * Row k of a (K,C,R,S) weight is its C*R*S values in that order; of a (K,C) weight its C values, already in NHWC order. */
struct osp_constant;
struct osp_shape osp_constant_shape(const struct osp_constant *constant);
void osp_constant_rows(const struct osp_constant *constant, int64_t first, int64_t count, float *out); /* host memory */

struct osp_dims {
    int n, h, w; /* the plan's batch and padded size */
};

/* One node, as a kernel sees it. Attributes: attrs->conv2d and so on. */
struct osp_call {
    enum osp_op op;
    const union osp_attrs *attrs;
    struct osp_dims dims;
    int inputs, outputs;
    struct osp_tensor in[OSP_MAX_INPUTS];
    struct osp_tensor out[OSP_MAX_OUTPUTS];
    const struct osp_constant *constant[OSP_MAX_CONSTANTS]; /* NULL: absent */
    void *scratch;                                          /* as many bytes as the rung's scratch() asked, 64-byte aligned */
};

struct osp_device; /* opaque here: each backend casts it to its own struct */

struct osp_device_options {
    int threads;        /* 0: all */
    const char *isa;    /* NULL: best */
    const char *driver; /* cuda: a path, or "ptx"; NULL: the system's */
    int device;         /* cuda: which GPU, from 0 */
    const char *emu;    /* emu: as in osprey.h, struct osp_session_options; NULL: fast */
};

/* What a rung keeps for a node between runs: packed weights, library plans. */
struct osp_node_state {
    void *data;
    const void *block; /* packed() bytes that may be kept in a file, 64-byte aligned; NULL: they may not */
};

/* What a kernel's products are made of; sums are f32 or better in all of them. */
enum osp_precision { OSP_PRECISION_F32, OSP_PRECISION_TF32, OSP_PRECISION_F16, OSP_PRECISION_BF16, OSP_PRECISION_COUNT };
const char *osp_precision_name(enum osp_precision precision); /* "f32" */

struct osp_kernel { /* one rung, or one call into a library */
    const char *name; /* "tile": typed, traced, tested */
    enum osp_precision precision; /* a plan uses a rung other than f32 only where its precision was asked for */
    /* NULL: accepts every call; else returns NULL to accept or the reason, a sentence. Shapes are set, memory is not. */
    const char *(*refuses)(const struct osp_device *, const struct osp_call *);
    /* Seconds, by a model; NULL: better than the rung below. */
    double (*cost)(const struct osp_device *, const struct osp_call *);
    /* Packs weights, once per model and device: may look at attrs and constants, never at shapes. NULL: nothing to do. */
    osp_status (*prepare)(struct osp_device *, const struct osp_call *, struct osp_node_state *);
    /* Instead of prepare, where state->block is mapped from a file that has the block of an earlier prepare: sets data, and reads in
     * place. Whatever the bytes are, no other memory may be touched. NULL: blocks are not kept. */
    osp_status (*adopt)(struct osp_device *, const struct osp_call *, struct osp_node_state *);
    void (*release)(struct osp_device *, struct osp_node_state *);
    size_t (*packed)(const struct osp_device *, const struct osp_call *); /* bytes that prepare keeps; NULL: the constants' */
    size_t (*scratch)(const struct osp_device *, const struct osp_call *); /* bytes; NULL: none */
    osp_status (*run)(struct osp_device *, const struct osp_call *, struct osp_node_state *);
};

struct osp_ladder {
    const struct osp_kernel *const *rungs; /* plainest first */
    int count;
};

struct osp_memory {
    osp_status (*alloc)(struct osp_device *, size_t bytes, void **out); /* 64-byte aligned or better; 0 bytes is allowed */
    void (*free)(struct osp_device *, void *);
    osp_status (*upload)(struct osp_device *, void *device, const void *host, size_t bytes);
    osp_status (*download)(struct osp_device *, void *host, const void *device, size_t bytes); /* waits for all work */
    osp_status (*available)(struct osp_device *, size_t *free_bytes, size_t *total_bytes);
};

/* Time marks in the stream of work: events on a GPU, the monotonic clock on a CPU. */
struct osp_clock {
    osp_status (*reserve)(struct osp_device *, int marks); /* marks 0..marks-1 may be used from now on */
    osp_status (*mark)(struct osp_device *, int mark);
    osp_status (*seconds)(struct osp_device *, int from, int to, double *out); /* waits for `to` */
};

/* A run recorded once and replayed. Between rehearse(1) and rehearse(0) a rung's run() loads what it will need and starts nothing;
 * between begin and end it is recorded instead of run. A recording is replayed for other pictures of the same plan in the same
 * memory, so nothing that a rung starts may depend on how many bytes of pixels there are. */
struct osp_capture {
    osp_status (*rehearse)(struct osp_device *, int on);
    osp_status (*begin)(struct osp_device *);
    osp_status (*end)(struct osp_device *, int keep, void **out); /* keep 0: forgets what was recorded; out is not set */
    osp_status (*launch)(struct osp_device *, void *recording);
    void (*destroy)(struct osp_device *, void *recording); /* NULL is allowed */
};

/* By which a plan decides whether some nodes should run for a slice of the batch at a time (runtime/slices.c). */
struct osp_pace {
    double macs, bytes; /* a second: multiply-adds; bytes that come from beyond the cache */
    double start;       /* seconds to start a node and to wait for all threads of it */
    double cache;       /* bytes that can be written before what was written first is no longer in cache */
};

/* What kernels ask of memory, where the device counts it. */
struct osp_counter {
    int (*get)(struct osp_device *, int i, struct osp_kernel_counts *out); /* 1, or 0 past the last kernel */
    void (*clear)(struct osp_device *);
};

/* How what was launched fills a GPU; 0: not known. */
struct osp_occupancy {
    double waves; /* thread blocks over as many as the device holds at once */
    double warps; /* that a multiprocessor holds of it at once, over the most that it can hold, 0..1 */
};

/* A file of kernels for GPUs that the program holds, as nvcc's fat binary. */
struct osp_code {
    const char *file; /* its source: "kernels/conv2d/01_naive.cu" */
    const unsigned char *data;
    size_t size; /* 0: the program was built without nvcc */
};

struct osp_backend {
    const char *name;
    const struct osp_backend *base; /* an overlay's base: its ladders serve the ops that the overlay lacks; NULL otherwise */
    osp_status (*open)(const struct osp_device_options *, struct osp_device **out);
    void (*close)(struct osp_device *);
    const struct osp_memory *memory;
    const struct osp_clock *clock;
    const struct osp_capture *capture; /* NULL: cannot record */
    const struct osp_counter *counter; /* NULL: counts nothing */
    int (*code)(int i, struct osp_code *out); /* 1, or 0 past the last file; NULL: it holds none */
    /* Of the launch with the most threads since the last call. NULL: not known. */
    void (*occupancy)(struct osp_device *, struct osp_occupancy *out);
    const struct osp_ladder *ops[OSP_OP_COUNT]; /* NULL: not here */
    int (*threads)(const struct osp_device *);      /* what runs, for provenance */
    const char *(*isa)(const struct osp_device *);
    /* What packed weights depend on besides the model: devices that say the same share them, and any of them may release them.
     * NULL: they belong to one device. */
    const char *(*packing)(const struct osp_device *);
    void (*describe)(const struct osp_device *, struct osp_device_info *); /* into zeros; NULL: the host computes */
    void (*pace)(const struct osp_device *, struct osp_pace *); /* NULL: every node runs for the whole batch */
};

/* The compiled-in backends, NULL-terminated (backends.c). */
extern const struct osp_backend *const osp_backends[];

const char *osp_op_name(enum osp_op op);
const char *osp_op_help(enum osp_op op);
int osp_op_find(const char *name); /* -1: no such op */

/* Leaves the sentence for osp_message() and returns the code: `return osp_fail(OSP_MEMORY, "...", ...)`. */
osp_status osp_fail(osp_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
