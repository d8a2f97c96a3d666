/* osprey: object detection in C and CUDA, with no machine-learning framework.
 *
 *     #include <stdio.h>
 *     #include "runtime/osprey.h"
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct osp_model *model;  struct osp_session *session;
 *         struct osp_image *photo;  struct osp_detections found;
 *         if (argc < 2 || osp_model_open(NULL, &model) || osp_session_open(model, NULL, &session)
 *             || osp_image_load(argv[1], NULL, &photo) || osp_detect(session, photo, &found))
 *             return fprintf(stderr, "%s\n", osp_message()), 1;
 *         for (int i = 0; i < found.count; i++)
 *             printf("%s %.3f\n", osp_model_class(model, found.items[i].label), found.items[i].score);
 *         return 0;
 *     }
 *
 * Threads: a model is immutable and may be shared; a session serves one thread at a time (a second one
 * gets OSP_BUSY). Failure: every function that can fail returns an osp_status and leaves one sentence, which
 * osp_message() gives. Nothing here prints or exits. Every out parameter is set only on OSP_OK.
 */
#ifndef OSPREY_H
#define OSPREY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OSP_VERSION "0.1.0"

/* ---- Status ------------------------------------------------------------------------------------- */

typedef enum osp_status {
    OSP_OK = 0,
    OSP_USAGE,       /* the caller asked for what does not exist: an op, a rung, a size, an option */
    OSP_REFUSED,     /* a model or checkpoint file breaks a rule; the sentence has file, offset, field, found, allowed */
    OSP_BAD_IMAGE,   /* a picture cannot be read or is beyond a limit */
    OSP_UNREADABLE,  /* a file cannot be opened or read (the sentence has the system's reason) */
    OSP_UNWRITTEN,   /* an output cannot be written; what stood there before is intact */
    OSP_UNAVAILABLE, /* a backend, device or library is not here, or failed */
    OSP_MEMORY,      /* out of memory; the sentence has the bytes needed */
    OSP_BUSY         /* the session is in use by another thread */
} osp_status;

/* The sentence of this thread's last failure, "" before the first; valid until the next failure on this thread. */
const char *osp_message(void);

/* ---- Models ------------------------------------------------------------------------------------- */

struct osp_model;

/* Opens a converted weight file (safetensors with osprey's metadata) and builds its network. path NULL: the demo
 * model that ships with osprey, found beside the program, in the source tree or where it was installed.
 * OSP_UNREADABLE, OSP_REFUSED, OSP_MEMORY. */
osp_status osp_model_open(const char *path, struct osp_model **out);
void osp_model_close(struct osp_model *model); /* NULL is allowed; sessions must be closed first */

/* What the file says of itself; strings live as long as the model. */
struct osp_model_info {
    const char *path;
    const char *architecture;  /* "fasterrcnn_resnet50_fpn" */
    const char *source_name;   /* the checkpoint's file name, "" if unknown */
    const char *source_sha256; /* the checkpoint's sha256, "" if unknown */
    int classes;               /* background included */
    int min_size, max_size;    /* pixels: the shorter side goes to min_size unless the longer would pass max_size */
    const char *resize;        /* "double" or "f32-reciprocal" */
    const char *input_norm;    /* "once" or "twice" */
    double bn_eps;
    int rpn_pre_nms, rpn_post_nms;
    double rpn_nms_threshold, rpn_score_threshold;
    double box_score_threshold, box_nms_threshold;
    int detections_per_image;
    int64_t parameters;    /* scalars in the file's tensors */
    int64_t file_bytes;
};
void osp_model_describe(const struct osp_model *model, struct osp_model_info *out);

/* SHA-256 of the model file, 64 hex digits, which live as long as the model. The first call reads the whole file. OSP_REFUSED: it
 * has changed since it was opened. */
osp_status osp_model_sha256(const struct osp_model *model, const char **out);

/* Name of class id 0..classes-1 (0 is "__background__"); NULL outside. */
const char *osp_model_class(const struct osp_model *model, int id);

/* ---- Images ------------------------------------------------------------------------------------- */

/* 8-bit RGB, rows packed: rgb[(y * width + x) * 3 + channel]. */
struct osp_image {
    int width, height;
    uint8_t *rgb;
};

