/* Every access of a kernel against one byte of state for each byte of device memory: allocated, written, a copy under way. */
#include "check.h"

#include <map>

#include <sys/mman.h>

#include "report.h"

namespace emu
{

enum ByteState : uint8_t { ALLOCATED = 1, WRITTEN = 2, PENDING = 4 };

static uint8_t *states; /* of region */

bool check_open()
{
    void *map = mmap(nullptr, region.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return false;
    if (!race_open()) {
        munmap(map, region.bytes);
        return false;
    }
    states = static_cast<uint8_t *>(map);
    return true;
}

static uint8_t *states_of(const char *at) { return states + (at - region.base); }

/* ---- Accesses -------------------------------------------------------------------------------- */

/* Locals, arguments, built-in variables, constants: not device memory, and rightly so. */
static bool own_memory(const Worker &w, uintptr_t at)
{
    constexpr uintptr_t THREAD_LOCAL = 64 * KIB;
    uintptr_t stacks = (uintptr_t)w.stacks, packed = (uintptr_t)w.launch->packed.data(), mine = (uintptr_t)&w,
              thread = (uintptr_t)__builtin_thread_pointer();
    const Module &module = the_module(); /* constants and tables */
    return at - stacks < MAX_THREADS * STACK || at - mine < sizeof w || at - module.begin < module.end - module.begin ||
           at - packed < w.launch->packed.size() || at - (thread - THREAD_LOCAL) < 2 * THREAD_LOCAL;
}

static const char *verb(unsigned flags) { return flags & ATOMIC ? "an atomic on" : flags & STORE ? "a write of" : "a read of"; }

static void outside(const Worker &w, const void *address, unsigned bytes, unsigned flags, uintptr_t pc)
{
    if (!address)
        report("null-pointer", Where(pc, address), "%s %u bytes at address 0", verb(flags), bytes);
    else
        report("host-pointer", Where(pc, address), "%s %u bytes at %p, which is not device memory", verb(flags), bytes, address);
    give_up(const_cast<Worker &>(w));
}

static void report_state(const char *address, unsigned bytes, unsigned flags, uintptr_t pc, bool shared, uint8_t every,
                         uint8_t any)
{
    const char *space = shared ? "shared" : "global";
    if (!(every & ALLOCATED))
        report(shared ? "out-of-bounds-shared" : "out-of-bounds-global", Where(pc, address), "%s %u bytes of %s memory, %s",
               verb(flags), bytes, space, memory_describe(address).c_str());
    else if (any & PENDING && !(flags & ASYNC))
        report("copy-pending", Where(pc, address), "%s %u bytes, %s, where a copy is under way that was not waited for",
               verb(flags), bytes, memory_describe(address).c_str());
    else if (!(every & WRITTEN) && !(flags & STORE))
        report(shared ? "uninitialised-shared" : "uninitialised-global", Where(pc, address),
               "%s %u bytes of %s memory never written, %s", verb(flags), bytes, space, memory_describe(address).c_str());
}

void check_access(const void *address, unsigned bytes, unsigned flags, uintptr_t pc)
{
    if (!self || !(settings.checks & EMU_CHECK_MEMORY))
        return;
    Worker &w = *worker;
    const Fiber *me = w.current();
    stop_if_asked(w);
    const char *at = static_cast<const char *>(address);
    size_t offset = (size_t)(at - region.base);
    if (offset >= region.bytes) {
        if (!own_memory(w, (uintptr_t)at))
            outside(w, address, bytes, flags, pc);
        return;
    }
    if ((uintptr_t)at & (bytes - 1) && !(bytes & (bytes - 1)) && !(flags & ASYNC)) {
        report("misaligned", Where(pc, address), "%s %u bytes at %p: the address must be a multiple of %u", verb(flags), bytes,
               address, bytes);
        give_up(w);
    }
    bool shared = offset < ARENAS;
    uint8_t *state = states + offset, every = 0xff, any = 0;
    constexpr uint32_t FOUR_GOOD = 0x01010101u * (ALLOCATED | WRITTEN);
    uint32_t four = 0;
    if (bytes == 4 && (memcpy(&four, state, 4), four == FOUR_GOOD))
        every = any = ALLOCATED | WRITTEN;
    else
        for (unsigned i = 0; i < bytes; i++) {
            every &= state[i];
            any |= state[i];
        }
    if (every != (ALLOCATED | WRITTEN)) {
        report_state(at, bytes, flags, pc, shared, every, any);
        if (!(every & ALLOCATED))
            return;
        if (flags & STORE)
            for (unsigned i = 0; i < bytes; i++)
                state[i] |= WRITTEN;
    }
    if (shared)
        flags |= SHARED;
    if (settings.checks & EMU_CHECK_RACES)
        race_access(w, me, offset, bytes, flags, pc);
    if (settings.checks & EMU_COUNT)
        count_access(me, shared ? (uint64_t)(at - w.shared) : offset, bytes, flags, pc);
}

void check_idle(unsigned flags, uintptr_t pc)
{
    if (self && settings.checks & EMU_COUNT)
        count_access(worker->current(), 0, 0, flags, pc);
}

uintptr_t check_copy_site(Site site, uintptr_t pc)
{
    static std::map<std::pair<const char *, int>, uintptr_t> first;
    return settings.checks & EMU_COUNT ? first.emplace(std::make_pair(site.file, site.line), pc).first->second : pc;
}

void check_copy_wait()
{
    if (settings.checks & EMU_COUNT)
        count_copy_wait();
}

void check_products(int count)
{
    if (settings.checks & EMU_COUNT)
        count_products(count);
}

/* ---- A launch, a block ----------------------------------------------------------------------- */

void check_launch_begin(const Launch &launch)
{
    race_launch_begin();
    if (settings.checks & EMU_COUNT)
        count_launch(launch);
}

void check_block_begin(Worker &w)
{
    memset(states_of(w.shared), 0, w.shared_used + RED_ZONE);
    w.shared_used = w.shared_top;
    memset(states_of(w.shared) + RED_ZONE, ALLOCATED, w.launch->dynamic);
    race_block_begin();
}

static void count_all(const Worker &w)
{
    if (settings.checks & EMU_COUNT)
        for (int i = 0; i < w.warp_count; i++)
            count_warp(w, i);
}

void check_block_end(Worker &w)
{
    count_all(w);
    if (settings.checks & EMU_COUNT)
        count_block_end();
}

void check_barrier(Worker &w)
{
    race_barrier();
    count_all(w);
    if (settings.checks & EMU_COUNT)
        count_barrier();
}

void check_warp_done(Worker &w, int warp, const WarpOp &op)
{
    if (op.kind == SYNCWARP)
        race_syncwarp(w, warp, op.mask);
    if (settings.checks & EMU_COUNT && op.mask == w.warps[warp].alive)
        count_warp(w, warp);
}

void check_shared_variable(const Worker &w, const SharedVariable &variable)
{
    const_cast<Worker &>(w).shared_used = w.shared_top;
    memset(states_of(w.shared) + variable.at, ALLOCATED, variable.bytes);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

void check_allocated(const char *at, size_t bytes) { memset(states_of(at), ALLOCATED, bytes); }
void check_freed(const char *at, size_t bytes) { memset(states_of(at), 0, bytes); }
void check_filled(const char *at, size_t bytes) { memset(states_of(at), ALLOCATED | WRITTEN, bytes); }

long check_unfilled(const char *at, size_t bytes)
{
    const uint8_t *state = states_of(at);
    for (size_t i = 0; i < bytes; i++)
        if (!(state[i] & WRITTEN))
            return (long)i;
    return -1;
}

void check_copy_begun(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        states_of(at)[i] |= PENDING;
}

void check_copy_made(const Worker &w, const Fiber *me, const char *at, size_t bytes)
{
    memset(states_of(at), ALLOCATED | WRITTEN, bytes);
    if (settings.checks & EMU_CHECK_RACES)
        race_copy_made(w, me, (size_t)(at - region.base), bytes);
}

} // namespace emu
