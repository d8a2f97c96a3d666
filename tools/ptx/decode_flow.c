/* Builders of jumps, calls, barriers and of what looks at other lanes. */
#include "decode.h"

#include <string.h>

static bool add_jump(struct decoder *d, uint32_t insn, const char *name, uint32_t *where)
{
    const struct label *l = label_find(d->functions[d->current].function, name);
    if (!l || l->target_count)
        return decode_fail(d, "there is no label %s", name);
    if (!decode_grow(&d->jumps, d->jump_count, &d->jump_room, sizeof *d->jumps))
        return ptx_fail(d->error, 0, "out of memory");
    d->jumps[d->jump_count++] = (struct jump){.insn = insn, .statement = l->statement, .where = where};
    return true;
}

static bool only_parts(struct decoder *d, int from, const char *allowed)
{
    return d->part_count == from || (allowed && d->part_count == from + 1 && decode_part_is(d, from, allowed)) ||
           decode_unknown(d);
}

bool build_branch(struct decoder *d)
{
    const struct insn i = {.run = exec_branch};
    const struct operand *o = d->statement->operand;
    if (!only_parts(d, 1, "uni") || !decode_operands(d, 1, 1))
        return false;
    if (o->kind != OPERAND_NAME)
        return decode_fail(d, "a label is missing");
    return decode_push(d, &i) && add_jump(d, d->code_count - 1, o->u.name, NULL);
}

bool build_brx(struct decoder *d)
{
    struct insn i = {.run = exec_branch_index};
    const struct operand *o = d->statement->operand;
    uint32_t index, *more;
    if (!decode_part_is(d, 1, "idx"))
        return decode_unknown(d);
    if (!only_parts(d, 2, "uni") || !decode_operands(d, 2, 2) || !decode_source(d, &o[0], 4, false, &index))
        return false;
    const struct label *list = o[1].kind == OPERAND_NAME ? label_find(d->functions[d->current].function, o[1].u.name) : NULL;
    if (!list || list->target_count == 0)
        return decode_fail(d, "a list of .branchtargets is missing");
    i.extra = list->target_count;
    if (!(more = decode_more(d, &i, list->target_count)) || !decode_push(d, &i) || !decode_ref(d, FIELD_A, 0, index, false))
        return false;
    for (uint32_t n = 0; n < list->target_count; n++)
        if (!add_jump(d, d->code_count - 1, list->targets[n], &more[n]))
            return false;
    return true;
}

static bool function_index(struct decoder *d, struct function *f, uint32_t *index)
{
    for (*index = 0; *index < d->function_count; ++*index)
        if (d->functions[*index].function == f)
            return true;
    if (d->function_count == MOST_FUNCTIONS ||
        !decode_grow(&d->functions, d->function_count, &d->function_room, sizeof *d->functions))
        return decode_fail(d, "a kernel that calls more than %d functions", MOST_FUNCTIONS);
    d->functions[d->function_count++] = (struct decoded_function){.function = f, .end = UINT32_MAX};
    return true;
}

/* Copies a parameter or a result between two frames, in pieces of 8, 4, 2 and 1 bytes: each goes through a register. */
static bool copy_slot(struct decoder *d, uint64_t from, uint64_t to, uint64_t bytes)
{
    for (uint64_t done = 0; done < bytes;) {
        uint32_t piece = 8, zero, value;
        while (piece > bytes - done || (from + done) % piece || (to + done) % piece)
            piece /= 2;
        const uint32_t row = piece == 1 ? 0 : piece == 2 ? 3 : piece == 4 ? 6 : 9;
        struct insn load = {
            .run = ptx_lane_set()->loads[row], .space = SPACE_LOCAL, .flags = WIDE, .imm = (int64_t)(from + done)};
        struct insn store = {
            .run = ptx_lane_set()->stores[row], .space = SPACE_LOCAL, .flags = WIDE, .imm = (int64_t)(to + done)};
        if (!decode_constant(d, 8, 0, &zero) || !decode_temporary(d, piece, &value) || !decode_push(d, &load) ||
            !decode_ref(d, FIELD_A, 0, zero, false) || !decode_ref(d, FIELD_D, 0, value, true) || !decode_push(d, &store) ||
            !decode_ref(d, FIELD_A, 0, zero, false) || !decode_ref(d, FIELD_D, 0, value, false))
            return false;
        done += piece;
    }
    return true;
}

/* The caller's .param variables and the callee's parameters are both in frames: a call copies from one to the other, and the
 * result back. */
