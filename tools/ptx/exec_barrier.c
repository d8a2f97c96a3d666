/* Barriers of the block (bar.sync, bar.arrive, bar.red) and of the warp (bar.warp.sync). */
#include "exec.h"

#include <string.h>

/* d: result of bar.red; a: number of the barrier; b: threads (flags & COUNTED: stated); c: predicate of bar.red, inverted by
 * extra. */
const struct insn *exec_barrier(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const int lane = first_lane(lanes ? lanes : 1);
    struct block *block = w->block;
    if (lanes == 0)
        return i + 1;
    if (w->alive != w->present)
        return ptx_fault_lane(w, i, PTX_DIVERGENT_BARRIER, lane, 0, 0, "lanes 0x%08x of the warp have already exited",
                              w->present & ~w->alive);
    if (lanes != w->alive)
        return count_up_to(w, i), ptx_warp_wait(w, i, lanes);
    const uint32_t id = ((const uint32_t *)(const void *)(w->file + i->a))[lane];
    const bool whole = !(i->flags & COUNTED);
    const uint32_t threads = whole ? block->warp_count * LANES : ((const uint32_t *)(const void *)(w->file + i->b))[lane];
    if (id >= BARRIERS)
        return ptx_fault_lane(w, i, PTX_BAD_OPERAND, lane, 0, 0, "barrier %u, and there are %d", id, BARRIERS);
    if (threads % LANES || threads == 0)
        return ptx_fault_lane(w, i, PTX_BAD_OPERAND, lane, 0, 0, "a barrier of %u threads, which is no multiple of %d", threads,
                              LANES);
    struct barrier *bar = &block->barriers[id];
    if (bar->arrived == 0)
        *bar = (struct barrier){.expected = threads, .at = i, .whole = whole, .all = 1};
    if (bar->expected != threads)
        return ptx_fault_lane(w, i, PTX_DIVERGENT_BARRIER, lane, 0, 0, "barrier %u of %u threads, and others wait there for %u",
                              id, threads, bar->expected);
    if (whole && bar->whole && bar->at != i)
        return ptx_fault_lane(w, i, PTX_DIVERGENT_BARRIER, lane, 0, 0,
                              "other threads of the block wait at the barrier of PTX line %d",
                              block->kernel->where[bar->at->at].line);
    bar->arrived += LANES;
    if (i->kind >= BARRIER_POPC) {
        const uint32_t set = (*(const uint32_t *)(const void *)(w->file + i->c) ^ i->extra) & lanes;
        bar->total += (uint32_t)__builtin_popcount(set);
        bar->all &= set == lanes;
        bar->any |= set != 0;
    }
    if (i->kind == BARRIER_ARRIVE)
        return i + 1;
    count_up_to(w, i + 1);
    w->current.at = i;
    w->current.lanes = lanes;
    w->current.state = FRAGMENT_WAITS_BARRIER;
    w->current.barrier = (uint8_t)id;
    return NULL;
}

static void pass(struct warp *w, const struct barrier *bar)
{
    const struct insn *i = w->current.at;
    const uint32_t lanes = w->current.lanes;
    uint32_t *d = (uint32_t *)(void *)(w->file + i->d);
    if (i->kind == BARRIER_POPC)
        for (int l = 0; l < LANES; l++)
            d[l] = lanes >> l & 1 ? bar->total : d[l];
    else if (i->kind == BARRIER_AND || i->kind == BARRIER_OR)
        *d = (*d & ~lanes) | ((i->kind == BARRIER_AND ? bar->all : bar->any) ? lanes : 0);
    w->current.at = i + 1;
    w->current.state = FRAGMENT_RUNS;
}

void ptx_barrier_check(struct block *block)
{
    for (uint32_t id = 0; id < BARRIERS; id++) {
        struct barrier *bar = &block->barriers[id];
        if (bar->arrived == 0 || bar->arrived < bar->expected)
            continue;
        for (uint32_t n = 0; n < block->warp_count; n++) {
            struct warp *w = &block->warps[n];
            if (!w->ended && w->current.state == FRAGMENT_WAITS_BARRIER && w->current.barrier == id)
                pass(w, bar);
        }
        memset(bar, 0, sizeof *bar);
    }
}

const struct insn *exec_gather(struct warp *w, const struct insn *i, uint32_t lanes, uint32_t mask_operand, bool *go)
{
    const uint32_t *mask = (const uint32_t *)(const void *)(w->file + mask_operand);
    uint32_t need = 0, outside = 0;
    *go = false;
    for (uint32_t l = 0; l < LANES; l++) {
        need |= lanes >> l & 1 ? mask[l] : 0;
        outside |= lanes & ~mask[l] & 1u << l;
    }
    if (outside)
        return ptx_fault_lane(w, i, PTX_BAD_MASK, first_lane(outside), 0, 0, "the mask 0x%08x does not name the lane itself",
                              mask[first_lane(outside)]);
    if (need & ~w->alive)
        return ptx_fault_lane(w, i, PTX_BAD_MASK, first_lane(lanes), 0, 0,
                              "the mask 0x%08x names lanes 0x%08x, which have exited or never were", need, need & ~w->alive);
    if (need & w->active & ~lanes)
        return ptx_fault_lane(w, i, PTX_BAD_MASK, first_lane(lanes), 0, 0,
                              "the mask 0x%08x names lanes 0x%08x, whose guard is off", need, need & w->active & ~lanes);
    if (need & ~lanes)
        return count_up_to(w, i), ptx_warp_wait(w, i, lanes);
    *go = true;
    return i + 1;
}

const struct insn *exec_warp_barrier(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    bool go;
    return lanes ? exec_gather(w, i, lanes, i->a, &go) : i + 1;
}
