/* What the emulator's files share. One Worker is one OS thread that runs blocks; its fibers are the threads of the block it has.
 */
#ifndef EMU_INTERNAL_H
#define EMU_INTERNAL_H

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "emu.h"
#include "emu_ctl.h"
#include "switch.h"

namespace emu
{

constexpr int MAX_THREADS = 1024, MAX_WARPS = MAX_THREADS / 32, MAX_WORKERS = 64;
constexpr size_t KIB = 1024, STATIC_SHARED = 48 * KIB, RED_ZONE = 128, STACK = 64 * KIB;

#ifdef EMU_CHECKED
constexpr bool checked = true; /* the kernels were compiled with hooks: hooks.cpp */
#else
constexpr bool checked = false;
#endif

struct Settings {
    int workers = 0;
    uint64_t seed = 0;
    unsigned checks = checked ? EMU_CHECK_MEMORY | EMU_CHECK_RACES : 0;
    size_t memory = size_t(8) << 30, shared_limit = 227 * KIB;
    double watchdog = 20;
    unsigned sample = 0; /* blocks of a launch that run; 0: all */
};
extern Settings settings;

/* xorshift: enough to shuffle with, and the same everywhere. */
struct Random {
    uint64_t state;
    explicit Random(uint64_t seed) : state(seed * 2654435761u + 88172645463325252u) {}
    uint64_t next()
    {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }
    unsigned below(size_t n) { return (unsigned)(next() % n); }
};

/* ---- Launches and threads: sched.cpp --------------------------------------------------------- */

struct Launch {
    const Kernel *kernel;
    dim3 grid, block;
    size_t dynamic; /* bytes of shared memory */
    std::vector<char> packed;
    unsigned number = 0;
    std::vector<unsigned> order; /* of the blocks that run; empty: all, as they come */
    std::atomic<unsigned> next{0};
    std::atomic<bool> failed{false};
    Launch(const Kernel *its_kernel, dim3 its_grid, dim3 its_block, size_t its_dynamic)
        : kernel(its_kernel), grid(its_grid), block(its_block), dynamic(its_dynamic), packed(its_kernel->bytes)
    {
    }
};

enum State : unsigned char { READY, AT_BARRIER, IN_WARP, ENDED };

/* One cache line: all that a switch touches. */
struct alignas(64) Fiber : Self {
    Context context;
    char *stack;      /* its top; NULL: not begun */
    const char *file; /* where it waits */
    int line;
    State state;
    unsigned char warp, lane;
};
static_assert(sizeof(Fiber) == 64);

/* A copy under way: made when it is waited for. */
struct Copy {
    char *to;
    const char *from;
    int bytes, valid;
};
struct Copies {
    std::vector<Copy> queue;
    std::vector<int> groups; /* sizes of the committed ones */
    int open = 0;            /* copies not committed yet */
};

enum WarpKind { SYNCWARP, SHUFFLE, VOTE, MMA, LDMATRIX };
typedef void (*WarpAction)(uint32_t mask, void **arguments);
/* An operation that lanes of a warp have begun and not all of them have reached. */
struct WarpOp {
    bool open;
    WarpKind kind;
    uint32_t mask, arrived;
    Site site;
    void *arguments[32];
    WarpAction action;
};
struct Warp {
    uint32_t alive, at_barrier;
    int open;
    WarpOp ops[4];
};

struct SharedVariable {
    const void *key;
    const char *name;
    size_t at, bytes;
};
/* A place where threads of the launch waited, how often. */
struct Visit {
    const char *file;
    int line, what;
    long count;
};

struct Worker {
    int number;
    Block block;
    unsigned block_linear;
    const Launch *launch;
    Context main;
    Random random{0};
    int threads, warp_count, live, ended;

    uint16_t ring[MAX_THREADS]; /* the fibers that can run */
    unsigned head, tail;
    int barrier_arrived, barrier_yes;
    Votes barrier_votes;
    Site barrier_site;

    char *stacks; /* MAX_THREADS of them */
    int stacks_used, stacks_guarded;
    std::vector<char *> free_stacks;
    char *shared;
    size_t shared_top, static_bytes;
    size_t shared_used; /* by this block or the one before */
    std::vector<SharedVariable> variables;
    std::vector<Visit> visits;
    bool failed;
    Fiber *hung; /* where the watchdog found it */
#ifdef EMU_ASAN
    void *thread_stack; /* of the OS thread */
    size_t thread_stack_bytes;
#endif

