/* Variables: alignment, type, dimensions, initial values; and, when all is read, the addresses that stand in initial values. */
#include "internal.h"
#include "module.h"

#include <string.h>

static const uint64_t LARGEST_VARIABLE = 1ull << 28;

static bool relocate(struct parser *p, struct symbol *s, uint64_t offset, uint32_t bytes)
{
    bool generic = lex_word_is(p, "generic") && lex_expect(p, '(');
    const char *name = lex_word(p);
    struct operand addend = {0};
    if (!name)
        return ptx_fail(p->error, p->line, "an initial value that is neither a number nor a name");
    if (generic && !lex_expect(p, ')'))
        return false;
    if (lex_take(p, '+') && (!lex_number(p, &addend) || addend.kind != OPERAND_INTEGER))
        return ptx_fail(p->error, p->line, "a whole number must follow + in an initial value");
    if (bytes != 8)
        return ptx_fail(p->error, p->line, "an address needs 64 bits");
    if (!ptx_grow(p, &p->relocations, p->relocation_count, &p->relocation_room, sizeof *p->relocations))
        return false;
    p->relocations[p->relocation_count++] =
        (struct relocation){.where = s, .offset = offset, .bytes = bytes, .name = name, .addend = addend.value, .line = p->line};
    return true;
}

static bool initial_value(struct parser *p, struct symbol *s, uint64_t offset, uint32_t bytes)
{
    struct operand number = {0};
    int c = lex_peek(p);
    if (c != '-' && (c < '0' || c > '9'))
        return relocate(p, s, offset, bytes);
    if (!lex_number(p, &number))
        return false;
    if (number.kind == OPERAND_DOUBLE && s->type == TYPE_F32) {
        double d;
        float f;
        memcpy(&d, &number.value, sizeof d);
        f = (float)d;
        memcpy(s->data + offset, &f, sizeof f);
    } else {
        memcpy(s->data + offset, &number.value, bytes);
    }
    return true;
}

/* = value, or = {values}, braces of inner dimensions allowed where they are full. Values go one after the other. */
static bool initial_values(struct parser *p, struct symbol *s)
{
    uint32_t each = ptx_type_bytes(s->type);
    uint64_t offset = 0;
    int depth = 0;
    s->data = ptx_arena(p->module, s->bytes);
    if (!s->data)
        return ptx_fail(p->error, p->line, "out of memory");
    do {
        while (lex_take(p, '{'))
            depth++;
        if (offset + each > s->bytes)
            return ptx_fail(p->error, p->line, "%s has more initial values than elements", s->name);
        if (!initial_value(p, s, offset, each))
            return false;
        offset += each;
        while (depth > 0 && lex_take(p, '}'))
            depth--;
    } while (depth > 0 && lex_expect(p, ','));
    return depth == 0;
}

static bool dimensions(struct parser *p, struct symbol *s)
{
    while (lex_take(p, '[')) {
        uint64_t n = 0;
        if (!lex_take(p, ']') && (!lex_count(p, LARGEST_VARIABLE, &n, "an array's size") || !lex_expect(p, ']')))
            return false;
        if (n == 0 && !(s->is_extern && s->space == SPACE_SHARED) && s->space != SPACE_PARAM)
            return ptx_fail(p->error, p->line, "%s has no size", s->name);
        s->bytes *= n;
        if (s->bytes > LARGEST_VARIABLE)
            return ptx_fail(p->error, p->line, "%s is larger than %llu bytes", s->name, (unsigned long long)LARGEST_VARIABLE);
    }
    return true;
}

/* .local and the .param of calls get a place in the function's frame. */
bool parse_place(struct parser *p, struct symbol *s)
{
    struct function *f = p->function;
    uint64_t at = ((uint64_t)f->frame_bytes + s->align - 1) / s->align * s->align;
    if (at + s->bytes > 512 * 1024)
        return ptx_fail(p->error, p->line, "%s has more than 512 KiB of local memory", f->name);
    s->address = at;
    f->frame_bytes = (uint32_t)(at + s->bytes);
    if (s->align > f->frame_align)
        f->frame_align = s->align;
    return true;
}

