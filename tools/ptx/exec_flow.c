/* Where a warp goes: branches, calls, exits; fragments that part and join.
 *
 * The fragment that is deepest in calls, and among those the one at the lowest address, runs: code that nvcc lays out has what
 * lies after a branch behind it, so the one in front waits where the others will come past. Fragments can only meet where a label
 * stands or a branch was not taken; only there is `join` looked at. */
#include "exec.h"

#include <string.h>

enum { TURNS = 1 << 14 };

static uint64_t key_of(uint8_t depth, const struct insn *at)
{
    return (uint64_t)(MOST_DEPTH - depth) << 56 | (uint64_t)(uintptr_t)at;
}

static void copy_fragment(struct fragment *to, const struct fragment *from)
{
    memcpy(to, from, offsetof(struct fragment, back) + from->depth * sizeof *from->back);
}

static bool same_place(const struct fragment *a, const struct fragment *b)
{
    return a->at == b->at && a->depth == b->depth && memcmp(a->back, b->back, a->depth * sizeof *a->back) == 0;
}

static void remove_fragment(struct warp *w, uint32_t n)
{
    w->others--;
    if (n != w->others)
        copy_fragment(&w->waiting[n], &w->waiting[w->others]);
}

/* Fragments that wait for lanes at bar.warp.sync may do so at different places: all pass when together they are whom they name.
 */
static bool pass_warp_barrier(struct warp *w)
{
    uint32_t here = 0, passed = 0;
    for (uint32_t n = 0; n < w->others; n++)
        here |= w->waiting[n].at->run == exec_warp_barrier ? w->waiting[n].lanes : 0;
    for (uint32_t n = 0; n < w->others; n++) {
        struct fragment *f = &w->waiting[n];
        if (f->at->run != exec_warp_barrier)
            continue;
        const uint32_t *mask = (const uint32_t *)(const void *)(w->file + f->at->a);
        uint32_t need = 0;
        for (int l = 0; l < LANES; l++)
            need |= f->lanes >> l & 1 ? mask[l] : 0;
        if (need & ~here)
            continue;
        f->at++;
        f->state = FRAGMENT_RUNS;
        passed++;
    }
    return passed > 0;
}

/* Every fragment waits, and none can be helped: says which lanes wait for what. */
static void stuck(struct warp *w)
{
    const struct fragment *f = &w->waiting[0], *other = &w->waiting[w->others - 1];
    const int lane = first_lane(f->lanes);
    if (f->at->run == exec_barrier)
        ptx_fault_lane(w, f->at, PTX_DIVERGENT_BARRIER, lane, 0, 0,
                       "lanes 0x%08x of a warp wait here and lanes 0x%08x at PTX line %d", f->lanes, other->lanes,
                       w->block->kernel->where[other->at->at].line);
    else
        ptx_fault_lane(w, f->at, PTX_BAD_MASK, lane, 0, 0, "lanes 0x%08x wait here for lanes that do not come", f->lanes);
}

/* w->current has been put among the waiting, or is empty: chooses who runs. */
static const struct insn *choose(struct warp *w)
{
    for (;;) {
        uint32_t best = UINT32_MAX;
        uint64_t key = UINT64_MAX;
        for (uint32_t n = 0; n < w->others; n++) {
            const struct fragment *f = &w->waiting[n];
            if (f->state == FRAGMENT_RUNS && key_of(f->depth, f->at) < key) {
                key = key_of(f->depth, f->at);
                best = n;
            }
        }
        if (best != UINT32_MAX) {
            copy_fragment(&w->current, &w->waiting[best]);
            remove_fragment(w, best);
            break;
        }
        if (w->others == 0) {
            w->ended = true;
            return NULL;
        }
        if (pass_warp_barrier(w))
            continue;
        if (w->others > 1) {
            stuck(w);
            return NULL;
        }
        w->waiting[0].state = FRAGMENT_RUNS; /* alone now: it will pass, or say which lanes have exited */
    }
    w->join = UINT64_MAX;
    for (uint32_t n = 0; n < w->others;) {
        const struct fragment *f = &w->waiting[n];
        if (f->state == FRAGMENT_RUNS && same_place(f, &w->current)) {
            w->current.lanes |= f->lanes;
            remove_fragment(w, n);
            continue;
        }
        if (f->state == FRAGMENT_RUNS && key_of(f->depth, f->at) < w->join)
            w->join = key_of(f->depth, f->at);
        n++;
    }
    w->active = w->current.lanes;
    w->since = w->current.at;
    return w->current.at;
}

/* The running fragment goes among the waiting, at `at`, and another one is chosen. */
static const struct insn *yield_at(struct warp *w, const struct insn *at)
{
    w->current.at = at;
    w->current.lanes = w->active;
    w->current.state = FRAGMENT_RUNS;
    copy_fragment(&w->waiting[w->others++], &w->current);
    return choose(w);
}

/* Goes on at `at` unless another fragment is there or further behind. */
static const struct insn *go_to(struct warp *w, const struct insn *at)
{
    w->since = at;
    if (w->others && key_of(w->current.depth, at) >= w->join)
        return yield_at(w, at);
    return at;
}

/* Lanes `away` continue at `at`, the rest at `stay`. */
static const struct insn *part(struct warp *w, uint32_t away, const struct insn *at, const struct insn *stay)
{
    w->current.state = FRAGMENT_RUNS;
    w->current.at = at;
    w->current.lanes = away;
    copy_fragment(&w->waiting[w->others++], &w->current);
    w->active &= ~away;
    return yield_at(w, stay);
}

