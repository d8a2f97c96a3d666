/* The table of driver calls over the emulator, so that the cuda backend runs on it unchanged. Each mode is a device of its own; a
 * call goes to the emulator of the context that is current on its thread. The checked emulator is a shared object of its own. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cuda.h"
#include "kernels/emu/emu_ctl.h"
#include "kernels/emu/layout.h"

enum { INVALID_CONTEXT = 201, MAX_DEVICES = 256, MAX_MODE = 80 };
enum { L2_BYTES = 50 << 20, MOST_MULTIPROCESSORS = 1024 };

/* What a block may ask for and what a multiprocessor has of shared memory, in KiB. */
static const struct emu_arch {
    int arch, shared_per_block, shared_per_multiprocessor;
} archs[] = {{90, 227, 228}, {75, 64, 64}, {80, 163, 164}, {86, 99, 100}, {89, 99, 100}, {100, 227, 228}, {120, 99, 100}};

struct emu_device {
    char mode[MAX_MODE];
    const struct emu_table *emu;
    uint64_t seed;
    int workers;
    unsigned checks, sample;
    int multiprocessors; /* that it says to have */
    const struct emu_arch *arch;
    int users;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* an emulator serves one thread at a time */
static struct emu_device devices[MAX_DEVICES];
static int device_count;
static const struct emu_device *applied; /* whose mode the emulators are in */
static _Thread_local struct emu_device *current;
static const struct emu_table *emu; /* of the call that holds the lock */

/* ---- Calls ---------------------------------------------------------------------------------------- */

static int enter(void)
{
    if (!current)
        return 0;
    pthread_mutex_lock(&lock);
    emu = current->emu;
    if (applied != current) {
        emu->set_seed(current->seed);
        emu->set_workers(current->workers);
        emu->set_checks(current->checks);
        emu->set_sample(current->sample);
        applied = current;
    }
    return 1;
}

static CUresult leave(emu_status status)
{
    pthread_mutex_unlock(&lock);
    return (CUresult)status;
}

#define EMU(call) (enter() ? leave(emu->call) : (CUresult)INVALID_CONTEXT)

/* EMU_NEW(out, type of the handle, call that takes `&made`) */
#define EMU_NEW(out, type, call)                                                                                                 \
    type *made = NULL;                                                                                                           \
    CUresult code = EMU(call);                                                                                                   \
    if (!code)                                                                                                                   \
        *(out) = (void *)made;                                                                                                   \
    return code

static void *at(CUdeviceptr pointer) { return (void *)(uintptr_t)pointer; }

static CUresult init(unsigned flags) { return 0; }
static CUresult driver_version(int *version)
{
    *version = 12000;
    return 0;
}

static CUresult error_name(CUresult code, const char **name)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {{EMU_INVALID_VALUE, "invalid value"},
                 {EMU_OUT_OF_MEMORY, "out of memory"},
                 {INVALID_CONTEXT, "invalid context"},
                 {EMU_INVALID_HANDLE, "invalid handle"},
                 {EMU_NOT_FOUND, "not found"},
                 {EMU_NOT_READY, "not ready"},
                 {EMU_TOO_MANY_RESOURCES, "launch out of resources"},
                 {EMU_LAUNCH_FAILED, "launch failed"},
                 {EMU_CAPTURE_UNSUPPORTED, "capture unsupported"},
                 {EMU_CAPTURE_INVALIDATED, "capture invalidated"},
                 {EMU_CAPTURE_UNMATCHED, "capture unmatched"},
                 {EMU_CAPTURE_UNJOINED, "capture unjoined"}};
    *name = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == (int)code)
            *name = names[i].name;
    return *name ? 0 : EMU_INVALID_VALUE;
}

/* Of a failed launch, what the emulator saw first. */
static CUresult error_string(CUresult code, const char **text)
{
    static _Thread_local char said[1024];
    struct emu_error error;
    *text = "the emulator refused the call";
    if (code == EMU_LAUNCH_FAILED && enter()) {
        if (emu->error(0, &error)) {
            snprintf(said, sizeof said, "%s", error.text);
            *text = said;
        }
        leave(EMU_OK);
    }
    return 0;
}

