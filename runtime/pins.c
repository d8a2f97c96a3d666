/* --use and --precision: which rungs the user pins, and of which precision the others shall be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

const struct osp_ladder *osp_backend_ladder(const struct osp_backend *backend, enum osp_op op, const char **owner)
{
    for (; backend; backend = backend->base)
        if (backend->ops[op]) {
            *owner = backend->name;
            return backend->ops[op];
        }
    return NULL;
}

const struct osp_kernel *osp_backend_kernel(const struct osp_backend *backend, enum osp_op op, int i, const char **owner)
{
    for (; backend; backend = backend->base) {
        const struct osp_ladder *ladder = backend->ops[op];
        if (!ladder)
            continue;
        *owner = backend->name;
        if (i < ladder->count)
            return ladder->rungs[i];
        i -= ladder->count;
    }
    return NULL;
}

static int has_op(const struct osp_graph *graph, enum osp_op op)
{
    int i = 0;
    while (i < graph->node_count && graph->nodes[i].op != op)
        i++;
    return i < graph->node_count;
}

/* The ops of the network; without one, all that there are. */
static const char *list_ops(const struct osp_graph *graph, char names[256])
{
    int at = 0;
    names[0] = 0;
    for (int op = 0; op < OSP_OP_COUNT && at < 256; op++)
        if (!graph || has_op(graph, (enum osp_op)op))
            at += snprintf(names + at, 256 - (size_t)at, "%s%s", at ? ", " : "", osp_op_name((enum osp_op)op));
    return names;
}

static osp_status no_such_op(const char *op)
{
    char names[256];
    return osp_fail(OSP_USAGE, "no op is called '%s'; there are %s", op, list_ops(NULL, names));
}

static osp_status not_in_network(const struct osp_graph *graph, const char *op, const char *rung)
{
    char names[256];
    return osp_fail(OSP_USAGE, "'%s=%s' pins nothing: the network has no %s; it has %s", op, rung, op, list_ops(graph, names));
}

static osp_status no_such_rung(const struct osp_ladder *ladder, const char *backend, const char *op, const char *rung)
{
    char names[256];
    size_t at = 0;
    for (int i = 0; i < ladder->count && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", ladder->rungs[i]->name);
    return osp_fail(OSP_USAGE, "%s has no rung '%s' on backend %s; there are %s", op, rung, backend, names);
}

/* One "[NODE:]OP=RUNG[?]", which it may cut apart. */
static osp_status parse_one(char *text, const struct osp_graph *graph, const struct osp_backend *backend, struct osp_pin *out)
{
    char *equals = strchr(text, '=');
    if (!equals)
        return osp_fail(OSP_USAGE, "'%s' pins nothing: write OP=RUNG or NODE:OP=RUNG", text);
    *equals = 0;
    size_t end = strlen(equals + 1);
    int soft = end && equals[end] == '?';
    if (soft)
        equals[end] = 0;
    char *colon = strrchr(text, ':'), *name = colon ? colon + 1 : text;
    int op = osp_op_find(name);
    if (op < 0)
        return no_such_op(name);
    *out = (struct osp_pin){.node = -1, .op = (enum osp_op)op, .rung = -1, .soft = soft};
    if (colon) {
        *colon = 0;
        out->node = osp_graph_find(graph, text);
        if (out->node < 0)
            return osp_fail(OSP_USAGE, "the network has no node '%s' (osprey info --layers lists them)", text);
        if (graph->nodes[out->node].op != out->op)
            return osp_fail(OSP_USAGE, "node '%s' is a %s, not a %s", text, osp_op_name(graph->nodes[out->node].op), name);
    }
    if (!soft && !has_op(graph, out->op))
        return not_in_network(graph, name, equals + 1);
    const char *owner;
    const struct osp_ladder *ladder = osp_backend_ladder(backend, out->op, &owner);
    if (!ladder)
        return osp_fail(OSP_USAGE, "backend %s has no %s", backend->name, name);
    for (int i = 0; i < ladder->count; i++)
        if (!strcmp(ladder->rungs[i]->name, equals + 1))
            out->rung = i;
    return out->rung < 0 ? no_such_rung(ladder, owner, name, equals + 1) : OSP_OK;
}

osp_status osp_pins_parse(const char *use, const struct osp_graph *graph, const struct osp_backend *backend, struct osp_pins *out)
{
    *out = (struct osp_pins){0};
    if (!use || !*use)
        return OSP_OK;
    int most = 1;
    for (const char *c = use; *c; c++)
        most += *c == ',';
    char *copy = strdup(use), *rest = copy;
    out->pin = calloc((size_t)most, sizeof *out->pin);
    osp_status status = copy && out->pin ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory for %d pins", most);
    for (char *one; !status && (one = strsep(&rest, ",")) != NULL;)
        if (!(status = parse_one(one, graph, backend, &out->pin[out->count])))
            out->count++;
    free(copy);
    if (status)
        osp_pins_free(out);
    return status;
}

void osp_pins_free(struct osp_pins *pins)
{
    free(pins->pin);
    osp_tune_close(pins->tune);
    *pins = (struct osp_pins){0};
}

/* ---- Precision ------------------------------------------------------------------------------------ */

static const char *const precisions[OSP_PRECISION_COUNT] = {"f32", "tf32", "f16", "bf16"};

const char *osp_precision_name(enum osp_precision precision) { return precisions[precision]; }

static int has_precision(const struct osp_backend *backend, int precision)
{
    const char *owner;
    for (int op = 0; op < OSP_OP_COUNT; op++) {
        const struct osp_ladder *ladder = osp_backend_ladder(backend, (enum osp_op)op, &owner);
        for (int i = 0; ladder && i < ladder->count; i++)
            if ((int)ladder->rungs[i]->precision == precision)
                return 1;
    }
    return 0;
}

osp_status osp_precision_parse(const char *text, const struct osp_backend *backend, enum osp_precision *out)
{
    char names[64] = "";
    *out = OSP_PRECISION_F32;
    for (int i = 0; i < OSP_PRECISION_COUNT; i++) {
        if (!has_precision(backend, i))
            continue;
        if (!text || !strcmp(text, precisions[i])) {
            *out = text ? (enum osp_precision)i : OSP_PRECISION_F32;
            return OSP_OK;
        }
        size_t at = strlen(names);
        snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", precisions[i]);
    }
    return osp_fail(OSP_USAGE, "precision '%s'; backend %s has %s", text ? text : "f32", backend->name, names);
}
