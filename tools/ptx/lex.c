/* Characters to words and numbers. */
#include "module.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ptx_fail(struct ptx_error *error, int line, const char *format, ...)
{
    char text[400];
    va_list list;
    if (error->message[0] != '\0')
        return false;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    error->line = line;
    if (line > 0)
        snprintf(error->message, sizeof error->message, "line %d: %s", line, text);
    else
        snprintf(error->message, sizeof error->message, "%s", text);
    return false;
}

void lex_space(struct parser *p)
{
    while (p->at < p->end) {
        char c = *p->at;
        if (c == '\n') {
            p->line++;
            p->at++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            p->at++;
        } else if (c == '/' && p->end - p->at > 1 && p->at[1] == '/') {
            while (p->at < p->end && *p->at != '\n')
                p->at++;
        } else if (c == '/' && p->end - p->at > 1 && p->at[1] == '*') {
            p->at += 2;
            while (p->at < p->end && !(p->at[0] == '*' && p->end - p->at > 1 && p->at[1] == '/'))
                p->line += *p->at++ == '\n';
            p->at = p->end - p->at > 2 ? p->at + 2 : p->end;
        } else {
            break;
        }
    }
}

int lex_peek(struct parser *p)
{
    lex_space(p);
    return p->at < p->end ? (unsigned char)*p->at : 0;
}

bool lex_take(struct parser *p, char c)
{
    if (lex_peek(p) != (unsigned char)c)
        return false;
    p->at++;
    return true;
}

bool lex_expect(struct parser *p, char c)
{
    char text[80];
    if (lex_take(p, c))
        return true;
    return ptx_fail(p->error, p->line, "'%c' is missing before: %s", c, lex_line(p->at, p->end, text, sizeof text));
}

static bool word_start(char c) { return isalpha((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.'; }
static bool word_more(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '.' || c == '%'; }

/* The word at the cursor; "::" belongs to a word (".L2::128B"), ":" does not (a label). */
static size_t word_length(const char *at, const char *end)
{
    const char *w = at;
    if (w == end || !word_start(*w))
        return 0;
    while (w < end) {
        if (word_more(*w))
            w++;
        else if (end - w > 2 && w[0] == ':' && w[1] == ':' && word_more(w[2]))
            w += 2;
        else
            break;
    }
    return (size_t)(w - at);
}

const char *lex_word(struct parser *p)
{
    lex_space(p);
    size_t length = word_length(p->at, p->end);
    if (length == 0)
        return NULL;
    if (length > 4096) {
        ptx_fail(p->error, p->line, "a word of %zu characters", length);
        return NULL;
    }
    char *word = ptx_arena(p->module, length + 1);
    if (!word) {
        ptx_fail(p->error, p->line, "out of memory");
        return NULL;
    }
    memcpy(word, p->at, length);
    word[length] = '\0';
    p->at += length;
    return word;
}

bool lex_word_is(struct parser *p, const char *word)
{
    lex_space(p);
    size_t length = word_length(p->at, p->end);
    if (length != strlen(word) || memcmp(p->at, word, length) != 0)
        return false;
    p->at += length;
    return true;
}

static bool hex_bits(struct parser *p, int digits, uint64_t *bits)
{
    *bits = 0;
    for (int i = 0; i < digits; i++) {
        if (p->at + i >= p->end || !isxdigit((unsigned char)p->at[i]))
            return ptx_fail(p->error, p->line, "a floating-point constant needs %d hexadecimal digits", digits);
        char c = p->at[i];
        *bits = *bits * 16 + (uint64_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    p->at += digits;
    return true;
}

bool lex_number(struct parser *p, struct operand *out)
{
    char text[80];
    lex_space(p);
    bool minus = lex_take(p, '-');
    lex_space(p);
    const char *at = p->at;
    uint64_t bits;
    if (p->end - at > 2 && at[0] == '0' && ((at[1] | 32) == 'f' || (at[1] | 32) == 'd')) {
        bool single = (at[1] | 32) == 'f';
        p->at += 2;
        if (!hex_bits(p, single ? 8 : 16, &bits))
            return false;
        out->kind = single ? OPERAND_FLOAT : OPERAND_DOUBLE;
        out->value = (int64_t)(minus ? bits ^ (single ? 1ull << 31 : 1ull << 63) : bits);
        return true;
    }
    size_t length = 0;
    while (at + length < p->end && length < sizeof text - 1 &&
           (isalnum((unsigned char)at[length]) || at[length] == '.' ||
            ((at[length] == '-' || at[length] == '+') && length > 0 && (at[length - 1] | 32) == 'e' && (at[1] | 32) != 'x'))) {
        text[length] = at[length];
        length++;
    }
    text[length] = '\0';
    if (length == 0 || !isdigit((unsigned char)text[0]))
        return ptx_fail(p->error, p->line, "a number is missing before: %s", lex_line(at, p->end, text, sizeof text));
    char *stop;
    bool hex = text[0] == '0' && (text[1] | 32) == 'x', binary = text[0] == '0' && (text[1] | 32) == 'b';
    if (!hex && (strchr(text, '.') || strpbrk(text, "eE"))) {
        double value = strtod(text, &stop);
        value = minus ? -value : value;
        memcpy(&out->value, &value, sizeof value);
        out->kind = OPERAND_DOUBLE;
    } else {
        bits = binary ? strtoull(text + 2, &stop, 2) : strtoull(text, &stop, 0);
        out->value = (int64_t)(minus ? 0 - bits : bits);
        out->kind = OPERAND_INTEGER;
        if (*stop == 'U')
            stop++;
    }
    if (*stop != '\0')
        return ptx_fail(p->error, p->line, "not a number: %s", text);
    p->at += length;
    return true;
}

bool lex_count(struct parser *p, uint64_t most, uint64_t *out, const char *what)
{
    struct operand number = {0};
    if (!lex_number(p, &number))
        return false;
    if (number.kind != OPERAND_INTEGER || number.value < 0 || (uint64_t)number.value > most)
        return ptx_fail(p->error, p->line, "%s must be a whole number from 0 to %llu", what, (unsigned long long)most);
    *out = (uint64_t)number.value;
    return true;
}

bool lex_string(struct parser *p)
{
    if (!lex_expect(p, '"'))
        return false;
    while (p->at < p->end && *p->at != '"' && *p->at != '\n')
        p->at++;
    return lex_expect(p, '"');
}

void lex_skip_line(struct parser *p)
{
    while (p->at < p->end && *p->at != '\n')
        p->at++;
}

const char *lex_line(const char *text, const char *end, char *out, size_t room)
{
    size_t n = 0;
    bool space = false;
    for (; text < end && n + 2 < room; text++) {
        if (isspace((unsigned char)*text)) {
            if (*text == '\n' && n == 0)
                break;
            space = n > 0;
            continue;
        }
        if (space)
            out[n++] = ' ';
        space = false;
        out[n++] = isprint((unsigned char)*text) ? *text : '?';
        if (*text == ';')
            break;
    }
    out[n] = '\0';
    return out;
}
