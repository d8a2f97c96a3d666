/* Statements to instructions: operands, rows of lanes.def, and the walk over a kernel and what it calls. */
#include "decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool decode_fail(struct decoder *d, const char *format, ...)
{
    char text[200], line[160];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    const char *end = d->kernel->text_end;
    return ptx_fail(d->error, d->statement->line, "%s: %s", text, lex_line(d->statement->text, end, line, sizeof line));
}

bool decode_unknown(struct decoder *d) { return decode_fail(d, "unknown instruction"); }

bool decode_grow(void *list, uint32_t count, uint32_t *room, size_t each)
{
    void *old = *(void **)list;
    if (count < *room)
        return true;
    uint32_t more = *room ? 2 * *room : 64;
    void *bigger = realloc(old, more * each);
    if (!bigger)
        return false;
    memset((char *)bigger + *room * each, 0, (more - *room) * each);
    memcpy(list, &bigger, sizeof bigger);
    *room = more;
    return true;
}

static bool out_of_memory(struct decoder *d) { return ptx_fail(d->error, 0, "out of memory"); }

bool decode_push(struct decoder *d, const struct insn *insn)
{
    if (!decode_grow(&d->code, d->code_count, &d->code_room, sizeof *d->code))
        return out_of_memory(d);
    struct insn *i = &d->code[d->code_count++];
    *i = *insn;
    i->at = d->where_count - 1;
    i->flip = ~0u;
    uint32_t guard = d->never;
    if (d->statement && d->statement->guard != NO_REGISTER) {
        guard = d->functions[d->current].base + d->statement->guard;
        i->flip = d->statement->guard_negated ? ~0u : 0;
        i->flags |= GUARDED;
    }
    return decode_ref(d, FIELD_PRED, 0, guard, false);
}

bool decode_ref(struct decoder *d, enum field field, uint32_t more, uint32_t vreg, bool defines)
{
    if (!decode_grow(&d->refs, d->ref_count, &d->ref_room, sizeof *d->refs))
        return out_of_memory(d);
    d->refs[d->ref_count++] =
        (struct reference){.insn = d->code_count - 1, .vreg = vreg, .field = (uint16_t)(field + more), .defines = defines};
    d->vregs[vreg].used = true;
    return true;
}

uint32_t *decode_more(struct decoder *d, struct insn *insn, uint32_t count)
{
    uint32_t *more = ptx_arena(d->module, (count + 1) * sizeof *more);
    if (!more)
        out_of_memory(d);
    insn->more = more;
    return more;
}

static bool vreg_new(struct decoder *d, uint32_t bytes, uint32_t *vreg)
{
    if (!decode_grow(&d->vregs, d->vreg_count, &d->vreg_room, sizeof *d->vregs))
        return out_of_memory(d);
    *vreg = d->vreg_count++;
    d->vregs[*vreg] =
        (struct vreg){.bytes = (uint16_t)bytes, .function = (uint16_t)d->current, .special = -1, .next = UINT32_MAX};
    return true;
}

bool decode_temporary(struct decoder *d, uint32_t bytes, uint32_t *vreg) { return vreg_new(d, bytes, vreg); }

static bool fixed(struct decoder *d, uint32_t bytes, uint64_t value, int special, uint32_t *vreg)
{
    value &= bytes >= 8 || bytes == 0 ? ~0ull : (1ull << 8 * bytes) - 1;
    uint32_t *bucket = &d->constants[(value ^ value >> 29 ^ bytes * 37u ^ (uint32_t)(special + 1) * 101u) % CONSTANT_BUCKETS];
    for (uint32_t v = *bucket; v != UINT32_MAX; v = d->vregs[v].next) {
        if (d->vregs[v].bytes == bytes && d->vregs[v].value == value && d->vregs[v].special == special) {
            *vreg = v;
            return true;
        }
    }
    if (!vreg_new(d, bytes, vreg))
        return false;
    struct vreg *v = &d->vregs[*vreg];
    v->fixed = true;
    v->value = value;
    v->special = special;
    v->next = *bucket;
    *bucket = *vreg;
    return true;
}

bool decode_constant(struct decoder *d, uint32_t bytes, uint64_t value, uint32_t *vreg)
{
    return fixed(d, bytes, value, -1, vreg);
}