static bool copy_argument(struct decoder *d, const struct operand *given, const struct symbol *formal, uint64_t frame, bool out)
{
    uint64_t mine;
    if (given->kind != OPERAND_SYMBOL || given->u.symbol->space != SPACE_PARAM || given->u.symbol->bytes != formal->bytes)
        return decode_fail(d, "an argument does not fit %s", formal->name);
    if (!decode_symbol(d, given->u.symbol, &mine))
        return false;
    const uint64_t theirs = frame + formal->address;
    return out ? copy_slot(d, theirs, mine, formal->bytes) : copy_slot(d, mine, theirs, formal->bytes);
}

/* call (result), function, (arguments); both lists may be missing. */
bool build_call(struct decoder *d)
{
    const struct insn i = {.run = exec_call};
    const struct operand *o = d->statement->operand, *result = NULL, *arguments = NULL;
    uint32_t n = d->statement->operands, index;
    if (!only_parts(d, 1, "uni") || !decode_operands(d, 1, 3))
        return false;
    if (o->kind == OPERAND_LIST) {
        result = o++;
        n--;
    }
    if (n > 1 && o[1].kind == OPERAND_LIST)
        arguments = &o[1];
    if (n == 0 || n > 2 || o->kind != OPERAND_NAME || (n == 2 && !arguments))
        return decode_fail(d, "only calls of a function by its name are known");
    struct function *f = NULL;
    for (uint32_t m = 0; m < d->module->function_count; m++)
        if (strcmp(d->module->functions[m]->name, o->u.name) == 0)
            f = d->module->functions[m];
    if (!f || f->entry)
        return decode_fail(d, "there is no function %s", o->u.name);
    if (!f->defined)
        return decode_fail(d, "%s is called and not defined in this module", f->name);
    if ((result ? result->count : 0) != (f->result ? 1 : 0) || (arguments ? arguments->count : 0) != f->parameters)
        return decode_fail(d, "%s has %u parameters", f->name, f->parameters);
    if (!function_index(d, f, &index))
        return false;
    const uint32_t frame = decode_frame(d, index);
    for (uint32_t m = 0; m < f->parameters; m++)
        if (!copy_argument(d, &arguments->u.elements[m], f->parameter[m], frame, false))
            return false;
    if (!decode_push(d, &i) || !decode_grow(&d->calls, d->call_count, &d->call_room, sizeof *d->calls))
        return false;
    d->calls[d->call_count++] = (struct jump){.insn = d->code_count - 1, .statement = index};
    return !result || copy_argument(d, &result->u.elements[0], f->result, frame, true);
}

static bool plain(struct decoder *d, handler *run, const char *allowed)
{
    const struct insn i = {.run = run};
    return only_parts(d, 1, allowed) && decode_operands(d, 0, 0) && decode_push(d, &i);
}

bool build_return(struct decoder *d) { return plain(d, exec_return, "uni"); }
bool build_exit(struct decoder *d) { return plain(d, exec_exit, NULL); }
bool build_trap(struct decoder *d) { return plain(d, exec_trap, NULL); }

/* nanosleep only costs time. */
bool build_nothing(struct decoder *d)
{
    return (d->part_count == 2 && decode_part_is(d, 1, "u32")) ? decode_operands(d, 1, 1) : decode_unknown(d);
}

/* Memory is written at once and seen by all, so a fence has nothing to do. */
bool build_fence(struct decoder *d)
{
    static const char *const WORDS[] = {"cta", "gl", "gpu", "sys", "cluster", "sc", "acq_rel"};
    for (int n = 1; n < d->part_count; n++) {
        bool known = false;
        for (size_t m = 0; m < sizeof WORDS / sizeof *WORDS; m++)
            known |= decode_part_is(d, n, WORDS[m]);
        if (!known)
            return decode_unknown(d);
    }
    return d->part_count > 1 ? decode_operands(d, 0, 0) : decode_unknown(d);
}

static bool barrier_kind(struct decoder *d, int n, uint8_t *kind)
{
    if (decode_part_is(d, n, "aligned"))
        n++;
    if (decode_part_is(d, n, "popc") && decode_part_is(d, n + 1, "u32"))
        *kind = BARRIER_POPC;
    else if ((decode_part_is(d, n, "and") || decode_part_is(d, n, "or")) && decode_part_is(d, n + 1, "pred"))
        *kind = decode_part_is(d, n, "and") ? BARRIER_AND : BARRIER_OR;
    else
        return decode_unknown(d);
    n += 2;
    return n == d->part_count || (n + 1 == d->part_count && decode_part_is(d, n, "aligned")) || decode_unknown(d);
}

