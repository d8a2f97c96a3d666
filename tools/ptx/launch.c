/* A launch: limits are checked, blocks are handed out to host threads, the first fault ends it. */
#include "internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_WORKERS = 256, DEFAULT_SHARED_LIMIT = 227 * 1024 };

struct launch {
    const struct ptx_kernel *kernel;
    const struct ptx_launch_config *config;
    struct ptx_memory *memory;
    uint8_t *params;
    uint32_t param_bytes;
    uint64_t blocks, stride; /* stride: number n is block n * stride modulo blocks; 1 without a seed */
    _Atomic uint64_t next;
    _Atomic bool stop;
    pthread_mutex_t lock;
    struct ptx_fault *fault;
    uint64_t fault_block;
    struct ptx_counters counters;
};

static void keep_fault(struct launch *launch, const struct ptx_fault *fault, uint64_t block)
{
    pthread_mutex_lock(&launch->lock);
    if (launch->fault->kind == PTX_OK || block < launch->fault_block) {
        *launch->fault = *fault;
        launch->fault_block = block;
    }
    pthread_mutex_unlock(&launch->lock);
    atomic_store(&launch->stop, true);
}

static void *work(void *argument)
{
    struct launch *launch = argument;
    const struct ptx_launch_config *config = launch->config;
    struct ptx_fault fault = {.kind = PTX_OK};
    struct block b = {
        .kernel = launch->kernel,
        .config = config,
        .memory = launch->memory,
        .global = ptx_memory_base(launch->memory),
        .shared_bytes = launch->kernel->info.static_shared + config->dynamic_shared,
        .params = launch->params,
        .param_bytes = launch->param_bytes,
        .local_bytes = launch->kernel->info.local_bytes,
        .fault = &fault,
    };
    if (ptx_block_prepare(&b) != PTX_OK) {
        fault.kind = PTX_NO_MEMORY;
        snprintf(fault.message, sizeof fault.message, "out of host memory for a block of kernel %.80s",
                 launch->kernel->info.name);
        keep_fault(launch, &fault, 0);
    }
    while (!atomic_load_explicit(&launch->stop, memory_order_relaxed)) {
        const uint64_t turn = atomic_fetch_add(&launch->next, 1);
        if (turn >= launch->blocks)
            break;
        const uint64_t n = (uint64_t)((unsigned __int128)turn * launch->stride % launch->blocks);
        b.index[0] = (uint32_t)(n % config->grid[0]);
        b.index[1] = (uint32_t)(n / config->grid[0] % config->grid[1]);
        b.index[2] = (uint32_t)(n / config->grid[0] / config->grid[1]);
        ptx_block_run(&b);
        if (fault.kind != PTX_OK)
            keep_fault(launch, &fault, n);
        if (config->stop && *config->stop && turn + 1 < launch->blocks && fault.kind == PTX_OK) {
            fault.kind = PTX_STOPPED;
            snprintf(fault.message, sizeof fault.message, "kernel %.80s was told to stop", launch->kernel->info.name);
            keep_fault(launch, &fault, n);
        }
    }
    pthread_mutex_lock(&launch->lock);
    for (uint32_t n = 0; b.warps && n < b.warp_count; n++) {
        launch->counters.thread_instructions += b.warps[n].thread_instructions;
        launch->counters.warp_instructions += b.warps[n].warp_instructions;
    }
    pthread_mutex_unlock(&launch->lock);
    ptx_block_release(&b);
    return NULL;
}

static int refuse(const struct ptx_kernel *k, struct ptx_fault *fault, const char *format, uint64_t given, uint64_t allowed)
{
    char text[256];
    snprintf(text, sizeof text, format, (unsigned long long)given, (unsigned long long)allowed);
    fault->kind = PTX_BAD_LAUNCH;
    snprintf(fault->message, sizeof fault->message, "%s: %s; kernel %.80s", ptx_fault_name(PTX_BAD_LAUNCH), text, k->info.name);
    snprintf(fault->kernel, sizeof fault->kernel, "%s", k->info.name);
    return PTX_BAD_LAUNCH;
}