static CUresult device_number(int *count)
{
    *count = device_count;
    return 0;
}
static CUresult device_get(CUdevice *device, int ordinal)
{
    *device = ordinal;
    return 0;
}
static CUresult device_name(char *name, int room, CUdevice device)
{
    snprintf(name, (size_t)room, "emulator");
    return 0;
}
static CUresult device_attribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
    switch ((int)attribute) {
    case CUDA_MULTIPROCESSOR_COUNT:
        *value = devices[device].multiprocessors;
        return 0;
    case CUDA_COMPUTE_CAPABILITY_MAJOR:
        *value = devices[device].arch->arch / 10;
        return 0;
    case CUDA_COMPUTE_CAPABILITY_MINOR:
        *value = devices[device].arch->arch % 10;
        return 0;
    case CUDA_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
        *value = devices[device].arch->shared_per_block << 10;
        return 0;
    case CUDA_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
        *value = devices[device].arch->shared_per_multiprocessor << 10;
        return 0;
    case CUDA_L2_CACHE_SIZE:
        *value = L2_BYTES;
        return 0;
    case CUDA_MAX_THREADS_PER_MULTIPROCESSOR:
        *value = 0;
        return 0;
    default:
        return EMU_INVALID_VALUE;
    }
}

/* What an earlier device left behind does not trouble a new one. */
static CUresult context_retain(CUcontext *context, CUdevice device)
{
    int users = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < device_count; i++)
        if (devices[i].emu == devices[device].emu)
            users += devices[i].users;
    if (users == 0)
        devices[device].emu->clear_errors();
    devices[device].users++;
    *context = (CUcontext)(void *)&devices[device];
    pthread_mutex_unlock(&lock);
    return 0;
}
static CUresult context_release(CUdevice device)
{
    pthread_mutex_lock(&lock);
    devices[device].users--;
    pthread_mutex_unlock(&lock);
    return 0;
}
static CUresult context_set(CUcontext context)
{
    current = (struct emu_device *)(void *)context;
    return 0;
}

/* Kernels are known by name alone: a module is its image, a function its name. */
static CUresult module_load(CUmodule *module, const void *image, unsigned options, CUjit_option *option, void **value)
{
    *module = (CUmodule)image;
    return 0;
}
static CUresult module_unload(CUmodule module) { return 0; }
static CUresult module_function(CUfunction *function, CUmodule module, const char *name)
{
    *function = (CUfunction)name;
    return EMU(has_kernel(name) ? EMU_OK : EMU_NOT_FOUND);
}
static CUresult function_attribute(CUfunction function, CUfunction_attribute attribute, int value)
{
    return EMU(set_dynamic_shared((const char *)function, (size_t)value));
}
/* Its functions have no registers, which would bound them: it is not known. */
static CUresult function_blocks(int *blocks, CUfunction function, int threads, size_t shared_bytes)
{
    *blocks = 0;
    return 0;
}
static CUresult launch(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                       unsigned block_z, unsigned shared_bytes, CUstream stream, void **arguments, void **extra)
{
    const unsigned grid[3] = {grid_x, grid_y, grid_z}, block[3] = {block_x, block_y, block_z};
    return EMU(launch((const char *)function, grid, block, shared_bytes, (struct emu_stream *)stream, arguments));
}

