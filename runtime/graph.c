#include "graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "constant.h"
#include "shape.h"

/* Makes room for `more` further elements, doubling as needed; 0 when there is no memory. */
static int grow(void **array, int count, int more, size_t element)
{
    int before = count ? 1 : 0, after = 1;
    while (before && before < count)
        before *= 2;
    while (after < count + more)
        after *= 2;
    if (count && before >= count + more)
        return 1;
    void *grown = realloc(*array, (size_t)after * element);
    if (grown)
        *array = grown;
    return grown != NULL;
}

static void stick(struct osp_graph *graph, osp_status status)
{
    if (graph->failed)
        return;
    graph->failed = status;
    snprintf(graph->sentence, sizeof graph->sentence, "%s", osp_message());
}

static void stick_memory(struct osp_graph *graph)
{
    stick(graph, osp_fail(OSP_MEMORY, "out of memory while the network is built"));
}

osp_status osp_graph_new(const struct osp_safetensors *file, struct osp_graph **out)
{
    struct osp_graph *graph = calloc(1, sizeof *graph);
    struct osp_graph_value *values = calloc(OSP_GRAPH_INPUTS, sizeof *values);
    if (!graph || !values) {
        free(graph);
        free(values);
        return osp_fail(OSP_MEMORY, "out of memory while the network is built");
    }
    values[OSP_VALUE_PIXELS].node = values[OSP_VALUE_IMAGES].node = -1;
    graph->file = file;
    graph->values = values;
    graph->value_count = OSP_GRAPH_INPUTS;
    graph->stage = "";
    *out = graph;
    return OSP_OK;
}

void osp_graph_free(struct osp_graph *graph)
{
    if (!graph)
        return;
    for (int i = 0; i < graph->node_count; i++)
        free(graph->nodes[i].name);
    for (int i = 0; i < graph->constant_count; i++)
        osp_constant_free(graph->constants[i]);
    free(graph->nodes);
    free(graph->values);
    free(graph->constants);
    free(graph->used);
    free(graph);
}

void osp_graph_stage(struct osp_graph *graph, const char *stage) { graph->stage = stage; }
osp_value osp_graph_pixels(struct osp_graph *graph) { return OSP_VALUE_PIXELS; }
osp_value osp_graph_images(struct osp_graph *graph) { return OSP_VALUE_IMAGES; }
int osp_graph_failed(const struct osp_graph *graph) { return graph->failed != OSP_OK; }
const char *osp_graph_path(const struct osp_graph *graph) { return osp_safetensors_path(graph->file); }

osp_status osp_graph_finish(struct osp_graph *graph)
{
    return graph->failed ? osp_fail(graph->failed, "%s", graph->sentence) : OSP_OK;
}

void osp_graph_fail(struct osp_graph *graph, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    stick(graph, osp_fail(OSP_REFUSED, "%s", sentence));
}

/* ---- Constants ---------------------------------------------------------------------------------- */

static osp_weight add_constant(struct osp_graph *graph, struct osp_constant *constant)
{
    if (!grow((void **)&graph->constants, graph->constant_count, 1, sizeof *graph->constants)) {
        osp_constant_free(constant);
        stick_memory(graph);
        return OSP_NONE;
    }
    graph->constants[graph->constant_count] = constant;
    return graph->constant_count++;
}

/* "[64,3,7,7]" */
static void print_dims(char *text, size_t size, const int64_t *dim, int rank)
{
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", i ? "," : "", (long long)dim[i]);
    if (at < size)
        snprintf(text + at, size - at, "]");
}

/* The tensor of this name, if it is there with exactly these sizes and floating-point; else sticks and returns NULL. */
static const struct osp_stored_tensor *find_tensor(struct osp_graph *graph, const char *name, const int64_t *dim, int rank)
{
    const char *path = osp_safetensors_path(graph->file);
    const struct osp_stored_tensor *t = osp_safetensors_find(graph->file, name);
    if (!t) {
        osp_graph_fail(graph, "%s: tensor '%s': missing; the network needs it", path, name);
        return NULL;
    }
    if (t->type != OSP_STORED_F32 && t->type != OSP_STORED_F16 && t->type != OSP_STORED_BF16) {
        osp_graph_fail(graph, "%s: tensor '%s': type %s; allowed are F32, F16 and BF16", path, name, osp_stored_name(t->type));
        return NULL;
    }
    if (t->rank != rank || memcmp(t->dim, dim, (size_t)rank * sizeof *dim)) {
        char found[256], wanted[128];
        print_dims(found, sizeof found, t->dim, t->rank);
        print_dims(wanted, sizeof wanted, dim, rank);
        osp_graph_fail(graph, "%s: tensor '%s': shape %s; the network needs %s", path, name, found, wanted);
        return NULL;
    }
    if (!grow((void **)&graph->used, graph->used_count, 1, sizeof *graph->used)) {
        stick_memory(graph);
        return NULL;
    }
    graph->used[graph->used_count++] = t;
    return t;
}

