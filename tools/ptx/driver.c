/* The driver as a whole: its lock, what every call does first and last, versions and symbols, and what tests ask of it. */
#include "driver.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct driver drv;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool calling_back;

/* ---- The log of calls, and the one that must fail ------------------------------------------------------------- */
enum { NAMES_KEPT = 1 << 16 };
static const char *names[NAMES_KEPT]; /* the last of them, by number */
static uint64_t calls, fail_at;
static int fail_code;
static CUresult owed; /* by the call that is under way: it releases, and then returns this */
static char last_fault[1024];

CUresult drv_enter(const char *name, int need)
{
    if (calling_back)
        return CUDA_ERROR_NOT_PERMITTED; /* and the lock is this thread's already */
    pthread_mutex_lock(&lock);
    names[calls++ % NAMES_KEPT] = name;
    owed = CUDA_SUCCESS;
    CUresult code = CUDA_SUCCESS;
    int least = need & ~RELEASES;
    struct context *context = drv_current();
    if (least >= NEEDS_INIT && !drv.initialised)
        return drv_leave(CUDA_ERROR_NOT_INITIALIZED);
    if (least >= NEEDS_CONTEXT && !context)
        return drv_leave(CUDA_ERROR_INVALID_CONTEXT);
    if (least == NEEDS_CONTEXT && context->sticky)
        code = context->sticky;
    if (fail_at && calls == fail_at)
        code = fail_code;
    if (code && !(need & RELEASES))
        return drv_leave(code);
    owed = code;
    return CUDA_SUCCESS;
}

CUresult drv_leave(CUresult code)
{
    if (owed)
        code = owed;
    owed = CUDA_SUCCESS;
    pthread_mutex_unlock(&lock);
    return code;
}

void drv_client(bool inside) { calling_back = inside; }

/* ---- Faults -------------------------------------------------------------------------------------------------- */
CUresult drv_fault(CUresult code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(last_fault, sizeof last_fault, format, list);
    va_end(list);
    if (!drv.quiet)
        fprintf(stderr, "libcuda-ptx: %s\n", last_fault);
    return code;
}

CUresult drv_fault_of(const struct ptx_fault *fault, const char *what)
{
    static const CUresult codes[PTX_FAULT_KINDS] = {
        [PTX_OUT_OF_RANGE] = CUDA_ERROR_ILLEGAL_ADDRESS,  [PTX_USE_AFTER_FREE] = CUDA_ERROR_ILLEGAL_ADDRESS,
        [PTX_HOST_ADDRESS] = CUDA_ERROR_ILLEGAL_ADDRESS,  [PTX_READ_ONLY] = CUDA_ERROR_ILLEGAL_ADDRESS,
        [PTX_MISALIGNED] = CUDA_ERROR_MISALIGNED_ADDRESS, [PTX_BAD_LAUNCH] = CUDA_ERROR_INVALID_VALUE,
        [PTX_BAD_POINTER] = CUDA_ERROR_INVALID_VALUE,     [PTX_NO_MEMORY] = CUDA_ERROR_OUT_OF_MEMORY,
        [PTX_STOPPED] = CUDA_ERROR_LAUNCH_TIMEOUT,
    };
    CUresult code = fault->kind < PTX_FAULT_KINDS ? codes[fault->kind] : CUDA_SUCCESS;
    return drv_fault(code ? code : CUDA_ERROR_LAUNCH_FAILED, "%s%s%s", what, *what ? ": " : "", fault->message);
}

/* ---- Chance and time ------------------------------------------------------------------------------------------ */
uint64_t drv_random(uint64_t below)
{
    drv.random += 0x9e3779b97f4a7c15ull; /* splitmix64 */
    uint64_t z = drv.random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (z ^ (z >> 31)) % below;
}