uint32_t decode_register_bytes(const struct decoder *d, const struct operand *o)
{
    const enum ptx_type type = d->functions[d->current].function->register_type[o->reg];
    return type == TYPE_PRED ? 0 : ptx_type_bytes(type);
}

/* An address in the space of the symbol. Shared memory is laid out here: what a kernel names gets its place at its first mention.
 */
bool decode_symbol(struct decoder *d, struct symbol *s, uint64_t *value)
{
    const struct decoded_function *f = &d->functions[d->current];
    if (s->space == SPACE_SHARED) {
        if (s->is_extern) { /* dynamic: after all static ones, known at the end; see finish() */
            d->dynamic_align = s->align > d->dynamic_align ? s->align : d->dynamic_align;
            *value = UINT32_MAX;
            return true;
        }
        if (s->shared_kernel != d->kernel_serial) {
            uint64_t at = ((uint64_t)d->shared_bytes + s->align - 1) / s->align * s->align;
            if (at + s->bytes > 1 << 20)
                return decode_fail(d, "more than 1 MiB of shared memory");
            s->shared_kernel = d->kernel_serial;
            s->shared_offset = (uint32_t)at;
            d->shared_bytes = (uint32_t)(at + s->bytes);
        }
        *value = s->shared_offset;
    } else if (s->space == SPACE_LOCAL || (s->space == SPACE_PARAM && !s->kernel_parameter)) {
        *value = f->frame + s->address;
    } else {
        *value = s->address;
    }
    return true;
}

static bool wrong_width(struct decoder *d, uint32_t is, uint32_t needed)
{
    return decode_fail(d, "a register of %u bits where %u are needed", is ? 8 * is : 1, needed ? 8 * needed : 1);
}

static bool immediate(struct decoder *d, const struct operand *o, uint32_t bytes, bool is_float, uint32_t *vreg)
{
    uint64_t bits = (uint64_t)o->value;
    if (o->kind == OPERAND_FLOAT && bytes == 8) {
        float f;
        double wide;
        uint32_t b = (uint32_t)bits;
        memcpy(&f, &b, sizeof f);
        wide = f;
        memcpy(&bits, &wide, sizeof bits);
    } else if (o->kind == OPERAND_DOUBLE && bytes == 4) {
        double wide;
        memcpy(&wide, &bits, sizeof wide);
        float f = (float)wide;
        uint32_t b;
        memcpy(&b, &f, sizeof b);
        bits = b;
    } else if (o->kind != OPERAND_INTEGER && bytes < 4) {
        return decode_fail(d, "a floating-point constant where %u bits are needed", 8 * bytes);
    } else if (o->kind == OPERAND_INTEGER && is_float) {
        return decode_fail(d, "a whole number where a floating-point constant is needed");
    }
    return decode_constant(d, bytes, bits, vreg);
}

bool decode_source(struct decoder *d, const struct operand *o, uint32_t bytes, bool is_float, uint32_t *vreg)
{
    uint64_t value;
    uint32_t is;
    if (o->negated && bytes != 0)
        return decode_fail(d, "! before what is no predicate");
    switch (o->kind) {
    case OPERAND_REGISTER:
        is = decode_register_bytes(d, o);
        if (is != bytes)
            return wrong_width(d, is, bytes);
        *vreg = d->functions[d->current].base + o->reg;
        return true;
    case OPERAND_INTEGER:
        if (bytes == 0) { /* a predicate constant: 0 or 1 */
            if (!decode_constant(d, 0, o->value ? ~0ull : 0, vreg))
                return false;
            return true;
        }
        return immediate(d, o, bytes, is_float, vreg);
    case OPERAND_FLOAT:
    case OPERAND_DOUBLE:
        return bytes == 0 ? decode_fail(d, "a number where a predicate is needed") : immediate(d, o, bytes, is_float, vreg);
    case OPERAND_SYMBOL:
        if (bytes != 4 && bytes != 8)
            return decode_fail(d, "an address where %u bits are needed", 8 * bytes);
        if (!decode_symbol(d, o->u.symbol, &value))
            return false;
        if (value == UINT32_MAX) /* dynamic shared memory */
            return fixed(d, bytes, (uint64_t)o->value, -2, vreg);
        return decode_constant(d, bytes, value + (uint64_t)o->value, vreg);
    case OPERAND_SPECIAL:
        is = ptx_type_bytes(special_type((int)o->value));
        if (is != bytes)
            return wrong_width(d, is, bytes);
        return fixed(d, bytes, 0, (int)o->value, vreg);
    case OPERAND_NAME:
        return decode_fail(d, "unknown name %s", o->u.name);
    default:
        return decode_fail(d, "an operand of a kind that this instruction does not have");
    }
}