osp_weight osp_graph_weight(struct osp_graph *graph, const char *name, const int64_t dims[4], const double *scale, const int *chw)
{
    if (graph->failed)
        return OSP_NONE;
    struct osp_shape shape = {0};
    while (shape.rank < OSP_MAX_RANK && dims[shape.rank] > 0) {
        shape.dim[shape.rank] = dims[shape.rank];
        shape.rank++;
    }
    const struct osp_stored_tensor *stored = find_tensor(graph, name, shape.dim, shape.rank);
    if (!stored)
        return OSP_NONE;
    struct osp_constant *constant;
    osp_status status = osp_constant_from(stored, &shape, scale, chw ? chw[0] : 0, chw ? chw[1] * chw[2] : 0, &constant);
    if (status) {
        stick(graph, status);
        return OSP_NONE;
    }
    return add_constant(graph, constant);
}

osp_weight osp_graph_vector(struct osp_graph *graph, const float *data, int64_t n)
{
    if (graph->failed)
        return OSP_NONE;
    struct osp_constant *constant;
    osp_status status = osp_constant_new(data, &(struct osp_shape){1, {n}}, &constant);
    if (status) {
        stick(graph, status);
        return OSP_NONE;
    }
    return add_constant(graph, constant);
}

int osp_graph_read(struct osp_graph *graph, const char *name, int64_t n, float *out)
{
    if (graph->failed)
        return -1;
    const struct osp_stored_tensor *t = find_tensor(graph, name, &n, 1);
    if (!t)
        return -1;
    osp_stored_read(t, 0, (uint64_t)n, out);
    return 0;
}

int osp_graph_uses(const struct osp_graph *graph, const char *name)
{
    const struct osp_stored_tensor *t = osp_safetensors_find(graph->file, name);
    for (int i = 0; t && i < graph->used_count; i++)
        if (graph->used[i] == t)
            return 1;
    return 0;
}

int osp_graph_has(const struct osp_graph *graph, const char *name) { return osp_safetensors_find(graph->file, name) != NULL; }

/* ---- Nodes -------------------------------------------------------------------------------------- */

int osp_graph_find(const struct osp_graph *graph, const char *name)
{
    for (int i = 0; i < graph->node_count; i++)
        if (!strcmp(graph->nodes[i].name, name))
            return i;
    return -1;
}

static int same_weights(const struct osp_graph_node *a, const struct osp_graph_node *b)
{
    return a->op == b->op && a->weights == b->weights && !memcmp(a->weight, b->weight, sizeof a->weight) &&
           !memcmp(&a->attrs, &b->attrs, sizeof a->attrs);
}

osp_value osp_graph_node(struct osp_graph *graph, enum osp_op op, const char *name, const union osp_attrs *attrs,
                         const osp_value *inputs, int input_count, const osp_weight *weights, int weight_count)
{
    if (graph->failed)
        return OSP_NONE;
    int outputs = osp_op_outputs(op);
    struct osp_graph_node node = {
        .stage = graph->stage, .op = op, .attrs = *attrs, .inputs = input_count, .weights = weight_count};
    if (input_count > OSP_MAX_INPUTS || weight_count > OSP_MAX_CONSTANTS || osp_graph_find(graph, name) >= 0) {
        osp_graph_fail(graph, "%s: a node of this name exists, or it has too many inputs", name);
        return OSP_NONE;
    }
    memset(node.in, -1, sizeof node.in);
    memset(node.weight, -1, sizeof node.weight);
    memcpy(node.in, inputs, (size_t)input_count * sizeof *inputs);
    if (weight_count)
        memcpy(node.weight, weights, (size_t)weight_count * sizeof *weights);
    node.name = strdup(name);
    if (!node.name || !grow((void **)&graph->nodes, graph->node_count, 1, sizeof *graph->nodes) ||
        !grow((void **)&graph->values, graph->value_count, outputs, sizeof *graph->values)) {
        free(node.name);
        stick_memory(graph);
        return OSP_NONE;
    }
    node.out = graph->value_count;
    node.twin = graph->node_count;
    for (int i = 0; i < graph->node_count && weight_count; i++)
        if (same_weights(&graph->nodes[i], &node)) {
            node.twin = i;
            break;
        }
    for (int i = 0; i < outputs; i++)
        graph->values[graph->value_count++] = (struct osp_graph_value){graph->node_count, i};
    graph->nodes[graph->node_count++] = node;
    return node.out;
}

void osp_graph_keep(struct osp_graph *graph, osp_value value)
{
    if (graph->failed)
        return;
    if (graph->kept_count == OSP_MAX_KEPT || value < 0)
        osp_graph_fail(graph, "the network keeps more than %d values, or one that does not exist", OSP_MAX_KEPT);
    else
        graph->kept[graph->kept_count++] = value;
}
