/* Requests. Each lane logs its accesses; when the warp is together again, the logs are laid side by side: the k-th time that each
 * lane came to an instruction is one request of the warp. Of a request: the sectors of 32 bytes that it touches in global memory,
 * the passes that it takes over the 32 banks of shared memory, and the fewest that it could have taken. */
#include <algorithm>
#include <map>
#include <unordered_map>

#include "check.h"
#include "report.h"

namespace emu
{

struct Entry {
    uint64_t address;
    uint32_t pc;
    uint8_t bytes, flags;
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
    long requests, lanes, sectors, ideal_sectors, wavefronts, ideal_wavefronts;
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
    found->launches++;
    found->blocks += blocks;
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
static bool count_uniform(const char *kernel, std::vector<Entry> *warp_logs)
{
    const std::vector<Entry> *one = nullptr;
    for (int lane = 0; lane < 32; lane++) {
        const std::vector<Entry> &log = warp_logs[lane];
        if (log.empty())
            continue;
        if (!one)
            one = &log;
        else if (log.size() != one->size() ||
                 !std::equal(log.begin(), log.end(), one->begin(),
                             [](const Entry &a, const Entry &b) { return a.pc == b.pc && a.flags == b.flags; }))
            return false;
    }
    for (size_t k = 0; one && k < one->size(); k++) {
        Lane lanes[32];
        int count = 0;
        for (int lane = 0; lane < 32; lane++)
            if (!warp_logs[lane].empty())
                lanes[count++] = {warp_logs[lane][k].address, lane};
        count_request(kernel, (*one)[k], lanes, count);
    }
    return true;
}

/* Lanes went different ways: the k-th time at an instruction is found for each by itself. */
static void count_divergent(const char *kernel, std::vector<Entry> *warp_logs)
{
    struct Time {
        uint32_t pc, time;
        int lane;
        Entry entry;
        bool operator<(const Time &o) const { return std::tie(pc, time, lane) < std::tie(o.pc, o.time, o.lane); }
    };
    std::vector<Time> visits;
    for (int lane = 0; lane < 32; lane++) {
        std::unordered_map<uint64_t, uint32_t> times;
        for (const Entry &entry : warp_logs[lane])
            visits.push_back({entry.pc, times[(uint64_t)entry.pc << 8 | entry.flags]++, lane, entry});
    }
    std::sort(visits.begin(), visits.end());
    for (size_t i = 0; i < visits.size();) {
        Lane lanes[32];
        int count = 0;
        size_t k = i;
        for (; k < visits.size() && visits[k].pc == visits[i].pc && visits[k].time == visits[i].time &&
               visits[k].entry.flags == visits[i].entry.flags && count < 32;
             k++)
            lanes[count++] = {visits[k].entry.address, visits[k].lane};
        count_request(kernel, visits[i].entry, lanes, count);
        i = k;
    }
}

void count_warp(const Worker &w, int warp)
{
    std::vector<Entry> *warp_logs = logs + warp * 32;
    const char *kernel = w.launch->kernel->name;
    summarised = false;
    if (!count_uniform(kernel, warp_logs))
        count_divergent(kernel, warp_logs);
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
    }
    return 1;
}

void accesses_clear()
{
    counters.clear();
    work.clear();
    summarised = false;
}

} // namespace emu
