/* A kernel from its statements and those of the functions that it calls. */
#include "decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LOCAL = 512 * 1024 };

static const struct {
    const char *name;
    builder *build;
} BUILDERS[] = {
    {"ld", build_load},           {"ldu", build_load},      {"st", build_store},          {"atom", build_atomic},
    {"red", build_atomic},        {"cvta", build_cvta},     {"prefetch", build_prefetch}, {"prefetchu", build_prefetch},
    {"ldmatrix", build_ldmatrix}, {"cp", build_cp},         {"isspacep", build_isspacep}, {"bra", build_branch},
    {"brx", build_brx},           {"call", build_call},     {"ret", build_return},        {"exit", build_exit},
    {"trap", build_trap},         {"brkpt", build_trap},    {"bar", build_barrier},       {"barrier", build_barrier},
    {"membar", build_fence},      {"fence", build_fence},   {"nanosleep", build_nothing}, {"shfl", build_shuffle},
    {"vote", build_vote},         {"match", build_match},   {"redux", build_redux},       {"activemask", build_active},
    {"elect", build_elect},       {"mov", build_mov},       {"and", build_predicate},     {"or", build_predicate},
    {"xor", build_predicate},     {"not", build_predicate}, {"lop3", build_lop3},         {"bfi", build_bfi},
    {"add", build_carry},         {"addc", build_carry},    {"sub", build_carry},         {"subc", build_carry},
    {"mad", build_carry},         {"madc", build_carry},    {"mma", build_mma},           {"set", build_set},
    {"setp", build_setp},
};

bool decode_part_is(const struct decoder *d, int part, const char *word)
{
    return part < d->part_count && strcmp(d->parts[part], word) == 0;
}

static bool split(struct decoder *d, const char *opcode)
{
    d->part_count = 0;
    if (strlen(opcode) >= sizeof d->part_text)
        return decode_unknown(d);
    strcpy(d->part_text, opcode);
    for (char *p = d->part_text; p;) {
        if (d->part_count == MOST_PARTS)
            return decode_unknown(d);
        d->parts[d->part_count++] = p;
        p = strchr(p, '.');
        if (p)
            *p++ = '\0';
    }
    return true;
}

int decode_row(struct decoder *d, const char *opcode, uint32_t *flags)
{
    struct row_memo *memo = &d->memo[ptx_hash(opcode, strlen(opcode)) % MEMOS];
    if (!memo->opcode || strcmp(memo->opcode, opcode) != 0) {
        memo->opcode = opcode;
        memo->row = -1;
        for (int row = 0; row < LANE_ROWS && memo->row < 0; row++)
            if (ptx_row_matches(ptx_lane_rows[row].pattern, opcode, &memo->flags))
                memo->row = row;
    }
    *flags = memo->flags;
    return memo->row;
}

/* .ftz: subnormal operands and results become zeros of their sign. .sat: the result is clamped to [0, 1]. Both apply to f32. */
bool decode_lane_statement(struct decoder *d, int row, uint32_t flags)
{
    const struct lane_row *r = &ptx_lane_rows[row];
    const struct operand *o = d->statement->operand;
    const bool conversion = decode_part_is(d, 0, "cvt"), is_signed = conversion && d->parts[d->part_count - 2][0] == 's';
    uint32_t sources[3], target, home;
    if (!decode_operands(d, r->sources + 1u, r->sources + 1u))
        return false;
    for (uint32_t n = 0; n < r->sources; n++) {
        const bool narrow = conversion && !r->floats[n + 1];
        if (!(narrow ? decode_narrow_source : decode_source)(d, &o[n + 1], r->bytes[n + 1], r->floats[n + 1], &sources[n]))
            return false;
        if ((flags & FLAG_FTZ) && r->bytes[n + 1] == 4) {
            uint32_t flushed;
            if (!decode_temporary(d, 4, &flushed) || !decode_lane(d, LANE_flush_f32, flushed, &sources[n]))
                return false;
            sources[n] = flushed;
        }
    }
    if (conversion) {
        if (!decode_wide_target(d, &o[0], r->bytes[0], &home))
            return false;
    } else if (!decode_target(d, &o[0], r->bytes[0], &home)) {
        return false;
    }
    const bool flush = (flags & FLAG_FTZ) && r->bytes[0] == 4 && !(conversion && !r->floats[0]), sat = (flags & FLAG_SAT) != 0;
    target = home;
    if (((flush || sat) && !decode_temporary(d, r->bytes[0], &target)) || !decode_lane(d, row, target, sources))
        return false;
    if (flush) {
        uint32_t next = home;
        if ((sat && !decode_temporary(d, 4, &next)) || !decode_lane(d, LANE_flush_f32, next, &target))
            return false;
        target = next;
    }
    if (sat && (r->bytes[0] != 4 || !r->floats[0]))
        return decode_unknown(d);
    if (sat && !decode_lane(d, LANE_sat_f32, home, &target))
        return false;
    return !conversion || decode_widen(d, &o[0], r->bytes[0], is_signed, home);
}

