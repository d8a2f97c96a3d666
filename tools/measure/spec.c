#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "tools/tools.h"

enum { MOST_WORDS = 64, NAMES = 512, MOST_THREADS = 1024, MOST_DEVICES = 256 };

struct parse {
    struct spec *spec;
    char *word[MOST_WORDS];
    int count;
    FILE *use, *kernels;
};

/* ---- What there is -------------------------------------------------------------------------------- */

static void add_name(char names[NAMES], const char *name)
{
    size_t at = strlen(names), length = strlen(name);
    for (const char *found = names; (found = strstr(found, name)) != NULL; found += length)
        if ((found == names || found[-1] == ' ') && (found[length] == ',' || !found[length]))
            return;
    snprintf(names + at, NAMES - at, "%s%s", at ? ", " : "", name);
}

static osp_status no_backend(const char *word)
{
    char names[NAMES] = "";
    for (int i = 0; osp_backend_name(i); i++)
        add_name(names, osp_backend_name(i));
    return osp_fail(OSP_USAGE, "no backend is called '%s'; there is %s", word, names);
}

static bool has_backend(const char *word)
{
    int i = 0;
    while (osp_backend_name(i) && strcmp(osp_backend_name(i), word) != 0)
        i++;
    return osp_backend_name(i);
}

static bool has_op(const char *word)
{
    int i = 0;
    while (osp_op_word(i) && strcmp(osp_op_word(i), word) != 0)
        i++;
    return osp_op_word(i);
}

static bool has_rung(const char *backend, const char *op, const char *rung)
{
    int i = 0;
    while (osp_backend_rung(backend, op, i) && strcmp(osp_backend_rung(backend, op, i), rung) != 0)
        i++;
    return osp_backend_rung(backend, op, i);
}

static osp_status no_rung(const char *backend, const char *op, const char *rung)
{
    char names[NAMES] = "";
    for (int i = 0; osp_backend_rung(backend, op, i); i++)
        add_name(names, osp_backend_rung(backend, op, i));
    return osp_fail(OSP_USAGE, "%s has no rung '%s' on backend %s; there are %s", op, rung, backend, *names ? names : "none");
}

static osp_status no_word(const char *backend, const char *word)
{
    char names[NAMES] = "";
    for (int op = 0; osp_op_word(op); op++)
        for (int i = 0; osp_backend_rung(backend, osp_op_word(op), i); i++)
            add_name(names, osp_backend_rung(backend, osp_op_word(op), i));
    return osp_fail(OSP_USAGE,
                    "'%s' is no rung of backend %s, nor a setting; there are the rungs %s, OP=RUNG, and threads=N, isa=X, "
                    "driver=PATH, device=N, emu=MODE, "
                    "precision=X, tuned, tuned=F, pack-cache, pack-cache=F, graph, whole",
                    word, backend, names);
}

/* ---- Words ---------------------------------------------------------------------------------------- */

static osp_status set_number(const char *key, const char *value, int least, int most, int *out)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || number < least || number > most)
        return osp_fail(OSP_USAGE, "%s=%s; allowed is a whole number from %d to %d", key, value, least, most);
    *out = (int)number;
    return OSP_OK;
}

static osp_status set_option(struct osp_session_options *options, const char *key, const char *value, bool *known)
{
    const struct {
        const char *key;
        const char **out;
    } texts[] = {{"isa", &options->isa},     {"driver", &options->driver},
                 {"emu", &options->emu},     {"precision", &options->precision},
                 {"tuned", &options->tuned}, {"pack-cache", &options->pack_cache}};
    *known = true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!strcmp(key, texts[i].key)) {
            *texts[i].out = value;
            return *value ? OSP_OK : osp_fail(OSP_USAGE, "%s= wants a value", key);
        }
    }
    if (!strcmp(key, "threads"))
        return set_number(key, value, 1, MOST_THREADS, &options->threads);
    if (!strcmp(key, "device"))
        return set_number(key, value, 0, MOST_DEVICES - 1, &options->device);
    *known = false;
    return OSP_OK;
}

static osp_status check_precision(const struct osp_session_options *options)
{
    char names[NAMES] = "";
    int i = 0;
    for (; osp_backend_precision(options->backend, i); i++) {
        if (!options->precision || !strcmp(options->precision, osp_backend_precision(options->backend, i)))
            return OSP_OK;
        add_name(names, osp_backend_precision(options->backend, i));
    }
    return osp_fail(OSP_USAGE, "precision=%s; backend %s has %s", options->precision, options->backend, names);
}

