/* Builders of memory instructions. */
#include "decode.h"

#include <string.h>

static const char *const SCOPES[] = {"cta", "gpu", "sys", "cluster", NULL};
static const char *const CACHES[] = {"ca",
                                     "cg",
                                     "cs",
                                     "cv",
                                     "lu",
                                     "wb",
                                     "wt",
                                     "L1::no_allocate",
                                     "L1::evict_normal",
                                     "L1::evict_unchanged",
                                     "L1::evict_first",
                                     "L1::evict_last",
                                     "L2::64B",
                                     "L2::128B",
                                     "L2::256B",
                                     NULL};

static bool in(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

static enum ptx_space space_named(const char *word)
{
    static const struct {
        const char *name;
        enum ptx_space space;
    } SPACES[] = {{"global", SPACE_GLOBAL}, {"const", SPACE_CONST}, {"shared", SPACE_SHARED},      {"shared::cta", SPACE_SHARED},
                  {"local", SPACE_LOCAL},   {"param", SPACE_PARAM}, {"param::entry", SPACE_PARAM}, {"param::func", SPACE_PARAM}};
    for (size_t i = 0; i < sizeof SPACES / sizeof *SPACES; i++)
        if (strcmp(SPACES[i].name, word) == 0)
            return SPACES[i].space;
    return SPACE_NONE;
}

struct access { /* what the parts of an opcode say */
    enum ptx_space space;
    enum ptx_type type;
    uint32_t vector;
};

/* ld and st: order of the parts is not checked, that each is known is. */
static bool access_parts(struct decoder *d, struct access *a, const char *const *semantics)
{
    *a = (struct access){.space = SPACE_GENERIC, .vector = 1};
    for (int n = 1; n < d->part_count; n++) {
        const char *word = d->parts[n];
        const enum ptx_space space = space_named(word);
        const enum ptx_type type = ptx_type_named(word, strlen(word));
        if (space != SPACE_NONE && a->space == SPACE_GENERIC)
            a->space = space;
        else if (type != TYPE_NONE && type != TYPE_PRED && n == d->part_count - 1)
            a->type = type;
        else if (strcmp(word, "v2") == 0 || strcmp(word, "v4") == 0)
            a->vector = (uint32_t)(word[1] - '0');
        else if (!in(semantics, word) && !in(SCOPES, word) && !in(CACHES, word))
            return decode_unknown(d);
    }
    return a->type != TYPE_NONE || decode_unknown(d);
}

/* [register or symbol + number]: fills in imm, flags and the field's reference after the push. */
static bool address(struct decoder *d, struct operand *o, enum ptx_space *space, struct insn *i, uint32_t *vreg, uint8_t wide)
{
    if (o->kind != OPERAND_ADDRESS)
        return decode_fail(d, "an address in brackets is missing");
    struct operand *base = o->u.elements;
    uint32_t bytes = 8;
    if (base->kind == OPERAND_REGISTER)
        bytes = decode_register_bytes(d, base);
    else if (base->kind != OPERAND_SYMBOL && base->kind != OPERAND_INTEGER)
        return base->kind == OPERAND_NAME ? decode_fail(d, "unknown name %s", base->u.name) : decode_fail(d, "not an address");
    if (bytes != 4 && bytes != 8)
        return decode_fail(d, "an address of %u bits", bytes * 8);
    if (base->kind == OPERAND_SYMBOL) {
        const struct symbol *s = base->u.symbol;
        if (s->space == SPACE_PARAM && !s->kernel_parameter)
            *space = SPACE_LOCAL; /* parameters of a call lie in the frame */
        else if (*space == SPACE_GENERIC)
            *space = s->space;
        else if (s->space != *space && !(s->space == SPACE_CONST && *space == SPACE_GLOBAL))
            return decode_fail(d, "%s is in another state space", s->name);
    } else if (*space == SPACE_PARAM && !d->functions[d->current].function->entry) {
        *space = SPACE_LOCAL;
    }
    i->flags |= bytes == 8 ? wide : 0;
    return decode_source(d, base, bytes, false, vreg);
}

struct operand *decode_vector(struct decoder *d, struct operand *o, uint32_t *count)
{
    if (o->kind != OPERAND_VECTOR) {
        *count = 1;
        return o;
    }
    *count = o->count;
    return o->u.elements;
}

static handler *mover(handler *const *table, uint32_t bytes, uint32_t vector)
{
    return table[(bytes == 1 ? 0 : bytes == 2 ? 3 : bytes == 4 ? 6 : 9) + (vector == 1 ? 0 : vector == 2 ? 1 : 2)];
}

bool build_load(struct decoder *d)
{
    static const char *const SEMANTICS[] = {"weak", "volatile", "relaxed", "acquire", "nc", NULL};
    struct access a;
    struct insn i = {.slot = d->slots++};
    uint32_t count, base, *more;
    if (!access_parts(d, &a, SEMANTICS) || !decode_operands(d, 2, 2))
        return false;
    const uint32_t bytes = ptx_type_bytes(a.type);
    struct operand *o = d->statement->operand, *to = decode_vector(d, &o[0], &count);
    if (count != a.vector || bytes * count > 16)
        return decode_fail(d, "%u registers for a load of %u values", count, a.vector);
    if (!address(d, &o[1], &a.space, &i, &base, WIDE))
        return false;
    uint32_t targets[4];
    for (uint32_t n = 0; n < count; n++)
        if (!decode_wide_target(d, &to[n], bytes, &targets[n]))
            return false;
    i.run = mover(ptx_lane_set()->loads, bytes, count);
    i.imm = o[1].value;
    i.space = (uint8_t)a.space;
    if (!(more = decode_more(d, &i, count)) || !decode_push(d, &i) || !decode_ref(d, FIELD_A, 0, base, false))
        return false;
    for (uint32_t n = 0; n < count; n++)
        if (!decode_ref(d, count == 1 ? FIELD_D : FIELD_MORE, count == 1 ? 0 : n, targets[n], true))
            return false;
    for (uint32_t n = 0; n < count; n++)
        if (!decode_widen(d, &to[n], bytes, a.type >= TYPE_S8 && a.type <= TYPE_S64, targets[n]))
            return false;
    return true;
}

bool build_store(struct decoder *d)
{
    static const char *const SEMANTICS[] = {"weak", "volatile", "relaxed", "release", NULL};
    struct access a;
    struct insn i = {.slot = d->slots++};
    uint32_t count, base, sources[4];
    if (!access_parts(d, &a, SEMANTICS) || !decode_operands(d, 2, 2))
        return false;
    const uint32_t bytes = ptx_type_bytes(a.type);
    struct operand *o = d->statement->operand, *from = decode_vector(d, &o[1], &count);
    if (count != a.vector || bytes * count > 16)
        return decode_fail(d, "%u registers for a store of %u values", count, a.vector);
    if (!address(d, &o[0], &a.space, &i, &base, WIDE))
        return false;
    if (a.space == SPACE_CONST)
        return decode_fail(d, "constant memory cannot be written");
    for (uint32_t n = 0; n < count; n++)
        if (!decode_narrow_source(d, &from[n], bytes, false, &sources[n]))
            return false;
    i.run = mover(ptx_lane_set()->stores, bytes, count);
    i.imm = o[0].value;
    i.space = (uint8_t)a.space;
    if (!decode_more(d, &i, count) || !decode_push(d, &i) || !decode_ref(d, FIELD_A, 0, base, false))
        return false;
    for (uint32_t n = 0; n < count; n++)
        if (!decode_ref(d, count == 1 ? FIELD_D : FIELD_MORE, count == 1 ? 0 : n, sources[n], false))
            return false;
    return true;
}

static int atomic_named(const char *word)
{
    static const char *const NAMES[] = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"};
    for (int n = 0; n < (int)(sizeof NAMES / sizeof *NAMES); n++)
        if (strcmp(NAMES[n], word) == 0)
            return n;
    return -1;
}

static bool atomic_allowed(int op, enum ptx_type t)
{
    const bool word = t == TYPE_U32 || t == TYPE_S32 || t == TYPE_U64 || t == TYPE_S64, bits = t == TYPE_B32 || t == TYPE_B64;
    switch (op) {
    case ATOMIC_ADD:
        return word || t == TYPE_F32 || t == TYPE_F64;
    case ATOMIC_MIN:
    case ATOMIC_MAX:
        return word;
    case ATOMIC_INC:
    case ATOMIC_DEC:
        return t == TYPE_U32;
    case ATOMIC_EXCH:
    case ATOMIC_CAS:
        return bits || word;
    default:
        return bits;
    }
}

bool build_atomic(struct decoder *d)
{
    static const char *const SEMANTICS[] = {"relaxed", "acquire", "release", "acq_rel", NULL};
    struct insn i = {.run = exec_atomic, .slot = d->slots++};
    enum ptx_space space = SPACE_GENERIC;
    enum ptx_type type = TYPE_NONE;
    int op = -1;
    const bool has_result = decode_part_is(d, 0, "atom");
    for (int n = 1; n < d->part_count; n++) {
        const char *word = d->parts[n];
        if (space_named(word) == SPACE_GLOBAL || space_named(word) == SPACE_SHARED)
            space = space_named(word);
        else if (op < 0 && atomic_named(word) >= 0)
            op = atomic_named(word);
        else if (n == d->part_count - 1)
            type = ptx_type_named(word, strlen(word));
        else if (!in(SEMANTICS, word) && !in(SCOPES, word))
            return decode_unknown(d);
    }
    if (op < 0 || !atomic_allowed(op, type))
        return decode_unknown(d);
    const uint32_t extra = op == ATOMIC_CAS, first = has_result, bytes = ptx_type_bytes(type);
    struct operand *o = d->statement->operand;
    uint32_t base, b, c = d->never, result = d->never;
    const bool is_float = type == TYPE_F32 || type == TYPE_F64;
    if (!decode_operands(d, first + 2 + extra, first + 2 + extra) || !address(d, &o[first], &space, &i, &base, WIDE) ||
        !decode_source(d, &o[first + 1], bytes, is_float, &b) ||
        (extra && !decode_source(d, &o[first + 2], bytes, is_float, &c)) ||
        (has_result && !decode_target(d, &o[0], bytes, &result)))
        return false;
    i.imm = o[first].value;
    i.space = (uint8_t)space;
    i.kind = (uint8_t)op;
    i.extra = type;
    i.flags |= has_result ? 0 : NO_RESULT;
    return decode_push(d, &i) && decode_ref(d, FIELD_A, 0, base, false) && decode_ref(d, FIELD_B, 0, b, false) &&
           (extra ? decode_ref(d, FIELD_C, 0, c, false) : decode_ref(d, FIELD_C, 0, b, false)) &&
           (!has_result || decode_ref(d, FIELD_D, 0, result, true));
}

/* Addresses of global and constant memory are generic as they are; the others get or lose the base of their window. */
bool build_cvta(struct decoder *d)
{
    const bool to = decode_part_is(d, 1, "to");
    const enum ptx_space space = d->part_count == 3 + to ? space_named(d->parts[1 + to]) : SPACE_NONE;
    static const uint64_t BASE[] = {
        [SPACE_SHARED] = PTX_SHARED_BASE, [SPACE_LOCAL] = PTX_LOCAL_BASE, [SPACE_PARAM] = PTX_PARAM_BASE};
    uint32_t sources[2], target;
    struct operand *o = d->statement->operand;
    if (space == SPACE_NONE || !decode_part_is(d, 2 + to, "u64"))
        return decode_unknown(d);
    if (!decode_operands(d, 2, 2) || !decode_source(d, &o[1], 8, false, &sources[0]) || !decode_target(d, &o[0], 8, &target))
        return false;
    if (space == SPACE_GLOBAL || space == SPACE_CONST)
        return decode_lane(d, LANE_mov_u64, target, sources);
    return decode_constant(d, 8, BASE[space], &sources[1]) && decode_lane(d, to ? LANE_sub_u64 : LANE_add_u64, target, sources);
}

bool build_isspacep(struct decoder *d)
{
    struct insn i = {.run = exec_space_test};
    struct operand *o = d->statement->operand;
    uint32_t a, target;
    const enum ptx_space space = d->part_count == 2 ? space_named(d->parts[1]) : SPACE_NONE;
    if (space == SPACE_NONE)
        return decode_unknown(d);
    i.space = (uint8_t)space;
    return decode_operands(d, 2, 2) && decode_source(d, &o[1], 8, false, &a) && decode_target(d, &o[0], 0, &target) &&
           decode_push(d, &i) && decode_ref(d, FIELD_A, 0, a, false) && decode_ref(d, FIELD_D, 0, target, true);
}

/* Hints: checked for spelling, otherwise without effect. */
bool build_prefetch(struct decoder *d)
{
    for (int n = 1; n < d->part_count; n++)
        if (space_named(d->parts[n]) == SPACE_NONE && !decode_part_is(d, n, "L1") && !decode_part_is(d, n, "L2"))
            return decode_unknown(d);
    return decode_operands(d, 1, 1);
}

bool build_ldmatrix(struct decoder *d)
{
    struct insn i = {.run = exec_matrix_load, .slot = d->slots++};
    enum ptx_space space = SPACE_GENERIC;
    uint32_t count, base;
    if (d->part_count < 6 || !decode_part_is(d, 1, "sync") || !decode_part_is(d, 2, "aligned") || !decode_part_is(d, 3, "m8n8") ||
        strlen(d->parts[4]) != 2 || d->parts[4][0] != 'x' || !strchr("124", d->parts[4][1]))
        return decode_unknown(d);
    int n = 5;
    i.count = (uint8_t)(d->parts[4][1] - '0');
    i.kind = decode_part_is(d, n, "trans");
    n += i.kind;
    if (n < d->part_count && space_named(d->parts[n]) == SPACE_SHARED) {
        space = SPACE_SHARED;
        n++;
    }
    if (n != d->part_count - 1 || !decode_part_is(d, n, "b16"))
        return decode_unknown(d);
    if (!decode_operands(d, 2, 2))
        return false;
    struct operand *o = d->statement->operand, *to = decode_vector(d, &o[0], &count);
    if (count != i.count)
        return decode_fail(d, "%u registers for %u matrices", count, i.count);
    if (!address(d, &o[1], &space, &i, &base, WIDE))
        return false;
    i.imm = o[1].value;
    i.space = (uint8_t)space;
    if (!decode_more(d, &i, count) || !decode_push(d, &i) || !decode_ref(d, FIELD_A, 0, base, false))
        return false;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t target;
        if (!decode_target(d, &to[k], 4, &target) || !decode_ref(d, FIELD_MORE, k, target, true))
            return false;
    }
    return true;
}