static bool build_warp_barrier(struct decoder *d)
{
    const struct insn i = {.run = exec_warp_barrier};
    uint32_t mask;
    if (d->part_count != 3 || !decode_part_is(d, 2, "sync"))
        return decode_unknown(d);
    return decode_operands(d, 1, 1) && decode_source(d, &d->statement->operand[0], 4, false, &mask) && decode_push(d, &i) &&
           decode_ref(d, FIELD_A, 0, mask, false);
}

/* bar.sync a{, threads}; bar.arrive a, threads; bar.red.op.type d, a{, threads}, predicate. */
bool build_barrier(struct decoder *d)
{
    struct insn i = {.run = exec_barrier, .kind = BARRIER_SYNC};
    const struct operand *o = d->statement->operand;
    uint32_t operands = d->statement->operands, id, threads, predicate = d->never, target = 0;
    int n = 1;
    if (decode_part_is(d, 1, "warp"))
        return build_warp_barrier(d);
    n += decode_part_is(d, n, "cta");
    const bool red = decode_part_is(d, n, "red"), arrive = decode_part_is(d, n, "arrive");
    if (red ? !barrier_kind(d, n + 1, &i.kind) : !(arrive || decode_part_is(d, n, "sync")) || !only_parts(d, n + 1, "aligned"))
        return red ? false : decode_unknown(d);
    i.kind = arrive ? BARRIER_ARRIVE : i.kind;
    if (red) {
        if (!decode_operands(d, 3, 4) || !decode_target(d, &o[0], i.kind == BARRIER_POPC ? 4 : 0, &target) ||
            !decode_source(d, &o[operands - 1], 0, false, &predicate))
            return false;
        i.extra = o[operands - 1].negated ? ~0u : 0;
        o++;
        operands -= 2;
    } else if (!decode_operands(d, arrive ? 2 : 1, 2)) {
        return false;
    }
    i.flags = operands == 2 ? COUNTED : 0;
    if (!decode_source(d, &o[0], 4, false, &id) ||
        (operands == 2 ? !decode_source(d, &o[1], 4, false, &threads) : !decode_constant(d, 4, 0, &threads)))
        return false;
    return decode_push(d, &i) && decode_ref(d, FIELD_A, 0, id, false) && decode_ref(d, FIELD_B, 0, threads, false) &&
           decode_ref(d, FIELD_C, 0, predicate, false) && (!red || decode_ref(d, FIELD_D, 0, target, true));
}

/* The `p` of d|p, or a register that nobody reads. */
static bool second_target(struct decoder *d, const struct operand *o, uint32_t *vreg)
{
    struct operand p = {.kind = o->pair && !o->pair_sink ? OPERAND_REGISTER : OPERAND_SINK, .reg = o->reg2};
    return decode_target(d, &p, 0, vreg);
}

bool build_shuffle(struct decoder *d)
{
    static const char *const MODES[] = {"up", "down", "bfly", "idx"};
    struct insn i = {.run = exec_shuffle, .kind = 4};
    const struct operand *o = d->statement->operand;
    uint32_t s[4], target, inside;
    for (uint8_t m = 0; m < 4; m++)
        if (decode_part_is(d, 2, MODES[m]))
            i.kind = m;
    if (d->part_count != 4 || !decode_part_is(d, 1, "sync") || !decode_part_is(d, 3, "b32") || i.kind == 4)
        return decode_unknown(d);
    if (!decode_operands(d, 5, 5))
        return false;
    for (int n = 0; n < 4; n++)
        if (!decode_source(d, &o[n + 1], 4, false, &s[n]))
            return false;
    return decode_target(d, &o[0], 4, &target) && second_target(d, &o[0], &inside) && decode_more(d, &i, 2) &&
           decode_push(d, &i) && decode_ref(d, FIELD_A, 0, s[0], false) && decode_ref(d, FIELD_B, 0, s[1], false) &&
           decode_ref(d, FIELD_C, 0, s[2], false) && decode_ref(d, FIELD_MORE, 1, s[3], false) &&
           decode_ref(d, FIELD_D, 0, target, true) && decode_ref(d, FIELD_MORE, 0, inside, true);
}