struct osp_image_options {
    int64_t max_pixels;  /* 0: 178,956,970 (the point where Pillow refuses too) */
    int ignore_exif;     /* 1: do not turn the picture by its EXIF orientation */
};

/* Decodes a JPEG or PNG by content, whatever its name says: libjpeg-turbo and libpng, EXIF orientation applied; grey is
 * spread to RGB, CMYK converted, of 16 bits the high byte kept, alpha dropped (as PIL's convert("RGB")). OSP_UNREADABLE, OSP_BAD_IMAGE, OSP_MEMORY. */
osp_status osp_image_load(const char *path, const struct osp_image_options *options, struct osp_image **out);
void osp_image_free(struct osp_image *image); /* NULL is allowed */

/* ---- Sessions: a model on a backend ----------------------------------------------------------- */

struct osp_session;

struct osp_session_options {
    const char *backend; /* NULL: "cpu" */
    const char *use;     /* rungs to pin: "conv2d=naive" or "NODE:conv2d=naive", separated by commas; "conv2d=winograd?" pins it
                            where it does not refuse; NULL: the plan chooses */
    const char *tuned;   /* a file of choices that `osprey bench --tune` wrote; "": this machine's own, in the cache folder; NULL: none.
                            What is not pinned runs as the file says, and as the plan's model says where the file has no such layer */
    const char *pack_cache; /* a file that keeps packed weights: of this model, mapped instead of packed. "": the model file's name and
                            ".packed"; NULL: none. Passed over if it does not fit (osp_session_pack_cache); OSP_UNWRITTEN: it is another kind of file */
    const char *precision; /* "f32", "tf32", "f16" or "bf16": of products, wherever the backend has a kernel of it; NULL: f32 */
    const char *resize;  /* "double" or "f32-reciprocal"; NULL: as the model file says */
    const char *isa;     /* cpu: "portable", "avx2" or "avx512"; NULL: the best this machine has */
    int threads;         /* cpu: 0: all cores that this process may use */
    int plans;           /* how many plans are kept at once, least recently used dropped; 0: 4 */
    int keep;            /* 1: keep every intermediate value for osp_session_value (no memory is shared between values) */
    const char *driver;  /* cuda: the driver library's path, or "ptx" for the one that interprets PTX; NULL: OSPREY_CUDA_DRIVER, or the system's */
    int device;          /* cuda: which GPU, from 0 */
    const char *emu;     /* emu: "fast", "shuffled=SEED", "check" or "count"; NULL: fast. Behind it: ",multiprocessors=40,arch=75": as
                            what kind of device it poses; ",blocks=8" behind count: of each launch so many are run and stand for all */
    int graph;           /* cuda, emu: 1: each plan is captured once as a graph and replayed; its nodes then have no times of their own */
    int whole;           /* cpu: 1: every node runs for the whole batch, even where slices of it would be faster */
};

/* Opens the backend's device; options NULL: defaults. Weights are packed at the first run. OSP_USAGE, OSP_UNAVAILABLE, OSP_MEMORY. */
osp_status osp_session_open(const struct osp_model *model, const struct osp_session_options *options, struct osp_session **out);
void osp_session_close(struct osp_session *session); /* NULL is allowed */

const char *osp_session_backend(const struct osp_session *session);
const char *osp_session_resize(const struct osp_session *session); /* the option; NULL: the model file's rule is used */
const char *osp_session_isa(const struct osp_session *session);
const char *osp_session_tuned(const struct osp_session *session); /* the tuning file's path; NULL: none */
const char *osp_session_precision(const struct osp_session *session); /* as asked for; each line of a plan says what its kernel has */
int osp_session_threads(const struct osp_session *session);

/* The path of the session's file of packed weights; NULL: none. *remark: once it has run, why what it found there was passed over and
 * weights were packed anew; "" where that is not so. */
const char *osp_session_pack_cache(const struct osp_session *session, const char **remark);

/* Writes that file, if this session or one that shares its weights has packed what it lacks. *bytes: its size; 0: it lacks nothing.
 * OSP_UNWRITTEN, OSP_MEMORY; OSP_REFUSED: somebody wrote to it meanwhile. */