static int check(const struct ptx_kernel *k, const struct ptx_launch_config *c, size_t param_bytes, struct ptx_fault *fault)
{
    static const uint32_t GRID[3] = {0x7fffffff, 65535, 65535}, BLOCK[3] = {1024, 1024, 64};
    const uint32_t shared_limit = c->shared_limit ? c->shared_limit : DEFAULT_SHARED_LIMIT;
    uint64_t threads = 1;
    for (int i = 0; i < 3; i++) {
        if (c->grid[i] == 0 || c->grid[i] > GRID[i])
            return refuse(k, fault, "a grid of %llu blocks in one direction, where 1 to %llu are allowed", c->grid[i], GRID[i]);
        if (c->block[i] == 0 || c->block[i] > BLOCK[i])
            return refuse(k, fault, "a block of %llu threads in one direction, where 1 to %llu are allowed", c->block[i],
                          BLOCK[i]);
        threads *= c->block[i];
        if (k->info.reqntid && c->block[i] != k->info.maxntid[i])
            return refuse(k, fault, "a block of %llu threads in one direction, where the kernel requires %llu", c->block[i],
                          k->info.maxntid[i]);
    }
    if (threads > k->info.max_threads)
        return refuse(k, fault, "a block of %llu threads, where the kernel allows %llu", threads, k->info.max_threads);
    if ((uint64_t)k->info.static_shared + c->dynamic_shared > shared_limit)
        return refuse(k, fault, "%llu bytes of shared memory, where %llu are allowed",
                      (uint64_t)k->info.static_shared + c->dynamic_shared, shared_limit);
    if (param_bytes < k->info.param_bytes)
        return refuse(k, fault, "%llu bytes of parameters, where the kernel has %llu", param_bytes, k->info.param_bytes);
    return PTX_OK;
}

static int run(struct launch *launch)
{
    const struct ptx_launch_config *c = launch->config;
    pthread_t threads[MOST_WORKERS];
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t workers = c->workers > 0 ? (uint64_t)c->workers : cores > 0 ? (uint64_t)cores : 1;
    workers = workers > launch->blocks ? launch->blocks : workers > MOST_WORKERS ? MOST_WORKERS : workers;
    int started = 0;
    /* This thread works too; if no other can be had, alone. */
    for (uint64_t n = 1; n < workers; n++)
        if (pthread_create(&threads[started], NULL, work, launch) == 0)
            started++;
    work(launch);
    for (int n = 0; n < started; n++)
        pthread_join(threads[n], NULL);
    return launch->fault->kind;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        const uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

int ptx_launch(const struct ptx_kernel *k, const struct ptx_launch_config *c, const void *params, size_t param_bytes,
               struct ptx_memory *memory, struct ptx_fault *fault)
{
    struct launch launch = {
        .kernel = k, .config = c, .memory = memory, .param_bytes = k->info.param_bytes, .fault = fault, .stride = 1};
    memset(fault, 0, sizeof *fault);
    if (check(k, c, param_bytes, fault) != PTX_OK)
        return fault->kind;
    launch.blocks = (uint64_t)c->grid[0] * c->grid[1] * c->grid[2];
    launch.params = aligned_alloc(64, (k->info.param_bytes + 127) / 64 * 64);
    if (!launch.params || pthread_mutex_init(&launch.lock, NULL) != 0) {
        free(launch.params);
        fault->kind = PTX_NO_MEMORY;
        snprintf(fault->message, sizeof fault->message, "out of host memory to launch kernel %.80s", k->info.name);
        return PTX_NO_MEMORY;
    }
    if (k->info.param_bytes)
        memcpy(launch.params, params, k->info.param_bytes);
    if (c->seed) {
        launch.stride = (c->seed * 0x9e3779b97f4a7c15ull >> 20) % launch.blocks + 1;
        while (common_divisor(launch.stride, launch.blocks) != 1)
            launch.stride++;
    }
    const int kind = run(&launch);
    if (c->counters) {
        c->counters->thread_instructions += launch.counters.thread_instructions;
        c->counters->warp_instructions += launch.counters.warp_instructions;
        c->counters->blocks += launch.blocks;
    }
    pthread_mutex_destroy(&launch.lock);
    free(launch.params);
    return kind;
}
