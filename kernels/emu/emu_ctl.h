/* The emulator as a program sees it: a device with memory, streams, events and kernels that are launched by name, and what it
 * noticed while they ran. Plain C. Everything goes through one table, because there are two builds of the emulator and a process
 * may hold both: the fast one, linked in, and the checked one, a shared object (README.md, "Builds"):
 *
 *     const struct emu_table *fast = emu_interface();
 *     const struct emu_table *(*get)(void) = (const struct emu_table *(*)(void))dlsym(dlopen("libemu-check.so", RTLD_NOW),
 * "emu_interface");
 *
 * One thread at a time may use a table. Statuses have the numbers of the CUDA driver API, so that an adapter can pass them on. */
#ifndef EMU_CTL_H
#define EMU_CTL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum emu_status {
    EMU_OK = 0,
    EMU_INVALID_VALUE = 1,
    EMU_OUT_OF_MEMORY = 2,
    EMU_INVALID_HANDLE = 400, /* not a stream, event or graph of this emulator */
    EMU_NOT_FOUND = 500,      /* no kernel of that name */
    EMU_NOT_READY = 600,
    EMU_TOO_MANY_RESOURCES = 701,  /* block, grid or shared memory beyond the limits */
    EMU_LAUNCH_FAILED = 719,       /* a kernel or copy did something wrong: error() says what. Stays until clear_errors() */
    EMU_CAPTURE_UNSUPPORTED = 900, /* a call that waits, while a stream is captured */
    EMU_CAPTURE_INVALIDATED = 901,
    EMU_CAPTURE_UNMATCHED = 903, /* begin and end of a capture do not match */
    EMU_CAPTURE_UNJOINED = 904   /* another stream was drawn into the capture and not joined again */
} emu_status;

struct emu_stream; /* NULL: the default stream, which waits for all others and all others wait for */
struct emu_event;
struct emu_graph;
struct emu_graph_exec;

/* Something that went wrong. The same thing at the same place is one error, counted. */
struct emu_error {
    const char *kind;   /* "race-shared", "out-of-bounds-global": kinds are listed in README.md */
    const char *text;   /* the whole sentence: kernel, place, block, thread, address, what was expected */
    const char *kernel; /* "" when no kernel was running */
    const char *file;   /* of the kernel's source; "" when not known */
    int line;
    unsigned block[3], thread[3];
    const void *address; /* NULL when there is none */
    long count;
};

/* What one line of a kernel asked of memory, in one way; one request is what a warp's active lanes do at one instruction. */
struct emu_access {
    const char *kernel, *file;
    int line;
    int shared, store, atomic, async;  /* 0 or 1 */
    int size;                          /* bytes of a lane */
    long requests, lanes, bytes;       /* lanes: active ones, summed over requests; bytes = lanes * size */
    long sectors, ideal_sectors;       /* global: 32-byte sectors touched; the fewest that could hold the bytes */
    long wavefronts, ideal_wavefronts; /* shared: passes over 32 banks of 4 bytes; the fewest possible */
};

/* All that a kernel did: accesses in one kind of memory are summed. */
struct emu_space_work {
    long requests, lanes, bytes;
    long units, ideal_units; /* global: sectors; shared: wavefronts */
    long read;               /* of `bytes`, those that were read, copies not counted */
    long lines, once;        /* global: 128-byte lines, summed over requests but copies; sectors, each once for each block that touches it */
};
struct emu_kernel_work {
    const char *kernel;
    long launches, blocks, threads;
    size_t dynamic_shared;     /* bytes of a block, the largest of its launches */
    long barriers, copy_waits; /* of blocks; of threads */
    long products;             /* multiply-adds by matrix instructions */
    struct emu_space_work global, shared;
};

/* A place where threads wait, as often as a thread came by. */
enum emu_wait_kind { EMU_BARRIER, EMU_WARP_BARRIER, EMU_COPY_WAIT };
struct emu_wait {
    enum emu_wait_kind what;
    const char *kernel, *file;
    int line;
    long count;
};

/* Sums since the emulator was opened. */
struct emu_totals {
    long launches, blocks, threads;
    long copies, fills;
};

enum {
    EMU_CHECK_MEMORY = 1, /* bounds, initialisation, alignment, pending copies: checked build only */
    EMU_CHECK_RACES = 2,  /* needs EMU_CHECK_MEMORY */
    EMU_COUNT = 4         /* access() and work(): needs EMU_CHECK_MEMORY */
};

struct emu_table {
    int checked; /* 1: the checked build */

