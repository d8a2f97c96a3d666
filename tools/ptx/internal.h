/* What the parts of the interpreter share: decoded instructions, warps, blocks.
 *
 * A warp is executed at a time. Each register is a vector of 32 values, one for each lane, at a fixed byte offset in the warp's
 * register file; a predicate is a word with a bit for each lane. Constants and special registers are vectors of the same file, so
 * that an instruction is one function over offsets, with no case distinction for its operands. Where lanes part, the warp becomes
 * fragments, each with its own lanes and position; the fragment that is furthest behind runs, so that it can join the others
 * (warp.c). */
#ifndef PTX_INTERNAL_H
#define PTX_INTERNAL_H

#include "module.h"
#include "ptx.h"

enum { LANES = 32, ALL = -1, MOST_WARPS = 32, MOST_DEPTH = 64, BARRIERS = 16 };

struct warp;
struct insn;
/* Executes one instruction and returns the next; NULL: the warp stops here (waits, has ended, has faulted). */
typedef const struct insn *handler(struct warp *warp, const struct insn *insn);

struct insn {
    handler *run;
    uint32_t d, a, b, c;  /* byte offsets in the register file */
    uint32_t pred, flip;  /* runs in lanes where predicate ^ flip; pred 0 is a predicate that is never set */
    uint32_t at;          /* number of the statement in the kernel: its line and text, and how many were executed */
    uint32_t slot;        /* its place in a worker's cache of allocations */
    int64_t imm;          /* offset of an address; target of a branch; what a handler needs */
    const uint32_t *more; /* further operands: offsets of the registers of vectors */
    uint8_t space, count, flags, kind;
    uint32_t extra;
};

struct where {
    int line;
    const char *text;
};

struct constant {
    uint32_t offset, bytes; /* bytes: of one lane */
    uint64_t value;
};

struct special {
    uint32_t offset;
    int which;
};

struct ptx_kernel {
    struct ptx_kernel_info info;
    struct insn *code;
    uint32_t code_count;
    struct where *where;
    uint32_t where_count;
    const char *text_end;
    struct constant *constants;
    uint32_t constant_count;
    struct special *specials;
    uint32_t special_count;
    uint32_t register_bytes; /* of a warp */
    uint32_t slots;          /* instructions that access memory */
    bool any_async;          /* has a cp.async */
};

struct ptx_module;
bool ptx_decode_module(struct ptx_module *module, const char *text_end, struct ptx_error *error);
void ptx_kernel_release(struct ptx_kernel *kernel);

/* A range of addresses that may be accessed. */
struct ptx_span {
    uint64_t low, high;
};
int ptx_memory_span(struct ptx_memory *m, uint64_t address, uint64_t bytes, struct ptx_span *span, char *text, size_t room);
uint8_t *ptx_memory_base(struct ptx_memory *m); /* the host's address of PTX_GLOBAL_BASE */

/* ---- Execution ------------------------------------------------------------------------------------------------ */
enum fragment_state { FRAGMENT_RUNS, FRAGMENT_WAITS_LANES, FRAGMENT_WAITS_BARRIER };

struct fragment {
    uint32_t lanes;
    uint8_t state;
    uint8_t depth;                       /* of calls */
    uint8_t barrier;                     /* number of the barrier that it waits for */
    const struct insn *at;               /* next instruction */
    const struct insn *back[MOST_DEPTH]; /* where calls return to */
};

/* One cp.async of a warp: copied when a wait covers it. */
struct async_copy {
    const uint8_t *from[LANES];
    uint32_t to[LANES], valid[LANES], group[LANES];
    uint32_t lanes, bytes;
};

