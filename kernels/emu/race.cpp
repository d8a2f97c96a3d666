/* Races. Each word of device memory remembers its last write and its last read: which launch, block, thread, when, atomic or not,
 * and from which instruction. Two accesses to one byte, one of them a write, not both atomic, are a race unless something orders
 * them:
 *   - in a block, a barrier between them, or __syncwarp among lanes of a warp (shuffles and votes order no memory);
 *   - between blocks, __threadfence, then an atomic that the other block's atomic on the same address has seen.
 * Launches follow each other. Time in a block is the number of barriers; within it each lane has a vector of clocks, one for each
 * lane of its warp, which only __syncwarp advances. */
#include <sys/mman.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "check.h"
#include "report.h"

namespace emu
{

/* Who, from the top: launch (16 bits), block (26), thread (10), bytes of the word (4), flags (4): two stamps are of one launch,
 * block, warp or thread when nothing differs above a bit. When: instruction (32 bits), barriers so far (16), clock of the lane
 * (16). */
struct Stamp {
    uint64_t who, when;
};
enum { OF_THREAD = 8, OF_WARP = 13, OF_BLOCK = 18, OF_LAUNCH = 44 };
constexpr uint64_t BYTES = 0xf0, IS_ATOMIC = 8;
/* A word has one last read for all its readers: these say that there were others */
constexpr uint64_t MANY_THREADS = 4, MANY_WARPS = 2, MANY_BLOCKS = 1;
static bool same(const Stamp &a, const Stamp &b, int of) { return !((a.who ^ b.who) >> of); }
static bool same_epoch(const Stamp &a, const Stamp &b) { return !((a.when ^ b.when) & 0xffff0000u); }
static unsigned thread_of(const Stamp &s) { return s.who >> OF_THREAD & 1023; }
static unsigned block_of(const Stamp &s) { return s.who >> OF_BLOCK & 0x3ffffff; }
static uint16_t clock_in(const Stamp &s) { return (uint16_t)s.when; }
static uint32_t pc_in(const Stamp &s) { return (uint32_t)(s.when >> 32); }

struct Word {
    Stamp write, read;
};
static Word *words; /* of region */

static uint16_t launch_number;
static uint32_t epoch; /* counts barriers and blocks; stamps hold its low bits */

struct Clocks {
    uint32_t epoch; /* the clocks are all at their start when this is not now */
    uint16_t of[32];
};
static Clocks clocks[MAX_THREADS];

bool race_open()
{
    size_t bytes = region.bytes / 4 * sizeof(Word);
    void *map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return false;
    madvise(map, bytes, MADV_DONTDUMP);
    words = static_cast<Word *>(map);
    return true;
}

/* ---- Order between blocks: what a block has seen of others ----------------------------------- */

typedef std::vector<uint64_t> Blocks;                 /* a bit for each */
static std::unordered_map<size_t, Blocks> released;   /* by the address of the atomic */
static std::unordered_map<uint32_t, Blocks> acquired; /* by block */
static bool fenced[MAX_THREADS];                      /* nothing was written since the fence */

static void merge(Blocks &into, const Blocks &from)
{
    if (into.size() < from.size())
        into.resize(from.size());
    for (size_t i = 0; i < from.size(); i++)
        into[i] |= from[i];
}

static void order_atomic(size_t offset, uint32_t block, bool release)
{
    auto before = released.find(offset);
    if (before != released.end())
        merge(acquired[block], before->second);
    if (!release)
        return;
    Blocks &mine = released[offset];
    if (mine.size() <= block / 64)
        mine.resize(block / 64 + 1);
    mine[block / 64] |= uint64_t(1) << block % 64;
    auto seen = acquired.find(block);
    if (seen != acquired.end())
        merge(mine, seen->second);
}

static bool has_seen(uint32_t block, uint32_t other)
{
    auto seen = acquired.find(block);
    return seen != acquired.end() && other / 64 < seen->second.size() && (seen->second[other / 64] >> other % 64 & 1);
}

void check_fence(const Fiber *me) { fenced[me->linear] = true; }

/* ---- Time ------------------------------------------------------------------------------------ */

void race_launch_begin()
{
    if (!++launch_number) { /* stamps of 65,536 launches ago would count as today's */
        madvise(words, region.bytes / 4 * sizeof(Word), MADV_DONTNEED);
        launch_number = 1;
    }
    released.clear();
    acquired.clear();
}

void race_block_begin()
{
    epoch++;
    memset(fenced, 0, sizeof fenced);
}

void race_barrier() { epoch++; }

static Clocks &clocks_of(unsigned thread)
{
    Clocks &c = clocks[thread];
    if (c.epoch != epoch) {
        c.epoch = epoch;
        memset(c.of, 0, sizeof c.of);
        c.of[thread % 32] = 1;
    }
    return c;
}

static uint16_t clock_of(unsigned thread, unsigned lane)
{
    const Clocks &c = clocks[thread];
    return c.epoch == epoch ? c.of[lane] : thread % 32 == lane;
}

void race_syncwarp(const Worker &, int warp, uint32_t mask)
{
    uint16_t latest[32] = {};
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        const Clocks &c = clocks_of((unsigned)(warp * 32 + __builtin_ctz(rest)));
        for (int lane = 0; lane < 32; lane++)
            latest[lane] = std::max(latest[lane], c.of[lane]);
    }
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        int lane = __builtin_ctz(rest);
        Clocks &c = clocks_of((unsigned)(warp * 32 + lane));
        memcpy(c.of, latest, sizeof latest);
        c.of[lane]++;
    }
}

