/* The cpu backend: host memory, the monotonic clock, OpenMP threads, and the instruction set chosen when it is opened. */
#include "cpu.h"

#include <cpuid.h>
#include <omp.h>
#include <string.h>
#include <time.h>

enum { MAX_THREADS = 1024 };

static const char *const isa_names[CPU_ISA_COUNT] = {"portable", "avx2", "avx512"};

struct cpu_clock {
    struct timespec *at; /* by mark */
    int marks;
};

static int has_f16c(void)
{
    unsigned a, b, c = 0, d; /* __builtin_cpu_supports of clang 14 does not know this bit */
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* Asks for all that the Makefile's ISA_FLAGS let the compiler use. */
static enum cpu_isa best_isa(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c())
        return CPU_PORTABLE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq"))
        return CPU_AVX2;
    return CPU_AVX512;
}

static osp_status choose_isa(const char *name, enum cpu_isa *out)
{
    enum cpu_isa best = best_isa();
    if (!name) {
        *out = best;
        return OSP_OK;
    }
    for (int i = 0; i < CPU_ISA_COUNT; i++) {
        if (strcmp(name, isa_names[i]) != 0)
            continue;
        if (i > (int)best)
            return osp_fail(OSP_UNAVAILABLE, "cpu: this machine cannot run the instruction set %s; the best it has is %s", name,
                            isa_names[best]);
        *out = (enum cpu_isa)i;
        return OSP_OK;
    }
    return osp_fail(OSP_USAGE, "cpu: unknown instruction set \"%s\"; allowed: portable, avx2, avx512", name);
}

/* Threads 0: what OpenMP takes by itself, which is OMP_NUM_THREADS or the cores that this process may run on. */
osp_status cpu_device_open(const struct osp_device_options *options, struct cpu_device *out)
{
    int threads = options && options->threads ? options->threads : omp_get_max_threads();
    if (threads < 1 || threads > MAX_THREADS)
        return osp_fail(OSP_USAGE, "cpu: %d threads; allowed: 1 to %d, or 0 for all cores", threads, MAX_THREADS);
    enum cpu_isa isa = CPU_PORTABLE;
    osp_status status = choose_isa(options ? options->isa : NULL, &isa);
    if (status != OSP_OK)
        return status;
    struct cpu_clock *clock = calloc(1, sizeof *clock);
    if (!clock)
        return osp_fail(OSP_MEMORY, "cpu: no memory for a clock of %zu bytes", sizeof *clock);
    *out = (struct cpu_device){.threads = threads, .isa = isa, .clock = clock};
    return OSP_OK;
}

void cpu_device_close(struct cpu_device *device)
{
    if (!device->clock)
        return;
    free(device->clock->at);
    free(device->clock);
}

static osp_status cpu_open(const struct osp_device_options *options, struct osp_device **out)
{
    struct cpu_device *device = calloc(1, sizeof *device);
    if (!device)
        return osp_fail(OSP_MEMORY, "cpu: no memory for a device of %zu bytes", sizeof *device);
    osp_status status = cpu_device_open(options, device);
    if (status)
        free(device);
    else
        *out = (struct osp_device *)device;
    return status;
}

static void cpu_close(struct osp_device *opaque)
{
    if (!opaque)
        return;
    cpu_device_close((struct cpu_device *)opaque);
    free(opaque);
}

static osp_status memory_alloc(struct osp_device *device, size_t bytes, void **out)
{
    void *memory = bytes <= SIZE_MAX - 128 ? cpu_alloc(bytes) : NULL;
    if (!memory)
        return osp_fail(OSP_MEMORY, "cpu: no memory for %zu bytes", bytes);
    *out = memory;
    return OSP_OK;
}

static void memory_free(struct osp_device *device, void *memory) { free(memory); }

static osp_status memory_copy(struct osp_device *device, void *to, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(to, from, bytes);
    return OSP_OK;
}

static osp_status clock_reserve(struct osp_device *device, int marks)
{
    struct cpu_clock *clock = cpu_of(device)->clock;
    if (marks <= clock->marks)
        return OSP_OK;
    struct timespec *at = realloc(clock->at, (size_t)marks * sizeof *at);
    if (!at)
        return osp_fail(OSP_MEMORY, "cpu: no memory for %zu bytes of time marks", (size_t)marks * sizeof *at);
    memset(at + clock->marks, 0, (size_t)(marks - clock->marks) * sizeof *at);
    clock->at = at;
    clock->marks = marks;
    return OSP_OK;
}

static osp_status clock_mark(struct osp_device *device, int mark)
{
    clock_gettime(CLOCK_MONOTONIC, &cpu_of(device)->clock->at[mark]);
    return OSP_OK;
}

static osp_status clock_seconds(struct osp_device *device, int from, int to, double *out)
{
    const struct timespec *a = &cpu_of(device)->clock->at[from], *b = &cpu_of(device)->clock->at[to];
    *out = (double)(b->tv_sec - a->tv_sec) + 1e-9 * (double)(b->tv_nsec - a->tv_nsec);
    return OSP_OK;
}

double cpu_cycles(const struct cpu_device *device)
{
    static const double slower[CPU_ISA_COUNT] = {[CPU_PORTABLE] = 60, [CPU_AVX2] = 1.1, [CPU_AVX512] = 1};
    return 3.4e9 * device->threads / slower[device->isa];
}

/* Fitted on Zen 4 to batches of the networks here. The cache is the part of the one that cores share of which one may be sure. */
static void cpu_pace(const struct osp_device *device, struct osp_pace *out)
{
    *out = (struct osp_pace){.macs = 16 * cpu_cycles(cpu_of(device)), .bytes = 20e9, .start = 3e-6, .cache = 8 << 20};
}

static int cpu_threads(const struct osp_device *device) { return cpu_of(device)->threads; }
static const char *cpu_isa_name(const struct osp_device *device) { return isa_names[cpu_of(device)->isa]; }

const struct osp_memory cpu_memory = {memory_alloc, memory_free, memory_copy, memory_copy, cpu_memory_available};
const struct osp_clock cpu_marks = {clock_reserve, clock_mark, clock_seconds};

extern const struct osp_backend cpu_backend; /* runtime/backends.c names it */
const struct osp_backend cpu_backend = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .memory = &cpu_memory,
    .clock = &cpu_marks,
    .ops =
        {
#define OSP_OP(name, help) [OSP_##name] = &cpu_##name##_ladder,
#include "runtime/ops.def"
#undef OSP_OP
        },
    .threads = cpu_threads,
    .isa = cpu_isa_name,
    .packing = cpu_isa_name,
    .pace = cpu_pace,
};
