/* What stands in a function: declarations, labels, statements. Operands are resolved to registers and variables here; labels and
 * functions, which may come later, by decode.c. */
#include "module.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t MOST_REGISTERS = 1 << 20, MOST_STATEMENTS = 1 << 22;

static bool add_registers(struct parser *p, const char *name, enum ptx_type type, bool range, uint64_t count)
{
    struct function *f = p->function;
    struct symbol *s = symbol_declare(p, name, range ? SYMBOL_RANGE : SYMBOL_REGISTER);
    if (!s)
        return false;
    if (count > MOST_REGISTERS - f->registers)
        return ptx_fail(p->error, p->line, "%s has more than %u registers", f->name, MOST_REGISTERS);
    s->type = type;
    s->reg = f->registers;
    s->count = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        if (!ptx_grow(p, &f->register_type, f->registers, &p->register_room, sizeof *f->register_type))
            return false;
        f->register_type[f->registers++] = type;
    }
    return true;
}

static bool parse_registers(struct parser *p)
{
    const char *word = lex_word(p);
    enum ptx_type type = word ? ptx_type_named(word + 1, strlen(word + 1)) : TYPE_NONE;
    if (type == TYPE_NONE)
        return ptx_fail(p->error, p->line, "unknown type of registers: %s", word ? word : "none");
    do {
        uint64_t count = 1;
        const char *name = lex_word(p);
        if (!name)
            return ptx_fail(p->error, p->line, "registers without a name");
        bool range = lex_take(p, '<');
        if (range && (!lex_count(p, MOST_REGISTERS, &count, "the number of registers") || !lex_expect(p, '>')))
            return false;
        if (!add_registers(p, name, type, range, count))
            return false;
    } while (lex_take(p, ','));
    return lex_expect(p, ';');
}

static bool parse_operand(struct parser *p, struct operand *out, bool nested);

static bool parse_elements(struct parser *p, struct operand *out, char close)
{
    struct operand elements[MOST_ELEMENTS];
    memset(elements, 0, sizeof elements);
    while (!lex_take(p, close)) {
        if (out->count > 0 && !lex_expect(p, ','))
            return false;
        if (out->count == MOST_ELEMENTS)
            return ptx_fail(p->error, p->line, "more than %d operands in brackets", MOST_ELEMENTS);
        if (!parse_operand(p, &elements[out->count], true))
            return false;
        out->count++;
    }
    out->u.elements = ptx_arena(p->module, out->count * sizeof *elements + 1);
    if (!out->u.elements)
        return ptx_fail(p->error, p->line, "out of memory");
    memcpy(out->u.elements, elements, out->count * sizeof *elements);
    return true;
}

static bool parse_address(struct parser *p, struct operand *out)
{
    struct operand base = {0}, offset = {0};
    out->kind = OPERAND_ADDRESS;
    if (!parse_operand(p, &base, true))
        return false;
    if (base.kind == OPERAND_SYMBOL) {
        out->value = base.value; /* symbol+number was read as one operand */
        base.value = 0;
    } else if (lex_peek(p) == '+' || lex_peek(p) == '-') {
        lex_take(p, '+');
        if (!lex_number(p, &offset) || offset.kind != OPERAND_INTEGER)
            return ptx_fail(p->error, p->line, "an address's offset must be a whole number");
        out->value = offset.value;
    }
    out->count = 1;
    out->u.elements = ptx_arena(p->module, sizeof base);
    if (!out->u.elements)
        return ptx_fail(p->error, p->line, "out of memory");
    *out->u.elements = base;
    return lex_expect(p, ']');
}

/* A word: register, special register, variable with an offset, or a name that decode.c will know. */
static bool resolve(struct parser *p, const char *word, struct operand *out)
{
    uint32_t reg = 0;
    const struct symbol *s = symbol_find(p, word, &reg);
    int special;
    if (s && (s->kind == SYMBOL_REGISTER || s->kind == SYMBOL_RANGE)) {
        out->kind = OPERAND_REGISTER;
        out->reg = reg;
    } else if (s && s->kind == SYMBOL_VARIABLE) {
        struct operand offset = {0};
        out->kind = OPERAND_SYMBOL;
        out->u.symbol = (struct symbol *)s;
        int next = lex_peek(p);
        if (next == '+' || next == '-') {
            lex_take(p, '+');
            if (!lex_number(p, &offset) || offset.kind != OPERAND_INTEGER)
                return ptx_fail(p->error, p->line, "an offset must be a whole number");
            out->value = offset.value;
        }
    } else if (strcmp(word, "_") == 0) {
        out->kind = OPERAND_SINK;
    } else if (strcmp(word, "WARP_SZ") == 0) {
        out->kind = OPERAND_INTEGER;
        out->value = 32;
    } else if (word[0] == '%') {
        special = special_register(word);
        if (special < 0)
            return ptx_fail(p->error, p->line, "unknown register: %s", word);
        out->kind = OPERAND_SPECIAL;
        out->value = special;
    } else {
        out->kind = OPERAND_NAME;
        out->u.name = word;
    }
    return true;
}