    /* ---- Modes ---- */
    void (*set_workers)(int threads); /* OS threads that take blocks; 0, the start: one for each core. The checked build uses 1 */
    void (*set_seed)(uint64_t seed);  /* 0: natural order; else order of blocks, threads and streams is shuffled. To get one
                                         order again and again, set the seed again and use 1 worker */
    void (*set_checks)(unsigned checks);    /* EMU_*; the start: memory and races where checked, else nothing */
    void (*set_memory)(size_t bytes);       /* the device's size: more cannot be allocated. The start: 8 GiB */
    void (*set_shared_limit)(size_t bytes); /* shared memory a block may have on request: 227 KiB, the start; 99 KiB for sm_86 */
    void (*set_sample)(unsigned blocks);   /* of each launch only so many blocks run, one from each part of the grid, and work() counts
                                              them for all. What they compute is not whole: fill what kernels read. 0, the start: all */
    void (*set_watchdog)(double seconds);  /* a kernel that makes no progress for so long has failed. The start: 20 s; 0: never */
    void (*see_through)(const char *file); /* accesses in this file (its end, "wrappers.h") are put to the line that called it */

    /* ---- Memory ---- */
    emu_status (*alloc)(void **out, size_t bytes); /* 256-byte aligned, poisoned with 0xff */
    emu_status (*free)(void *pointer);             /* waits for everything. NULL is nothing */
    void (*memory_info)(size_t *in_use, size_t *total, long *allocations);
    emu_status (*host_alloc)(void **out, size_t bytes); /* pinned: copies to and from it are made when the stream gets there */
    emu_status (*host_free)(void *pointer);

    /* ---- Streams: queues that run nothing before something waits for them ---- */
    emu_status (*stream_create)(struct emu_stream **out);
    emu_status (*stream_destroy)(struct emu_stream *stream);
    emu_status (*stream_wait)(struct emu_stream *stream);
    emu_status (*stream_wait_event)(struct emu_stream *stream, struct emu_event *event);
    emu_status (*wait_all)(void);
    /* Host memory that is not pinned: to the device it is read at once, from the device the call waits. */
    emu_status (*copy_to_device)(void *to, const void *from, size_t bytes, struct emu_stream *stream);
    emu_status (*copy_to_host)(void *to, const void *from, size_t bytes, struct emu_stream *stream);
    emu_status (*copy_on_device)(void *to, const void *from, size_t bytes, struct emu_stream *stream);
    emu_status (*fill)(void *to, int byte, size_t bytes, struct emu_stream *stream);

    emu_status (*event_create)(struct emu_event **out);
    emu_status (*event_destroy)(struct emu_event *event);
    emu_status (*event_record)(struct emu_event *event, struct emu_stream *stream);
    emu_status (*event_wait)(struct emu_event *event);
    emu_status (*event_query)(struct emu_event *event); /* EMU_NOT_READY until something has waited */
    emu_status (*event_elapsed)(float *milliseconds, struct emu_event *from, struct emu_event *to);

    /* ---- Kernels ---- */
    int (*has_kernel)(const char *name);
    emu_status (*set_dynamic_shared)(const char *kernel, size_t bytes); /* more than 48 KiB must be asked for, as on a GPU */
    emu_status (*launch)(const char *kernel, const unsigned grid[3], const unsigned block[3], size_t shared_bytes,
                         struct emu_stream *stream, void **arguments); /* arguments are copied now */

    /* ---- Graphs ---- */
    emu_status (*capture_begin)(struct emu_stream *stream);
    emu_status (*capture_end)(struct emu_stream *stream, struct emu_graph **out);
    emu_status (*graph_instantiate)(struct emu_graph_exec **out, struct emu_graph *graph);
    emu_status (*graph_launch)(struct emu_graph_exec *exec, struct emu_stream *stream);
    emu_status (*graph_destroy)(struct emu_graph *graph);
    emu_status (*graph_exec_destroy)(struct emu_graph_exec *exec);

    /* ---- What was noticed. Texts live until the clear or the next call of the same function ---- */
    long (*errors)(void);                       /* 0: none. Not the kinds: every occurrence */
    int (*error)(int i, struct emu_error *out); /* 1, or 0 when there are not that many */
    void (*clear_errors)(void);
    int (*access)(int i, struct emu_access *out);    /* by line of source */
    int (*work)(int i, struct emu_kernel_work *out); /* by kernel, in the order of their first launches */
    void (*clear_accesses)(void);                    /* of both */
    int (*waits)(int i, struct emu_wait *out);       /* recorded since clear_waits, in the order of their first visit */
    void (*clear_waits)(void);
    const char *(*leaks)(void); /* "" or what is still allocated, one line each: memory, streams, events, graphs */
    void (*totals)(struct emu_totals *out);

    /* ---- Mutation: the barrier, warp barrier or wait for copies at a line does nothing; NULL: all do their work ---- */
    void (*omit)(const char *file, int line);   /* `file` is compared with the end of the path */
    void (*loosen)(const char *file, int line); /* a wait for copies leaves one group more under way */
};

const struct emu_table *emu_interface(void);

#ifdef __cplusplus
}
#endif
#endif
