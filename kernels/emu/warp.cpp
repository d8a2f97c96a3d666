/* What the lanes of a warp do together. There is one mechanism: each lane posts a pointer to its arguments, the last to arrive
 * acts for all and makes the others ready. */
#include <algorithm>

#include "check.h"
#include "internal.h"

namespace emu
{

static void finish(Worker &w, int warp_number, WarpOp &op, const Fiber *last)
{
    if (op.action)
        op.action(op.mask, op.arguments);
    op.open = false;
    Warp &warp = w.warps[warp_number];
    warp.open--;
    if (checked)
        check_warp_done(w, warp_number, op);
    for (uint32_t rest = op.mask; rest; rest &= rest - 1) {
        Fiber *fiber = &w.fibers[warp_number * 32 + __builtin_ctz(rest)];
        if (fiber != last)
            make_ready(w, fiber);
    }
}

bool warp_waits_for(const Warp &warp, const Fiber *fiber, const WarpOp **out)
{
    for (const WarpOp &op : warp.ops)
        if (op.open && (op.mask >> fiber->lane & 1)) {
            *out = &op;
            return true;
        }
    return false;
}

/* The operation that this lane joins, or NULL: it begins one. */
static WarpOp *join(Warp &warp, const Site &site, WarpKind kind, uint32_t mask, uint32_t bit)
{
    WarpOp *mine = nullptr;
    for (WarpOp &op : warp.ops) {
        if (!op.open)
            continue;
        if (op.kind == kind && op.mask == mask && op.site.id == site.id && !(op.arrived & bit))
            mine = &op;
        else if (op.mask & mask)
            report("warp-mismatch", site, "a warp operation with mask 0x%08x, while lanes of it wait in line %d with mask 0x%08x",
                   mask, op.site.line, op.mask);
    }
    return mine;
}

static uint32_t legal_mask(Worker &w, Warp &warp, const Fiber *me, const Site &site, uint32_t mask)
{
    if (!(mask >> me->lane & 1)) {
        report("warp-mask", site, "lane %d is not in its own mask 0x%08x", me->lane, mask);
        mask |= 1u << me->lane;
    }
    if (mask & ~warp.alive) {
        report("warp-mask", site, "the mask 0x%08x names lanes 0x%08x, which have ended or do not exist", mask,
               mask & ~warp.alive);
        mask &= warp.alive;
    }
    if (mask & warp.at_barrier) {
        int other = __builtin_ctz(mask & warp.at_barrier);
        report("divergent-warp", site, "the mask 0x%08x names lane %d, which waits at the barrier in line %d", mask, other,
               w.fibers[me->warp * 32 + other].line);
        mask &= ~warp.at_barrier;
    }
    return mask;
}

void warp_together(Site site, WarpKind kind, uint32_t mask, void *arguments, WarpAction action)
{
    Worker &w = *worker;
    Fiber *me = w.current();
    Warp &warp = w.warp_of(me);
    uint32_t bit = 1u << me->lane;
    stop_if_asked(w);
    if (!(mask & bit) || mask & ~warp.alive || mask & warp.at_barrier)
        mask = legal_mask(w, warp, me, site, mask);
    WarpOp *op = warp.open ? join(warp, site, kind, mask, bit) : nullptr;
    if (!op) {
        for (WarpOp &free : warp.ops)
            if (!free.open) {
                op = &free;
                break;
            }
        if (!op) {
            report("warp-mismatch", site, "lanes of the warp wait at %zu other places already", std::size(warp.ops));
            give_up(w);
        }
        op->open = true;
        op->kind = kind;
        op->mask = mask;
        op->arrived = 0;
        op->site = site;
        op->action = action;
        warp.open++;
    }
    op->arrived |= bit;
    op->arguments[me->lane] = arguments;
    if (op->arrived == op->mask) {
        finish(w, me->warp, *op, me);
        return;
    }
    me->state = IN_WARP;
    me->file = site.file;
    me->line = site.line;
    wait_for_turn(w, me);
}

/* A lane that ends leaves the operations that wait for it. */
void warp_exit(Worker &w, Fiber *me)
{
    Warp &warp = w.warp_of(me);
    uint32_t bit = 1u << me->lane;
    warp.alive &= ~bit;
    if (!warp.open)
        return;
    for (WarpOp &op : warp.ops) {
        if (!op.open || !(op.mask & bit))
            continue;
        report("warp-mask", op.site, "lane %d ended, while a warp operation with mask 0x%08x waits for it", me->lane, op.mask);
        op.mask &= ~bit;
        if (op.mask == op.arrived)
            finish(w, me->warp, op, nullptr);
    }
}

void syncwarp(Site site, uint32_t mask)
{
    if (mutated(site, false))
        return;
    visit(*worker, site, EMU_WARP_BARRIER, 1);
    warp_together(site, SYNCWARP, mask, nullptr, nullptr);
}

struct Shuffle {
    uint64_t value, result;
    int from;
    Site site;
};

static void shuffle_all(uint32_t mask, void **arguments)
{
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        int lane = __builtin_ctz(rest);
        Shuffle *mine = static_cast<Shuffle *>(arguments[lane]);
        if (mine->from >= 0 && mine->from < 32 && (mask >> mine->from & 1)) {
            mine->result = static_cast<Shuffle *>(arguments[mine->from])->value;
            continue;
        }
        report("shuffle-source", mine->site, "lane %d reads from lane %d, which is not in the mask 0x%08x", lane, mine->from,
               mask);
        mine->result = ~uint64_t(0);
    }
}

uint64_t shuffle(Site site, uint32_t mask, uint64_t value, int from)
{
    Shuffle arguments = {value, 0, from, site};
    warp_together(site, SHUFFLE, mask, &arguments, shuffle_all);
    return arguments.result;
}

struct Vote {
    int predicate;
    uint32_t result;
};

static void vote_all(uint32_t mask, void **arguments)
{
    uint32_t result = 0;
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        int lane = __builtin_ctz(rest);
        if (static_cast<Vote *>(arguments[lane])->predicate)
            result |= 1u << lane;
    }
    for (uint32_t rest = mask; rest; rest &= rest - 1)
        static_cast<Vote *>(arguments[__builtin_ctz(rest)])->result = result;
}

uint32_t ballot(Site site, uint32_t mask, int predicate)
{
    Vote arguments = {predicate, 0};
    warp_together(site, VOTE, mask, &arguments, vote_all);
    return arguments.result;
}

} // namespace emu
