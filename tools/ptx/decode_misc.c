/* Builders of what is left: mov in all its forms, predicates, comparisons, bit fields, carries, mma. */
#include "decode.h"
#include "specials.h"

#include <stdio.h>
#include <string.h>

/* d = {a, b, ...} or {a, b, ...} = d: elements of equal width. */
static bool move_vector(struct decoder *d, uint32_t bytes)
{
    struct operand *o = d->statement->operand;
    const bool pack = o[1].kind == OPERAND_VECTOR;
    struct insn i = {.run = pack ? exec_pack : exec_unpack};
    uint32_t count, whole;
    struct operand *parts = decode_vector(d, &o[pack ? 1 : 0], &count);
    if ((count != 2 && count != 4) || bytes < 2 * count / 2 || bytes / count == 0)
        return decode_fail(d, "a vector of %u elements", count);
    const uint32_t each = bytes / count;
    i.kind = (uint8_t)each;
    i.count = (uint8_t)count;
    uint32_t vregs[4];
    for (uint32_t n = 0; n < count; n++)
        if (pack ? !decode_source(d, &parts[n], each, false, &vregs[n]) : !decode_target(d, &parts[n], each, &vregs[n]))
            return false;
    if (pack ? !decode_target(d, &o[0], bytes, &whole) : !decode_source(d, &o[1], bytes, false, &whole))
        return false;
    if (!decode_more(d, &i, count) || !decode_push(d, &i) || !decode_ref(d, pack ? FIELD_D : FIELD_A, 0, whole, pack))
        return false;
    for (uint32_t n = 0; n < count; n++)
        if (!decode_ref(d, FIELD_MORE, n, vregs[n], !pack))
            return false;
    return true;
}

static bool move_clock(struct decoder *d, uint32_t bytes)
{
    const struct operand *o = d->statement->operand;
    const int which = (int)o[1].value;
    struct insn i = {.run = exec_clock, .extra = bytes, .kind = which >= SPECIAL_TIMER};
    uint32_t target;
    i.imm = which == SPECIAL_CLOCK_HI || which == SPECIAL_TIMER_HI ? 32 : 0;
    if (bytes != ptx_type_bytes(special_type(which)))
        return decode_fail(d, "a special register of another width");
    return decode_target(d, &o[0], bytes, &target) && decode_push(d, &i) && decode_ref(d, FIELD_D, 0, target, true);
}

bool build_mov(struct decoder *d)
{
    const enum ptx_type type = d->part_count == 2 ? ptx_type_named(d->parts[1], strlen(d->parts[1])) : TYPE_NONE;
    const uint32_t bytes = ptx_type_bytes(type);
    struct operand *o = d->statement->operand;
    uint32_t source, target;
    if (type == TYPE_NONE || bytes == 1)
        return decode_unknown(d);
    if (!decode_operands(d, 2, 2))
        return false;
    if (type == TYPE_PRED)
        return build_predicate(d);
    if (o[0].kind == OPERAND_VECTOR || o[1].kind == OPERAND_VECTOR)
        return move_vector(d, bytes);
    if (o[1].kind == OPERAND_SPECIAL && o[1].value >= SPECIAL_CLOCK)
        return move_clock(d, bytes);
    return decode_source(d, &o[1], bytes, type == TYPE_F32 || type == TYPE_F64, &source) &&
           decode_target(d, &o[0], bytes, &target) &&
           decode_lane(d,
                       bytes == 2   ? LANE_mov_u16
                       : bytes == 4 ? LANE_mov_u32
                                    : LANE_mov_u64,
                       target, &source);
}

/* d = a op b, each possibly inverted: extra as in exec_misc.c. */
static bool push_predicate(struct decoder *d, handler *run, uint32_t target, uint32_t a, uint32_t b, uint32_t extra)
{
    const struct insn i = {.run = run, .extra = extra};
    return decode_push(d, &i) && decode_ref(d, FIELD_A, 0, a, false) && decode_ref(d, FIELD_B, 0, b, false) &&
           decode_ref(d, FIELD_D, 0, target, true);
}

