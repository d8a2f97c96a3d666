/* Instructions that look at other lanes: shfl, vote, match, redux, activemask, elect. Those that a lane's mask names must be
 * here. */
#include "exec.h"
#include "lanes.h"

static void set_predicate(struct warp *w, uint32_t offset, uint32_t lanes, uint32_t bits)
{
    uint32_t *p = (uint32_t *)(void *)(w->file + offset);
    *p = (*p & ~lanes) | (bits & lanes);
}

/* Brings together the lanes that the mask in register `mask` names, of which `lanes` are here. False: *next is where to go on. */
static bool together(struct warp *w, const struct insn *i, uint32_t lanes, uint32_t mask, const struct insn **next)
{
    bool go = false;
    *next = lanes ? exec_gather(w, i, lanes, mask, &go) : i + 1;
    return go;
}

static void put(u32 *d, const u32 *result, uint32_t lanes)
{
    for (uint32_t l = 0; l < LANES; l++)
        d[l] = lanes >> l & 1 ? result[l] : d[l];
}

/* d: result; more[0]: predicate; a: value; b: lane or distance; c: clamp and segments; more[1]: mask; kind: mode. */
const struct insn *exec_shuffle(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const u32 *a = (const u32 *)(const void *)(w->file + i->a), *b = (const u32 *)(const void *)(w->file + i->b);
    const u32 *c = (const u32 *)(const void *)(w->file + i->c), *mask = (const u32 *)(const void *)(w->file + i->more[1]);
    u32 *d = (u32 *)(void *)(w->file + i->d), result[LANES];
    uint32_t inside = 0;
    const struct insn *next;
    if (!together(w, i, lanes, i->more[1], &next))
        return next;
    for (uint32_t l = 0; l < LANES; l++) {
        if (!(lanes >> l & 1))
            continue;
        const uint32_t by = b[l] & 31, clamp = c[l] & 31, segment = c[l] >> 8 & 31;
        const uint32_t most = (l & segment) | (clamp & ~segment), least = l & segment;
        int from;
        bool ok;
        switch ((enum shuffle_mode)i->kind) {
        case SHUFFLE_UP:
            from = (int)l - (int)by;
            ok = from >= (int)most;
            break;
        case SHUFFLE_DOWN:
            from = (int)(l + by);
            ok = from <= (int)most;
            break;
        case SHUFFLE_BUTTERFLY:
            from = (int)(l ^ by);
            ok = from <= (int)most;
            break;
        default:
            from = (int)(least | (by & ~segment));
            ok = from <= (int)most;
        }
        from = ok ? from : (int)l;
        if (!(mask[l] >> from & 1))
            return ptx_fault_lane(w, i, PTX_BAD_MASK, (int)l, 0, 0, "reads lane %d, which the mask 0x%08x does not name", from,
                                  mask[l]);
        result[l] = a[from];
        inside |= ok ? 1u << l : 0;
    }
    put(d, result, lanes);
    set_predicate(w, i->more[0], lanes, inside);
    return next;
}

/* d: predicate or, for a ballot, bits; a: predicate, inverted by extra; b: mask. */
const struct insn *exec_vote(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const uint32_t set = *(const uint32_t *)(const void *)(w->file + i->a) ^ i->extra;
    const u32 *mask = (const u32 *)(const void *)(w->file + i->b);
    uint32_t bits = 0;
    const struct insn *next;
    if (!together(w, i, lanes, i->b, &next))
        return next;
    for (uint32_t l = 0; l < LANES; l++) {
        if (!(lanes >> l & 1))
            continue;
        const uint32_t yes = set & mask[l];
        const bool all = yes == mask[l], any = yes != 0;
        if (i->kind == VOTE_BALLOT)
            ((u32 *)(void *)(w->file + i->d))[l] = yes;
        bits |= (i->kind == VOTE_ALL ? all : i->kind == VOTE_ANY ? any : all || !any) ? 1u << l : 0;
    }
    if (i->kind != VOTE_BALLOT)
        set_predicate(w, i->d, lanes, bits);
    return next;
}

/* d: mask of lanes with the same value; more[0]: predicate of match.all; a: value, of 8 bytes if flags & WIDE; b: mask; kind: 1
 * is match.all. */
const struct insn *exec_match(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const u32 *a = (const u32 *)(const void *)(w->file + i->a), *mask = (const u32 *)(const void *)(w->file + i->b);
    const u64 *wide = (const u64 *)(const void *)(w->file + i->a);
    u32 *d = (u32 *)(void *)(w->file + i->d), result[LANES] = {0};
    uint32_t every = 0;
    const struct insn *next;
    if (!together(w, i, lanes, i->b, &next))
        return next;
    for (uint32_t l = 0; l < LANES; l++) {
        uint32_t same = 0;
        if (!(lanes >> l & 1))
            continue;
        for (uint32_t o = 0; o < LANES; o++)
            same |= (mask[l] >> o & 1) && (i->flags & WIDE ? wide[o] == wide[l] : a[o] == a[l]) ? 1u << o : 0;
        every |= same == mask[l] ? 1u << l : 0;
        result[l] = i->kind && same != mask[l] ? 0 : same;
    }
    put(d, result, lanes);
    if (i->kind)
        set_predicate(w, i->more[0], lanes, every);
    return next;
}

/* d, a: values; b: mask; kind: enum atomic_op; extra: type. */
const struct insn *exec_redux(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const u32 *a = (const u32 *)(const void *)(w->file + i->a), *mask = (const u32 *)(const void *)(w->file + i->b);
    u32 *d = (u32 *)(void *)(w->file + i->d), result[LANES] = {0};
    const struct insn *next;
    if (!together(w, i, lanes, i->b, &next))
        return next;
    for (uint32_t l = 0; l < LANES; l++) {
        uint32_t r = 0;
        bool first = true;
        for (uint32_t o = 0; o < LANES && (lanes >> l & 1); o++) {
            if (!(mask[l] >> o & 1))
                continue;
            const uint32_t v = a[o];
            const bool less = i->extra == TYPE_S32 ? (int32_t)v < (int32_t)r : v < r;
            switch ((enum atomic_op)i->kind) {
            case ATOMIC_ADD:
                r += v;
                break;
            case ATOMIC_MIN:
                r = first || less ? v : r;
                break;
            case ATOMIC_MAX:
                r = first || !less ? v : r;
                break;
            case ATOMIC_AND:
                r = first ? v : r & v;
                break;
            case ATOMIC_OR:
                r |= v;
                break;
            default:
                r ^= v;
            }
            first = false;
        }
        result[l] = r;
    }
    put(d, result, lanes);
    return next;
}

const struct insn *exec_active(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    u32 *d = (u32 *)(void *)(w->file + i->d);
    for (uint32_t l = 0; l < LANES; l++)
        d[l] = lanes >> l & 1 ? lanes : d[l];
    return i + 1;
}

/* The lowest lane of the mask is chosen. d: its number; more[0]: predicate; b: mask. */
const struct insn *exec_elect(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const u32 *mask = (const u32 *)(const void *)(w->file + i->b);
    u32 *d = (u32 *)(void *)(w->file + i->d);
    uint32_t chosen = 0;
    const struct insn *next;
    if (!together(w, i, lanes, i->b, &next))
        return next;
    for (uint32_t l = 0; l < LANES; l++) {
        if (!(lanes >> l & 1))
            continue;
        d[l] = (uint32_t)first_lane(mask[l]);
        chosen |= d[l] == l ? 1u << l : 0;
    }
    set_predicate(w, i->more[0], lanes, chosen);
    return next;
}