osp_status osp_session_write_pack_cache(struct osp_session *session, size_t *bytes);

/* What computes, where that is not the host. */
struct osp_device_info {
    char name[256];      /* "NVIDIA T4, sm_75, driver 12.4 (libcuda.so.1)"; "": the host */
    char bus[32];        /* PCI address, "0000:65:00.0"; "" where there is none */
    int gpu;             /* 1: kernels for a GPU run */
    int emulated;        /* 1: on no GPU; their times say nothing of one */
    double load_seconds; /* spent so far on loading kernels */
};
void osp_session_device(const struct osp_session *session, struct osp_device_info *out);

/* Bytes a second from pageable host memory to the device, by the device's clock: the fastest of a few large copies. OSP_MEMORY,
 * OSP_UNAVAILABLE. */
osp_status osp_session_link(struct osp_session *session, double *bytes_per_second);

/* From now on pictures are resized so that the shorter side is min_size unless the longer would pass max_size; 0, 0: as the model
 * says. OSP_USAGE. */
osp_status osp_session_set_size(struct osp_session *session, int min_size, int max_size);

struct osp_detection {
    int label;    /* class id, 1..classes-1 */
    float score;  /* softmax probability */
    float box[4]; /* x0 y0 x1 y1, pixels of the original image */
};

struct osp_detections {
    int count;
    struct osp_detection *items; /* best score first */
    int nonfinite;               /* candidates that were dropped because a score or a box was NaN or infinite */
};

/* Runs the network on one image, or on a batch that is padded to its largest member as torchvision does; out has `count` entries.
 * Matches torchvision's GeneralizedRCNN.forward in eval mode, with its NMS done class by class. Free each entry with osp_detections_free. */
osp_status osp_detect(struct osp_session *session, const struct osp_image *image, struct osp_detections *out);
osp_status osp_detect_batch(struct osp_session *session, const struct osp_image *const *images, int count, struct osp_detections *out);
void osp_detections_free(struct osp_detections *detections);

/* ---- Plans and traces --------------------------------------------------------------------------- */

/* One node of a plan, in running order. Strings live as long as the plan is kept. */
struct osp_line {
    const char *node;    /* "backbone.body.layer1.0.conv2" */
    const char *stage;   /* "preprocess" "body" "fpn" "rpn" "proposals" "roi_align" "box_head" "detections" */
    const char *op;      /* "conv2d" */
    const char *kernel;  /* "cpu/conv2d/tile" */
    const char *precision; /* "f32": of that kernel */
    const char *untuned; /* where a tuning file chose the kernel: the rung that the plan would have taken; NULL elsewhere */
    char shape[80];      /* "1x200x272x64 -> 1x200x272x64" */
    int slices;          /* the batch goes through this node and its neighbours of as many slices one slice after the other; 1: whole */
    double macs;         /* multiply-adds of convolutions and matrix products, at full capacity (performance.md 3) */
    double macs_done;    /* the same for the rows that the last run really had; equals macs where no count is involved */
    double bytes;        /* inputs, weights and outputs, each once */
    double seconds;      /* of the last run; 0 before the first */
    /* Of the node's launch with the most threads, on a GPU; 0 where that is not known, as of a library's kernels: */
    double waves;        /* thread blocks over as many as the device holds at once */
    double occupancy;    /* warps that a multiprocessor holds at once over the most that it can hold, 0..1 */
};

struct osp_plan;

/* The plan for a batch of n network inputs of h x w pixels (multiples of 32), made if need be, without running or packing anything.
 * It stays valid until as many other plans as the session keeps have been used. OSP_USAGE, OSP_MEMORY. */
osp_status osp_session_plan(struct osp_session *session, int n, int h, int w, const struct osp_plan **out);
const struct osp_plan *osp_session_last_plan(const struct osp_session *session); /* of the last run; NULL before */

int osp_plan_lines(const struct osp_plan *plan);
void osp_plan_line(const struct osp_plan *plan, int i, struct osp_line *out);

/* The rungs of node i's ladder, plainest first: name, and why it does not run here (NULL: it could). Where an overlay refuses the node,
 * its base's rungs come behind its own. Returns 0 past the last rung. */