bool build_predicate(struct decoder *d)
{
    const struct operand *o = d->statement->operand;
    const bool single = decode_part_is(d, 0, "not") || decode_part_is(d, 0, "mov");
    handler *run = single                        ? exec_predicate_move
                   : decode_part_is(d, 0, "and") ? exec_predicate_and
                   : decode_part_is(d, 0, "or")  ? exec_predicate_or
                                                 : exec_predicate_xor;
    uint32_t a, b, target;
    if (d->part_count != 2 || !decode_part_is(d, 1, "pred"))
        return decode_unknown(d);
    if (!decode_operands(d, single ? 2 : 3, single ? 2 : 3) || !decode_source(d, &o[1], 0, false, &a) ||
        !decode_source(d, &o[single ? 1 : 2], 0, false, &b) || !decode_target(d, &o[0], 0, &target))
        return false;
    const uint32_t inverted =
        (o[1].negated ? 1u : 0) | (!single && o[2].negated ? 2u : 0) | (decode_part_is(d, 0, "not") ? 4u : 0);
    return push_predicate(d, run, target, a, b, inverted);
}

/* setp.lt.f16: halves are widened and compared as f32; the row is that of f32. */
static bool widened_row(struct decoder *d, int *row, uint32_t *flags, int *widen)
{
    const char *last = d->parts[d->part_count - 1];
    char name[160];
    size_t length = 0;
    *widen = strcmp(last, "f16") == 0 ? LANE_cvt_f32_h : strcmp(last, "bf16") == 0 ? LANE_cvt_f32_q : -1;
    if (*widen < 0)
        return false;
    for (int n = 0; n < d->part_count - 1; n++)
        length += (size_t)snprintf(name + length, sizeof name - length, "%s.", d->parts[n]);
    snprintf(name + length, sizeof name - length, "f32");
    for (*row = 0; *row < LANE_ROWS; ++*row)
        if (ptx_lane_rows[*row].kind == ROW_TEST && ptx_row_matches(ptx_lane_rows[*row].pattern, name, flags))
            return true;
    return false;
}

static bool test_sources(struct decoder *d, int row, uint32_t flags, int widen, uint32_t *sources)
{
    const struct lane_row *r = &ptx_lane_rows[row];
    const struct operand *o = d->statement->operand;
    for (uint32_t n = 0; n < r->sources; n++) {
        if (!decode_source(d, &o[n + 1], widen >= 0 ? 2 : r->bytes[n + 1], widen < 0 && r->floats[n + 1], &sources[n]))
            return false;
        const int first = widen >= 0 ? widen : (flags & FLAG_FTZ) && r->bytes[n + 1] == 4 ? LANE_flush_f32 : -1;
        uint32_t changed;
        if (first >= 0) {
            if (!decode_temporary(d, 4, &changed) || !decode_lane(d, first, changed, &sources[n]))
                return false;
            sources[n] = changed;
        }
    }
    return true;
}

/* setp.cmp{.bool}.type p{|q}, a, b{, {!}c}: p = cmp bool c, q = !cmp bool c. Also testp. */
bool build_setp(struct decoder *d)
{
    const struct operand *o = d->statement->operand;
    uint32_t flags = 0, sources[2], target, second = 0, c = d->never, test;
    int widen = -1, row = decode_row(d, d->statement->opcode, &flags);
    if (row < 0 && !widened_row(d, &row, &flags, &widen))
        return decode_unknown(d);
    const uint32_t n = ptx_lane_rows[row].sources, combine = flags & (FLAG_AND | FLAG_OR | FLAG_XOR);
    const struct operand q = {.kind = o->pair_sink ? OPERAND_SINK : OPERAND_REGISTER, .reg = o->reg2};
    if (!decode_operands(d, n + 1 + (combine != 0), n + 1 + (combine != 0)) || !test_sources(d, row, flags, widen, sources) ||
        !decode_target(d, &o[0], 0, &target) || (o->pair && !decode_target(d, &q, 0, &second)) ||
        (combine && !decode_source(d, &o[n + 1], 0, false, &c)))
        return false;
    if (!combine && !o->pair)
        return decode_lane(d, row, target, sources);
    handler *run = combine == FLAG_AND ? exec_predicate_and : combine == FLAG_OR ? exec_predicate_or : exec_predicate_xor;
    const uint32_t invert_c = combine && o[n + 1].negated ? 2 : 0;
    if (!decode_temporary(d, 0, &test) || !decode_lane(d, row, test, sources))
        return false;
    /* c may be the register that p overwrites: q first, into a temporary if it must be. */
    uint32_t result = target;
    if (o->pair) {
        if (!decode_temporary(d, 0, &result) ||
            !push_predicate(d, combine ? run : exec_predicate_move, result, test, combine ? c : test, invert_c))
            return false;
        if (!push_predicate(d, combine ? run : exec_predicate_move, second, test, combine ? c : test, invert_c | 1))
            return false;
        return push_predicate(d, exec_predicate_move, target, result, result, 0);
    }
    return push_predicate(d, run, result, test, c, invert_c);
}