bool decode_target(struct decoder *d, const struct operand *o, uint32_t bytes, uint32_t *vreg)
{
    if (o->kind == OPERAND_SINK)
        return decode_temporary(d, bytes, vreg);
    if (o->kind != OPERAND_REGISTER || o->negated)
        return decode_fail(d, "the result is not a register");
    const uint32_t is = decode_register_bytes(d, o);
    if (is != bytes)
        return wrong_width(d, is, bytes);
    *vreg = d->functions[d->current].base + o->reg;
    return true;
}

bool decode_operands(struct decoder *d, uint32_t least, uint32_t most)
{
    const uint32_t n = d->statement->operands;
    if (n >= least && n <= most)
        return true;
    return least == most ? decode_fail(d, "%u operands instead of %u", n, least)
                         : decode_fail(d, "%u operands instead of %u to %u", n, least, most);
}

bool decode_lane(struct decoder *d, int row, uint32_t target, const uint32_t *sources)
{
    const struct lane_row *r = &ptx_lane_rows[row];
    struct insn i = {.run = ptx_lane_set()->lanes[row]};
    if (!decode_push(d, &i))
        return false;
    for (uint32_t n = 0; n < r->sources; n++)
        if (!decode_ref(d, FIELD_A, n, sources[n], false))
            return false;
    return decode_ref(d, FIELD_D, 0, target, true);
}

bool decode_resize(struct decoder *d, uint32_t from, uint32_t from_bytes, uint32_t to, uint32_t to_bytes, bool is_signed)
{
#define ROWS_FROM(A)                                                                                                             \
    {                                                                                                                            \
        LANE_cvt_u8_##A, LANE_cvt_u16_##A, LANE_cvt_u32_##A, LANE_cvt_u64_##A                                                    \
    }
    static const int PLAIN[4][4] = {ROWS_FROM(u8), ROWS_FROM(u16), ROWS_FROM(u32), ROWS_FROM(u64)};
    static const int SIGNED[4][4] = {ROWS_FROM(s8), ROWS_FROM(s16), ROWS_FROM(s32), ROWS_FROM(s64)};
    static const uint8_t LOG[9] = {0, 0, 1, 0, 2, 0, 0, 0, 3};
    return decode_lane(d, (is_signed ? SIGNED : PLAIN)[LOG[from_bytes]][LOG[to_bytes]], to, &from);
}

bool decode_narrow_source(struct decoder *d, const struct operand *o, uint32_t bytes, bool is_float, uint32_t *vreg)
{
    uint32_t wide, is = o->kind == OPERAND_REGISTER ? decode_register_bytes(d, o) : bytes;
    if (is <= bytes || is == 0 || is_float)
        return decode_source(d, o, bytes, is_float, vreg);
    return decode_source(d, o, is, false, &wide) && decode_temporary(d, bytes, vreg) &&
           decode_resize(d, wide, is, *vreg, bytes, false);
}

bool decode_wide_target(struct decoder *d, const struct operand *o, uint32_t bytes, uint32_t *vreg)
{
    if (o->kind == OPERAND_REGISTER && decode_register_bytes(d, o) > bytes)
        return decode_temporary(d, bytes, vreg);
    return decode_target(d, o, bytes, vreg);
}

bool decode_widen(struct decoder *d, const struct operand *o, uint32_t bytes, bool is_signed, uint32_t vreg)
{
    uint32_t home, is;
    if (o->kind != OPERAND_REGISTER || (is = decode_register_bytes(d, o)) <= bytes)
        return true;
    return decode_target(d, o, is, &home) && decode_resize(d, vreg, bytes, home, is, is_signed);
}

/* The frame of a function that has not been decoded yet is set aside when it is first called. */
uint32_t decode_frame(struct decoder *d, uint32_t index)
{
    struct decoded_function *f = &d->functions[index];
    const struct function *source = f->function;
    if (!f->frame_placed) {
        f->frame = (d->kernel->info.local_bytes + source->frame_align - 1) / source->frame_align * source->frame_align;
        d->kernel->info.local_bytes = f->frame + (source->frame_bytes + 15) / 16 * 16;
        f->frame_placed = true;
    }
    return f->frame;
}
