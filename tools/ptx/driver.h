/* Inside the driver: what api.def's functions are made of. One lock guards all of it (drv_enter takes it, drv_leave gives it
 * back); what is declared here expects it held. Nothing of the interpreter's inside is known: only ptx.h. */
#ifndef PTX_DRIVER_H
#define PTX_DRIVER_H

#include "api.h"
#include "ptx.h"

enum { DRIVER_VERSION = 13000, OLDEST_API = 3010 };
_Static_assert(sizeof(CUDA_MEMCPY2D) == 128 && sizeof(CUlaunchAttribute) == 72 && sizeof(CUlaunchConfig) == 56 &&
                   sizeof(CUctxCreateParams) == 24 && sizeof(CUDA_GRAPH_INSTANTIATE_PARAMS) == 32 && sizeof(CUuuid) == 16,
               "what clients pass has the sizes of <cuda.h>");

/* ---- Objects and handles: handle.c. A handle is a number that no pointer has: kind, generation and index of a table, so that a
 * stale or invented one is told from a live one without following it. ---- */
enum kind {
    KIND_CONTEXT = 1,
    KIND_MODULE,
    KIND_FUNCTION,
    KIND_STREAM,
    KIND_EVENT,
    KIND_GRAPH,
    KIND_NODE,
    KIND_EXEC,
    KIND_MEMORY,
    KIND_HOST,
    KINDS
};

struct context;
struct object { /* first in everything that has a handle or belongs to a context */
    enum kind kind;
    void *handle;
    struct context *context;
    struct object *next, **link; /* in the context's list */
};
bool drv_object_add(struct object *object, enum kind kind, struct context *context); /* false: no memory */
void drv_object_remove(struct object *object);
void *drv_object(const void *handle, enum kind kind); /* NULL: no such thing, or no longer */
bool drv_was(const void *handle, enum kind kind);     /* the handle of something that is gone */
uint64_t drv_count(enum kind kind);

/* ---- The driver: driver.c ---- */
struct driver {
    bool initialised, quiet;
    int sm, workers;
    uint64_t memory_bytes, seed, random;
    struct ptx_memory *memory; /* while there is a context */
    struct context *contexts, *primary;
    unsigned primary_flags, primary_references;
    uint64_t order;      /* of everything that is put into a stream */
    uint64_t identities; /* contexts, streams and captures are numbered from one count */
    uint64_t host_bytes;
    struct ptx_counters counters;
    double seconds;
};
extern struct driver drv;

/* What a call needs before it may do anything. */
enum need {
    NEEDS_NOTHING,
    NEEDS_INIT,
    NEEDS_CONTEXT, /* one is current, and no kernel in it has failed */
    NEEDS_ALIVE,   /* one is current, failed or not */
    RELEASES = 8   /* added: the call releases something, and does so even when it returns an earlier failure */
};
/* Takes the lock, counts the call. Not CUDA_SUCCESS: the lock is not held and that is the call's result. */
CUresult drv_enter(const char *name, int need);
CUresult drv_leave(CUresult code); /* gives the lock back; the call's result */
#define ENTER(need)                                                                                                              \
    do {                                                                                                                         \
        CUresult entered = drv_enter(__func__, need);                                                                            \
        if (entered)                                                                                                             \
            return entered;                                                                                                      \
    } while (0)

struct context *drv_current(void); /* not NULL after NEEDS_CONTEXT */
__attribute__((format(printf, 2, 3))) CUresult drv_fault(CUresult code, const char *format,
                                                         ...); /* keeps and prints the sentence; code */
CUresult drv_fault_of(const struct ptx_fault *fault, const char *what);
void drv_client(bool inside); /* around a call of the client's own functions: calls of the driver from within are refused */
uint64_t drv_random(uint64_t below);
double drv_seconds(void);
void drv_configure(void); /* reads the environment; device.c */
CUresult drv_device_check(CUdevice device);
int drv_attribute(int attribute); /* of the device posed; device.c */

/* ---- Contexts: context.c ---- */
struct stream;
struct context {
    struct object object;
    struct context *next;
    uint64_t identity;
    bool primary;
    unsigned flags, api_version;
    CUresult sticky; /* the failure of a kernel: every later call returns it */
    struct object *objects;
    struct stream *legacy; /* the NULL stream */
    size_t stack_limit, printf_limit, heap_limit;
    int cache_config, shared_config;
};

/* ---- Streams and what waits in them: queue.c, stream.c, event.c ---- */
struct marker { /* an event as it was recorded once */
    unsigned references;
    bool done;
    double seconds;
    struct stream *stream; /* until done */
};
struct marker *drv_marker_hold(struct marker *marker);
void drv_marker_drop(struct marker *marker);