/* set.cmp.dtype.stype: a comparison as all ones, or as 1.0. */
bool build_set(struct decoder *d)
{
    char name[160];
    size_t length = (size_t)snprintf(name, sizeof name, "setp");
    struct operand *o = d->statement->operand;
    uint32_t flags, sources[2], test, target, yes, no;
    if (d->part_count < 4)
        return decode_unknown(d);
    const char *type = d->parts[d->part_count - 2];
    const bool is_float = strcmp(type, "f32") == 0;
    for (int n = 1; n < d->part_count; n++)
        if (n != d->part_count - 2)
            length += (size_t)snprintf(name + length, sizeof name - length, ".%s", d->parts[n]);
    int row = 0;
    while (row < LANE_ROWS && !(ptx_lane_rows[row].kind == ROW_TEST && ptx_row_matches(ptx_lane_rows[row].pattern, name, &flags)))
        row++;
    if (row == LANE_ROWS || (flags & ~(uint32_t)FLAG_FTZ) || (!is_float && strcmp(type, "u32") != 0 && strcmp(type, "s32") != 0))
        return decode_unknown(d);
    struct insn i = {.run = ptx_lane_set()->lanes[LANE_selp_u32]};
    return decode_operands(d, 3, 3) && test_sources(d, row, flags, -1, sources) && decode_target(d, &o[0], 4, &target) &&
           decode_temporary(d, 0, &test) && decode_lane(d, row, test, sources) &&
           decode_constant(d, 4, is_float ? 0x3f800000u : 0xffffffffu, &yes) && decode_constant(d, 4, 0, &no) &&
           decode_push(d, &i) && decode_ref(d, FIELD_A, 0, yes, false) && decode_ref(d, FIELD_B, 0, no, false) &&
           decode_ref(d, FIELD_C, 0, test, false) && decode_ref(d, FIELD_D, 0, target, true);
}

bool build_lop3(struct decoder *d)
{
    struct insn i = {.run = exec_lop3};
    const struct operand *o = d->statement->operand;
    uint32_t s[3], target;
    if (d->part_count != 2 || !decode_part_is(d, 1, "b32"))
        return decode_unknown(d);
    if (!decode_operands(d, 5, 5))
        return false;
    if (o[4].kind != OPERAND_INTEGER || o[4].value < 0 || o[4].value > 255)
        return decode_fail(d, "the table must be a number from 0 to 255");
    i.extra = (uint32_t)o[4].value;
    for (int n = 0; n < 3; n++)
        if (!decode_source(d, &o[n + 1], 4, false, &s[n]))
            return false;
    return decode_target(d, &o[0], 4, &target) && decode_push(d, &i) && decode_ref(d, FIELD_A, 0, s[0], false) &&
           decode_ref(d, FIELD_B, 0, s[1], false) && decode_ref(d, FIELD_C, 0, s[2], false) &&
           decode_ref(d, FIELD_D, 0, target, true);
}

bool build_bfi(struct decoder *d)
{
    struct insn i = {.run = exec_bfi};
    const struct operand *o = d->statement->operand;
    uint32_t s[4], target;
    const bool wide = decode_part_is(d, 1, "b64");
    if (d->part_count != 2 || (!wide && !decode_part_is(d, 1, "b32")))
        return decode_unknown(d);
    i.extra = wide ? 64 : 32;
    if (!decode_operands(d, 5, 5))
        return false;
    for (int n = 0; n < 4; n++)
        if (!decode_source(d, &o[n + 1], n < 2 && wide ? 8 : 4, false, &s[n]))
            return false;
    return decode_target(d, &o[0], wide ? 8 : 4, &target) && decode_more(d, &i, 1) && decode_push(d, &i) &&
           decode_ref(d, FIELD_A, 0, s[0], false) && decode_ref(d, FIELD_B, 0, s[1], false) &&
           decode_ref(d, FIELD_C, 0, s[2], false) && decode_ref(d, FIELD_MORE, 0, s[3], false) &&
           decode_ref(d, FIELD_D, 0, target, true);
}

