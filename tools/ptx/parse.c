/* The top of a PTX text: header, variables, functions. What stands in a function is in parse_body.c. */
#include "internal.h"
#include "module.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 * 1024 };
static const size_t LONGEST_TEXT = (size_t)1 << 28;
static const uint32_t MOST_PARAM_BYTES = 32764;

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

void *ptx_arena(struct ptx_module *m, size_t bytes)
{
    struct arena_chunk *c = m->arena;
    bytes = (bytes + 15) / 16 * 16;
    if (!c || c->size - c->used < bytes) {
        size_t size = bytes > CHUNK ? bytes : CHUNK;
        c = calloc(1, sizeof *c + size);
        if (!c)
            return NULL;
        c->size = size;
        /* A large piece goes behind the chunk in use, whose rest stays useful. */
        if (m->arena && bytes > CHUNK / 4) {
            c->next = m->arena->next;
            m->arena->next = c;
        } else {
            c->next = m->arena;
            m->arena = c;
        }
    }
    void *piece = c->data + c->used;
    c->used += bytes;
    return piece;
}

static const char *const TYPE_NAMES[TYPES] = {
    [TYPE_PRED] = "pred",   [TYPE_B8] = "b8",         [TYPE_B16] = "b16", [TYPE_B32] = "b32", [TYPE_B64] = "b64",
    [TYPE_U8] = "u8",       [TYPE_U16] = "u16",       [TYPE_U32] = "u32", [TYPE_U64] = "u64", [TYPE_S8] = "s8",
    [TYPE_S16] = "s16",     [TYPE_S32] = "s32",       [TYPE_S64] = "s64", [TYPE_F16] = "f16", [TYPE_BF16] = "bf16",
    [TYPE_F16X2] = "f16x2", [TYPE_BF16X2] = "bf16x2", [TYPE_F32] = "f32", [TYPE_F64] = "f64",
};
static const uint8_t TYPE_BYTES[TYPES] = {
    [TYPE_PRED] = 4, [TYPE_B8] = 1,    [TYPE_B16] = 2,    [TYPE_B32] = 4, [TYPE_B64] = 8, [TYPE_U8] = 1,  [TYPE_U16] = 2,
    [TYPE_U32] = 4,  [TYPE_U64] = 8,   [TYPE_S8] = 1,     [TYPE_S16] = 2, [TYPE_S32] = 4, [TYPE_S64] = 8, [TYPE_F16] = 2,
    [TYPE_BF16] = 2, [TYPE_F16X2] = 4, [TYPE_BF16X2] = 4, [TYPE_F32] = 4, [TYPE_F64] = 8,
};

enum ptx_type ptx_type_named(const char *name, size_t length)
{
    for (int t = TYPE_PRED; t < TYPES; t++)
        if (strlen(TYPE_NAMES[t]) == length && memcmp(TYPE_NAMES[t], name, length) == 0)
            return (enum ptx_type)t;
    return TYPE_NONE;
}

uint32_t ptx_type_bytes(enum ptx_type type) { return TYPE_BYTES[type]; }

static bool parse_header(struct parser *p)
{
    struct operand number = {0};
    double version;
    if (!lex_word_is(p, ".version"))
        return ptx_fail(p->error, p->line, "PTX text must begin with .version");
    if (!lex_number(p, &number))
        return false;
    memcpy(&version, &number.value, sizeof version);
    if (number.kind != OPERAND_DOUBLE || !(version >= 1 && version < 100))
        return ptx_fail(p->error, p->line, ".version must be a number like 9.0");
    p->module->version = (int)(version * 10 + 0.5);
    if (!lex_word_is(p, ".target"))
        return ptx_fail(p->error, p->line, ".target must follow .version");
    const char *target = lex_word(p);
    char *stop = NULL;
    if (target && strncmp(target, "sm_", 3) == 0)
        p->module->target = (int)strtol(target + 3, &stop, 10);
    if (!stop || p->module->target < 10 || (*stop != '\0' && strcmp(stop, "a") != 0 && strcmp(stop, "f") != 0))
        return ptx_fail(p->error, p->line, ".target must be sm_ and a number, not %s", target ? target : "nothing");
    while (lex_take(p, ','))
        if (!lex_word_is(p, "debug"))
            return ptx_fail(p->error, p->line, "an unknown option of .target");
    if (lex_word_is(p, ".address_size")) {
        uint64_t bits;
        if (!lex_count(p, 64, &bits, ".address_size"))
            return false;
        if (bits != 64)
            return ptx_fail(p->error, p->line, ".address_size must be 64");
    }
    return true;
}

static bool add_parameter(struct parser *p, struct function *f, uint32_t *room)
{
    if (!lex_word_is(p, ".param"))
        return ptx_fail(p->error, p->line, "a parameter of %s is not .param", f->name);
    if (!ptx_grow(p, &f->parameter, f->parameters, room, sizeof *f->parameter) || !parse_variable(p, SPACE_PARAM, false))
        return false;
    struct symbol *s = p->declared[p->declared_count - 1];
    f->parameter[f->parameters++] = s;
    if (f->entry) {
        s->kernel_parameter = true;
        s->address = (f->param_bytes + s->align - 1) / s->align * s->align;
        f->param_bytes = (uint32_t)(s->address + s->bytes);
        if (s->address + s->bytes > MOST_PARAM_BYTES)
            return ptx_fail(p->error, p->line, "the parameters of %s take more than %u bytes", f->name, MOST_PARAM_BYTES);
    }
    return true;
}