    /* For the watchdog */
    pthread_t os_thread;
    std::atomic<bool> running{false}, stop{false};
    std::atomic<unsigned long> progress{0}; /* threads that have ended */
    uintptr_t stopped_at;                   /* the instruction, where it is known */

    Fiber fibers[MAX_THREADS];
    Warp warps[MAX_WARPS];
    Copies copies[MAX_THREADS];

    Fiber *current() const { return static_cast<Fiber *>(self); }
    Warp &warp_of(const Fiber *fiber) { return warps[fiber->warp]; }
};
extern __thread Worker *worker __attribute__((tls_model("initial-exec"))); /* of this OS thread, while it runs a block */
extern Worker *workers[MAX_WORKERS];

emu_status launch_check(const Kernel *kernel, const unsigned grid[3], const unsigned block[3], size_t dynamic);
void launch_run(Launch &launch);
void launches_restart();
void wait_for_turn(Worker &w, Fiber *me); /* others run until this fiber is ready again */
void make_ready(Worker &w, Fiber *fiber);
[[noreturn]] void give_up(Worker &w);  /* ends the launch; from a fiber */
[[noreturn]] void stop_now(Worker &w); /* the same, because the watchdog wants it */
static inline void stop_if_asked(Worker &w)
{
    if (__builtin_expect(w.stop.load(std::memory_order_relaxed), 0))
        stop_now(w);
}
void visit(Worker &w, const Site &site, int what, long count);

/* ---- Kernels that hang: watchdog.cpp ---- */
void watchdog_begin();
void watchdog_end();
void watchdog_enter(Worker &w);
void watchdog_leave(Worker &w);
void watchdog_unblock();

/* ---- Warp operations: warp.cpp ---- */
void warp_together(Site site, WarpKind kind, uint32_t mask, void *arguments, WarpAction action);
void warp_exit(Worker &w, Fiber *me);
bool warp_waits_for(const Warp &warp, const Fiber *fiber, const WarpOp **op);

/* ---- Copies: async.cpp ---- */
void copies_at_exit(Worker &w, Fiber *me);

/* ---- Memory: memory.cpp ---- */
struct Region { /* the address space of the device: an arena of shared memory for each worker, then the heap */
    char *base = nullptr;
    size_t bytes = 0;
};
extern Region region;
constexpr size_t ARENA = size_t(1) << 20, ARENAS = MAX_WORKERS * ARENA;
bool memory_open();
char *arena_of(int number);
emu_status memory_alloc(void **out, size_t bytes);
emu_status memory_free(void *pointer);
emu_status host_alloc(void **out, size_t bytes);
emu_status host_free(void *pointer);
bool host_pinned(const void *pointer, size_t bytes);
/* Reports and says no when the bytes do not lie in one allocation. */
bool memory_range(const char *what, const void *pointer, size_t bytes, bool store);
/* "12 bytes after the 4000 bytes at 0x...", "in 'tile' + 32 bytes" */
std::string memory_describe(const void *pointer);
void memory_info(size_t *in_use, size_t *total, long *allocations);

size_t pinned_count();

/* ---- Kernels by name: ctl.cpp ---- */
const Kernel *kernel_of(const char *name);
size_t dynamic_shared_of(const Kernel *kernel); /* the most that a launch may ask for */

/* ---- Streams: stream.cpp ---- */
void streams_run_all();

/* ---- Reports: report.cpp ---- */
struct Where { /* a place in the source, or an instruction, or neither */
    const char *file = nullptr;
    int line = 0;
    uintptr_t pc = 0, other_pc = 0;
    const void *address = nullptr;
    Where() = default;
    Where(const Site &site) : file(site.file), line(site.line) {}
    Where(uintptr_t its_pc, const void *its_address) : pc(its_pc), address(its_address) {}
};
__attribute__((format(printf, 3, 4))) void report(const char *kind, const Where &where, const char *format, ...);
bool reported();
__attribute__((format(printf, 1, 2))) std::string text(const char *format, ...);
const char *base_name(const char *path);
bool ends_with(const char *path, const char *end);

/* ---- Mutation and the list of waits: waits.cpp ---- */
struct Mutation {
    const char *file = nullptr;
    int line = 0;
    bool loosen = false;
};
extern Mutation mutation;
static inline bool mutated(const Site &site, bool loosen)
{
    return mutation.file && mutation.line == site.line && mutation.loosen == loosen && ends_with(site.file, mutation.file);
}
void visits_keep(const Launch &launch, Worker &w);

} // namespace emu
#endif