bool build_vote(struct decoder *d)
{
    static const char *const MODES[] = {"all", "any", "uni", "ballot"};
    struct insn i = {.run = exec_vote, .kind = 4};
    const struct operand *o = d->statement->operand;
    uint32_t predicate, mask, target;
    for (uint8_t m = 0; m < 4; m++)
        if (decode_part_is(d, 2, MODES[m]))
            i.kind = m;
    if (d->part_count != 4 || !decode_part_is(d, 1, "sync") || i.kind == 4 ||
        !decode_part_is(d, 3, i.kind == VOTE_BALLOT ? "b32" : "pred"))
        return decode_unknown(d);
    if (!decode_operands(d, 3, 3) || !decode_source(d, &o[1], 0, false, &predicate) ||
        !decode_source(d, &o[2], 4, false, &mask) || !decode_target(d, &o[0], i.kind == VOTE_BALLOT ? 4 : 0, &target))
        return false;
    i.extra = o[1].negated ? ~0u : 0;
    return decode_push(d, &i) && decode_ref(d, FIELD_A, 0, predicate, false) && decode_ref(d, FIELD_B, 0, mask, false) &&
           decode_ref(d, FIELD_D, 0, target, true);
}

static bool value_and_mask(struct decoder *d, struct insn *i, uint32_t bytes)
{
    const struct operand *o = d->statement->operand;
    uint32_t value, mask, target;
    return decode_operands(d, 3, 3) && decode_source(d, &o[1], bytes, false, &value) &&
           decode_source(d, &o[2], 4, false, &mask) && decode_target(d, &o[0], 4, &target) && decode_push(d, i) &&
           decode_ref(d, FIELD_A, 0, value, false) && decode_ref(d, FIELD_B, 0, mask, false) &&
           decode_ref(d, FIELD_D, 0, target, true);
}

bool build_match(struct decoder *d)
{
    const bool all = decode_part_is(d, 1, "all"), wide = decode_part_is(d, 3, "b64");
    struct insn i = {.run = exec_match, .kind = all, .flags = wide ? WIDE : 0};
    uint32_t every;
    if (d->part_count != 4 || (!all && !decode_part_is(d, 1, "any")) || !decode_part_is(d, 2, "sync") ||
        (!wide && !decode_part_is(d, 3, "b32")))
        return decode_unknown(d);
    if (!decode_operands(d, 3, 3) || !second_target(d, &d->statement->operand[0], &every) || !decode_more(d, &i, 1))
        return false;
    return value_and_mask(d, &i, wide ? 8 : 4) && decode_ref(d, FIELD_MORE, 0, every, true);
}

bool build_redux(struct decoder *d)
{
    static const struct {
        const char *op, *type;
        uint8_t kind;
    } OPS[] = {{"add", "u32", ATOMIC_ADD}, {"add", "s32", ATOMIC_ADD}, {"min", "u32", ATOMIC_MIN},
               {"min", "s32", ATOMIC_MIN}, {"max", "u32", ATOMIC_MAX}, {"max", "s32", ATOMIC_MAX},
               {"and", "b32", ATOMIC_AND}, {"or", "b32", ATOMIC_OR},   {"xor", "b32", ATOMIC_XOR}};
    struct insn i = {.run = exec_redux};
    for (size_t n = 0; n < sizeof OPS / sizeof *OPS && d->part_count == 4 && decode_part_is(d, 1, "sync"); n++) {
        if (!decode_part_is(d, 2, OPS[n].op) || !decode_part_is(d, 3, OPS[n].type))
            continue;
        i.kind = OPS[n].kind;
        i.extra = ptx_type_named(OPS[n].type, 3);
        return value_and_mask(d, &i, 4);
    }
    return decode_unknown(d);
}

bool build_active(struct decoder *d)
{
    const struct insn i = {.run = exec_active};
    uint32_t target;
    if (d->part_count != 2 || !decode_part_is(d, 1, "b32"))
        return decode_unknown(d);
    return decode_operands(d, 1, 1) && decode_target(d, &d->statement->operand[0], 4, &target) && decode_push(d, &i) &&
           decode_ref(d, FIELD_D, 0, target, true);
}

bool build_elect(struct decoder *d)
{
    struct insn i = {.run = exec_elect};
    const struct operand *o = d->statement->operand;
    uint32_t mask, target, chosen;
    if (d->part_count != 2 || !decode_part_is(d, 1, "sync"))
        return decode_unknown(d);
    return decode_operands(d, 2, 2) && decode_source(d, &o[1], 4, false, &mask) && decode_target(d, &o[0], 4, &target) &&
           second_target(d, &o[0], &chosen) && decode_more(d, &i, 1) && decode_push(d, &i) &&
           decode_ref(d, FIELD_B, 0, mask, false) && decode_ref(d, FIELD_D, 0, target, true) &&
           decode_ref(d, FIELD_MORE, 0, chosen, true);
}