double drv_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- cuInit, versions, symbols -------------------------------------------------------------------------------- */
CUresult cuInit(unsigned flags)
{
    ENTER(NEEDS_NOTHING);
    if (flags)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    if (!drv.contexts)
        drv_configure();
    if (!drv.sm)
        return drv_leave(CUDA_ERROR_INVALID_VALUE); /* drv_configure has said why */
    drv.initialised = true;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuDriverGetVersion(int *version)
{
    ENTER(NEEDS_NOTHING);
    if (!version)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *version = DRIVER_VERSION;
    return drv_leave(CUDA_SUCCESS);
}

static const struct {
    const char *base, *symbol;
    int since;
    void (*function)(void);
} symbols[] = {
#define API(base, symbol, since, arguments) {#base, #symbol, since, (void (*)(void))symbol},
#include "api.def"
#undef API
};

CUresult cuGetProcAddress_v2(const char *name, void **function, int version, cuuint64_t flags,
                             CUdriverProcAddressQueryResult *status)
{
    enum { FOUND = 0, NOT_FOUND = 1, TOO_OLD = 2, PER_THREAD_STREAM = 2 };
    ENTER(NEEDS_NOTHING);
    if (!name || !function)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    int best = -1, found = NOT_FOUND;
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (!strcmp(symbols[i].base, name) || !strcmp(symbols[i].symbol, name)) {
            found = found == FOUND ? FOUND : TOO_OLD;
            if (symbols[i].since <= version && (best < 0 || symbols[i].since >= symbols[best].since)) {
                best = (int)i;
                found = FOUND;
            }
        }
    if (flags & PER_THREAD_STREAM) { /* those variants are not here, and the others would mean another stream */
        best = -1;
        found = NOT_FOUND;
    }
    *function = NULL;
    if (best >= 0)
        memcpy(function, &symbols[best].function, sizeof *function);
    if (status)
        *status = found;
    return drv_leave(found == FOUND || status ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND);
}

CUresult cuGetProcAddress(const char *name, void **function, int version, cuuint64_t flags)
{
    return cuGetProcAddress_v2(name, function, version, flags, NULL);
}

/* ---- For tests ------------------------------------------------------------------------------------------------ */
void ptx_driver_allocated(struct ptx_driver_alive *alive)
{
    if (!alive)
        return;
    pthread_mutex_lock(&lock);
    *alive = (struct ptx_driver_alive){0};
    for (struct context *c = drv.contexts; c; c = c->next)
        for (struct object *o = c->objects; o; o = o->next)
            if (o->kind == KIND_MEMORY) {
                uint64_t start = 0, bytes = 0;
                ptx_find(drv.memory, ((struct device_block *)o)->address, &start, &bytes);
                alive->device_allocations++;
                alive->device_bytes += bytes;
            }
    alive->host_bytes = drv.host_bytes;
    alive->host_allocations = drv_count(KIND_HOST);
    alive->contexts = drv_count(KIND_CONTEXT);
    alive->streams = drv_count(KIND_STREAM) - alive->contexts; /* each context has its NULL stream */
    alive->events = drv_count(KIND_EVENT);
    alive->modules = drv_count(KIND_MODULE);
    alive->graphs = drv_count(KIND_GRAPH) + drv_count(KIND_EXEC);
    pthread_mutex_unlock(&lock);
}

const char *ptx_driver_last_fault(void) { return last_fault; }

void ptx_driver_fail_at(uint64_t n, int code)
{
    pthread_mutex_lock(&lock);
    calls = 0;
    fail_at = n;
    fail_code = code;
    pthread_mutex_unlock(&lock);
}

uint64_t ptx_driver_calls(void)
{
    pthread_mutex_lock(&lock);
    uint64_t n = calls;
    pthread_mutex_unlock(&lock);
    return n;
}

const char *ptx_driver_call_name(uint64_t n)
{
    pthread_mutex_lock(&lock);
    const char *name = n == 0 || n > calls || calls - n >= NAMES_KEPT ? NULL : names[(n - 1) % NAMES_KEPT];
    pthread_mutex_unlock(&lock);
    return name;
}

void ptx_driver_work(uint64_t *thread_instructions, uint64_t *warp_instructions, double *seconds)
{
    pthread_mutex_lock(&lock);
    if (thread_instructions)
        *thread_instructions = drv.counters.thread_instructions;
    if (warp_instructions)
        *warp_instructions = drv.counters.warp_instructions;
    if (seconds)
        *seconds = drv.seconds;
    pthread_mutex_unlock(&lock);
}

/* PTX_DRIVER_FAIL=n:code, so that a program that knows nothing of this driver can be made to fail. */
__attribute__((constructor)) static void fail_from_environment(void)
{
    const char *text = getenv("PTX_DRIVER_FAIL");
    unsigned long long n = 0;
    int code = 0;
    if (text && sscanf(text, "%llu:%d", &n, &code) == 2) {
        fail_at = n;
        fail_code = code;
    }
}