static bool select_statement(struct decoder *d, int row)
{
    const struct lane_row *r = &ptx_lane_rows[row];
    const struct operand *o = d->statement->operand;
    struct insn i = {.run = ptx_lane_set()->lanes[row]};
    uint32_t a, b, c, target;
    if (!decode_operands(d, 4, 4) || !decode_source(d, &o[1], r->bytes[1], false, &a) ||
        !decode_source(d, &o[2], r->bytes[2], false, &b) || !decode_source(d, &o[3], 0, false, &c) ||
        !decode_target(d, &o[0], r->bytes[0], &target))
        return false;
    i.extra = o[3].negated ? ~0u : 0;
    return decode_push(d, &i) && decode_ref(d, FIELD_A, 0, a, false) && decode_ref(d, FIELD_B, 0, b, false) &&
           decode_ref(d, FIELD_C, 0, c, false) && decode_ref(d, FIELD_D, 0, target, true);
}

static bool decode_statement(struct decoder *d)
{
    const struct statement *s = d->statement;
    uint32_t flags;
    if (!split(d, s->opcode))
        return false;
    const int row = decode_row(d, s->opcode, &flags);
    /* Rows with an inner name ("mov.plain", "flush", "sat") are not PTX. */
    if (row >= 0 && !decode_part_is(d, 1, "plain") && row != LANE_flush_f32 && row != LANE_sat_f32) {
        if (ptx_lane_rows[row].kind == ROW_SELECT)
            return select_statement(d, row);
        if (ptx_lane_rows[row].kind == ROW_TEST)
            return build_setp(d);
        return decode_lane_statement(d, row, flags);
    }
    for (size_t n = 0; n < sizeof BUILDERS / sizeof *BUILDERS; n++)
        if (strcmp(BUILDERS[n].name, d->parts[0]) == 0)
            return BUILDERS[n].build(d);
    return decode_unknown(d);
}

static bool note_where(struct decoder *d, int line, const char *text)
{
    if (!decode_grow(&d->where, d->where_count, &d->where_room, sizeof *d->where))
        return ptx_fail(d->error, 0, "out of memory");
    d->where[d->where_count++] = (struct where){.line = line, .text = text};
    return true;
}

static bool resolve_jumps(struct decoder *d, const struct decoded_function *f, const uint32_t *start_of)
{
    for (uint32_t n = f->first_jump; n < d->jump_count; n++) {
        struct jump *j = &d->jumps[n];
        if (j->where)
            *j->where = start_of[j->statement];
        else
            d->code[j->insn].imm = start_of[j->statement];
    }
    return true;
}

static bool decode_body(struct decoder *d, uint32_t *start_of, uint8_t *is_target)
{
    struct decoded_function *f = &d->functions[d->current];
    const struct function *source = f->function;
    const struct insn label = {.run = exec_label}, leave = {.run = exec_return};
    struct statement end = {.line = source->line, .text = d->kernel->text_end, .guard = NO_REGISTER};
    for (int b = 0; b < BUCKETS; b++)
        for (const struct label *l = source->labels[b]; l; l = l->next)
            is_target[l->statement] = 1;
    f->start = d->code_count;
    f->first_jump = d->jump_count;
    for (uint32_t s = 0; s <= source->statements; s++) {
        const struct statement *here = s < source->statements ? &source->body[s] : &end;
        d->statement = &end; /* a label has no guard */
        if (!note_where(d, here->line, here->text) || (is_target[s] && !decode_push(d, &label)))
            return false;
        d->statement = here;
        start_of[s] = d->code_count;
        if (s < source->statements ? !decode_statement(d) : !decode_push(d, &leave))
            return false;
    }
    d->statement = NULL;
    f = &d->functions[d->current]; /* calls may have moved the list */
    f->end = d->code_count;
    return resolve_jumps(d, f, start_of);
}

static bool decode_function(struct decoder *d)
{
    struct decoded_function *f = &d->functions[d->current];
    const struct function *source = f->function;
    uint32_t vreg;
    for (uint32_t n = 0; n < source->registers; n++) {
        const enum ptx_type type = source->register_type[n];
        if (!decode_temporary(d, type == TYPE_PRED ? 0 : ptx_type_bytes(type), &vreg))
            return false;
        if (n == 0)
            f->base = vreg;
    }
    decode_frame(d, d->current);
    if (d->kernel->info.local_bytes > MOST_LOCAL)
        return ptx_fail(d->error, source->line, "%s needs more than %d KiB of local memory", d->kernel->info.name,
                        MOST_LOCAL / 1024);
    uint32_t *start_of = malloc((source->statements + 1) * sizeof *start_of);
    uint8_t *is_target = calloc(source->statements + 1, 1);
    bool ok = start_of && is_target ? decode_body(d, start_of, is_target) : ptx_fail(d->error, 0, "out of memory");
    free(start_of);
    free(is_target);
    return ok;
}

