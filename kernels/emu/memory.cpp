/* Device memory: one reserved range of addresses, so that a pointer tells what it is. First an arena of shared memory for each
 * worker, then the heap. Freed addresses are not used again before the whole heap has been gone through, and lie poisoned until
 * then. */
#include <sys/mman.h>

#include <algorithm>
#include <map>

#include "check.h"
#include "internal.h"

namespace emu
{

Region region;

constexpr size_t GAP = 256, PAGE = 4096;
static std::map<uintptr_t, size_t> heap;   /* address and bytes of what is allocated */
static std::map<uintptr_t, size_t> pinned; /* host memory */
static uintptr_t cursor;                   /* where the search for room goes on */
static size_t used;

bool memory_open()
{
    if (region.base)
        return true;
    for (size_t bytes = size_t(32) << 30; bytes >= size_t(1) << 29; bytes /= 2) {
        void *base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            continue;
        madvise(base, bytes, MADV_DONTDUMP);
        uintptr_t first = ((uintptr_t)base + ARENA - 1) / ARENA * ARENA;
        region = Region{reinterpret_cast<char *>(first), bytes - ARENA};
        if (checked && !check_open()) {
            munmap(base, bytes);
            region = Region();
            continue;
        }
        cursor = first + ARENAS + GAP;
        return true;
    }
    return false;
}

char *arena_of(int number) { return region.base + (size_t)number * ARENA; }

/* Room for `bytes` with a gap on both sides, from `from` on; 0: none. */
static uintptr_t find_room(uintptr_t from, size_t bytes)
{
    size_t slack = 64 * KIB, used_part = std::min(region.bytes, ARENAS + 4 * settings.memory + slack);
    uintptr_t end = (uintptr_t)region.base + used_part;
    auto next = heap.lower_bound(from);
    if (next != heap.begin()) {
        auto before = std::prev(next);
        from = std::max(from, before->first + before->second + GAP);
    }
    for (;; ++next) {
        from = (from + GAP - 1) / GAP * GAP;
        uintptr_t limit = next == heap.end() ? end : std::min(end, next->first);
        if (from + bytes + GAP <= limit)
            return from;
        if (next == heap.end())
            return 0;
        from = next->first + next->second + GAP;
    }
}

emu_status memory_alloc(void **out, size_t bytes)
{
    *out = nullptr;
    if (!bytes)
        return EMU_INVALID_VALUE;
    if (!memory_open() || bytes > settings.memory || used > settings.memory - bytes || bytes > region.bytes)
        return EMU_OUT_OF_MEMORY;
    uintptr_t at = find_room(cursor, bytes);
    if (!at)
        at = find_room((uintptr_t)region.base + ARENAS + GAP, bytes);
    if (!at)
        return EMU_OUT_OF_MEMORY;
    heap[at] = bytes;
    cursor = at + bytes + GAP;
    used += bytes;
    *out = reinterpret_cast<void *>(at);
    memset(*out, 0xff, bytes);
    if (checked)
        check_allocated(static_cast<char *>(*out), bytes);
    return EMU_OK;
}

/* Whole pages go back to the system; what is left of them reads as 0xff, the rest as 0, until it is allocated again. */
emu_status memory_free(void *pointer)
{
    if (!pointer)
        return EMU_OK;
    streams_run_all();
    auto found = heap.find((uintptr_t)pointer);
    if (found == heap.end()) {
        report("bad-free", Where(0, pointer), "free of %p, which is not the start of an allocation", pointer);
        return EMU_INVALID_VALUE;
    }
    size_t bytes = found->second;
    uintptr_t first = (found->first + PAGE - 1) / PAGE * PAGE, last = (found->first + bytes) / PAGE * PAGE;
    heap.erase(found);
    used -= bytes;
    memset(pointer, 0xff, std::min(bytes, PAGE));
    if (last > first)
        madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
    if (checked)
        check_freed(static_cast<char *>(pointer), bytes);
    return EMU_OK;
}

bool memory_range(const char *what, const void *pointer, size_t bytes, bool store)
{
    uintptr_t at = (uintptr_t)pointer;
    auto after = heap.upper_bound(at);
    if (after == heap.begin() || at < (uintptr_t)region.base || at >= (uintptr_t)region.base + region.bytes) {
        report("not-device-memory", Where(0, pointer), "%s of %zu bytes at %p, which is not device memory", what, bytes, pointer);
        return false;
    }
    auto found = std::prev(after);
    if (at + bytes > found->first + found->second) {
        report("out-of-bounds-copy", Where(0, pointer), "%s of %zu bytes at %p, %zu bytes into an allocation of %zu", what, bytes,
               pointer, at - found->first, found->second);
        return false;
    }
    if (checked && !store) {
        long hole = check_unfilled(static_cast<const char *>(pointer), bytes);
        if (hole >= 0)
            report("uninitialised-copy", Where(0, static_cast<const char *>(pointer) + hole),
                   "%s of %zu bytes at %p, of which byte %ld was never written", what, bytes, pointer, hole);
    }
    if (checked && store)
        check_filled(static_cast<const char *>(pointer), bytes);
    return true;
}

static std::string describe_shared(const Worker &w, const char *at)
{
    SharedVariable dynamic = {nullptr, "dynamic shared memory", RED_ZONE, w.launch->dynamic};
    const SharedVariable *nearest = dynamic.bytes ? &dynamic : nullptr;
    size_t offset = (size_t)(at - w.shared);
    for (const SharedVariable &variable : w.variables)
        if (!nearest || (variable.at <= offset && (nearest->at > offset || variable.at > nearest->at)))
            nearest = &variable;
    if (!nearest)
        return "where the block has none";
    long into = (long)offset - (long)nearest->at, bytes = (long)nearest->bytes;
    if (into < 0)
        return text("%ld bytes before '%s'", -into, nearest->name);
    if (into < bytes)
        return text("%ld bytes into '%s'", into, nearest->name);
    return text("%ld bytes after the end of '%s', which has %ld", into - bytes, nearest->name, bytes);
}

std::string memory_describe(const void *pointer)
{
    uintptr_t at = (uintptr_t)pointer;
    const char *byte = static_cast<const char *>(pointer);
    if (byte < region.base + ARENAS)
        return worker && byte >= worker->shared && byte < worker->shared + ARENA ? describe_shared(*worker, byte)
                                                                                 : "in shared memory of no block";
    auto after = heap.upper_bound(at);
    if (after != heap.begin()) {
        auto found = std::prev(after);
        size_t into = at - found->first, bytes = found->second;
        const void *start = reinterpret_cast<const void *>(found->first);
        if (into < bytes)
            return text("%zu bytes into the %zu allocated at %p", into, bytes, start);
        if (into < bytes + PAGE)
            return text("%zu bytes after the end of the %zu allocated at %p", into - bytes, bytes, start);
    }
    return text("at %p, where nothing is allocated", pointer);
}

void memory_info(size_t *in_use, size_t *total, long *allocations)
{
    *in_use = used;
    *total = settings.memory;
    *allocations = (long)heap.size();
}

emu_status host_alloc(void **out, size_t bytes)
{
    *out = bytes ? malloc(bytes) : nullptr;
    if (!*out)
        return bytes ? EMU_OUT_OF_MEMORY : EMU_INVALID_VALUE;
    pinned[(uintptr_t)*out] = bytes;
    return EMU_OK;
}

emu_status host_free(void *pointer)
{
    if (!pointer)
        return EMU_OK;
    streams_run_all();
    if (!pinned.erase((uintptr_t)pointer))
        return EMU_INVALID_VALUE;
    free(pointer);
    return EMU_OK;
}

bool host_pinned(const void *pointer, size_t bytes)
{
    auto after = pinned.upper_bound((uintptr_t)pointer);
    if (after == pinned.begin())
        return false;
    auto found = std::prev(after);
    return (uintptr_t)pointer + bytes <= found->first + found->second;
}

size_t pinned_count() { return pinned.size(); }

/* ---- Shared memory of a block ---------------------------------------------------------------- */

void *shared_static(const void *key, size_t bytes, const char *name)
{
    Worker &w = *worker;
    for (const SharedVariable &variable : w.variables)
        if (variable.key == key)
            return w.shared + variable.at;
    w.static_bytes += bytes;
    if (w.static_bytes > STATIC_SHARED || w.static_bytes + w.launch->dynamic > settings.shared_limit) {
        report("too-much-shared", Where(),
               "with '%s' the block has %zu bytes of static and %zu of dynamic shared memory: at most %zu static, %zu in all",
               name, w.static_bytes, w.launch->dynamic, STATIC_SHARED, settings.shared_limit);
        give_up(w);
    }
    SharedVariable variable = {key, name, w.shared_top, bytes};
    w.shared_top += (bytes + RED_ZONE - 1) / RED_ZONE * RED_ZONE + RED_ZONE;
    memset(w.shared + variable.at, 0xff, bytes);
    w.variables.push_back(variable);
    if (checked)
        check_shared_variable(w, variable);
    return w.shared + variable.at;
}

void *shared_dynamic() { return worker->shared + RED_ZONE; }

} // namespace emu
