#include "specials.h"
#include "lanes.h"

static const struct {
    const char *name;
    enum ptx_type type;
} TABLE[SPECIALS] = {
    [SPECIAL_TID] = {"%tid.x", TYPE_U32},
    [SPECIAL_TID + 1] = {"%tid.y", TYPE_U32},
    [SPECIAL_TID + 2] = {"%tid.z", TYPE_U32},
    [SPECIAL_NTID] = {"%ntid.x", TYPE_U32},
    [SPECIAL_NTID + 1] = {"%ntid.y", TYPE_U32},
    [SPECIAL_NTID + 2] = {"%ntid.z", TYPE_U32},
    [SPECIAL_CTAID] = {"%ctaid.x", TYPE_U32},
    [SPECIAL_CTAID + 1] = {"%ctaid.y", TYPE_U32},
    [SPECIAL_CTAID + 2] = {"%ctaid.z", TYPE_U32},
    [SPECIAL_NCTAID] = {"%nctaid.x", TYPE_U32},
    [SPECIAL_NCTAID + 1] = {"%nctaid.y", TYPE_U32},
    [SPECIAL_NCTAID + 2] = {"%nctaid.z", TYPE_U32},
    [SPECIAL_LANEID] = {"%laneid", TYPE_U32},
    [SPECIAL_WARPID] = {"%warpid", TYPE_U32},
    [SPECIAL_NWARPID] = {"%nwarpid", TYPE_U32},
    [SPECIAL_SMID] = {"%smid", TYPE_U32},
    [SPECIAL_NSMID] = {"%nsmid", TYPE_U32},
    [SPECIAL_GRIDID] = {"%gridid", TYPE_U64},
    [SPECIAL_LANEMASK_EQ] = {"%lanemask_eq", TYPE_U32},
    [SPECIAL_LANEMASK_LE] = {"%lanemask_le", TYPE_U32},
    [SPECIAL_LANEMASK_LT] = {"%lanemask_lt", TYPE_U32},
    [SPECIAL_LANEMASK_GE] = {"%lanemask_ge", TYPE_U32},
    [SPECIAL_LANEMASK_GT] = {"%lanemask_gt", TYPE_U32},
    [SPECIAL_DYNAMIC_SMEM] = {"%dynamic_smem_size", TYPE_U32},
    [SPECIAL_TOTAL_SMEM] = {"%total_smem_size", TYPE_U32},
    [SPECIAL_CLOCK] = {"%clock", TYPE_U32},
    [SPECIAL_CLOCK_HI] = {"%clock_hi", TYPE_U32},
    [SPECIAL_CLOCK64] = {"%clock64", TYPE_U64},
    [SPECIAL_TIMER] = {"%globaltimer", TYPE_U64},
    [SPECIAL_TIMER_LO] = {"%globaltimer_lo", TYPE_U32},
    [SPECIAL_TIMER_HI] = {"%globaltimer_hi", TYPE_U32},
};

int special_register(const char *name)
{
    for (int n = 0; n < SPECIALS; n++)
        if (strcmp(TABLE[n].name, name) == 0)
            return n;
    return -1;
}

enum ptx_type special_type(int special) { return TABLE[special].type; }

static uint32_t value_of(const struct warp *w, int which, uint32_t l)
{
    const struct block *b = w->block;
    const uint32_t *n = b->config->block, thread = w->index * LANES + l, below = (1u << l) - 1;
    switch (which) {
    case SPECIAL_TID:
        return thread % n[0];
    case SPECIAL_TID + 1:
        return thread / n[0] % n[1];
    case SPECIAL_TID + 2:
        return thread / n[0] / n[1];
    case SPECIAL_NTID:
    case SPECIAL_NTID + 1:
    case SPECIAL_NTID + 2:
        return n[which - SPECIAL_NTID];
    case SPECIAL_CTAID:
    case SPECIAL_CTAID + 1:
    case SPECIAL_CTAID + 2:
        return b->index[which - SPECIAL_CTAID];
    case SPECIAL_NCTAID:
    case SPECIAL_NCTAID + 1:
    case SPECIAL_NCTAID + 2:
        return b->config->grid[which - SPECIAL_NCTAID];
    case SPECIAL_LANEID:
        return l;
    case SPECIAL_WARPID:
        return w->index;
    case SPECIAL_NWARPID:
        return b->warp_count;
    case SPECIAL_NSMID:
        return 1;
    case SPECIAL_LANEMASK_EQ:
        return below + 1;
    case SPECIAL_LANEMASK_LE:
        return below * 2 + 1;
    case SPECIAL_LANEMASK_LT:
        return below;
    case SPECIAL_LANEMASK_GE:
        return ~below;
    case SPECIAL_LANEMASK_GT:
        return ~(below * 2 + 1);
    case SPECIAL_DYNAMIC_SMEM:
        return b->config->dynamic_shared;
    case SPECIAL_TOTAL_SMEM:
        return b->shared_bytes;
    default: /* %smid, %gridid: one multiprocessor, one grid */
        return 0;
    }
}

void special_fill(struct warp *w, const struct special *s)
{
    const bool wide = special_type(s->which) == TYPE_U64;
    for (uint32_t l = 0; l < LANES; l++)
        if (wide)
            ((u64 *)(void *)(w->file + s->offset))[l] = value_of(w, s->which, l);
        else
            ((u32 *)(void *)(w->file + s->offset))[l] = value_of(w, s->which, l);
}
