/* Requests. Each lane logs its accesses; when the warp is together again, the logs are laid side by side: lanes that did the same
 * were at the same instruction together, and of lanes that went different ways those go on first whom the others will not meet
 * where they are. Of a request: the sectors of 32 bytes that it touches in global memory, the passes that it takes
 * over the 32 banks of shared memory, and the fewest that it could have taken. */
#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include <sys/mman.h>

#include "check.h"
#include "report.h"

namespace emu
{

struct Entry {
    uint64_t address;
    uint32_t pc;
    uint8_t bytes, flags; /* 0 bytes: the lane is there, and touches nothing */
    bool same(const Entry &other) const { return pc == other.pc && flags == other.flags; }
};
static std::vector<Entry> logs[MAX_THREADS];

struct Lane {
    uint64_t address;
    int number;
};

/* One instruction in one use. */
struct Counter {
    const char *kernel;
    uint32_t pc;
    uint8_t bytes, flags;
    long requests, lanes, sectors, ideal_sectors, wavefronts, ideal_wavefronts, lines, once;
};
struct CounterKey {
    const char *kernel;
    uint32_t pc;
    uint16_t use;
    bool operator==(const CounterKey &other) const { return kernel == other.kernel && pc == other.pc && use == other.use; }
};
struct CounterHash {
    size_t operator()(const CounterKey &key) const
    {
        return (key.pc * size_t(0x9e3779b97f4a7c15) ^ key.use ^ (uintptr_t)key.kernel) * size_t(0xff51afd7ed558ccd) >> 7;
    }
};
static std::unordered_map<CounterKey, Counter, CounterHash> counters;
static std::vector<struct emu_kernel_work> work; /* launches; accesses are added when it is asked for */
static std::vector<struct emu_access> summary;
static std::vector<std::string> summary_files;
static bool summarised;
static std::map<const char *, long> counted; /* blocks that ran, where not all did */
static size_t running;                       /* of `work`, what the launch is that runs */

/* The last block that touched each sector, by number. */
static uint32_t *touched;
static uint32_t block_number = 1;

void count_block_end() { block_number++; }
void count_barrier() { work[running].barriers++; }
void count_copy_wait() { work[running].copy_waits++; }
void count_products(int count) { work[running].products += count; }

/* Whether this block is there for the first time. */
static bool is_new(uint64_t sector)
{
    if (!touched) {
        void *map = mmap(nullptr, region.bytes / 32 * sizeof *touched, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        touched = map == MAP_FAILED ? nullptr : static_cast<uint32_t *>(map);
    }
    if (touched && touched[sector] == block_number)
        return false;
    if (touched)
        touched[sector] = block_number;
    return true;
}

void count_access(const Fiber *me, uint64_t address, unsigned bytes, unsigned flags, uintptr_t pc)
{
    logs[me->linear].push_back({address, pc_short(pc), (uint8_t)bytes, (uint8_t)flags});
}

void count_launch(const Launch &launch)
{
    auto same = [&](const struct emu_kernel_work &one) { return one.kernel == launch.kernel->name; };
    auto found = std::find_if(work.begin(), work.end(), same);
    if (found == work.end())
        found = work.insert(found, {.kernel = launch.kernel->name});
    long blocks = (long)launch.grid.x * launch.grid.y * launch.grid.z;
    running = (size_t)(found - work.begin());
    found->launches++;
    found->blocks += blocks;
    found->dynamic_shared = std::max(found->dynamic_shared, launch.dynamic);
    counted[launch.kernel->name] += launch.order.empty() ? blocks : (long)launch.order.size();
    found->threads += blocks * launch.block.x * launch.block.y * launch.block.z;
}

/* ---- One request ----------------------------------------------------------------------------- */

static void sort_unique(uint64_t *values, int &count)
{
    std::sort(values, values + count);
    count = (int)(std::unique(values, values + count) - values);
}

static void count_sectors(Counter &counter, const Lane *lanes, int count)
{
    uint64_t sectors[64], addresses[32];
    int sector_count = 0, address_count = count;
    for (int i = 0; i < count; i++) {
        uint64_t first = lanes[i].address / 32, last = (lanes[i].address + counter.bytes - 1) / 32;
        addresses[i] = lanes[i].address;
        sectors[sector_count++] = first;
        if (last != first)
            sectors[sector_count++] = last;
    }
    sort_unique(sectors, sector_count);
    sort_unique(addresses, address_count);
    counter.sectors += sector_count;
    for (int i = 0; i < sector_count; i++) {
        counter.lines += !(counter.flags & ASYNC) && (i == 0 || sectors[i] / 4 != sectors[i - 1] / 4);
        counter.once += is_new(sectors[i]);
    }
    counter.ideal_sectors += (address_count * counter.bytes + 31) / 32;
}

/* 8 bytes a lane go by half warps, 16 by quarters. In a pass each bank gives one word, to all who want that word; atomics on one
 * word are done one after the other. */
static void count_wavefronts(Counter &counter, const Lane *lanes, int count)
{
    int lanes_a_pass = counter.bytes <= 4 ? 32 : counter.bytes == 8 ? 16 : 8;
    for (int i = 0; i < count;) {
        uint64_t words[32 * 4];
        int word_count = 0, part = lanes[i].number / lanes_a_pass, in_bank[32] = {}, passes = 0, same = 0;
        for (; i < count && lanes[i].number / lanes_a_pass == part; i++) {
            uint64_t last = (lanes[i].address + counter.bytes - 1) / 4;
            for (uint64_t word = lanes[i].address / 4; word <= last; word++)
                words[word_count++] = word;
        }
        std::sort(words, words + word_count);
        for (int k = 0; k < word_count; k++) {
            bool again = k && words[k] == words[k - 1];
            same = again ? same + 1 : 1;
            if (!again)
                passes = std::max(passes, ++in_bank[words[k] % 32]);
            if (counter.flags & ATOMIC)
                passes = std::max(passes, same);
        }
        counter.wavefronts += passes;
        counter.ideal_wavefronts++;
    }
}

static void count_request(const char *kernel, const Entry &entry, const Lane *lanes, int count)
{
    if (!count)
        return;
    CounterKey key = {kernel, entry.pc, (uint16_t)(entry.bytes << 8 | entry.flags)};
    Counter &counter = counters[key];
    counter.kernel = kernel;
    counter.pc = entry.pc;
    counter.bytes = entry.bytes;
    counter.flags = entry.flags;
    counter.requests++;
    counter.lanes += count;
    if (entry.flags & SHARED)
        count_wavefronts(counter, lanes, count);
    else
        count_sectors(counter, lanes, count);
}

/* ---- A warp ---------------------------------------------------------------------------------- */

/* All lanes that did anything did the same: the k-th entries are the k-th request. */
static bool is_uniform(const std::vector<Entry> *warp_logs)
{
    const std::vector<Entry> *one = nullptr;
    for (int lane = 0; lane < 32; lane++) {
        const std::vector<Entry> &log = warp_logs[lane];
        if (log.empty())
            continue;
        if (!one)
            one = &log;
        else if (log.size() != one->size() ||
                 !std::equal(log.begin(), log.end(), one->begin(), [](const Entry &a, const Entry &b) { return a.same(b); }))
            return false;
    }
    return true;
}

/* Bytes that a lane moves at once are those of any lane that moves some. */
static void count_lanes(const char *kernel, Entry entry, const Entry *entries, const int *numbers, int count)
{
    Lane lanes[32];
    int moving = 0;
    for (int i = 0; i < count; i++)
        if (entries[i].bytes) {
            entry.bytes = std::max(entry.bytes, entries[i].bytes);
            lanes[moving++] = {entries[i].address, numbers[i]};
        }
    count_request(kernel, entry, lanes, moving);
}

/* Where each lane is in its log. */
struct Heads {
    const std::vector<Entry> *logs;
    size_t at[32];

    const Entry *of(int lane) const { return at[lane] < logs[lane].size() ? &logs[lane][at[lane]] : nullptr; }
    /* How many instructions lane does before it comes to this one; AHEAD: it does not soon. */
    static constexpr size_t AHEAD = 64;
    size_t distance(int lane, const Entry &entry) const
    {
        size_t end = std::min(logs[lane].size(), at[lane] + AHEAD);
        for (size_t i = at[lane]; i < end; i++)
            if (logs[lane][i].same(entry))
                return i - at[lane];
        return AHEAD;
    }
};

/* Which instruction is next, of those that lanes have come to: the one that the others are farthest from, for at the others they
 * will meet; of equals the first in the program. NULL: all logs are at their ends. */
static const Entry *next_of(const Heads &heads)
{
    const Entry *found[32], *best = nullptr;
    int lane_of[32], count = 0;
    for (int lane = 0; lane < 32; lane++) {
        const Entry *head = heads.of(lane);
        int i = 0;
        while (head && i < count && !found[i]->same(*head))
            i++;
        if (head && i == count) {
            found[count] = head;
            lane_of[count++] = lane;
        }
    }
    for (size_t i = 0, farthest = 0; i < (size_t)count; i++) {
        size_t nearest = Heads::AHEAD;
        for (int k = 0; count > 1 && k < count; k++)
            if (k != (int)i)
                nearest = std::min(nearest, heads.distance(lane_of[k], *found[i]));
        if (!best || nearest > farthest ||
            (nearest == farthest && std::tie(found[i]->pc, found[i]->flags) < std::tie(best->pc, best->flags))) {
            best = found[i];
            farthest = nearest;
        }
    }
    return best;
}

static void count_steps(const char *kernel, const std::vector<Entry> *warp_logs, bool uniform)
{
    Heads heads = {warp_logs, {}};
    int any = 0;
    while (any < 31 && warp_logs[any].empty())
        any++;
    for (;;) {
        const Entry *next = uniform ? heads.of(any) : next_of(heads);
        Entry entries[32];
        int numbers[32], count = 0;
        if (!next)
            return;
        for (int lane = 0; lane < 32; lane++) {
            const Entry *head = heads.of(lane);
            if (!head || !head->same(*next))
                continue;
            entries[count] = *head;
            heads.at[lane]++;
            numbers[count++] = lane;
        }
        count_lanes(kernel, *next, entries, numbers, count);
    }
}

void count_warp(const Worker &w, int warp)
{
    std::vector<Entry> *warp_logs = logs + warp * 32;
    const char *kernel = w.launch->kernel->name;
    summarised = false;
    count_steps(kernel, warp_logs, is_uniform(warp_logs));
    for (int lane = 0; lane < 32; lane++)
        warp_logs[lane].clear();
}

/* ---- By line of source ----------------------------------------------------------------------- */

static void summarise()
{
    std::vector<uintptr_t> pcs;
    for (const auto &[key, counter] : counters)
        pcs.push_back(pc_long(counter.pc));
    lines_prepare(pcs);
    typedef std::tuple<std::string, std::string, int, int, int> Key; /* kernel, file, line, flags, bytes */
    std::map<Key, struct emu_access> sums;
    for (const auto &[key, counter] : counters) {
        Line line = line_of(pc_long(counter.pc));
        struct emu_access &sum = sums[Key(counter.kernel, line.file, line.line, counter.flags, counter.bytes)];
        sum.kernel = counter.kernel;
        sum.line = line.line;
        sum.shared = (counter.flags & SHARED) != 0;
        sum.store = (counter.flags & STORE) != 0;
        sum.atomic = (counter.flags & ATOMIC) != 0;
        sum.async = (counter.flags & ASYNC) != 0;
        sum.size = counter.bytes;
        sum.requests += counter.requests;
        sum.lanes += counter.lanes;
        sum.bytes += counter.lanes * counter.bytes;
        sum.sectors += counter.sectors;
        sum.ideal_sectors += counter.ideal_sectors;
        sum.wavefronts += counter.wavefronts;
        sum.ideal_wavefronts += counter.ideal_wavefronts;
    }
    summary.clear();
    summary_files.clear();
    for (auto &[key, sum] : sums)
        summary_files.push_back(std::get<1>(key));
    for (auto &[key, sum] : sums) {
        sum.file = summary_files[summary.size()].c_str();
        summary.push_back(sum);
    }
    summarised = true;
}

int access_get(int i, struct emu_access *out)
{
    if (!summarised)
        summarise();
    if (i < 0 || (size_t)i >= summary.size())
        return 0;
    *out = summary[(size_t)i];
    return 1;
}

int work_get(int i, struct emu_kernel_work *out)
{
    if (i < 0 || (size_t)i >= work.size())
        return 0;
    *out = work[(size_t)i];
    for (const auto &[key, counter] : counters) {
        if (counter.kernel != out->kernel)
            continue;
        struct emu_space_work &space = counter.flags & SHARED ? out->shared : out->global;
        space.requests += counter.requests;
        space.lanes += counter.lanes;
        space.bytes += counter.lanes * counter.bytes;
        space.units += counter.sectors + counter.wavefronts;
        space.ideal_units += counter.ideal_sectors + counter.ideal_wavefronts;
        space.read += counter.flags & (STORE | ATOMIC | ASYNC) ? 0 : counter.lanes * counter.bytes;
        space.lines += counter.lines;
        space.once += counter.once;
    }
    double share = (double)out->blocks / (double)counted[out->kernel];
    out->barriers = std::lround((double)out->barriers * share);
    out->copy_waits = std::lround((double)out->copy_waits * share);
    out->products = std::lround((double)out->products * share);
    for (struct emu_space_work *space : {&out->global, &out->shared})
        for (long *number : {&space->requests, &space->lanes, &space->bytes, &space->units, &space->ideal_units, &space->read,
                             &space->lines, &space->once})
            *number = std::lround((double)*number * share);
    return 1;
}

void accesses_clear()
{
    counters.clear();
    work.clear();
    counted.clear();
    summarised = false;
}

} // namespace emu