/* A loop that runs long may be waiting for another warp of the block: now and then the others get their turn. */
static const struct insn *pause_at(struct warp *w, const struct insn *at)
{
    w->current.at = at;
    w->current.lanes = w->active;
    w->current.state = FRAGMENT_RUNS;
    return NULL;
}

const struct insn *exec_branch(struct warp *w, const struct insn *i)
{
    const uint32_t taken = insn_lanes(w, i);
    const struct insn *target = w->block->kernel->code + i->imm;
    count_up_to(w, i + 1);
    if (target <= i && w->block->config->stop && *w->block->config->stop)
        return ptx_fault_lane(w, i, PTX_STOPPED, first_lane(w->active), 0, 0, "the launch was told to stop");
    const struct insn *next = taken == w->active ? go_to(w, target)
                              : taken == 0       ? go_to(w, i + 1)
                                                 : part(w, taken, target, i + 1);
    return target <= i && ++w->turns % TURNS == 0 && next ? pause_at(w, next) : next;
}

/* Lanes go to the label that their index chooses, one target after the other. */
const struct insn *exec_branch_index(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const uint32_t *index = (const uint32_t *)(const void *)(w->file + i->a);
    count_up_to(w, i + 1);
    if (lanes == 0)
        return go_to(w, i + 1);
    uint32_t here = 0;
    const uint32_t which = index[first_lane(lanes)];
    for (int l = 0; l < LANES; l++)
        here |= (lanes >> l & 1) && index[l] == which ? 1u << l : 0;
    if (which >= i->extra)
        return ptx_fault_lane(w, i, PTX_BAD_OPERAND, first_lane(lanes), 0, 0, "brx.idx with index %u of %u targets", which,
                              i->extra);
    const struct insn *target = w->block->kernel->code + i->more[which];
    if (here == w->active)
        return go_to(w, target);
    return part(w, here, target, i); /* the rest looks again */
}

const struct insn *exec_label(struct warp *w, const struct insn *i)
{
    if (w->others == 0 || key_of(w->current.depth, i + 1) < w->join)
        return i + 1;
    count_up_to(w, i + 1);
    return go_to(w, i + 1);
}

const struct insn *exec_call(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    count_up_to(w, i + 1);
    if (lanes == 0)
        return go_to(w, i + 1);
    if (w->current.depth == MOST_DEPTH)
        return ptx_fault_lane(w, i, PTX_BAD_OPERAND, first_lane(lanes), 0, 0, "more than %d calls in one another", MOST_DEPTH);
    if (lanes != w->active) {
        /* Those who do not call wait behind the call. */
        w->current.state = FRAGMENT_RUNS;
        w->current.at = i + 1;
        w->current.lanes = w->active & ~lanes;
        copy_fragment(&w->waiting[w->others++], &w->current);
        if (key_of(w->current.depth, i + 1) < w->join || w->others == 1)
            w->join = key_of(w->current.depth, i + 1);
        w->active = lanes;
    }
    w->current.back[w->current.depth++] = i + 1;
    w->since = w->block->kernel->code + i->imm;
    return w->since;
}

static const struct insn *leave(struct warp *w, const struct insn *i, uint32_t lanes)
{
    w->alive &= ~lanes;
    w->active &= ~lanes;
    if (w->active)
        return go_to(w, i + 1);
    return choose(w);
}

/* Lanes whose guard is off do not take part: they go on by themselves. */
static void leave_others(struct warp *w, const struct insn *i, uint32_t lanes)
{
    w->current.state = FRAGMENT_RUNS;
    w->current.at = i + 1;
    w->current.lanes = w->active & ~lanes;
    copy_fragment(&w->waiting[w->others++], &w->current);
    w->active = lanes;
}

const struct insn *exec_return(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    count_up_to(w, i + 1);
    if (lanes == 0)
        return go_to(w, i + 1);
    if (w->current.depth == 0)
        return leave(w, i, lanes);
    if (lanes != w->active) {
        leave_others(w, i, lanes);
        w->join = 0; /* look again */
    }
    w->current.depth--;
    return go_to(w, w->current.back[w->current.depth]);
}

const struct insn *exec_exit(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    count_up_to(w, i + 1);
    return lanes ? leave(w, i, lanes) : go_to(w, i + 1);
}

const struct insn *exec_trap(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    if (lanes == 0)
        return i + 1;
    return ptx_fault_lane(w, i, PTX_TRAP, first_lane(lanes), 0, 0, "the kernel stopped itself");
}

const struct insn *exec_nothing(struct warp *w, const struct insn *i) { return i + 1; }

const struct insn *ptx_warp_wait(struct warp *w, const struct insn *i, uint32_t lanes)
{
    struct fragment *f;
    if (lanes != w->active)
        leave_others(w, i, lanes);
    w->current.at = i;
    w->current.lanes = lanes;
    w->current.state = FRAGMENT_WAITS_LANES;
    /* With others who wait at the same place it runs again, to see whether they are enough. */
    for (uint32_t n = 0; n < w->others; n++) {
        f = &w->waiting[n];
        if (f->state == FRAGMENT_WAITS_LANES && same_place(f, &w->current)) {
            w->current.lanes |= f->lanes;
            w->current.state = FRAGMENT_RUNS;
            remove_fragment(w, n);
            break;
        }
    }
    copy_fragment(&w->waiting[w->others++], &w->current);
    return choose(w);
}

void ptx_warp_run(struct warp *w)
{
    const struct insn *i = w->current.at;
    w->active = w->current.lanes;
    w->since = i;
    while (i)
        i = i->run(w, i);
}