static bool parse_parameters(struct parser *p, struct function *f)
{
    uint32_t room = 0;
    if (!lex_take(p, '('))
        return true;
    while (!lex_take(p, ')'))
        if ((f->parameters > 0 && !lex_expect(p, ',')) || !add_parameter(p, f, &room))
            return false;
    if (!f->entry)
        return true;
    f->info = ptx_arena(p->module, f->parameters * sizeof *f->info + 1);
    if (!f->info)
        return ptx_fail(p->error, p->line, "out of memory");
    for (uint32_t i = 0; i < f->parameters; i++) {
        const struct symbol *s = f->parameter[i];
        f->info[i] = (struct ptx_parameter){.offset = (uint32_t)s->address, .bytes = (uint32_t)s->bytes, .align = s->align};
    }
    return true;
}

/* .maxntid and its kin, between a function's parameters and its body. */
static bool parse_function_directives(struct parser *p, struct function *f)
{
    uint64_t n;
    while (lex_peek(p) == '.') {
        const char *word = lex_word(p);
        if (!word)
            return false;
        f->reqntid = f->reqntid || strcmp(word, ".reqntid") == 0;
        if (strcmp(word, ".maxntid") == 0 || strcmp(word, ".reqntid") == 0) {
            f->maxntid[1] = f->maxntid[2] = 1;
            for (int i = 0; i < 3 && (i == 0 || lex_take(p, ',')); i++) {
                if (!lex_count(p, 1024, &n, word))
                    return false;
                f->maxntid[i] = (uint32_t)n;
            }
        } else if (strcmp(word, ".minnctapersm") == 0 || strcmp(word, ".maxnreg") == 0) {
            if (!lex_count(p, 1 << 20, &n, word))
                return false;
        } else if (strcmp(word, ".pragma") == 0) {
            if (!lex_string(p) || !lex_expect(p, ';'))
                return false;
        } else if (strcmp(word, ".noreturn") != 0) {
            return ptx_fail(p->error, p->line, "unknown directive of a function: %s", word);
        }
    }
    return true;
}

/* A declaration and a definition of one name are one function. */
static struct function *function_new(struct parser *p, const char *name, bool entry)
{
    struct ptx_module *m = p->module;
    uint32_t reg = 0;
    struct symbol *known = symbol_find(p, name, &reg);
    struct function *f = ptx_arena(m, sizeof *f);
    if (known && (known->kind != SYMBOL_FUNCTION || known->function->defined || known->function->entry != entry)) {
        ptx_fail(p->error, p->line, "%s is declared twice", name);
        return NULL;
    }
    if (!f || !ptx_grow(p, &m->functions, m->function_count, &m->function_room, sizeof *m->functions)) {
        ptx_fail(p->error, p->line, "out of memory");
        return NULL;
    }
    if (!known) {
        known = symbol_declare(p, name, SYMBOL_FUNCTION);
        if (!known)
            return NULL;
        f->serial = m->function_count;
        m->functions[m->function_count++] = f;
    } else {
        f->serial = known->function->serial;
        m->functions[f->serial] = f;
    }
    known->function = f;
    f->name = name;
    f->entry = entry;
    f->line = p->line;
    f->frame_align = 16;
    return f;
}

static bool parse_function(struct parser *p, bool entry)
{
    struct function holder = {.entry = entry, .name = "a function"};
    uint32_t room = 0;
    /* The result's name belongs to the function's scope, which opens before the function's name is known. */
    const char *name = NULL;
    uint32_t outer = p->scope;
    if (!scope_open(p))
        return false;
    if (!entry && lex_take(p, '(') && (!add_parameter(p, &holder, &room) || !lex_expect(p, ')')))
        return false;
    name = lex_word(p);
    if (!name)
        return ptx_fail(p->error, p->line, "a function without a name");
    /* The function's own name belongs outside. */
    uint32_t inner = p->scope;
    struct symbol *result = holder.parameters ? holder.parameter[0] : NULL;
    p->scope = outer;
    struct function *f = function_new(p, name, entry);
    p->scope = inner;
    if (!f)
        return false;
    /* Keep the stack of declarations in order: what is outside stays below what scope_close removes. */
    for (uint32_t i = p->declared_count; i > 1 && p->declared[i - 1]->scope == outer && p->declared[i - 2]->scope == inner; i--) {
        struct symbol *swap = p->declared[i - 1];
        p->declared[i - 1] = p->declared[i - 2];
        p->declared[i - 2] = swap;
    }
    f->result = result;
    p->function = f;
    p->register_room = 0;
    if ((result && !parse_place(p, result)) || !parse_parameters(p, f) || !parse_function_directives(p, f))
        return false;
    if (!lex_take(p, ';')) {
        f->defined = true;
        if (!lex_expect(p, '{') || !parse_body(p))
            return false;
    }
    p->function = NULL;
    scope_close(p);
    return true;
}