bool parse_variable(struct parser *p, enum ptx_space space, bool is_extern)
{
    uint64_t align = 0, vector = 1;
    enum ptx_type type = TYPE_NONE;
    struct symbol *s;
    while (lex_peek(p) == '.') {
        const char *word = lex_word(p);
        if (!word)
            return false;
        if (strcmp(word, ".align") == 0) {
            if (!lex_count(p, 1024, &align, ".align"))
                return false;
            if (align == 0 || (align & (align - 1)))
                return ptx_fail(p->error, p->line, ".align must be a power of two");
        } else if (strcmp(word, ".v2") == 0 || strcmp(word, ".v4") == 0) {
            vector = (uint64_t)(word[2] - '0');
        } else if ((type = ptx_type_named(word + 1, strlen(word + 1))) == TYPE_NONE && strcmp(word, ".ptr") != 0 &&
                   !(space == SPACE_PARAM && (strcmp(word, ".global") == 0 || strcmp(word, ".const") == 0 ||
                                              strcmp(word, ".shared") == 0 || strcmp(word, ".local") == 0))) {
            return ptx_fail(p->error, p->line, "unknown in a variable: %s", word);
        } else if (type != TYPE_NONE && lex_word_is(p, ".ptr")) {
            /* What a pointer parameter points to is a promise to ptxas, nothing that we need. */
            while (lex_word_is(p, ".global") || lex_word_is(p, ".const") || lex_word_is(p, ".shared") || lex_word_is(p, ".local"))
                ;
            if (lex_word_is(p, ".align") && !lex_count(p, 1 << 20, &vector, ".align"))
                return false;
            vector = 1;
        }
    }
    const char *name = lex_word(p);
    if (type == TYPE_NONE || type == TYPE_PRED || !name)
        return ptx_fail(p->error, p->line, "a variable without a %s", name ? "type" : "name");
    s = symbol_declare(p, name, SYMBOL_VARIABLE);
    if (!s)
        return false;
    s->type = type;
    s->space = space;
    s->is_extern = is_extern;
    s->bytes = ptx_type_bytes(type) * vector;
    s->align = align ? (uint32_t)align : (uint32_t)s->bytes;
    if (!dimensions(p, s))
        return false;
    if (space == SPACE_GLOBAL || space == SPACE_CONST) {
        struct ptx_module *m = p->module;
        if (is_extern)
            return ptx_fail(p->error, p->line, "%s is declared .extern: modules are not linked here", name);
        if (!ptx_grow(p, &m->variables, m->variable_count, &m->variable_room, sizeof *m->variables))
            return false;
        m->variables[m->variable_count++] = s;
        m->const_bytes += space == SPACE_CONST ? s->bytes : 0;
        return !lex_take(p, '=') || initial_values(p, s);
    }
    if ((space == SPACE_LOCAL || space == SPACE_PARAM) && p->function && (p->function->defined || !p->function->entry))
        return parse_place(p, s);
    return true;
}

/* Gives every variable its memory; then addresses that stand in initial values are known. */
bool parse_link(struct parser *p)
{
    struct ptx_module *m = p->module;
    struct ptx_fault fault;
    m->public_variables = ptx_arena(m, m->variable_count * sizeof *m->public_variables + 1);
    if (!m->public_variables)
        return ptx_fail(p->error, 0, "out of memory");
    for (uint32_t i = 0; i < m->variable_count; i++) {
        struct symbol *s = m->variables[i];
        if (!m->memory)
            return ptx_fail(p->error, 0, "the module has variables and no memory to put them in");
        s->address = ptx_alloc(m->memory, s->bytes, &fault);
        if (!s->address)
            return ptx_fail(p->error, 0, "variable %s: %s", s->name, fault.message);
        m->public_variables[i] =
            (struct ptx_variable){.name = s->name, .address = s->address, .bytes = s->bytes, .constant = s->space == SPACE_CONST};
    }
    for (uint32_t i = 0; i < p->relocation_count; i++) {
        const struct relocation *r = &p->relocations[i];
        uint32_t reg = 0;
        const struct symbol *s = symbol_find(p, r->name, &reg);
        if (!s || s->kind != SYMBOL_VARIABLE || (s->space != SPACE_GLOBAL && s->space != SPACE_CONST))
            return ptx_fail(p->error, r->line, "an initial value names %s, which is no variable in global memory", r->name);
        uint64_t address = s->address + (uint64_t)r->addend;
        memcpy(r->where->data + r->offset, &address, sizeof address);
    }
    for (uint32_t i = 0; i < m->variable_count; i++) {
        struct symbol *s = m->variables[i];
        void *host = ptx_host(m->memory, s->address, s->bytes, &fault);
        if (s->data)
            memcpy(host, s->data, s->bytes);
        else
            memset(host, 0, s->bytes);
    }
    return true;
}