static CUresult memory_info(size_t *free_bytes, size_t *total_bytes)
{
    size_t used = 0;
    long allocations = 0;
    if (!enter())
        return INVALID_CONTEXT;
    emu->memory_info(&used, total_bytes, &allocations);
    *free_bytes = *total_bytes - used;
    return leave(EMU_OK);
}
static CUresult memory_alloc(CUdeviceptr *pointer, size_t bytes)
{
    void *made = NULL;
    CUresult code = EMU(alloc(&made, bytes));
    *pointer = (CUdeviceptr)(uintptr_t)made;
    return code;
}
static CUresult memory_free(CUdeviceptr pointer) { return EMU(free(at(pointer))); }
static CUresult host_alloc(void **pointer, size_t bytes, unsigned flags) { return EMU(host_alloc(pointer, bytes)); }
static CUresult host_free(void *pointer) { return EMU(host_free(pointer)); }
static CUresult copy_up(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    return EMU(copy_to_device(at(to), from, bytes, (struct emu_stream *)stream));
}
static CUresult copy_down(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return EMU(copy_to_host(to, at(from), bytes, (struct emu_stream *)stream));
}
static CUresult fill(CUdeviceptr to, unsigned char value, size_t count, CUstream stream)
{
    return EMU(fill(at(to), value, count, (struct emu_stream *)stream));
}

static CUresult stream_create(CUstream *stream, unsigned flags) { EMU_NEW(stream, struct emu_stream, stream_create(&made)); }
static CUresult stream_destroy(CUstream stream) { return EMU(stream_destroy((struct emu_stream *)stream)); }
static CUresult stream_wait(CUstream stream) { return EMU(stream_wait((struct emu_stream *)stream)); }
static CUresult stream_wait_event(CUstream stream, CUevent event, unsigned flags)
{
    return EMU(stream_wait_event((struct emu_stream *)stream, (struct emu_event *)event));
}
static CUresult capture_begin(CUstream stream, CUstreamCaptureMode mode)
{
    return EMU(capture_begin((struct emu_stream *)stream));
}
static CUresult capture_end(CUstream stream, CUgraph *graph)
{
    EMU_NEW(graph, struct emu_graph, capture_end((struct emu_stream *)stream, &made));
}

static CUresult event_create(CUevent *event, unsigned flags) { EMU_NEW(event, struct emu_event, event_create(&made)); }
static CUresult event_destroy(CUevent event) { return EMU(event_destroy((struct emu_event *)event)); }
static CUresult event_record(CUevent event, CUstream stream)
{
    return EMU(event_record((struct emu_event *)event, (struct emu_stream *)stream));
}
static CUresult event_wait(CUevent event) { return EMU(event_wait((struct emu_event *)event)); }
static CUresult event_elapsed(float *milliseconds, CUevent from, CUevent to)
{
    return EMU(event_elapsed(milliseconds, (struct emu_event *)from, (struct emu_event *)to));
}

static CUresult graph_instantiate(CUgraphExec *executable, CUgraph graph, unsigned long long flags)
{
    EMU_NEW(executable, struct emu_graph_exec, graph_instantiate(&made, (struct emu_graph *)graph));
}
static CUresult graph_launch(CUgraphExec executable, CUstream stream)
{
    return EMU(graph_launch((struct emu_graph_exec *)executable, (struct emu_stream *)stream));
}
static CUresult graph_destroy(CUgraph graph) { return EMU(graph_destroy((struct emu_graph *)graph)); }
static CUresult graph_exec_destroy(CUgraphExec executable)
{
    return EMU(graph_exec_destroy((struct emu_graph_exec *)executable));
}

