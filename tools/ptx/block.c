/* One block: its warps run one after the other, each until it waits at a barrier or ends. */
#include "exec.h"
#include "lanes.h"
#include "specials.h"

#include <stdlib.h>
#include <time.h>

enum { LINE = 64 };

static void *lines(size_t bytes)
{
    void *p = aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE + LINE);
    return p;
}

static void fill_constants(const struct ptx_kernel *k, uint8_t *file)
{
    for (uint32_t n = 0; n < k->constant_count; n++) {
        const struct constant *c = &k->constants[n];
        if (c->bytes == 0)
            memcpy(file + c->offset, &c->value, 4); /* a predicate */
        for (uint32_t l = 0; l < LANES; l++)
            memcpy(file + c->offset + (size_t)l * c->bytes, &c->value, c->bytes);
    }
}

/* Memory for a block's warps, used for one block after the other. The block's kernel, config, memory and sizes are set. */
int ptx_block_prepare(struct block *b)
{
    const struct ptx_kernel *k = b->kernel;
    const uint32_t threads = b->config->block[0] * b->config->block[1] * b->config->block[2];
    b->warp_count = (threads + LANES - 1) / LANES;
    b->warps = calloc(b->warp_count, sizeof *b->warps);
    b->spans = calloc(k->slots + 1, sizeof *b->spans);
    b->shared = lines(b->shared_bytes);
    b->shadow = lines(b->shared_bytes);
    if (!b->warps || !b->spans || !b->shared || !b->shadow)
        return PTX_NO_MEMORY;
    for (uint32_t n = 0; n < b->warp_count; n++) {
        struct warp *w = &b->warps[n];
        w->block = b;
        w->index = n;
        w->present = threads - n * LANES >= LANES ? ~0u : (1u << (threads - n * LANES)) - 1;
        w->file = lines(k->register_bytes);
        w->local = lines((size_t)b->local_bytes * LANES);
        if (!w->file || !w->local)
            return PTX_NO_MEMORY;
        memset(w->file, 0, k->register_bytes);
        memset(w->local, 0, (size_t)b->local_bytes * LANES);
        fill_constants(k, w->file);
    }
    return PTX_OK;
}

void ptx_block_release(struct block *b)
{
    for (uint32_t n = 0; b->warps && n < b->warp_count; n++) {
        free(b->warps[n].file);
        free(b->warps[n].local);
        free(b->warps[n].copies);
    }
    free(b->warps);
    free(b->spans);
    free(b->shared);
    free(b->shadow);
}

static void begin(struct block *b)
{
    const struct ptx_kernel *k = b->kernel;
    memset(b->shared, 0xff, b->shared_bytes);
    memset(b->shadow, SHADOW_EMPTY, b->shared_bytes);
    memset(b->barriers, 0, sizeof b->barriers);
    for (uint32_t n = 0; n < b->warp_count; n++) {
        struct warp *w = &b->warps[n];
        w->alive = w->active = w->present;
        w->others = w->carry = w->copy_count = 0;
        w->join = UINT64_MAX;
        w->ended = false;
        w->current.lanes = w->present;
        w->current.depth = 0;
        w->current.state = FRAGMENT_RUNS;
        w->current.at = k->code;
        memset(w->groups, 0, sizeof w->groups);
        for (uint32_t s = 0; s < k->special_count; s++)
            special_fill(w, &k->specials[s]);
    }
}

/* No warp can run and not all have ended: somebody waits for threads that will not come. */
static void report_stuck(struct block *b)
{
    for (uint32_t n = 0; n < b->warp_count; n++) {
        struct warp *w = &b->warps[n];
        if (w->ended)
            continue;
        const struct barrier *bar = &b->barriers[w->current.barrier];
        uint32_t gone = 0;
        for (uint32_t m = 0; m < b->warp_count; m++)
            gone += b->warps[m].ended;
        ptx_fault_lane(w, w->current.at, PTX_DIVERGENT_BARRIER, first_lane(w->current.lanes), 0, 0,
                       "%u threads wait here for %u, %u warps of the block have ended and the others wait elsewhere",
                       bar->arrived, bar->expected, gone);
        return;
    }
}

void ptx_block_run(struct block *b)
{
    uint32_t left = b->warp_count, turn = 0;
    uint64_t order =
        b->config->seed * 0x9e3779b97f4a7c15ull ^ b->index[0] ^ (uint64_t)b->index[1] << 20 ^ (uint64_t)b->index[2] << 40;
    begin(b);
    while (left > 0) {
        bool ran = false;
        if (b->config->seed) {
            order = order * 6364136223846793005ull + 1442695040888963407ull;
            turn = (uint32_t)(order >> 33) % b->warp_count;
        }
        for (uint32_t n = 0; n < b->warp_count; n++) {
            struct warp *w = &b->warps[(n + turn) % b->warp_count];
            if (w->ended || w->current.state != FRAGMENT_RUNS)
                continue;
            ran = true;
            ptx_warp_run(w);
            if (b->fault->kind != PTX_OK)
                return;
            left -= w->ended;
        }
        ptx_barrier_check(b);
        if (!ran && left > 0) {
            bool released = false;
            for (uint32_t n = 0; n < b->warp_count; n++)
                released |= !b->warps[n].ended && b->warps[n].current.state == FRAGMENT_RUNS;
            if (!released) {
                report_stuck(b);
                return;
            }
        }
    }
}

uint64_t ptx_clock(bool nanoseconds)
{
    struct timespec t;
    clock_gettime(nanoseconds ? CLOCK_REALTIME : CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
