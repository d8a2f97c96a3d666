/* Names: one hash table for a module; the innermost and latest declaration of a name is found first. */
#include "module.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

uint32_t ptx_hash(const char *name, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash;
}

bool ptx_grow(struct parser *p, void *list, uint32_t count, uint32_t *room, size_t each)
{
    void *old = *(void **)list;
    if (count < *room)
        return true;
    uint32_t more = *room ? 2 * *room : 16;
    void *bigger = ptx_arena(p->module, more * each);
    if (!bigger)
        return ptx_fail(p->error, p->line, "out of memory");
    if (count)
        memcpy(bigger, old, count * each);
    memcpy(list, &bigger, sizeof bigger);
    *room = more;
    return true;
}

static struct symbol **bucket(struct parser *p, const char *name, size_t length)
{
    return &p->buckets[ptx_hash(name, length) % SYMBOL_BUCKETS];
}

static struct symbol *exact(struct parser *p, const char *name, size_t length, enum symbol_kind only)
{
    for (struct symbol *s = *bucket(p, name, length); s; s = s->next)
        if (strncmp(s->name, name, length) == 0 && s->name[length] == '\0' && (s->kind == SYMBOL_RANGE) == (only == SYMBOL_RANGE))
            return s;
    return NULL;
}

/* "%r12" is the register of that name, or number 12 of the range "%r<20>": whichever was declared last. */
struct symbol *symbol_find(struct parser *p, const char *name, uint32_t *reg)
{
    size_t length = strlen(name), digits = length;
    struct symbol *found = exact(p, name, length, SYMBOL_VARIABLE);
    if (found && found->kind == SYMBOL_REGISTER)
        *reg = found->reg;
    while (digits > 0 && isdigit((unsigned char)name[digits - 1]))
        digits--;
    if (digits == length || length - digits > 9 || (name[digits] == '0' && length - digits > 1))
        return found;
    struct symbol *range = exact(p, name, digits, SYMBOL_RANGE);
    uint32_t number = (uint32_t)strtoul(name + digits, NULL, 10);
    if (!range || number >= range->count || (found && found->serial > range->serial))
        return found;
    *reg = range->reg + number;
    return range;
}

struct symbol *symbol_declare(struct parser *p, const char *name, enum symbol_kind kind)
{
    struct symbol *old = exact(p, name, strlen(name), kind);
    struct symbol *s = ptx_arena(p->module, sizeof *s);
    struct symbol **head = bucket(p, name, strlen(name));
    if (old && old->scope == p->scope) {
        ptx_fail(p->error, p->line, "%s is declared twice", name);
        return NULL;
    }
    if (!s || !ptx_grow(p, &p->declared, p->declared_count, &p->declared_room, sizeof *p->declared)) {
        ptx_fail(p->error, p->line, "out of memory");
        return NULL;
    }
    s->name = name;
    s->kind = kind;
    s->serial = ++p->serial;
    s->scope = p->scope;
    s->next = *head;
    *head = s;
    p->declared[p->declared_count++] = s;
    return s;
}

bool scope_open(struct parser *p)
{
    if (p->depth == sizeof p->scope_stack / sizeof *p->scope_stack)
        return ptx_fail(p->error, p->line, "more than %u blocks in one another", p->depth);
    p->scope_stack[p->depth++] = p->scope;
    p->scope = ++p->next_scope;
    return true;
}

void scope_close(struct parser *p)
{
    while (p->declared_count > 0 && p->declared[p->declared_count - 1]->scope == p->scope) {
        struct symbol *s = p->declared[--p->declared_count];
        *bucket(p, s->name, strlen(s->name)) = s->next;
    }
    p->scope = p->scope_stack[--p->depth];
}

struct label *label_find(const struct function *f, const char *name)
{
    for (struct label *l = f->labels[ptx_hash(name, strlen(name)) % BUCKETS]; l; l = l->next)
        if (strcmp(l->name, name) == 0)
            return l;
    return NULL;
}

struct label *label_add(struct parser *p, const char *name)
{
    struct function *f = p->function;
    if (label_find(f, name)) {
        ptx_fail(p->error, p->line, "the label %s stands twice in %s", name, f->name);
        return NULL;
    }
    struct label *l = ptx_arena(p->module, sizeof *l);
    if (!l) {
        ptx_fail(p->error, p->line, "out of memory");
        return NULL;
    }
    struct label **head = &f->labels[ptx_hash(name, strlen(name)) % BUCKETS];
    l->name = name;
    l->statement = f->statements;
    l->next = *head;
    *head = l;
    return l;
}