static const struct cuda_driver table = {
    .cuInit = init,
    .cuDriverGetVersion = driver_version,
    .cuGetErrorName = error_name,
    .cuGetErrorString = error_string,
    .cuDeviceGetCount = device_number,
    .cuDeviceGet = device_get,
    .cuDeviceGetName = device_name,
    .cuDeviceGetAttribute = device_attribute,
    .cuDevicePrimaryCtxRetain = context_retain,
    .cuDevicePrimaryCtxRelease = context_release,
    .cuCtxSetCurrent = context_set,
    .cuModuleLoadDataEx = module_load,
    .cuModuleUnload = module_unload,
    .cuModuleGetFunction = module_function,
    .cuFuncSetAttribute = function_attribute,
    .cuOccupancyMaxActiveBlocksPerMultiprocessor = function_blocks,
    .cuLaunchKernel = launch,
    .cuMemGetInfo = memory_info,
    .cuMemAlloc = memory_alloc,
    .cuMemFree = memory_free,
    .cuMemHostAlloc = host_alloc,
    .cuMemFreeHost = host_free,
    .cuMemcpyHtoDAsync = copy_up,
    .cuMemcpyDtoHAsync = copy_down,
    .cuMemsetD8Async = fill,
    .cuStreamCreate = stream_create,
    .cuStreamDestroy = stream_destroy,
    .cuStreamSynchronize = stream_wait,
    .cuStreamWaitEvent = stream_wait_event,
    .cuStreamBeginCapture = capture_begin,
    .cuStreamEndCapture = capture_end,
    .cuEventCreate = event_create,
    .cuEventDestroy = event_destroy,
    .cuEventRecord = event_record,
    .cuEventSynchronize = event_wait,
    .cuEventElapsedTime = event_elapsed,
    .cuGraphInstantiate = graph_instantiate,
    .cuGraphLaunch = graph_launch,
    .cuGraphDestroy = graph_destroy,
    .cuGraphExecDestroy = graph_exec_destroy,
};

/* ---- Counts -------------------------------------------------------------------------------------------- */

static struct osp_space_counts space_counts(const struct emu_space_work *work)
{
    return (struct osp_space_counts){.requests = work->requests,
                                     .lanes = work->lanes,
                                     .bytes = work->bytes,
                                     .read = work->read,
                                     .units = work->units,
                                     .ideal = work->ideal_units,
                                     .lines = work->lines,
                                     .once = work->once};
}

int emu_counts(CUcontext context, int i, struct osp_kernel_counts *out)
{
    struct emu_kernel_work work;
    context_set(context);
    if (!enter())
        return 0;
    int found = emu->work(i, &work);
    leave(EMU_OK);
    if (found)
        *out = (struct osp_kernel_counts){.kernel = work.kernel,
                                          .launches = work.launches,
                                          .blocks = work.blocks,
                                          .threads = work.threads,
                                          .dynamic_shared = (int64_t)work.dynamic_shared,
                                          .barriers = work.barriers,
                                          .copy_waits = work.copy_waits,
                                          .products = work.products,
                                          .global = space_counts(&work.global),
                                          .shared = space_counts(&work.shared)};
    return found;
}

void emu_clear_counts(CUcontext context)
{
    context_set(context);
    if (!enter())
        return;
    emu->clear_accesses();
    leave(EMU_OK);
}

/* ---- Modes ---------------------------------------------------------------------------------------- */

static osp_status open_checked(const struct emu_table **out)
{
    char path[CUDA_PATH];
    void *library = cuda_library_beside("libosprey-emu-check.so", path);
    const struct emu_table *(*get)(void) = NULL;
    size_t (*layout)(void) = NULL;
    if (!library)
        return osp_fail(OSP_UNAVAILABLE,
                        "emu: the checked emulator %s is not beside the program, nor in ../lib: build it with make", path);
    *(void **)&get = dlsym(library, "emu_interface");
    *(void **)&layout = dlsym(library, "emu_interface_layout");
    if (!get)
        return osp_fail(OSP_UNAVAILABLE, "emu: %s is no emulator: it lacks emu_interface", path);
    if (!layout || layout() != emu_layout())
        return osp_fail(OSP_UNAVAILABLE, "emu: %s was not built with this program: build both again with make", path);
    *out = get();
    (*out)->see_through("kernels/device.h"); /* reports name the line of the kernel that calls a wrapper */
    return OSP_OK;
}

/* A number that ends at a comma or with the text; -1: there is none, or it is not in 1..most. */
static long long number_at(const char *text, long long most)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    return end && (!*end || *end == ',') && !errno && number >= 1 && number <= (unsigned long long)most ? (long long)number : -1;
}