enum op_kind { OP_KERNEL, OP_COPY, OP_SET, OP_HOST, OP_CALLBACK, OP_RECORD, OP_WAIT, OP_GRAPH, OP_FREE, OP_EMPTY };
struct place { /* one side of a copy */
    bool device;
    uint64_t address;
    size_t pitch;
};
struct op {
    struct op *next;
    uint64_t order;
    enum op_kind kind;
    struct context *context;
    union {
        struct {
            CUfunction function;
            struct ptx_launch_config config;
            void *arguments;
            size_t bytes;
        } kernel;
        struct {
            struct place to, from;
            size_t width, height;
            bool pinned[2]; /* to, from: page-locked memory of the host, which must still be there when the copy runs */
            void *staged;   /* what pageable memory held when the copy was issued */
        } copy;
        struct {
            uint64_t to;
            size_t pitch, width, height; /* width in elements */
            unsigned value, element;
        } set;
        struct {
            CUhostFn call;
            CUstreamCallback callback;
            CUstream stream;
            void *data;
        } host;
        struct marker *marker; /* OP_RECORD, OP_WAIT */
        struct exec *exec;
        uint64_t memory; /* OP_FREE */
    } u;
};
struct op *drv_op(enum op_kind kind, struct context *context);
void drv_op_free(struct op *op);
CUresult drv_op_run(const struct op *op); /* a failure is the context's from then on */

struct capture;
struct stream {
    struct object object;
    uint64_t identity;
    unsigned flags;
    int priority;
    struct op *head, **tail;
    struct capture *capture; /* NULL: not capturing */
    uint32_t *last;          /* nodes that the next captured one comes after */
    size_t last_count;
};
struct event {
    struct object object;
    unsigned flags;
    struct marker *marker; /* of the last record; NULL: never recorded */
    uint64_t capture;      /* identity of the capture that the last record was in; 0: none */
    uint32_t *nodes;
    size_t node_count;
};
CUresult drv_stream(CUstream handle, struct stream **out); /* NULL and CU_STREAM_LEGACY: the current context's own */
struct stream *drv_stream_new(struct context *context, unsigned flags, int priority);
void drv_stream_free(struct stream *stream);
void drv_event_free(struct event *event);
CUresult drv_issue(struct stream *stream,
                   struct op *op); /* queued or captured; takes op, also when it fails; op NULL: no memory */
CUresult drv_finish_stream(struct stream *stream);
CUresult drv_finish_marker(struct marker *marker, struct context *context);
CUresult drv_finish_context(struct context *context);
void drv_step(struct stream *stream); /* one operation nearer to an empty stream: what a query does */
void drv_fail(struct context *context, CUresult code);
void drv_drop_all(struct context *context); /* whatever waits in its streams */

/* ---- Capture and graphs: capture.c, graph.c ---- */
struct node {
    struct object object;
    struct op *op;
    uint32_t *after;
    size_t after_count;
};
struct body { /* shared by a graph and what was instantiated from it; not changed once the capture has ended */
    unsigned references;
    struct node **node;
    uint32_t count, room;
};
struct graph {
    struct object object;
    struct body *body;
};
struct exec {
    struct object object;
    unsigned references; /* launches that wait in streams, and the handle */
    struct body *body;
    unsigned long long flags;
};
struct capture {
    struct capture *next;
    struct stream *origin;
    struct body *body;
    int mode;
    const void *thread;
    bool invalid;
    uint64_t identity;
};
CUresult drv_capture_op(struct stream *stream, struct op *op);
CUresult drv_capture_record(struct stream *stream, struct event *event);
CUresult drv_capture_wait(struct stream *stream, struct event *event);
CUresult drv_capture_forbids(void);                     /* calls that may not happen while a stream is captured */
CUresult drv_capture_refuse(struct stream *stream);     /* a wait for a stream that is being captured */
CUresult drv_capture_implicit(struct context *context); /* use of the NULL stream while one that waits for it is captured */
void drv_capture_end_with(struct stream *stream);       /* the stream goes away */
struct body *drv_body_new(void);
bool drv_body_add(struct body *body, struct op *op, const uint32_t *after, size_t count); /* takes op in any case */
void drv_body_drop(struct body *body);
void drv_graph_free(struct graph *graph);
void drv_exec_free(struct exec *exec); /* the handle */
void drv_exec_drop(struct exec *exec); /* a reference */
CUresult drv_exec_run(struct exec *exec);

/* ---- Memory: alloc.c ---- */
struct host_block {
    struct object object;
    uint64_t address;
    size_t bytes;
    bool registered;
    unsigned flags;
};
struct host_block *drv_host_block(uint64_t address, size_t bytes); /* the one that holds all of that; NULL: pageable memory */
void drv_host_free(struct host_block *block);
struct device_block {
    struct object object;
    uint64_t address;
    bool freed; /* by cuMemFreeAsync; the memory goes when the stream gets there */
};
void drv_device_free(struct device_block *block);

/* ---- Modules: module.c, fatbin.c, function.c ---- */
struct function {
    struct object object;
    struct module *module;
    const struct ptx_kernel *kernel;
    int max_dynamic_shared;
    struct function *sibling;
};
struct module {
    struct object object;
    struct ptx_module *ptx;
    char *text;
    struct function *functions;
};
void drv_module_free(struct module *module);
/* The PTX text for the device posed, in an image given to cuModuleLoadData: text, or a fat binary. *text ends with a NUL and is
 * the caller's. */
CUresult drv_image_text(const void *image, char **text, size_t *size, char *log, size_t room);
CUresult drv_function(CUfunction handle, struct function **out);

#endif