static bool skip_section(struct parser *p)
{
    if (!lex_word(p))
        return ptx_fail(p->error, p->line, ".section without a name");
    if (!lex_expect(p, '{'))
        return false;
    for (; p->at < p->end && *p->at != '}'; p->at++)
        p->line += *p->at == '\n';
    return lex_expect(p, '}');
}

static bool parse_top(struct parser *p)
{
    bool is_extern = false;
    const char *word;
    while (lex_peek(p)) {
        word = lex_word(p);
        char text[80];
        if (!word)
            return ptx_fail(p->error, p->line, "not PTX: %s", lex_line(p->at, p->end, text, sizeof text));
        if (strcmp(word, ".visible") == 0 || strcmp(word, ".weak") == 0 || strcmp(word, ".common") == 0)
            continue;
        if (strcmp(word, ".extern") == 0) {
            is_extern = true;
            continue;
        }
        if (strcmp(word, ".entry") == 0 || strcmp(word, ".func") == 0) {
            if (!parse_function(p, word[1] == 'e'))
                return false;
        } else if (strcmp(word, ".global") == 0 || strcmp(word, ".const") == 0 || strcmp(word, ".shared") == 0) {
            enum ptx_space space = word[1] == 'g' ? SPACE_GLOBAL : word[1] == 'c' ? SPACE_CONST : SPACE_SHARED;
            if (!parse_variable(p, space, is_extern) || !lex_expect(p, ';'))
                return false;
        } else if (strcmp(word, ".file") == 0 || strcmp(word, ".loc") == 0) {
            lex_skip_line(p);
        } else if (strcmp(word, ".section") == 0) {
            if (!skip_section(p))
                return false;
        } else if (strcmp(word, ".pragma") == 0) {
            if (!lex_string(p) || !lex_expect(p, ';'))
                return false;
        } else {
            return ptx_fail(p->error, p->line, "unknown directive: %s", word);
        }
        is_extern = false;
    }
    return true;
}

static bool parse_all(struct parser *p)
{
    p->buckets = ptx_arena(p->module, SYMBOL_BUCKETS * sizeof *p->buckets);
    if (!p->buckets)
        return ptx_fail(p->error, 0, "out of memory");
    return parse_header(p) && parse_top(p) && parse_link(p) && ptx_decode_module(p->module, p->end, p->error);
}

int ptx_module_parse(const char *text, size_t size, struct ptx_memory *memory, struct ptx_module **out, struct ptx_error *error)
{
    struct ptx_error unused;
    struct parser p = {.line = 1, .error = error ? error : &unused};
    *out = NULL;
    memset(p.error, 0, sizeof *p.error);
    while (size > 0 && text[size - 1] == '\0')
        size--;
    if (size > LONGEST_TEXT)
        return ptx_fail(p.error, 0, "a PTX text of %zu bytes: more than %zu are not read", size, LONGEST_TEXT), 1;
    p.module = calloc(1, sizeof *p.module);
    if (!p.module)
        return ptx_fail(p.error, 0, "out of memory"), 1;
    p.module->memory = memory;
    char *copy = ptx_arena(p.module, size + 1); /* faults quote the text later on */
    if (!copy) {
        ptx_module_free(p.module);
        return ptx_fail(p.error, 0, "out of memory"), 1;
    }
    memcpy(copy, text, size);
    p.at = copy;
    p.end = copy + size;
    if (!parse_all(&p)) {
        ptx_module_free(p.module);
        return 1;
    }
    *out = p.module;
    return 0;
}

int ptx_module_version(const struct ptx_module *m) { return m->version; }
int ptx_module_target(const struct ptx_module *m) { return m->target; }
int ptx_module_kernels(const struct ptx_module *m) { return (int)m->kernel_count; }
const struct ptx_kernel_info *ptx_kernel_info(const struct ptx_kernel *kernel) { return &kernel->info; }

const struct ptx_kernel *ptx_module_kernel_at(const struct ptx_module *m, int index)
{
    return index >= 0 && (uint32_t)index < m->kernel_count ? m->kernels[index] : NULL;
}

const struct ptx_kernel *ptx_module_kernel(const struct ptx_module *m, const char *name)
{
    for (uint32_t i = 0; i < m->kernel_count; i++)
        if (strcmp(m->kernels[i]->info.name, name) == 0)
            return m->kernels[i];
    return NULL;
}

const struct ptx_variable *ptx_module_variable(const struct ptx_module *m, const char *name)
{
    for (uint32_t i = 0; i < m->variable_count; i++)
        if (strcmp(m->public_variables[i].name, name) == 0)
            return &m->public_variables[i];
    return NULL;
}

void ptx_module_free(struct ptx_module *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; i < m->variable_count; i++)
        if (m->variables[i]->address)
            ptx_free(m->memory, m->variables[i]->address, NULL);
    for (uint32_t i = 0; i < m->kernel_count; i++)
        ptx_kernel_release(m->kernels[i]);
    for (struct arena_chunk *c = m->arena, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(m);
}