static bool parse_operand(struct parser *p, struct operand *out, bool nested)
{
    int c = lex_peek(p);
    if (c == '-' || (c >= '0' && c <= '9'))
        return lex_number(p, out);
    if (!nested && lex_take(p, '[')) /* brackets in brackets are not PTX, so this does not recurse further */
        return parse_address(p, out);
    if (!nested && (c == '{' || c == '(')) {
        p->at++;
        out->kind = c == '{' ? OPERAND_VECTOR : OPERAND_LIST;
        return parse_elements(p, out, c == '{' ? '}' : ')');
    }
    out->negated = lex_take(p, '!');
    char text[80];
    const char *word = lex_word(p);
    if (!word)
        return ptx_fail(p->error, p->line, "an operand is missing before: %s", lex_line(p->at, p->end, text, sizeof text));
    if (!resolve(p, word, out))
        return false;
    if (lex_take(p, '|')) {
        struct operand second = {0};
        word = lex_word(p);
        if (!word || !resolve(p, word, &second) || (second.kind != OPERAND_REGISTER && second.kind != OPERAND_SINK))
            return ptx_fail(p->error, p->line, "a register must follow |");
        out->pair = true;
        out->pair_sink = second.kind == OPERAND_SINK;
        out->reg2 = second.reg;
    }
    return true;
}

static bool parse_guard(struct parser *p, struct statement *s)
{
    struct operand guard = {0};
    s->guard = NO_REGISTER;
    if (!lex_take(p, '@'))
        return true;
    s->guard_negated = lex_take(p, '!');
    const char *word = lex_word(p);
    if (!word || !resolve(p, word, &guard) || guard.kind != OPERAND_REGISTER ||
        p->function->register_type[guard.reg] != TYPE_PRED)
        return ptx_fail(p->error, p->line, "a predicate register must follow @");
    s->guard = guard.reg;
    return true;
}

static bool parse_statement(struct parser *p)
{
    struct function *f = p->function;
    struct operand operands[MOST_OPERANDS];
    struct statement s = {.line = p->line, .text = p->at, .scope = p->scope};
    char text[100];
    memset(operands, 0, sizeof operands);
    if (!parse_guard(p, &s))
        return false;
    s.opcode = lex_word(p);
    if (!s.opcode)
        return ptx_fail(p->error, p->line, "not an instruction: %s", lex_line(s.text, p->end, text, sizeof text));
    if (lex_take(p, ':') && s.guard == NO_REGISTER)
        return label_add(p, s.opcode) != NULL;
    while (!lex_take(p, ';')) {
        if (s.operands > 0 && !lex_expect(p, ','))
            return false;
        if (s.operands == MOST_OPERANDS)
            return ptx_fail(p->error, s.line, "more than %d operands: %s", MOST_OPERANDS,
                            lex_line(s.text, p->end, text, sizeof text));
        if (!parse_operand(p, &operands[s.operands], false))
            return false;
        s.operands++;
    }
    if (f->statements == MOST_STATEMENTS || !ptx_grow(p, &f->body, f->statements, &f->room, sizeof *f->body))
        return ptx_fail(p->error, s.line, "%s has more than %u statements", f->name, MOST_STATEMENTS);
    s.operand = ptx_arena(p->module, s.operands * sizeof *operands + 1);
    if (!s.operand)
        return ptx_fail(p->error, s.line, "out of memory");
    memcpy(s.operand, operands, s.operands * sizeof *operands);
    f->body[f->statements++] = s;
    return true;
}

/* name: .branchtargets a, b, c; -- the name is the label before it. */
static bool parse_targets(struct parser *p)
{
    struct function *f = p->function;
    struct label *label = NULL;
    uint32_t room = 0;
    for (int b = 0; b < BUCKETS && !label; b++)
        for (struct label *l = f->labels[b]; l && !label; l = l->next)
            if (l->statement == f->statements && l->target_count == 0)
                label = l;
    if (!label)
        return ptx_fail(p->error, p->line, ".branchtargets without a label before it");
    do {
        const char *name = lex_word(p);
        if (!name)
            return ptx_fail(p->error, p->line, ".branchtargets needs labels");
        if (!ptx_grow(p, &label->targets, label->target_count, &room, sizeof *label->targets))
            return false;
        label->targets[label->target_count++] = name;
    } while (lex_take(p, ','));
    return lex_expect(p, ';');
}

static bool parse_directive(struct parser *p)
{
    char text[80];
    const char *at = p->at, *word = lex_word(p);
    if (!word)
        return false;
    if (strcmp(word, ".reg") == 0)
        return parse_registers(p);
    if (strcmp(word, ".local") == 0 || strcmp(word, ".shared") == 0 || strcmp(word, ".param") == 0)
        return parse_variable(p,
                              word[1] == 'l'   ? SPACE_LOCAL
                              : word[1] == 's' ? SPACE_SHARED
                                               : SPACE_PARAM,
                              false) &&
               lex_expect(p, ';');
    if (strcmp(word, ".pragma") == 0)
        return lex_string(p) && lex_expect(p, ';');
    if (strcmp(word, ".branchtargets") == 0)
        return parse_targets(p);
    if (strcmp(word, ".loc") == 0) {
        lex_skip_line(p);
        return true;
    }
    return ptx_fail(p->error, p->line, "unknown directive: %s", lex_line(at, p->end, text, sizeof text));
}

bool parse_body(struct parser *p)
{
    uint32_t depth = p->depth;
    while (lex_peek(p)) {
        int c = lex_peek(p);
        if (c == '}') {
            p->at++;
            if (p->depth == depth)
                return true;
            scope_close(p);
        } else if (c == '{') {
            p->at++;
            if (!scope_open(p))
                return false;
        } else if (c == ';') {
            p->at++;
        } else if (c == '.' ? !parse_directive(p) : !parse_statement(p)) {
            return false;
        }
    }
    return ptx_fail(p->error, p->line, "%s does not end", p->function->name);
}