/* add.cc, addc{.cc}, sub.cc, subc{.cc}, mad.lo.cc, madc.hi{.cc} ...: the carry flag is a register of the warp with a bit for each
 * lane. */
bool build_carry(struct decoder *d)
{
    struct insn i = {.run = exec_carry};
    const struct operand *o = d->statement->operand;
    uint32_t s[3], target;
    const bool mad = strncmp(d->parts[0], "mad", 3) == 0, sub = strncmp(d->parts[0], "sub", 3) == 0;
    const bool in = strcmp(d->parts[0], mad ? "madc" : sub ? "subc" : "addc") == 0;
    int n = 1;
    const bool hi = mad && decode_part_is(d, n, "hi");
    n += mad && (hi || decode_part_is(d, n, "lo"));
    const bool out = decode_part_is(d, n, "cc");
    n += out;
    const enum ptx_type type = n == d->part_count - 1 ? ptx_type_named(d->parts[n], strlen(d->parts[n])) : TYPE_NONE;
    const bool is_signed = type == TYPE_S32 || type == TYPE_S64;
    if ((!in && !out) || (mad && n == 1 + out) || (!is_signed && type != TYPE_U32 && type != TYPE_U64))
        return decode_unknown(d);
    i.kind = sub ? CARRY_SUB : !mad ? CARRY_ADD : !hi ? CARRY_MAD_LO : is_signed ? CARRY_MAD_HI_S : CARRY_MAD_HI_U;
    i.flags = (in ? CARRY_IN : 0) | (out ? CARRY_OUT : 0);
    i.extra = ptx_type_bytes(type);
    const uint32_t sources = mad ? 3 : 2;
    if (!decode_operands(d, sources + 1, sources + 1))
        return false;
    for (uint32_t m = 0; m < sources; m++)
        if (!decode_source(d, &o[m + 1], i.extra, false, &s[m]))
            return false;
    return decode_target(d, &o[0], i.extra, &target) && decode_push(d, &i) && decode_ref(d, FIELD_A, 0, s[0], false) &&
           decode_ref(d, FIELD_B, 0, s[1], false) && decode_ref(d, FIELD_C, 0, s[mad ? 2 : 1], false) &&
           decode_ref(d, FIELD_D, 0, target, true);
}

bool build_mma(struct decoder *d)
{
    static const struct {
        const char *opcode;
        uint8_t kind, k, d, a, b;
    } SHAPES[] = {
        {"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", MMA_TF32, 4, 4, 2, 1},
        {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", MMA_TF32, 8, 4, 4, 2},
        {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", MMA_F16, 8, 4, 2, 1},
        {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", MMA_F16, 16, 4, 4, 2},
        {"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", MMA_BF16, 8, 4, 2, 1},
        {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", MMA_BF16, 16, 4, 4, 2},
        {"mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16", MMA_F16_F16, 8, 2, 2, 1},
        {"mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", MMA_F16_F16, 16, 2, 4, 2},
    };
    struct insn i = {.run = exec_mma};
    struct operand *o = d->statement->operand;
    for (size_t n = 0; n < sizeof SHAPES / sizeof *SHAPES; n++) {
        if (strcmp(SHAPES[n].opcode, d->statement->opcode) != 0)
            continue;
        const uint32_t counts[4] = {SHAPES[n].d, SHAPES[n].a, SHAPES[n].b, SHAPES[n].d};
        uint32_t at = 0, vregs[16];
        i.kind = SHAPES[n].kind;
        i.count = SHAPES[n].k;
        if (!decode_operands(d, 4, 4))
            return false;
        for (int part = 0; part < 4; part++) {
            uint32_t count;
            struct operand *list = decode_vector(d, &o[part], &count);
            if (count != counts[part])
                return decode_fail(d, "operand %d has %u registers instead of %u", part + 1, count, counts[part]);
            for (uint32_t m = 0; m < count; m++, at++)
                if (part == 0 ? !decode_target(d, &list[m], 4, &vregs[at]) : !decode_source(d, &list[m], 4, false, &vregs[at]))
                    return false;
        }
        if (!decode_more(d, &i, at) || !decode_push(d, &i))
            return false;
        for (uint32_t m = 0; m < at; m++)
            if (!decode_ref(d, FIELD_MORE, m, vregs[m], m < counts[0]))
                return false;
        return true;
    }
    return decode_unknown(d);
}
