/* The option parser. */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

enum { WORD = 48, HELP_COLUMN = 26 };

/* ---- Did you mean ------------------------------------------------------------------------------- */

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Letters to insert, delete, replace, or swap with a neighbour (Damerau's distance, without repeated edits). */
static int distance(const char *a, const char *b)
{
    int rows[3][WORD + 1], m = (int)strlen(a), n = (int)strlen(b);
    if (m > WORD || n > WORD)
        return WORD;
    for (int j = 0; j <= n; j++)
        rows[0][j] = j;
    for (int i = 1; i <= m; i++) {
        int *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            now[j] = least(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return rows[m % 3][n];
}

const char *nearest_word(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    int best_distance = 1 + (int)strlen(word) / 3;
    for (; *candidates; candidates++) {
        int d = distance(word, *candidates);
        if (d <= best_distance && (!best || d < best_distance)) {
            best = *candidates;
            best_distance = d;
        }
    }
    return best;
}

static void say_unknown(const char *typed, const struct option *table)
{
    const char *names[96];
    size_t count = 0;
    for (; table->name && count < sizeof names / sizeof *names - 1; table++)
        if (table->out)
            names[count++] = table->name;
    names[count] = NULL;
    const char *near = nearest_word(typed, names);
    if (near)
        say("there is no option --%s; is --%s meant?", typed, near);
    else
        say("there is no option --%s; --help lists them", typed);
}

/* ---- --help ------------------------------------------------------------------------------------- */

static void print_row(const struct option *row)
{
    char left[80];
    if (!row->out) {
        printf("\n%s\n", row->name);
        return;
    }
    int length = snprintf(left, sizeof left, "  %s%c%s--%s%s%s%s", row->letter ? "-" : "", row->letter ? row->letter : ' ',
                          row->letter ? ", " : "   ", row->name,
                          row->kind == OPTION_MAYBE ? "[="
                          : row->value              ? " "
                                                    : "",
                          row->value ? row->value : "", row->kind == OPTION_MAYBE ? "]" : "");
    printf("%-*s", HELP_COLUMN, left);
    if (length >= HELP_COLUMN)
        printf("\n%*s", HELP_COLUMN, "");
    for (const char *p = row->help; *p; p++) {
        putchar(*p);
        if (*p == '\n')
            printf("%*s", HELP_COLUMN, "");
    }
    putchar('\n');
}

static void print_help(const struct option *table, const struct command_help *help)
{
    printf("usage: osprey %s %s\n\n%s\n", help->name, help->usage, help->about);
    for (const struct option *row = table; row->name; row++)
        print_row(row);
    printf("  -h, --help              print this\n");
    if (help->notes)
        printf("\n%s\n", help->notes);
    printf("\n%s", exit_help);
}

/* ---- Parsing ------------------------------------------------------------------------------------ */

static bool parse_real(const char *text, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return *text && !*end && *text > ' ' && errno == 0 && isfinite(*out);
}

/* Digits only: strtol's blanks and signs are no sizes. */
static bool parse_count(const char *text, const char **end, long *out)
{
    char *stop;
    errno = 0;
    *out = strtol(text, &stop, 10);
    *end = stop;
    return *text >= '0' && *text <= '9' && errno == 0;
}

static bool parse_int(const char *text, const struct option *row, int *out)
{
    const char *end;
    long value;
    if (!parse_count(text, &end, &value) || *end || (double)value < row->min || (double)value > row->max)
        return false;
    *out = (int)value;
    return true;
}

static bool parse_size(const char *text, const struct option *row, struct option_size *out)
{
    const char *end;
    long height, width;
    if (!parse_count(text, &end, &height) || *end != 'x' || !parse_count(end + 1, &end, &width) || *end)
        return false;
    if ((double)height < row->min || (double)height > row->max || (double)width < row->min || (double)width > row->max)
        return false;
    *out = (struct option_size){(int)height, (int)width};
    return true;
}

static bool parse_bytes(const char *text, const struct option *row, double *out)
{
    static const struct {
        char letter;
        double bytes;
    } units[] = {{'K', 1e3}, {'M', 1e6}, {'G', 1e9}};
    size_t length = strlen(text);
    char number[32];
    double unit = 1;
    for (size_t i = 0; length && i < sizeof units / sizeof *units; i++)
        if (text[length - 1] == units[i].letter)
            unit = units[i].bytes;
    length -= unit > 1;
    if (length >= sizeof number)
        return false;
    memcpy(number, text, length);
    number[length] = 0;
    double value;
    if (!parse_real(number, &value) || value * unit < row->min || value * unit > row->max)
        return false;
    *out = value * unit;
    return true;
}

static int set_value(const struct option *row, const char *text)
{
    double real;
    switch (row->kind) {
    case OPTION_TEXT:
    case OPTION_MAYBE:
        *(const char **)row->out = text;
        return 0;
    case OPTION_INT:
        if (parse_int(text, row, row->out))
            return 0;
        say("--%s: found \"%s\", allowed is a whole number from %.0f to %.0f", row->name, text, row->min, row->max);
        return -1;
    case OPTION_SIZE:
        if (parse_size(text, row, row->out))
            return 0;
        say("--%s: found \"%s\", allowed is HEIGHTxWIDTH, each from %.0f to %.0f, as in 800x1088", row->name, text, row->min,
            row->max);
        return -1;
    case OPTION_BYTES:
        if (parse_bytes(text, row, row->out))
            return 0;
        say("--%s: found \"%s\", allowed are bytes, as 512M or 1G, from %.0f to %.0f", row->name, text, row->min, row->max);
        return -1;
    case OPTION_REAL:
        if (parse_real(text, &real) && real >= row->min && real <= row->max) {
            *(double *)row->out = real;
            return 0;
        }
        say("--%s: found \"%s\", allowed is a number from %g to %g", row->name, text, row->min, row->max);
        return -1;
    default:
        return -1; /* flags are set by their caller */
    }
}

static const struct option *find_long(const struct option *table, const char *name, size_t length)
{
    for (; table->name; table++)
        if (table->out && strlen(table->name) == length && strncmp(table->name, name, length) == 0)
            return table;
    return NULL;
}

static const struct option *find_letter(const struct option *table, char letter)
{
    for (; table->name; table++)
        if (table->out && table->letter && table->letter == letter)
            return table;
    return NULL;
}

/* argv[*at] starts with '-' and is longer. Moves *at past a value it takes. */
static int parse_one(char **argv, int argc, int *at, const struct option *table)
{
    const char *arg = argv[*at], *value = NULL;
    const struct option *row;
    if (arg[1] == '-') {
        size_t length = strcspn(arg + 2, "=");
        row = find_long(table, arg + 2, length);
        value = arg[2 + length] ? arg + 2 + length + 1 : NULL;
        if (!row) {
            char typed[WORD];
            snprintf(typed, sizeof typed, "%.*s", (int)(length < WORD ? length : WORD - 1), arg + 2);
            say_unknown(typed, table);
            return -1;
        }
    } else {
        row = find_letter(table, arg[1]);
        value = row && row->kind != OPTION_FLAG && arg[2] ? arg + 2 : NULL;
        if (!row || (arg[2] && !value)) {
            say("there is no option %s; --help lists them", arg);
            return -1;
        }
    }
    if (row->kind == OPTION_FLAG) {
        if (value)
            say("--%s takes no value", row->name);
        *(int *)row->out = 1;
        return value ? -1 : 0;
    }
    if (!value && row->kind == OPTION_MAYBE)
        value = "";
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value) {
        say("--%s wants a value: %s", row->name, row->value);
        return -1;
    }
    return set_value(row, value);
}

int options_parse(int argc, char **argv, const struct option *table, const struct command_help *help, char **rest,
                  int *rest_count)
{
    bool options = true;
    *rest_count = 0;
    for (int at = 1; at < argc; at++) {
        if (options && strcmp(argv[at], "--") == 0) {
            options = false;
        } else if (options && (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)) {
            print_help(table, help);
            return 1;
        } else if (options && argv[at][0] == '-' && argv[at][1]) {
            if (parse_one(argv, argc, &at, table) != 0)
                return -1;
        } else {
            rest[(*rest_count)++] = argv[at];
        }
    }
    return 0;
}
