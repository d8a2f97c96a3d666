/* Blocks, threads, barriers. Each thread of a block is a fiber; one that waits switches directly to the next that can run, with
 * no scheduler between. A thread that ends hands its stack to the next fresh one, so that a kernel without barriers is a plain
 * loop. */
#include <sys/mman.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "check.h"
#include "internal.h"

namespace emu
{

__thread Self *self;
__thread Worker *worker;
Worker *workers[MAX_WORKERS];
Settings settings;

constexpr size_t GUARD = 4 * KIB;

/* ---- Which fiber runs ------------------------------------------------------------------------ */

static inline void push(Worker &w, int fiber) { w.ring[w.tail++ % MAX_THREADS] = (uint16_t)fiber; }

static inline Fiber *pick(Worker &w)
{
    unsigned ready = w.tail - w.head;
    if (!ready)
        return nullptr;
    if (settings.seed)
        std::swap(w.ring[w.head % MAX_THREADS], w.ring[(w.head + w.random.below(ready)) % MAX_THREADS]);
    return &w.fibers[w.ring[w.head++ % MAX_THREADS]];
}

/* The tops of stacks lie at different places of a page: 64 KiB apart they would all meet in the same few lines of the cache. */
static char *stack_new(Worker &w)
{
    if (!w.free_stacks.empty()) {
        char *top = w.free_stacks.back();
        w.free_stacks.pop_back();
        return top;
    }
    int i = w.stacks_used++;
    if (i >= w.stacks_guarded) {
        mprotect(w.stacks + (size_t)i * STACK, GUARD, PROT_NONE);
        w.stacks_guarded = i + 1;
    }
    return w.stacks + (size_t)(i + 1) * STACK - (size_t)(i * 5 % 128) * 64;
}

static void fiber_body();

static inline void begin_if_fresh(Worker &w, Fiber *fiber)
{
    if (fiber->stack)
        return;
    fiber->stack = stack_new(w);
    fiber->context = context_new(fiber->stack, STACK / 2, fiber_body);
}

/* Announced to AddressSanitizer, which keeps the frames of each stack apart; `ends`: the fiber will not come back. */
static inline __attribute__((always_inline)) void change(Worker &w, Context &from, const Context &to, const Fiber *next,
                                                         bool ends)
{
#ifdef EMU_ASAN
    void *fake = nullptr;
    const void *bottom = w.thread_stack;
    size_t bytes = w.thread_stack_bytes;
    if (next) {
        bottom = w.stacks + (size_t)(next->stack - 1 - w.stacks) / STACK * STACK;
        bytes = STACK;
    }
    __sanitizer_start_switch_fiber(ends ? nullptr : &fake, bottom, bytes);
    context_switch(from, to);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
    context_switch(from, to);
#endif
}

void make_ready(Worker &w, Fiber *fiber)
{
    fiber->state = READY;
    push(w, (int)fiber->linear);
}

void wait_for_turn(Worker &w, Fiber *me)
{
    Fiber *next = pick(w);
    if (next == me)
        return;
    if (!next) {
        self = nullptr;
        change(w, me->context, w.main, nullptr, false);
        return;
    }
    begin_if_fresh(w, next);
    self = next;
    change(w, me->context, next->context, next, false);
}

void give_up(Worker &w)
{
    Context nowhere = {};
    w.failed = true;
    self = nullptr;
    change(w, nowhere, w.main, nullptr, true);
    __builtin_unreachable();
}

/* Leaves the fiber as the one that hangs. */
void stop_now(Worker &w)
{
    w.hung = w.current();
    give_up(w);
}

static void thread_exit(Worker &w, Fiber *me);

/* What runs on every stack: the kernel for one thread after another, as long as fresh ones are next. */
static void fiber_body()
{
#ifdef EMU_ASAN
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
    for (;;) {
        Worker &w = *worker;
        w.launch->kernel->run(const_cast<char *>(w.launch->packed.data()));
        Fiber *me = w.current();
        thread_exit(w, me);
        Fiber *next = pick(w);
        char *stack = me->stack;
        me->stack = nullptr;
        self = next;
        if (next && !next->stack) {
            next->stack = stack;
            next->context = me->context;
            continue;
        }
        w.free_stacks.push_back(stack);
        change(w, me->context, next ? next->context : w.main, next, true);
    }
}

/* ---- Barriers -------------------------------------------------------------------------------- */

static void barrier_release(Worker &w)
{
    w.barrier_votes = Votes{w.barrier_yes, w.barrier_arrived};
    visit(w, w.barrier_site, EMU_BARRIER, w.barrier_arrived);
    w.barrier_arrived = w.barrier_yes = 0;
    if (checked)
        check_barrier(w);
    for (int i = 0; i < w.warp_count; i++)
        w.warps[i].at_barrier = 0;
    for (int i = 0; i < w.threads; i++)
        if (w.fibers[i].state == AT_BARRIER)
            make_ready(w, &w.fibers[i]);
}

static void barrier(Site site, int predicate)
{
    Worker &w = *worker;
    Fiber *me = w.current();
    stop_if_asked(w);
    if (!w.barrier_arrived)
        w.barrier_site = site;
    else if (w.barrier_site.id != site.id)
        report("divergent-barrier", site, "a barrier, while other threads of the block wait at the one in line %d",
               w.barrier_site.line);
    if (w.ended)
        report("barrier-after-exit", site, "a barrier, although %d threads of the block have ended", w.ended);
    Warp &warp = w.warp_of(me);
    warp.at_barrier |= 1u << me->lane;
    const WarpOp *op;
    if (warp.open && warp_waits_for(warp, me, &op))
        report("divergent-warp", site, "a barrier, but the mask 0x%08x of the warp operation in line %d names this thread",
               op->mask, op->site.line);
    me->state = AT_BARRIER;
    me->file = site.file;
    me->line = site.line;
    w.barrier_arrived++;
    w.barrier_yes += predicate != 0;
    if (w.barrier_arrived == w.live)
        barrier_release(w);
    wait_for_turn(w, me);
}

void syncthreads(Site site)
{
    if (mutated(site, false))
        return;
    barrier(site, 0);
}

/* Without its barrier the count is that of this thread alone. */
Votes syncthreads_votes(Site site, int predicate)
{
    if (mutated(site, false))
        return Votes{predicate != 0, 1};
    barrier(site, predicate);
    return worker->barrier_votes;
}

static void thread_exit(Worker &w, Fiber *me)
{
    me->state = ENDED;
    w.live--;
    w.ended++;
    w.progress.store(w.progress.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    copies_at_exit(w, me);
    warp_exit(w, me);
    if (w.barrier_arrived && w.live == w.barrier_arrived) {
        report("barrier-after-exit", w.barrier_site, "%d threads of the block ended and never reached this barrier", w.ended);
        barrier_release(w);
    }
}

/* ---- A block --------------------------------------------------------------------------------- */

static void block_begin(Worker &w)
{
    const Launch &launch = *w.launch;
    w.live = w.threads;
    w.ended = w.barrier_arrived = w.barrier_yes = 0;
    w.head = w.tail = 0;
    w.stacks_used = 0;
    w.free_stacks.clear();
    w.variables.clear();
    w.static_bytes = 0;
    w.shared_top = RED_ZONE + (launch.dynamic + RED_ZONE - 1) / RED_ZONE * RED_ZONE;
    memset(w.shared + RED_ZONE, 0xff, launch.dynamic);
    for (int i = 0; i < w.warp_count; i++) {
        Warp &warp = w.warps[i];
        int lanes = std::min(32, w.threads - i * 32);
        warp.alive = lanes == 32 ? ~0u : (1u << lanes) - 1;
        warp.at_barrier = 0;
        warp.open = 0;
        for (WarpOp &op : warp.ops)
            op.open = false;
    }
    uint3 at = {0, 0, 0};
    for (int i = 0; i < w.threads; i++) {
        Fiber &f = w.fibers[i];
        f.index = at;
        f.linear = (unsigned)i;
        f.block = &w.block;
        f.stack = nullptr;
        f.state = READY;
        f.warp = (unsigned char)(i / 32);
        f.lane = (unsigned char)(i % 32);
        push(w, i);
        if (++at.x == launch.block.x) {
            at.x = 0;
            if (++at.y == launch.block.y) {
                at.y = 0;
                at.z++;
            }
        }
    }
    if (checked)
        check_block_begin(w);
}

static void report_deadlock(Worker &w)
{
    std::string waiting;
    int shown = 0;
    const Fiber *first = nullptr;
    for (int i = 0; i < w.threads && shown < 3; i++) {
        const Fiber &f = w.fibers[i];
        if (f.state != AT_BARRIER && f.state != IN_WARP)
            continue;
        waiting += text("%s thread %d at the %s in line %d", shown++ ? "," : "", i,
                        f.state == AT_BARRIER ? "barrier" : "warp operation", f.line);
        if (!first)
            first = &f;
    }
    self = const_cast<Fiber *>(first);
    report("deadlock", first ? Where(Site{first->file, first->line, 0}) : Where(), "no thread can go on, %d wait:%s", w.live,
           waiting.c_str());
    self = nullptr;
}

static void report_hang(Worker &w)
{
    watchdog_unblock();
    self = w.hung;
    report("hang", Where(w.stopped_at, nullptr), "no thread has ended for %g seconds; this one was running", settings.watchdog);
    self = w.hung = nullptr;
}

static void block_run(Worker &w)
{
    block_begin(w);
    while (w.live > 0 && !w.failed) {
        Fiber *next = pick(w);
        if (!next) {
            report_deadlock(w);
            w.failed = true;
            break;
        }
        begin_if_fresh(w, next);
        self = next;
        change(w, w.main, next->context, next, false);
    }
    self = nullptr;
    if (w.hung)
        report_hang(w);
    if (checked)
        check_block_end(w);
}

/* ---- A launch -------------------------------------------------------------------------------- */

static Worker *worker_number(int number)
{
    Worker *w = workers[number];
    if (!w) {
        w = workers[number] = new Worker();
        w->number = number;
        w->shared = arena_of(number);
        w->stacks = static_cast<char *>(
            mmap(nullptr, MAX_THREADS * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    }
    return w;
}

#ifdef EMU_ASAN
/* Asked once of each OS thread: for the first one, the C library reads /proc/self/maps, which takes longer than most launches. */
static void find_thread_stack(Worker &w)
{
    static __thread void *bottom;
    static __thread size_t bytes;
    if (!bottom) {
        pthread_attr_t attributes;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstack(&attributes, &bottom, &bytes);
        pthread_attr_destroy(&attributes);
    }
    w.thread_stack = bottom;
    w.thread_stack_bytes = bytes;
}
#endif

static void run_blocks(Launch &launch, int number)
{
    Worker &w = *worker_number(number);
    ThreadRoom room;
    unsigned blocks = launch.order.empty() ? launch.grid.x * launch.grid.y * launch.grid.z : (unsigned)launch.order.size();
    worker = &w;
    w.launch = &launch;
    w.main = context_of_thread(room);
    w.threads = (int)(launch.block.x * launch.block.y * launch.block.z);
    w.warp_count = (w.threads + 31) / 32;
    w.block.threads = launch.block;
    w.block.blocks = launch.grid;
    w.random = Random(settings.seed + launch.number * 31u + (unsigned)number);
    w.failed = false;
    watchdog_enter(w);
#ifdef EMU_ASAN
    find_thread_stack(w);
#endif
    for (;;) {
        unsigned i = launch.next.fetch_add(1, std::memory_order_relaxed);
        if (i >= blocks || launch.failed.load(std::memory_order_relaxed))
            break;
        w.block_linear = launch.order.empty() ? i : launch.order[i];
        w.block.index = {w.block_linear % launch.grid.x, w.block_linear / launch.grid.x % launch.grid.y,
                         w.block_linear / launch.grid.x / launch.grid.y};
        block_run(w);
        if (w.failed) { /* its threads stay where they are; nothing of theirs may be left */
            launch.failed = true;
            for (Copies &copies : w.copies)
                copies = {};
#ifdef EMU_ASAN
            __asan_unpoison_memory_region(w.stacks, MAX_THREADS * STACK);
#endif
        }
    }
    watchdog_leave(w);
    visits_keep(launch, w);
    worker = nullptr;
}

/* OS threads that wait for launches to help with. They are started when first wanted and live as long as the process. */
class Helpers
{
    std::mutex mutex;
    std::condition_variable wake, done;
    Launch *launch = nullptr;
    int started = 0, wanted = 0, busy = 0;
    unsigned round = 0;

    void help(int number)
    {
        unsigned seen = 0;
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            wake.wait(lock, [&] { return round != seen; });
            seen = round;
            if (number > wanted)
                continue;
            Launch *mine = launch;
            lock.unlock();
            run_blocks(*mine, number);
            lock.lock();
            if (--busy == 0)
                done.notify_one();
        }
    }

  public:
    void run(Launch &its_launch, int helpers)
    {
        if (helpers > 0) {
            std::lock_guard<std::mutex> lock(mutex);
            launch = &its_launch;
            wanted = busy = helpers;
            round++;
            while (started < helpers) {
                started++;
                std::thread([this, number = started] { help(number); }).detach();
            }
            wake.notify_all();
        }
        run_blocks(its_launch, 0);
        if (helpers > 0) {
            std::unique_lock<std::mutex> lock(mutex);
            done.wait(lock, [&] { return busy == 0; });
        }
    }
};

static int workers_for(const Launch &launch)
{
    constexpr size_t WORTH_WAKING = 2048; /* threads in the grid */
    size_t blocks = (size_t)launch.grid.x * launch.grid.y * launch.grid.z;
    size_t threads = blocks * launch.block.x * launch.block.y * launch.block.z;
    int cores = settings.workers > 0 ? settings.workers : (int)std::thread::hardware_concurrency();
    if (checked || threads < WORTH_WAKING)
        return 1;
    return (int)std::max<size_t>(1, std::min<size_t>({(size_t)cores, blocks, (size_t)MAX_WORKERS}));
}

static unsigned launches;

/* The order of the next launches is that of the first ones. */
void launches_restart() { launches = 0; }

void launch_run(Launch &launch)
{
    static Helpers &helpers = *new Helpers; /* never destroyed: its threads outlive main */
    launch.number = ++launches;
    size_t blocks = (size_t)launch.grid.x * launch.grid.y * launch.grid.z;
    if (settings.seed) {
        Random random(settings.seed * 7919 + launch.number);
        launch.order.resize(blocks);
        for (size_t i = 0; i < blocks; i++)
            launch.order[i] = (unsigned)i;
        for (size_t i = blocks; i > 1; i--)
            std::swap(launch.order[i - 1], launch.order[random.below(i)]);
    } else if (settings.sample && settings.sample < blocks) {
        Random random(blocks);
        for (size_t i = 0; i < settings.sample; i++) { /* one from each part of the grid */
            size_t first = blocks * i / settings.sample, end = blocks * (i + 1) / settings.sample;
            launch.order.push_back((unsigned)(first + random.below(end - first)));
        }
    }
    if (checked)
        check_launch_begin(launch);
    watchdog_begin();
    helpers.run(launch, workers_for(launch) - 1);
    watchdog_end();
}

emu_status launch_check(const Kernel *kernel, const unsigned grid[3], const unsigned block[3], size_t dynamic)
{
    size_t threads = (size_t)block[0] * block[1] * block[2];
    if (!grid[0] || !grid[1] || !grid[2] || !threads || grid[0] > 0x7fffffffu || grid[1] > 65535 || grid[2] > 65535 ||
        block[2] > 64 || threads > (size_t)MAX_THREADS || block[0] > 1024 || block[1] > 1024)
        return EMU_INVALID_VALUE;
    if ((size_t)grid[0] * grid[1] * grid[2] > 0xffffffffu)
        return EMU_INVALID_VALUE;
    return dynamic > dynamic_shared_of(kernel) ? EMU_INVALID_VALUE : EMU_OK;
}

} // namespace emu
