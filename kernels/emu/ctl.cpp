/* The table that a program sees, the registry of kernels, and what is left over. */
#include <map>
#include <string>

#include "internal.h"
#include "layout.h"
#include "report.h"
#include "stream.h"

namespace emu
{

/* Both ends of the section of EMU_KERNEL, by the linker; absent where there are no kernels. */
extern "C" __attribute__((weak, visibility("hidden"))) const Kernel *const __start_emu_kernels[];
extern "C" __attribute__((weak, visibility("hidden"))) const Kernel *const __stop_emu_kernels[];

const Kernel *kernel_of(const char *name)
{
    for (const Kernel *const *kernel = __start_emu_kernels; kernel != __stop_emu_kernels; kernel++)
        if (!strcmp((*kernel)->name, name))
            return *kernel;
    return nullptr;
}

static std::map<const Kernel *, size_t> dynamic_shared; /* where more than 48 KiB was asked for */

size_t dynamic_shared_of(const Kernel *kernel)
{
    auto found = dynamic_shared.find(kernel);
    return found == dynamic_shared.end() ? STATIC_SHARED : found->second;
}

static emu_status set_dynamic_shared(const char *name, size_t bytes)
{
    const Kernel *kernel = kernel_of(name);
    if (!kernel)
        return EMU_NOT_FOUND;
    if (bytes > settings.shared_limit)
        return EMU_INVALID_VALUE;
    dynamic_shared[kernel] = bytes > STATIC_SHARED ? bytes : STATIC_SHARED;
    return EMU_OK;
}

static int has_kernel(const char *name) { return kernel_of(name) != nullptr; }
static void set_workers(int threads) { settings.workers = threads; }
static void set_seed(uint64_t seed)
{
    settings.seed = seed;
    launches_restart();
    streams_reseed();
}
static void set_checks(unsigned checks) { settings.checks = checked ? checks : 0; }
static void set_memory(size_t bytes) { settings.memory = bytes; }
static void set_shared_limit(size_t bytes) { settings.shared_limit = bytes; }
static void set_sample(unsigned blocks) { settings.sample = blocks; }
static void set_watchdog(double seconds) { settings.watchdog = seconds; }

static void omit(const char *file, int line) { mutation = Mutation{file, line, false}; }
static void loosen(const char *file, int line) { mutation = Mutation{file, line, true}; }

static const char *leaks()
{
    static std::string lines;
    lines.clear();
    size_t in_use, total;
    long allocations;
    memory_info(&in_use, &total, &allocations);
    if (allocations)
        lines += text("%ld allocations, %zu bytes of device memory\n", allocations, in_use);
    if (pinned_count())
        lines += text("%zu allocations of pinned host memory\n", pinned_count());
    Handles left = handles_left();
    const struct {
        size_t count;
        const char *what;
    } handles[] = {
        {left.streams, "streams"}, {left.events, "events"}, {left.graphs, "graphs"}, {left.execs, "instantiated graphs"}};
    for (const auto &kind : handles)
        if (kind.count)
            lines += text("%zu %s\n", kind.count, kind.what);
    return lines.c_str();
}

static void get_totals(struct emu_totals *out) { *out = totals_so_far(); }

} // namespace emu

extern "C" __attribute__((visibility("default"))) size_t emu_interface_layout(void);
size_t emu_interface_layout(void) { return emu_layout(); }

extern "C" __attribute__((visibility("default"))) const struct emu_table *emu_interface(void)
{
    using namespace emu;
    static const struct emu_table table = {
        .checked = checked,
        .set_workers = set_workers,
        .set_seed = set_seed,
        .set_checks = set_checks,
        .set_memory = set_memory,
        .set_shared_limit = set_shared_limit,
        .set_sample = set_sample,
        .set_watchdog = set_watchdog,
        .see_through = see_through,
        .alloc = memory_alloc,
        .free = memory_free,
        .memory_info = memory_info,
        .host_alloc = host_alloc,
        .host_free = host_free,
        .stream_create = stream_create,
        .stream_destroy = stream_destroy,
        .stream_wait = stream_wait,
        .stream_wait_event = stream_wait_event,
        .wait_all = wait_all,
        .copy_to_device = copy_to_device,
        .copy_to_host = copy_to_host,
        .copy_on_device = copy_on_device,
        .fill = fill,
        .event_create = event_create,
        .event_destroy = event_destroy,
        .event_record = event_record,
        .event_wait = event_wait,
        .event_query = event_query,
        .event_elapsed = event_elapsed,
        .has_kernel = has_kernel,
        .set_dynamic_shared = set_dynamic_shared,
        .launch = launch,
        .capture_begin = capture_begin,
        .capture_end = capture_end,
        .graph_instantiate = graph_instantiate,
        .graph_launch = graph_launch,
        .graph_destroy = graph_destroy,
        .graph_exec_destroy = graph_exec_destroy,
        .errors = report_total,
        .error = report_get,
        .clear_errors = report_clear,
        .access = access_get,
        .work = work_get,
        .clear_accesses = accesses_clear,
        .waits = waits_get,
        .clear_waits = waits_clear,
        .leaks = leaks,
        .totals = get_totals,
        .omit = omit,
        .loosen = loosen,
    };
    return &table;
}