/* OP=RUNG, of a node where one is given; OP=RUNG?: where it does not refuse. */
static osp_status add_pin(struct parse *parse, const char *node, const char *op, char *rung)
{
    const char *backend = parse->spec->options.backend;
    char *soft = strchr(rung, '?');
    if (soft && soft[1] == 0)
        *soft = 0;
    if (!has_rung(backend, op, rung))
        return no_rung(backend, op, rung);
    FILE *streams[] = {parse->use, parse->kernels};
    for (int i = 0; i < 2; i++)
        fprintf(streams[i], "%s%s%s%s=%s%s", ftell(streams[i]) ? "," : "", node ? node : "", node ? ":" : "", op, rung,
                soft ? "?" : "");
    return OSP_OK;
}

/* Cuts "KEY=VALUE" apart; NULL: it has no '='. */
static char *value_of(char *word)
{
    char *equals = strchr(word, '=');
    if (equals)
        *equals = 0;
    return equals ? equals + 1 : NULL;
}

/* Does some op have this rung? Then, with a stream, pins them. */
static bool pin_everywhere(const char *backend, const char *rung, FILE *use)
{
    bool any = false;
    for (int op = 0; osp_op_word(op); op++) {
        if (!has_rung(backend, osp_op_word(op), rung))
            continue;
        any = true;
        if (use)
            fprintf(use, "%s%s=%s?", ftell(use) ? "," : "", osp_op_word(op), rung);
    }
    return any;
}

/* All words but rungs for every op: those come last in --use, where an earlier pin goes before a later one. */
static osp_status read_words(struct parse *parse, bool rung[MOST_WORDS])
{
    struct osp_session_options *options = &parse->spec->options;
    for (int i = 1; i < parse->count; i++) {
        char *word = parse->word[i], *node = NULL, *value = value_of(word);
        bool known = false;
        osp_status status = OSP_OK;
        if (!value && !strcmp(word, "graph")) {
            options->graph = 1;
            continue;
        }
        if (!value && !strcmp(word, "whole")) {
            options->whole = 1;
            continue;
        }
        if (!value && (!strcmp(word, "tuned") || !strcmp(word, "pack-cache"))) {
            *(*word == 't' ? &options->tuned : &options->pack_cache) = "";
            continue;
        }
        rung[i] = !value && pin_everywhere(options->backend, word, NULL);
        if (rung[i])
            continue;
        if (!value && i + 1 < parse->count && strchr(parse->word[i + 1], '=')) {
            node = word;
            word = parse->word[++i];
            value = value_of(word);
        }
        if (value && !node)
            status = set_option(options, word, value, &known);
        if (status)
            return status;
        if (known)
            continue;
        if (!value || !has_op(word))
            return no_word(options->backend, node ? node : word);
        if ((status = add_pin(parse, node, word, value)))
            return status;
    }
    return OSP_OK;
}

static osp_status read_all(struct parse *parse)
{
    bool rung[MOST_WORDS] = {false};
    for (char *rest = parse->spec->words, *word; (word = strsep(&rest, ":")) != NULL;) {
        if (parse->count == MOST_WORDS)
            return osp_fail(OSP_USAGE, "%s: more than %d words", parse->spec->name, MOST_WORDS);
        parse->word[parse->count++] = word;
    }
    parse->spec->options.backend = parse->word[0];
    if (!has_backend(parse->word[0]))
        return no_backend(parse->word[0]);
    osp_status status = read_words(parse, rung);
    if (!status)
        status = check_precision(&parse->spec->options);
    for (int i = 1; !status && i < parse->count; i++) {
        if (!rung[i])
            continue;
        pin_everywhere(parse->word[0], parse->word[i], parse->use);
        fprintf(parse->kernels, "%s%s", ftell(parse->kernels) ? "," : "", parse->word[i]);
    }
    return status;
}

osp_status spec_parse(const char *text, struct spec *out)
{
    struct spec spec = {.name = strdup(text), .words = strdup(text)};
    struct parse parse = {.spec = &spec};
    size_t size;
    parse.use = open_memstream(&spec.use, &size);
    parse.kernels = open_memstream(&spec.kernels, &size);
    osp_status status = spec.name && spec.words && parse.use && parse.kernels
                            ? read_all(&parse)
                            : osp_fail(OSP_MEMORY, "out of memory for a column's name");
    bool lost = parse.use && fclose(parse.use) != 0;
    lost = (parse.kernels && fclose(parse.kernels) != 0) || lost;
    if (!status && lost)
        status = osp_fail(OSP_MEMORY, "out of memory for a column's name");
    spec.options.use = spec.use;
    if (status)
        spec_free(&spec);
    else
        *out = spec;
    return status;
}

void spec_free(struct spec *spec)
{
    free(spec->name);
    free(spec->kernels);
    free(spec->words);
    free(spec->use);
    *spec = (struct spec){0};
}