/* Registers are laid out for each function once, so a function must not be under way twice: no cycle of calls. */
static bool refuse_recursion(struct decoder *d)
{
    for (uint32_t pass = 0; pass < d->function_count; pass++) {
        bool changed = false;
        for (uint32_t n = 0; n < d->call_count; n++) {
            uint32_t caller = 0;
            while (d->calls[n].insn >= d->functions[caller].end)
                caller++;
            struct decoded_function *to = &d->functions[d->calls[n].statement];
            if (to->first_jump <= d->functions[caller].first_jump) { /* first_jump: from here on the depth of calls */
                to->first_jump = d->functions[caller].first_jump + 1;
                changed = true;
            }
        }
        if (!changed)
            return true;
    }
    return d->call_count == 0 ||
           ptx_fail(d->error, d->functions[0].function->line, "%s calls a function that calls itself", d->kernel->info.name);
}

static bool finish(struct decoder *d)
{
    struct ptx_kernel *k = d->kernel;
    const struct insn end = {.run = exec_return};
    const uint32_t align = d->dynamic_align > 16 ? d->dynamic_align : 16;
    d->statement = NULL;
    if (!note_where(d, 0, k->text_end) || !decode_push(d, &end))
        return false;
    for (uint32_t n = 0; n < d->function_count; n++)
        d->functions[n].first_jump = 0;
    if (!refuse_recursion(d))
        return false;
    for (uint32_t n = 0; n < d->call_count; n++)
        d->code[d->calls[n].insn].imm = d->functions[d->calls[n].statement].start;
    k->info.static_shared = d->dynamic_align ? (d->shared_bytes + align - 1) / align * align : d->shared_bytes;
    for (uint32_t v = 0; v < d->vreg_count; v++) {
        if (d->vregs[v].special == -2) { /* the address of dynamic shared memory */
            d->vregs[v].value += k->info.static_shared;
            d->vregs[v].special = -1;
        }
    }
    k->slots = d->slots;
    if (!decode_allocate(d))
        return false;
    k->code = d->code;
    k->code_count = d->code_count;
    k->where = d->where;
    k->where_count = d->where_count;
    d->code = NULL;
    d->where = NULL;
    return true;
}

static void describe(struct ptx_kernel *k, const struct ptx_module *m, const struct function *f)
{
    uint64_t threads = 1;
    k->info.name = f->name;
    k->info.parameters = (int)f->parameters;
    k->info.parameter = f->info;
    k->info.param_bytes = f->param_bytes;
    k->info.const_bytes = (uint32_t)m->const_bytes;
    k->info.reqntid = f->reqntid;
    for (int n = 0; n < 3; n++) {
        k->info.maxntid[n] = f->maxntid[n];
        threads *= f->maxntid[n];
    }
    k->info.max_threads = threads == 0 || threads > 1024 ? 1024 : (uint32_t)threads;
}

static bool decode_kernel(struct decoder *d, const struct function *entry)
{
    if (!decode_grow(&d->functions, 0, &d->function_room, sizeof *d->functions))
        return ptx_fail(d->error, 0, "out of memory");
    d->functions[d->function_count++] = (struct decoded_function){.function = (struct function *)entry};
    if (!decode_constant(d, 0, 0, &d->never))
        return false;
    for (d->current = 0; d->current < d->function_count; d->current++)
        if (!decode_function(d))
            return false;
    return finish(d);
}

static bool decode_entry(struct ptx_module *m, const struct function *entry, const char *text_end, struct ptx_error *error)
{
    struct ptx_kernel *k = calloc(1, sizeof *k);
    struct decoder *d = calloc(1, sizeof *d);
    bool ok = k && d;
    if (ok) {
        k->text_end = text_end;
        d->module = m;
        d->error = error;
        d->kernel = k;
        d->kernel_serial = m->kernel_count + 1;
        m->kernels[m->kernel_count++] = k;
        describe(k, m, entry);
        memset(d->constants, 0xff, sizeof d->constants);
        ok = decode_kernel(d, entry);
        free(d->functions);
        free(d->code);
        free(d->refs);
        free(d->vregs);
        free(d->jumps);
        free(d->calls);
        free(d->where);
    } else {
        free(k);
        ptx_fail(error, 0, "out of memory");
    }
    free(d);
    return ok;
}

bool ptx_decode_module(struct ptx_module *m, const char *text_end, struct ptx_error *error)
{
    m->kernels = ptx_arena(m, m->function_count * sizeof *m->kernels + 1);
    if (!m->kernels)
        return ptx_fail(error, 0, "out of memory");
    for (uint32_t n = 0; n < m->function_count; n++)
        if (m->functions[n]->entry && m->functions[n]->defined && !decode_entry(m, m->functions[n], text_end, error))
            return false;
    return true;
}

void ptx_kernel_release(struct ptx_kernel *k)
{
    free(k->code);
    free(k->where);
    free(k->constants);
    free(k->specials);
    free(k);
}