int osp_plan_rung(const struct osp_plan *plan, int i, int rung, const char **name, const char **refusal);

struct osp_plan_memory {
    int n, h, w;
    size_t arena;       /* bytes of the activation arena */
    size_t lower_bound; /* peak of live bytes: no packing can be smaller */
    size_t unshared;    /* sum of all activations: what the arena saves */
    size_t weights;     /* as this plan's kernels pack them, once for all plans */
};
void osp_plan_memory(const struct osp_plan *plan, struct osp_plan_memory *out);

/* Seconds outside the nodes in the last osp_detect: */
struct osp_session_times {
    double open;        /* device, once */
    double plan;        /* finding the plan, or making it, in this call */
    double pack;        /* packing weights, in this call (0 after the first) */
    double upload;      /* pixels to the device; this, network and download by the device's clock */
    double network;     /* first node to last */
    double download;    /* boxes from the device */
    double postprocess; /* boxes back to original pixels */
    int graph;          /* 1: the nodes ran as one captured graph */
};
void osp_session_times(const struct osp_session *session, struct osp_session_times *out);

/* Memory of the session's device in bytes: free now, and all of it. For cpu it is what the machine has available, or what the control
 * group of this process leaves it. OSP_UNAVAILABLE. */
osp_status osp_session_memory(const struct osp_session *session, size_t *free_bytes, size_t *total_bytes);

/* What a kernel asked of one kind of memory. A request is one instruction of a warp: up to 32 lanes at once. */
struct osp_space_counts {
    int64_t requests;
    int64_t lanes;         /* that took part, over all requests: 32 a request at best */
    int64_t bytes;         /* that lanes asked for */
    int64_t read;          /* of them, those that were loaded into registers */
    int64_t units, ideal;  /* global: sectors of 32 bytes that were touched; shared: passes over its 32 banks; and the fewest possible */
    int64_t lines;         /* global: lines of 128 bytes that were touched, but not by copies to shared memory */
    int64_t once;          /* global: sectors, each once for each block that touched it */
};
struct osp_kernel_counts {
    const char *kernel; /* the name on the device: "conv2d_register_..." */
    int64_t launches, blocks, threads;
    int64_t dynamic_shared; /* bytes of a block, asked for by its launch; the most */
    int64_t barriers;       /* that blocks came to */
    int64_t copy_waits;     /* for copies made beside the work (cp.async), of threads */
    int64_t products;       /* multiply-adds by matrix instructions */
    struct osp_space_counts global, shared;
};
/* The i-th kernel of the last run, in the order of their first launches. Returns 0 past the last one; at once, where nothing is counted:
 * only emu counts, in its mode "count", and all sessions of the process together. */
int osp_session_counts(const struct osp_session *session, int i, struct osp_kernel_counts *out);

/* Copies a value of the last run to the host as f32 (integers are converted); the session must have been opened with keep.
 * name: the node that made it, with ":1", ":2" for further outputs. dims gets up to 4 sizes. Free data with free(). OSP_USAGE, OSP_MEMORY. */
osp_status osp_session_value(struct osp_session *session, const char *name, float **data, int64_t dims[4], int *rank);

/* The network's input size for a picture: shorter side to min_size unless the longer would pass max_size, then floor.
 * rule: "double" or "f32-reciprocal" (torchvision 0.12 to 0.14 and exported graphs); spec 1.1. */
osp_status osp_resized_size(const char *rule, int min_size, int max_size, int height, int width, int *out_height, int *out_width);

/* The path of a file that ships with osprey: "demo.safetensors" and the photos "astronaut.png" and "camera.png". OSP_UNREADABLE: it is
 * nowhere. */
osp_status osp_shipped_file(const char *name, char *path, size_t size);

/* Names of the compiled-in backends; NULL past the last. */
const char *osp_backend_name(int i);

/* Names of the ops, and the rungs by which a backend serves one, plainest first; NULL past the last, and of no such backend or op. */
const char *osp_op_word(int i);
const char *osp_backend_rung(const char *backend, const char *op, int rung);

/* The precisions of which a backend has rungs; NULL past the last. */
const char *osp_backend_precision(const char *backend, int i);

#ifdef __cplusplus
}
#endif
#endif