/* ",multiprocessors=40,arch=75": what the device says of itself; ",blocks=8": how many of a launch are counted. */
static osp_status parse_options(const char *mode, const char *at, struct emu_device *out)
{
    while (*at == ',') {
        long long blocks = strncmp(at, ",blocks=", 8) ? 0 : number_at(at + 8, UINT32_MAX);
        long long count = strncmp(at, ",multiprocessors=", 17) ? 0 : number_at(at + 17, MOST_MULTIPROCESSORS);
        long long arch = strncmp(at, ",arch=", 6) ? 0 : number_at(at + 6, 999);
        size_t i = 0, all = sizeof archs / sizeof *archs;
        while (arch > 0 && i < all && archs[i].arch != arch)
            i++;
        if (i == all || blocks + count + arch <= 0 || (blocks && !(out->checks & EMU_COUNT)))
            break;
        out->sample = blocks ? (unsigned)blocks : out->sample;
        out->multiprocessors = count ? (int)count : out->multiprocessors;
        out->arch = arch ? &archs[i] : out->arch;
        at += 1 + strcspn(at + 1, ",");
    }
    if (*at)
        return osp_fail(
            OSP_USAGE,
            "emu: mode \"%s\": found \"%s\"; allowed are ,multiprocessors=1 to %d, ,arch=75, 80, 86, 89, 90, 100 or 120, and "
            "with count ,blocks=N",
            mode, at, MOST_MULTIPROCESSORS);
    return OSP_OK;
}

/* "shuffled=7,multiprocessors=40,arch=75" to its parts. */
static osp_status parse_mode(const char *mode, struct emu_device *out)
{
    static const struct {
        const char *name;
        int seeded, checked;
        unsigned checks;
    } modes[] = {{"fast", 0, 0, 0},
                 {"shuffled", 1, 0, 0},
                 {"check", 0, 1, EMU_CHECK_MEMORY | EMU_CHECK_RACES},
                 {"count", 0, 1, EMU_CHECK_MEMORY | EMU_COUNT}};
    size_t length = strcspn(mode, "=,"), head = strcspn(mode, ",");
    const char *seed = mode[length] == '=' ? mode + length + 1 : NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strlen(modes[i].name) != length || strncmp(mode, modes[i].name, length) != 0)
            continue;
        if (modes[i].seeded == !seed || strlen(mode) >= MAX_MODE)
            break;
        long long number = seed ? number_at(seed, INT64_MAX) : 0;
        if (number < 0)
            break;
        snprintf(out->mode, sizeof out->mode, "%s", mode);
        out->seed = (uint64_t)number;
        out->checks = modes[i].checks;
        osp_status status = parse_options(mode, mode + head, out);
        return status || !modes[i].checked ? status : open_checked(&out->emu);
    }
    return osp_fail(OSP_USAGE, "emu: mode \"%s\"; allowed are fast, shuffled=SEED with a seed from 1, check and count", mode);
}

osp_status emu_driver_open(const char *mode, int *threads, const struct cuda_driver **out, int *device)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct emu_device asked = {.emu = emu_interface(), .workers = *threads > 0 ? *threads : (int)cores, .arch = archs};
    osp_status status = parse_mode(mode ? mode : "fast", &asked);
    if (status)
        return status;
    if (asked.emu->checked)
        asked.workers = 1;
    asked.multiprocessors = asked.multiprocessors ? asked.multiprocessors : asked.workers;
    pthread_mutex_lock(&lock);
    int i = 0;
    while (i < device_count && (strcmp(devices[i].mode, asked.mode) != 0 || devices[i].workers != asked.workers))
        i++;
    if (i == MAX_DEVICES)
        status = osp_fail(OSP_UNAVAILABLE, "emu: this program has used %d modes already, and cannot use more", MAX_DEVICES);
    else if (i == device_count)
        devices[device_count++] = asked;
    pthread_mutex_unlock(&lock);
    *threads = asked.workers;
    *device = i;
    *out = &table;
    return status;
}