static bool build_copy(struct decoder *d)
{
    struct insn i = {.run = exec_copy_async, .slot = d->slots++};
    enum ptx_space to = SPACE_SHARED, from = SPACE_GLOBAL;
    struct operand *o = d->statement->operand;
    uint32_t shared, global, valid;
    const bool cg = decode_part_is(d, 2, "cg");
    if ((!cg && !decode_part_is(d, 2, "ca")) || d->part_count < 5 || space_named(d->parts[3]) != SPACE_SHARED ||
        !decode_part_is(d, 4, "global") || d->part_count > 6 ||
        (d->part_count == 6 && (!in(CACHES, d->parts[5]) || strncmp(d->parts[5], "L2", 2) != 0)))
        return decode_unknown(d);
    if (!decode_operands(d, 3, 4))
        return false;
    const int64_t bytes = o[2].kind == OPERAND_INTEGER ? o[2].value : 0;
    if (bytes != 16 && (cg || (bytes != 4 && bytes != 8)))
        return decode_fail(d, "a copy must have %s bytes", cg ? "16" : "4, 8 or 16");
    if (!address(d, &o[0], &to, &i, &shared, WIDE) || !address(d, &o[1], &from, &i, &global, 0))
        return false;
    if (o[1].u.elements->kind == OPERAND_REGISTER && decode_register_bytes(d, o[1].u.elements) != 8)
        return decode_fail(d, "a global address of 32 bits");
    if (d->statement->operands == 4 ? !decode_source(d, &o[3], 4, false, &valid)
                                    : !decode_constant(d, 4, (uint64_t)bytes, &valid))
        return false;
    if (o[1].value != (int32_t)o[1].value)
        return decode_fail(d, "an offset of more than 32 bits");
    i.imm = o[0].value;
    i.extra = (uint32_t)o[1].value;
    i.count = (uint8_t)bytes;
    return decode_push(d, &i) && decode_ref(d, FIELD_A, 0, shared, false) && decode_ref(d, FIELD_B, 0, global, false) &&
           decode_ref(d, FIELD_C, 0, valid, false);
}

bool build_cp(struct decoder *d)
{
    struct insn i = {.run = exec_copy_commit};
    if (!decode_part_is(d, 1, "async"))
        return decode_unknown(d);
    if (d->part_count > 3)
        return build_copy(d);
    if (decode_part_is(d, 2, "commit_group"))
        return decode_operands(d, 0, 0) && decode_push(d, &i);
    i.run = exec_copy_wait_all;
    if (decode_part_is(d, 2, "wait_all"))
        return decode_operands(d, 0, 0) && decode_push(d, &i);
    i.run = exec_copy_wait;
    if (!decode_part_is(d, 2, "wait_group"))
        return decode_unknown(d);
    if (!decode_operands(d, 1, 1))
        return false;
    i.imm = d->statement->operand[0].value;
    if (d->statement->operand[0].kind != OPERAND_INTEGER || i.imm < 0 || i.imm > UINT32_MAX)
        return decode_fail(d, "wait_group needs a number");
    return decode_push(d, &i);
}