/* ---- Accesses -------------------------------------------------------------------------------- */

enum Verdict { ORDERED, IN_BLOCK, BETWEEN_BLOCKS };

/* Has `now` met, by __syncwarp, the lane that left `before`? Both are of one warp, between the same barriers. */
static bool met(const Stamp &before, const Stamp &now)
{
    uint16_t seen = clock_of(thread_of(now), thread_of(before) % 32);
    return same(before, now, OF_THREAD) ? seen > clock_in(before) : seen >= clock_in(before);
}

static Verdict judge(const Stamp &before, const Stamp &now, bool shared)
{
    if (!same(before, now, OF_LAUNCH) || !(before.who & now.who & BYTES) || (before.who & now.who & IS_ATOMIC))
        return ORDERED;
    bool same_block = same(before, now, OF_BLOCK), many_blocks = before.who & MANY_BLOCKS;
    if (!shared && (!same_block || many_blocks))
        return !many_blocks && has_seen(block_of(now), block_of(before)) ? ORDERED : BETWEEN_BLOCKS;
    if (!same_block || !same_epoch(before, now))
        return ORDERED;
    if (same(before, now, OF_THREAD) && !(before.who & (MANY_THREADS | MANY_WARPS)))
        return ORDERED;
    if (before.who & MANY_WARPS || !same(before, now, OF_WARP))
        return IN_BLOCK;
    return met(before, now) ? ORDERED : IN_BLOCK;
}

/* The last read of a word stands for the others too, as far as they are not ordered before it. */
static void remember_read(Stamp &read, Stamp now, bool shared)
{
    if (same(read, now, OF_LAUNCH)) {
        constexpr uint64_t MANY = MANY_THREADS | MANY_WARPS | MANY_BLOCKS;
        if (!same(read, now, OF_BLOCK))
            now.who |= shared ? 0 : MANY_BLOCKS;
        else {
            bool again = same_epoch(read, now), same_thread = same(read, now, OF_THREAD), same_warp = same(read, now, OF_WARP);
            bool passed = again && same_warp && !same_thread && !(read.who & MANY) && met(read, now);
            if (!passed)
                now.who |= read.who & (again ? MANY : MANY_BLOCKS);
            if (!passed && again)
                now.who |= (same_thread ? 0 : MANY_THREADS) | (same_warp ? 0 : MANY_WARPS);
        }
    }
    read = now;
}

static Stamp stamp(const Worker &w, const Fiber *me, unsigned flags, uint32_t pc)
{
    return Stamp{(uint64_t)launch_number << OF_LAUNCH | (uint64_t)(w.block_linear & 0x3ffffff) << OF_BLOCK |
                     (uint64_t)me->linear << OF_THREAD | BYTES | (flags & ATOMIC ? IS_ATOMIC : 0),
                 (uint64_t)pc << 32 | (uint64_t)(uint16_t)epoch << 16 | clock_of(me->linear, me->lane)};
}

static void report_race(const Stamp &before, const Stamp &now, Verdict verdict, bool was_write, unsigned flags, size_t offset)
{
    const char *kind = verdict == BETWEEN_BLOCKS ? "race-between-blocks" : flags & SHARED ? "race-shared" : "race-global";
    const char *what = !(flags & STORE) ? "a read after a write" : was_write ? "a write after a write" : "a write after a read";
    const char *lacks = verdict == BETWEEN_BLOCKS ? "nothing orders the two blocks" : "no barrier between them";
    Where where(pc_long(pc_in(now)), region.base + offset);
    where.other_pc = pc_long(pc_in(before));
    report(kind, where, "%s by thread %u of block %u, %s; it is %s", what, thread_of(before), block_of(before), lacks,
           memory_describe(region.base + offset).c_str());
}

void race_access(const Worker &w, const Fiber *me, size_t offset, unsigned bytes, unsigned flags, uintptr_t pc)
{
    bool shared = flags & SHARED, store = flags & STORE, told = false;
    if (!shared) {
        if (flags & ATOMIC)
            order_atomic(offset, w.block_linear, fenced[me->linear]);
        else if (store)
            fenced[me->linear] = false;
    }
    Stamp now = stamp(w, me, flags, pc_short(pc));
    size_t first = offset / 4, last = (offset + bytes - 1) / 4;
    for (size_t i = first; i <= last; i++) {
        unsigned low = i == first ? offset % 4 : 0, high = i == last ? (offset + bytes - 1) % 4 : 3;
        now.who = (now.who & ~BYTES) | (((2u << high) - 1) & ~((1u << low) - 1)) << 4;
        Word &word = words[i];
        Verdict verdict = judge(word.write, now, shared);
        bool was_write = verdict != ORDERED;
        if (!was_write && store)
            verdict = judge(word.read, now, shared);
        if (verdict != ORDERED && !told) {
            report_race(was_write ? word.write : word.read, now, verdict, was_write, flags, i == first ? offset : i * 4);
            told = true;
        }
        if (store)
            word.write = now;
        else
            remember_read(word.read, now, shared);
    }
}

/* The copy counts as written by its thread when the wait made it. */
void race_copy_made(const Worker &w, const Fiber *me, size_t offset, size_t bytes)
{
    for (size_t i = offset / 4; i < (offset + bytes) / 4; i++)
        words[i].write = stamp(w, me, 0, pc_in(words[i].write));
}

} // namespace emu
