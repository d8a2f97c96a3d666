/* cp.async: issued copies are kept and made by the wait that covers them, as late as the hardware may. */
#include "exec.h"
#include "lanes.h"

#include <stdlib.h>

const struct insn *exec_copy_async(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i), bytes = i->count;
    const u32 *valid = (const u32 *)(const void *)(w->file + i->c);
    uint8_t *to[LANES] = {0}, *from[LANES] = {0};
    uint64_t address[LANES] = {0};
    if (lanes == 0)
        return i + 1;
    for (uint32_t l = 0; l < LANES; l++) {
        if ((lanes >> l & 1) && valid[l] > bytes)
            return ptx_fault_lane(w, i, PTX_BAD_OPERAND, (int)l, 0, 0, "cp.async of %u bytes is to read %u", bytes, valid[l]);
        /* Only what is read must be there; the alignment is that of the whole. */
        if ((lanes >> l & 1) && valid[l] &&
            !exec_reach(w, i, 1u << l, SPACE_GLOBAL, i->b, true, (int32_t)i->extra, valid[l], bytes, from, address))
            return NULL;
    }
    if (!exec_reach(w, i, lanes, SPACE_SHARED, i->a, i->flags & WIDE, i->imm, bytes, bytes, to, address))
        return NULL;
    if (w->copy_count == w->copy_room) {
        uint32_t room = w->copy_room ? 2 * w->copy_room : 32;
        struct async_copy *more = realloc(w->copies, room * sizeof *more);
        if (!more)
            return ptx_fault_lane(w, i, PTX_NO_MEMORY, first_lane(lanes), 0, 0, "no host memory for the %u-th cp.async under way",
                                  room);
        w->copies = more;
        w->copy_room = room;
    }
    struct async_copy *copy = &w->copies[w->copy_count++];
    copy->lanes = lanes;
    copy->bytes = bytes;
    for (uint32_t l = 0; l < LANES; l++) {
        if (!(lanes >> l & 1))
            continue;
        copy->from[l] = from[l];
        copy->to[l] = (uint32_t)address[l];
        copy->valid[l] = valid[l];
        copy->group[l] = w->groups[l];
        memset(w->block->shadow + address[l], SHADOW_PENDING, bytes);
    }
    return i + 1;
}

const struct insn *exec_copy_commit(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    for (uint32_t l = 0; l < LANES; l++)
        w->groups[l] += lanes >> l & 1;
    return i + 1;
}

/* Makes the copies of all groups but the last `pending`; open: also those of no group yet. */
static void finish(struct warp *w, uint32_t lanes, uint32_t pending, bool open)
{
    uint32_t kept = 0;
    for (uint32_t n = 0; n < w->copy_count; n++) {
        struct async_copy *copy = &w->copies[n];
        for (uint32_t l = 0; l < LANES; l++) {
            const bool due = open || (uint64_t)copy->group[l] + pending < w->groups[l];
            if (!(lanes & copy->lanes & 1u << l) || !due)
                continue;
            uint8_t *to = w->block->shared + copy->to[l];
            memset(to, 0, copy->bytes);
            if (copy->valid[l])
                memcpy(to, copy->from[l], copy->valid[l]);
            memset(w->block->shadow + copy->to[l], SHADOW_SET, copy->bytes);
            copy->lanes &= ~(1u << l);
        }
        if (copy->lanes)
            w->copies[kept++] = *copy;
    }
    w->copy_count = kept;
}

const struct insn *exec_copy_wait(struct warp *w, const struct insn *i)
{
    finish(w, insn_lanes(w, i), (uint32_t)i->imm, false);
    return i + 1;
}

const struct insn *exec_copy_wait_all(struct warp *w, const struct insn *i)
{
    finish(w, insn_lanes(w, i), 0, true);
    return i + 1;
}
