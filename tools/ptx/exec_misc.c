/* Instructions that fit no other file: predicates, packing of vectors, three-operand bit logic, carries, clocks. */
#include "exec.h"
#include "lanes.h"

/* d, a, b: predicates; extra bit 0: a is inverted, bit 1: b is, bit 2: the result is. */
#define PREDICATE(name, expr)                                                                                                    \
    const struct insn *name(struct warp *w, const struct insn *i)                                                                \
    {                                                                                                                            \
        const uint32_t lanes = insn_lanes(w, i);                                                                                 \
        uint32_t *d = (uint32_t *)(void *)(w->file + i->d);                                                                      \
        const uint32_t a = *(uint32_t *)(void *)(w->file + i->a) ^ (i->extra & 1 ? ~0u : 0);                                     \
        const uint32_t b = *(uint32_t *)(void *)(w->file + i->b) ^ (i->extra & 2 ? ~0u : 0);                                     \
        *d = (*d & ~lanes) | (((expr) ^ (i->extra & 4 ? ~0u : 0)) & lanes);                                                      \
        return i + 1;                                                                                                            \
    }
PREDICATE(exec_predicate_and, a &b)
PREDICATE(exec_predicate_or, a | b)
PREDICATE(exec_predicate_xor, a ^ b)
PREDICATE(exec_predicate_move, ((void)b, a))

/* Values of `kind` bytes each, `count` of them, to or from one register d. */
static uint64_t lane_value(const struct warp *w, uint32_t offset, uint32_t bytes, uint32_t l)
{
    uint64_t v = 0;
    memcpy(&v, w->file + offset + (size_t)l * bytes, bytes);
    return v;
}

const struct insn *exec_pack(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i), bytes = i->kind, whole = bytes * i->count;
    for (uint32_t l = 0; l < LANES; l++) {
        uint64_t v = 0;
        for (uint32_t k = 0; k < i->count; k++)
            v |= lane_value(w, i->more[k], bytes, l) << 8 * bytes * k;
        if (lanes >> l & 1)
            memcpy(w->file + i->d + (size_t)l * whole, &v, whole);
    }
    return i + 1;
}

const struct insn *exec_unpack(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i), bytes = i->kind, whole = bytes * i->count;
    for (uint32_t l = 0; l < LANES; l++) {
        const uint64_t v = lane_value(w, i->a, whole, l);
        for (uint32_t k = 0; k < i->count; k++) {
            const uint64_t part = v >> 8 * bytes * k;
            if (lanes >> l & 1)
                memcpy(w->file + i->more[k] + (size_t)l * bytes, &part, bytes);
        }
    }
    return i + 1;
}

/* Any function of three bits, as the table of its eight values. */
const struct insn *exec_lop3(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i), table = i->extra;
    u32 *d = (u32 *)(void *)(w->file + i->d);
    const u32 *a = (const u32 *)(void *)(w->file + i->a), *b = (const u32 *)(void *)(w->file + i->b);
    const u32 *c = (const u32 *)(void *)(w->file + i->c);
    for (uint32_t l = 0; l < LANES; l++) {
        uint32_t r = 0;
        for (uint32_t k = 0; k < 8; k++)
            if (table >> k & 1)
                r |= (k & 4 ? a[l] : ~a[l]) & (k & 2 ? b[l] : ~b[l]) & (k & 1 ? c[l] : ~c[l]);
        d[l] = lanes >> l & 1 ? r : d[l];
    }
    return i + 1;
}

/* more[0]: length. extra: 32 or 64. */
const struct insn *exec_bfi(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i), bytes = i->extra / 8;
    for (uint32_t l = 0; l < LANES; l++) {
        const uint64_t r = bfi_u64(lane_value(w, i->a, bytes, l), lane_value(w, i->b, bytes, l),
                                   (uint32_t)lane_value(w, i->c, 4, l), (uint32_t)lane_value(w, i->more[0], 4, l), i->extra);
        if (lanes >> l & 1)
            memcpy(w->file + i->d + (size_t)l * bytes, &r, bytes);
    }
    return i + 1;
}

/* add, sub and mad with the carry flag. kind: enum carry_op; extra: bytes; flags: CARRY_IN, CARRY_OUT. */
const struct insn *exec_carry(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i), bytes = i->extra;
    uint32_t carry = 0;
    for (uint32_t l = 0; l < LANES; l++) {
        const uint64_t in = i->flags & CARRY_IN ? w->carry >> l & 1 : 0;
        const uint64_t a = lane_value(w, i->a, bytes, l), b = lane_value(w, i->b, bytes, l), c = lane_value(w, i->c, bytes, l);
        const uint64_t hi = bytes == 8                  ? (i->kind == CARRY_MAD_HI_S ? mul_hi_s64(a, b) : mul_hi_u64(a, b))
                            : i->kind == CARRY_MAD_HI_S ? (uint64_t)((int64_t)(int32_t)a * (int32_t)b) >> 32 & 0xffffffffu
                                                        : a * b >> 32;
        const uint64_t x = i->kind == CARRY_ADD || i->kind == CARRY_SUB ? a : i->kind == CARRY_MAD_LO ? a * b : hi;
        const uint64_t y = i->kind == CARRY_ADD || i->kind == CARRY_SUB ? b : c, keep = bytes == 8 ? ~0ull : 0xffffffffu;
        uint64_t r;
        bool out;
        if (i->kind == CARRY_SUB) {
            r = (x - y - in) & keep;
            out = x < y || (x == y && in);
        } else {
            r = ((x & keep) + y + in) & keep;
            out = r < y || (r == y && in);
        }
        carry |= out ? 1u << l : 0;
        if (lanes >> l & 1)
            memcpy(w->file + i->d + (size_t)l * bytes, &r, bytes);
    }
    if (i->flags & CARRY_OUT)
        w->carry = (w->carry & ~lanes) | (carry & lanes);
    return i + 1;
}

/* %clock and %globaltimer move on while a kernel runs. kind: 1 is nanoseconds; extra: bytes; imm: shift. */
const struct insn *exec_clock(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const uint64_t now = (i->kind ? ptx_clock(true) : ptx_clock(false)) >> i->imm;
    for (uint32_t l = 0; l < LANES; l++)
        if (lanes >> l & 1)
            memcpy(w->file + i->d + (size_t)l * i->extra, &now, i->extra);
    return i + 1;
}

/* isspacep: d predicate; a address; space. */
const struct insn *exec_space_test(struct warp *w, const struct insn *i)
{
    const uint32_t lanes = insn_lanes(w, i);
    const u64 *a = (const u64 *)(const void *)(w->file + i->a);
    uint32_t *d = (uint32_t *)(void *)(w->file + i->d), bits = 0;
    for (uint32_t l = 0; l < LANES; l++) {
        const uint64_t window = a[l] >> 48;
        const enum ptx_space space = window == PTX_SHARED_BASE >> 48  ? SPACE_SHARED
                                     : window == PTX_LOCAL_BASE >> 48 ? SPACE_LOCAL
                                     : window == PTX_PARAM_BASE >> 48 ? SPACE_PARAM
                                                                      : SPACE_GLOBAL;
        bits |= space == (enum ptx_space)i->space ? 1u << l : 0;
    }
    *d = (*d & ~lanes) | (bits & lanes);
    return i + 1;
}