struct warp {
    uint8_t *file;   /* registers */
    uint32_t active; /* lanes of the fragment that runs */
    uint32_t others; /* how many further fragments there are */
    uint64_t join;   /* smallest key of those that run: reaching it, look whether to join (warp.c) */
    struct block *block;
    const struct insn *since; /* instructions since here are not counted yet */
    uint32_t carry;           /* add.cc and friends: a bit for each lane */
    uint32_t present;         /* lanes that the block's size gives this warp */
    uint32_t alive;           /* those that have not exited */
    uint32_t index;           /* in the block */
    bool ended;
    uint32_t turns; /* jumps backwards so far */
    struct fragment current;
    struct fragment waiting[LANES];
    uint64_t thread_instructions, warp_instructions;
    uint8_t *local; /* each thread's own memory */
    struct async_copy *copies;
    uint32_t copy_count, copy_room;
    uint32_t groups[LANES]; /* commit_groups of each lane */
};

struct barrier {
    uint32_t expected, arrived; /* threads; expected 0: nobody waits */
    const struct insn *at;      /* instruction of the first that came, for barrier of the whole block */
    bool whole;
    uint32_t total, all, any; /* of bar.red */
};

struct block {
    const struct ptx_kernel *kernel;
    const struct ptx_launch_config *config;
    struct ptx_memory *memory;
    uint8_t *global;          /* host address of PTX_GLOBAL_BASE */
    uint8_t *shared, *shadow; /* a byte of shadow for each byte of shared memory */
    uint32_t shared_bytes;
    uint8_t *params;
    uint32_t param_bytes, local_bytes;
    struct ptx_span *spans; /* the allocation that each instruction met last */
    struct warp *warps;
    uint32_t warp_count;
    uint32_t index[3];
    struct barrier barriers[BARRIERS];
    struct ptx_fault *fault;
};

enum { SHADOW_EMPTY = 0, SHADOW_SET = 1, SHADOW_PENDING = 2 };

/* Records a fault of one lane and stops the warp: returns NULL. `what` is the middle of the sentence. */
const struct insn *ptx_fault_lane(struct warp *w, const struct insn *i, enum ptx_fault_kind kind, int lane, uint64_t address,
                                  uint32_t bytes, const char *what, ...) __attribute__((format(printf, 7, 8)));

void ptx_block_run(struct block *block); /* block.c: the block's index is set; fault->kind tells the outcome */
int ptx_block_prepare(struct block *block);
void ptx_block_release(struct block *block);
const struct insn *ptx_warp_wait(struct warp *w, const struct insn *i,
                                 uint32_t lanes); /* parks lanes at i until more come; what runs next */
void ptx_warp_run(struct warp *w);
void ptx_barrier_check(struct block *block); /* lets those pass whose barrier is complete */
uint64_t ptx_clock(bool nanoseconds);

/* Lanes in which an instruction runs. */
static inline uint32_t insn_lanes(const struct warp *w, const struct insn *i)
{
    return w->active & (*(const uint32_t *)(const void *)(w->file + i->pred) ^ i->flip);
}

/* Statements from w->since up to here have been executed by the active lanes. */
static inline void count_up_to(struct warp *w, const struct insn *i)
{
    uint32_t n = i->at - w->since->at;
    w->warp_instructions += n;
    w->thread_instructions += (uint64_t)n * (uint32_t)__builtin_popcount(w->active);
}

static inline int first_lane(uint32_t lanes) { return __builtin_ctz(lanes); }

/* Addresses that are not plainly fine, lane by lane: true if all are allowed after all; false: a fault has been recorded. */
bool ptx_reach_global(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes);
bool ptx_reach_shared(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes);
bool ptx_reach_local(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes);
bool ptx_reach_param(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes);
bool ptx_reach_misaligned(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes);
bool ptx_reach_unset(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes);
bool ptx_reach_read_only(struct warp *w, const struct insn *i, uint32_t lanes, const uint64_t *address, uint32_t bytes);

/* ---- Instructions: handlers by name (exec_*.c) and by number (lanes.def, memory of *.simd.c) ------------------ */
struct lane_set { /* what one *.simd.c object offers: the same order for every instruction set */
    handler *const *lanes;
    handler *const *loads; /* [bytes: 1 2 4 8][count: 1 2 4] */
    handler *const *stores;
};
extern const struct lane_set ptx_lanes_portable, ptx_lanes_avx2, ptx_lanes_avx512;
const struct lane_set *ptx_lane_set(void);

#endif
