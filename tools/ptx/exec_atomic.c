/* Addresses lane by lane, atomics, ldmatrix. */
#include "exec.h"
#include "lanes.h"

bool exec_reach(struct warp *w, const struct insn *i, uint32_t lanes, enum ptx_space space, uint32_t operand, bool wide,
                int64_t offset, uint32_t bytes, uint32_t align, uint8_t **host, uint64_t *address)
{
    const struct block *b = w->block;
    for (int l = 0; l < LANES; l++) {
        const uint32_t one = lanes & 1u << l;
        if (!one)
            continue;
        uint64_t a = wide ? ((const u64 *)(const void *)(w->file + operand))[l] + (uint64_t)offset
                          : ((const u32 *)(const void *)(w->file + operand))[l] + (uint32_t)offset;
        enum ptx_space here = space;
        if (space == SPACE_GENERIC) {
            here = a < PTX_SHARED_BASE || a >> 48 > PTX_PARAM_BASE >> 48 ? SPACE_GLOBAL
                   : a < PTX_LOCAL_BASE                                  ? SPACE_SHARED
                   : a < PTX_PARAM_BASE                                  ? SPACE_LOCAL
                                                                         : SPACE_PARAM;
            a &= here == SPACE_GLOBAL ? ~0ull : 0xffffffffffffull;
        }
        address[l] = a;
        if (a % align)
            return ptx_reach_misaligned(w, i, one, address, align);
        if (here == SPACE_SHARED) {
            if (!ptx_reach_shared(w, i, one, address, bytes))
                return false;
            host[l] = b->shared + a;
        } else if (here == SPACE_LOCAL) {
            if (!ptx_reach_local(w, i, one, address, bytes))
                return false;
            host[l] = w->local + (uint64_t)l * b->local_bytes + a;
        } else if (here == SPACE_PARAM) {
            return ptx_reach_read_only(w, i, one, address, bytes);
        } else {
            if (!ptx_reach_global(w, i, one, address, bytes))
                return false;
            host[l] = b->global + (a - PTX_GLOBAL_BASE);
        }
    }
    return true;
}

static uint64_t combine(const struct insn *i, uint64_t old, uint64_t b, uint64_t c)
{
    const enum ptx_type t = (enum ptx_type)i->extra;
    const bool is_signed = t == TYPE_S32 || t == TYPE_S64;
    const bool less = is_signed ? (t == TYPE_S32 ? (int32_t)old < (int32_t)b : (int64_t)old < (int64_t)b) : old < b;
    switch ((enum atomic_op)i->kind) {
    case ATOMIC_ADD:
        if (t == TYPE_F32)
            return bits_of(float_of((uint32_t)old) + float_of((uint32_t)b));
        if (t == TYPE_F64)
            return bits_of_f64(f64_of(old) + f64_of(b));
        return old + b;
    case ATOMIC_MIN:
        return less ? old : b;
    case ATOMIC_MAX:
        return less ? b : old;
    case ATOMIC_AND:
        return old & b;
    case ATOMIC_OR:
        return old | b;
    case ATOMIC_XOR:
        return old ^ b;
    case ATOMIC_EXCH:
        return b;
    case ATOMIC_CAS:
        return old == b ? c : old;
    case ATOMIC_INC:
        return old >= b ? 0 : old + 1;
    default:
        return old == 0 || old > b ? b : old - 1;
    }
}

static uint64_t update32(const struct insn *i, uint8_t *host, uint64_t b, uint64_t c)
{
    u32 *p = (u32 *)(void *)host;
    uint32_t old = __atomic_load_n(p, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(p, &old, (uint32_t)combine(i, old, b, c), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return old;
}

static uint64_t update64(const struct insn *i, uint8_t *host, uint64_t b, uint64_t c)
{
    u64 *p = (u64 *)(void *)host;
    uint64_t old = __atomic_load_n(p, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(p, &old, combine(i, old, b, c), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return old;
}

const struct insn *exec_atomic(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i), bytes = ptx_type_bytes((enum ptx_type)i->extra);
    uint8_t *host[LANES];
    uint64_t address[LANES];
    if (!exec_reach(w, i, lanes, (enum ptx_space)i->space, i->a, i->flags & WIDE, i->imm, bytes, bytes, host, address))
        return NULL;
    for (uint32_t l = 0; l < LANES; l++) {
        if (!(lanes >> l & 1))
            continue;
        const uint8_t *shared = w->block->shared;
        const bool in_shared = host[l] >= shared && host[l] < shared + w->block->shared_bytes;
        if (in_shared) {
            address[l] = (uint64_t)(host[l] - shared);
            for (uint32_t k = 0; k < bytes; k++)
                if (w->block->shadow[address[l] + k] != SHADOW_SET)
                    return ptx_reach_unset(w, i, 1u << l, address, bytes), NULL;
        }
        uint8_t *d = w->file + i->d;
        if (bytes == 4) {
            const u32 *b = (const u32 *)(void *)(w->file + i->b), *c = (const u32 *)(void *)(w->file + i->c);
            uint32_t old = (uint32_t)update32(i, host[l], b[l], c[l]);
            if (!(i->flags & NO_RESULT))
                ((u32 *)(void *)d)[l] = old;
        } else {
            const u64 *b = (const u64 *)(void *)(w->file + i->b), *c = (const u64 *)(void *)(w->file + i->c);
            uint64_t old = update64(i, host[l], b[l], c[l]);
            if (!(i->flags & NO_RESULT))
                ((u64 *)(void *)d)[l] = old;
        }
    }
    return i + 1;
}

/* ldmatrix: 8 rows of 16 bytes for each matrix, their addresses in lanes 8m to 8m+7. Lane l gets the pair at row l/4, columns
 * 2(l%4) and the next; transposed: at rows 2(l%4) and the next, column l/4. */
const struct insn *exec_matrix_load(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i), rows = i->count * 8u, givers = rows == 32 ? ~0u : (1u << rows) - 1;
    uint8_t *host[LANES];
    uint64_t address[LANES];
    if (lanes == 0)
        return i + 1;
    if (lanes != (uint32_t)ALL)
        return ptx_fault_lane(w, i, PTX_BAD_MASK, first_lane(lanes), 0, 0, "ldmatrix by lanes 0x%08x instead of the whole warp",
                              lanes);
    if (!exec_reach(w, i, givers, (enum ptx_space)i->space, i->a, i->flags & WIDE, i->imm, 16, 16, host, address))
        return NULL;
    for (uint32_t l = 0; l < rows; l++)
        for (uint32_t k = 0; k < 16; k++)
            if (w->block->shadow[(uint64_t)(host[l] - w->block->shared) + k] != SHADOW_SET)
                return ptx_reach_unset(w, i, 1u << l, address, 16), NULL;
    for (uint32_t m = 0; m < i->count; m++) {
        u32 *d = (u32 *)(void *)(w->file + i->more[m]);
        for (uint32_t l = 0; l < LANES; l++) {
            const u16 *plain = (const u16 *)(const void *)host[8 * m + l / 4];
            const u16 *low = (const u16 *)(const void *)host[8 * m + 2 * (l % 4)],
                      *high = (const u16 *)(const void *)host[8 * m + 2 * (l % 4) + 1];
            d[l] = i->kind ? PAIR(low[l / 4], high[l / 4]) : PAIR(plain[2 * (l % 4)], plain[2 * (l % 4) + 1]);
        }
    }
    return i + 1;
}
