#include "plan.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shape.h"

enum { ALIGN = 64 };

static size_t rounded(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

size_t osp_tensor_bytes(const struct osp_tensor *tensor)
{
    return (size_t)osp_shape_count(&tensor->shape) * osp_dtype_size(tensor->dtype);
}

/* "1x200x272x64 -> 1x200x272x64": the first input and the first output. */
static void print_shape(char *text, size_t size, const struct osp_call *call)
{
    size_t at = 0;
    const struct osp_shape *shapes[2] = {&call->in[0].shape, &call->out[0].shape};
    text[0] = 0;
    for (int s = 0; s < 2; s++) {
        for (int d = 0; d < shapes[s]->rank && at < size; d++)
            at += (size_t)snprintf(text + at, size - at, d ? "x%lld" : "%lld", (long long)shapes[s]->dim[d]);
        if (!s && at < size)
            at += (size_t)snprintf(text + at, size - at, " -> ");
    }
}

/* Fills the call's shapes from the values made so far, and its outputs' shapes into the values. */
static osp_status infer_node(struct osp_plan *plan, int i)
{
    const struct osp_graph *graph = plan->graph;
    const struct osp_graph_node *from = &graph->nodes[i];
    struct osp_plan_node *node = &plan->nodes[i];
    struct osp_call *call = &node->call;
    *call = (struct osp_call){.op = from->op, .attrs = &from->attrs, .dims = plan->dims, .inputs = from->inputs};
    for (int k = 0; k < from->inputs; k++)
        if (from->in[k] >= 0)
            call->in[k] = plan->values[from->in[k]];
    for (int k = 0; k < from->weights; k++)
        call->constant[k] = from->weight[k] >= 0 ? graph->constants[from->weight[k]] : NULL;
    osp_status status = osp_infer(call);
    if (status) {
        char sentence[512];
        snprintf(sentence, sizeof sentence, "%s", osp_message());
        return osp_fail(status, "%s (batch %d, %dx%d): %s", from->name, plan->dims.n, plan->dims.h, plan->dims.w, sentence);
    }
    for (int k = 0; k < call->outputs; k++)
        plan->values[from->out + k] = call->out[k];
    node->macs = osp_call_macs(call);
    node->bytes = osp_call_bytes(call);
    print_shape(node->shape, sizeof node->shape, call);
    int slot = osp_op_counts_slot(from->op);
    if (slot >= 0 && slot < from->inputs && from->in[slot] >= 0 && plan->counts == OSP_NONE)
        plan->counts = from->in[slot];
    return OSP_OK;
}

/* Of one precision the cheapest rung that does not refuse; a rung with no cost beats those below it; ties go to the higher rung.
 * -1: all refuse. */
static int cheapest(const struct osp_device *device, const struct osp_ladder *ladder, const struct osp_call *call,
                    enum osp_precision precision)
{
    int best = -1;
    double best_cost = -1; /* negative: unknown */
    for (int i = 0; i < ladder->count; i++) {
        const struct osp_kernel *kernel = ladder->rungs[i];
        if (kernel->precision != precision || (kernel->refuses && kernel->refuses(device, call)))
            continue;
        double cost = kernel->cost ? kernel->cost(device, call) : -1;
        if (best < 0 || cost < 0 || best_cost < 0 || cost <= best_cost) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

/* The rung of the asked precision, else of f32; of an overlay's base only where the overlay refuses the call. -1: all refuse. */
static int choose_rung(const struct osp_backend *backend, const struct osp_device *device, const struct osp_call *call,
                       enum osp_precision precision)
{
    for (int before = 0; backend; backend = backend->base) {
        const struct osp_ladder *ladder = backend->ops[call->op];
        if (!ladder)
            continue;
        int rung = cheapest(device, ladder, call, precision);
        if (rung < 0)
            rung = cheapest(device, ladder, call, OSP_PRECISION_F32);
        if (rung >= 0)
            return before + rung;
        before += ladder->count;
    }
    return -1;
}

/* The rung that is pinned for node i: by its name before by its op. -1: none, or it refuses and was asked for softly. */
static int pinned_rung(const struct osp_plan *plan, int i, const struct osp_pins *pins)
{
    const enum osp_op op = plan->graph->nodes[i].op;
    int rung = -1;
    for (int p = 0; p < pins->count; p++) {
        const struct osp_pin *pin = &pins->pin[p];
        const char *owner;
        if (pin->op != op || (pin->node != i && (pin->node >= 0 || rung >= 0)))
            continue;
        const struct osp_kernel *kernel = osp_backend_kernel(plan->backend, op, pin->rung, &owner);
        if (!pin->soft || !kernel->refuses || !kernel->refuses(plan->device, &plan->nodes[i].call))
            rung = pin->rung;
    }
    return rung;
}

static void take_rung(struct osp_plan *plan, int i, int rung)
{
    const enum osp_op op = plan->graph->nodes[i].op;
    struct osp_plan_node *node = &plan->nodes[i];
    const char *owner;
    node->rung = rung;
    node->kernel = osp_backend_kernel(plan->backend, op, rung, &owner);
    snprintf(node->kernel_name, sizeof node->kernel_name, "%s/%s/%s", owner, osp_op_name(op), node->kernel->name);
}

static osp_status choose_kernel(struct osp_plan *plan, int i, const struct osp_pins *pins)
{
    const struct osp_graph_node *from = &plan->graph->nodes[i];
    const struct osp_backend *backend = plan->backend;
    struct osp_plan_node *node = &plan->nodes[i];
    const char *owner, *op = osp_op_name(from->op);
    if (!osp_backend_ladder(backend, from->op, &owner))
        return osp_fail(OSP_USAGE, "%s: backend %s has no %s", from->name, backend->name, op);
    node->rung = pinned_rung(plan, i, pins);
    node->free = node->rung < 0;
    if (!node->free) {
        const struct osp_kernel *pinned = osp_backend_kernel(backend, from->op, node->rung, &owner);
        const char *reason = pinned->refuses ? pinned->refuses(plan->device, &node->call) : NULL;
        if (reason)
            return osp_fail(OSP_USAGE, "%s: %s=%s was asked for, but it refuses: %s", from->name, op, pinned->name, reason);
    } else {
        node->rung = choose_rung(backend, plan->device, &node->call, pins->precision);
        osp_status status = node->rung >= 0 && pins->tune ? osp_plan_tune(plan, i, pins->tune) : OSP_OK;
        if (status)
            return status;
        node->free = !node->untuned;
    }
    if (node->rung < 0)
        return osp_fail(OSP_USAGE, "%s: every rung of %s on backend %s refuses %s", from->name, op, owner, node->shape);
    take_rung(plan, i, node->rung);
    return OSP_OK;
}

/* ---- Nodes that share weights ---------------------------------------------------------------------- */

/* Whether a node takes rung `rung` when those that share weights take it; else it stays with its own. */
static bool takes(const struct osp_plan *plan, int i, int rung)
{
    const char *owner;
    const struct osp_kernel *kernel = osp_backend_kernel(plan->backend, plan->graph->nodes[i].op, rung, &owner);
    return !kernel->refuses || !kernel->refuses(plan->device, &plan->nodes[i].call);
}

/* What the nodes first..., of the same weights, cost if they take a rung; negative: not known. */
static double cost_of_twins(const struct osp_plan *plan, int first, int rung)
{
    double sum = 0;
    for (int i = first; i < plan->graph->node_count && sum >= 0; i++) {
        const struct osp_plan_node *node = &plan->nodes[i];
        const char *owner;
        if (plan->graph->nodes[i].twin != first || !node->free)
            continue;
        const struct osp_kernel *kernel =
            osp_backend_kernel(plan->backend, plan->graph->nodes[i].op, takes(plan, i, rung) ? rung : node->rung, &owner);
        double cost = kernel->cost ? kernel->cost(plan->device, &node->call) : -1;
        sum = cost < 0 ? -1 : sum + cost;
    }
    return sum;
}

/* Nodes that share weights (an RPN head over its levels) take one rung, of those that any of them would take by itself the one
 * whose sum is the least; ties go to the higher. So weights are packed once, and one level finds them in the cache where the one
 * before left them. A node keeps its own rung where that one refuses, where it was pinned or tuned, and where a cost is not
 * known. */
static void choose_for_twins(struct osp_plan *plan, int first)
{
    const struct osp_graph *graph = plan->graph;
    int best = -1;
    double least = -1;
    for (int i = first; i < graph->node_count; i++) {
        int rung = plan->nodes[i].rung;
        if (graph->nodes[i].twin != first || !plan->nodes[i].free || rung == best)
            continue;
        double sum = cost_of_twins(plan, first, rung);
        if (sum < 0)
            return;
        if (best < 0 || sum < least || (sum <= least && rung > best)) {
            best = rung;
            least = sum;
        }
    }
    for (int i = first; i < graph->node_count; i++)
        if (graph->nodes[i].twin == first && plan->nodes[i].free && takes(plan, i, best))
            take_rung(plan, i, best);
}

/* Whether nodes that share weights with node `first` chose different rungs. */
static bool twins_differ(const struct osp_plan *plan, int first)
{
    int rung = -1;
    for (int i = first; i < plan->graph->node_count; i++) {
        if (plan->graph->nodes[i].twin != first || !plan->nodes[i].free)
            continue;
        if (rung >= 0 && plan->nodes[i].rung != rung)
            return true;
        rung = plan->nodes[i].rung;
    }
    return false;
}

/* One block for each value that a node makes, then one for each node's scratch. */
static void list_blocks(const struct osp_plan *plan, struct osp_block *blocks, int keep_all)
{
    const struct osp_graph *graph = plan->graph;
    int end = graph->node_count - 1;
    for (int v = 0; v < graph->value_count; v++) {
        int made = graph->values[v].node;
        blocks[v] = (struct osp_block){.first = made, .last = keep_all || v == plan->counts ? end : made};
    }
    for (int i = 0; i < graph->node_count; i++) {
        for (int k = 0; k < graph->nodes[i].inputs; k++)
            if (graph->nodes[i].in[k] >= 0 && blocks[graph->nodes[i].in[k]].last < i)
                blocks[graph->nodes[i].in[k]].last = i;
        const struct osp_plan_node *node = &plan->nodes[i];
        size_t scratch = node->kernel->scratch ? node->kernel->scratch(plan->device, &node->call) : 0;
        blocks[graph->value_count + i] = (struct osp_block){.bytes = rounded(scratch), .first = i, .last = i};
    }
    for (int k = 0; k < graph->kept_count; k++)
        blocks[graph->kept[k]].last = end;
    for (int v = OSP_GRAPH_INPUTS; v < graph->value_count; v++) {
        plan->held[v] = keep_all ? 1 : osp_plan_settle(plan, &blocks[v]);
        blocks[v].bytes = rounded(osp_tensor_bytes(&plan->values[v]) / (size_t)plan->held[v]);
    }
}

static osp_status place(struct osp_plan *plan, int keep_all)
{
    const struct osp_graph *graph = plan->graph;
    int count = graph->value_count + graph->node_count;
    struct osp_block *blocks = malloc((size_t)count * sizeof *blocks);
    int *order = malloc((size_t)count * sizeof *order);
    if (!blocks || !order) {
        free(blocks);
        free(order);
        return osp_fail(OSP_MEMORY, "out of memory while a plan is made");
    }
    list_blocks(plan, blocks, keep_all);
    struct osp_plan_memory *memory = &plan->memory;
    *memory = (struct osp_plan_memory){.n = plan->dims.n, .h = plan->dims.h, .w = plan->dims.w};
    memory->arena = osp_arena_pack(blocks, count, graph->node_count, order, &memory->lower_bound);
    for (int i = 0; i < count; i++)
        memory->unshared += blocks[i].bytes;
    for (int v = 0; v < graph->value_count; v++)
        plan->offsets[v] = blocks[v].offset;
    for (int i = 0; i < graph->node_count; i++)
        plan->nodes[i].scratch_offset = blocks[graph->value_count + i].offset;
    free(blocks);
    free(order);
    return OSP_OK;
}

size_t osp_plan_packed(const struct osp_plan *plan, int i)
{
    const struct osp_plan_node *node = &plan->nodes[i];
    size_t bytes = 0;
    if (node->kernel->prepare && node->kernel->packed)
        return node->kernel->packed(plan->device, &node->call);
    for (int k = 0; node->kernel->prepare && k < plan->graph->nodes[i].weights; k++)
        if (node->call.constant[k]) {
            struct osp_shape shape = osp_constant_shape(node->call.constant[k]);
            bytes += (size_t)osp_shape_count(&shape) * sizeof(float);
        }
    return bytes;
}

/* Weights that several nodes share are packed once for each rung that does them. */
static size_t packed_weights(const struct osp_plan *plan)
{
    const struct osp_graph *graph = plan->graph;
    size_t bytes = 0;
    for (int i = 0; i < graph->node_count; i++) {
        const struct osp_plan_node *node = &plan->nodes[i];
        int first = 0;
        while (first < i && (graph->nodes[first].twin != graph->nodes[i].twin || plan->nodes[first].kernel != node->kernel))
            first++;
        if (first == i)
            bytes += osp_plan_packed(plan, i);
    }
    return bytes;
}

osp_status osp_plan_new(const struct osp_graph *graph, const struct osp_backend *backend, const struct osp_device *device,
                        const struct osp_pins *pins, struct osp_dims dims, struct osp_plan_wish wish, struct osp_plan **out)
{
    struct osp_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return osp_fail(OSP_MEMORY, "out of memory while a plan is made");
    *plan = (struct osp_plan){.graph = graph, .backend = backend, .device = device, .dims = dims, .counts = OSP_NONE};
    plan->nodes = calloc((size_t)graph->node_count, sizeof *plan->nodes);
    plan->values = calloc((size_t)graph->value_count, sizeof *plan->values);
    plan->offsets = calloc((size_t)graph->value_count, sizeof *plan->offsets);
    plan->held = calloc((size_t)graph->value_count, sizeof *plan->held);
    plan->counts_host = calloc((size_t)dims.n, sizeof *plan->counts_host);
    osp_status status = OSP_OK;
    if (!plan->nodes || !plan->values || !plan->offsets || !plan->held || !plan->counts_host)
        status = osp_fail(OSP_MEMORY, "out of memory while a plan is made");
    else {
        plan->values[OSP_VALUE_PIXELS] = (struct osp_tensor){.dtype = OSP_U8, .shape = {1, {0}}};
        plan->values[OSP_VALUE_IMAGES] = (struct osp_tensor){.dtype = OSP_I64, .shape = {2, {dims.n, OSP_IMAGE_FIELDS}}};
    }
    for (int i = 0; !status && i < graph->node_count; i++) {
        status = infer_node(plan, i);
        if (!status)
            status = choose_kernel(plan, i, pins);
    }
    for (int i = 0; !status && i < graph->node_count; i++)
        if (twins_differ(plan, i))
            choose_for_twins(plan, i);
    if (!status)
        status = osp_plan_slice(plan, wish.whole);
    if (!status)
        status = place(plan, wish.keep_all);
    if (!status)
        plan->memory.weights = packed_weights(plan);
    if (status) {
        osp_plan_free(plan);
        return status;
    }
    *out = plan;
    return OSP_OK;
}

void osp_plan_free(struct osp_plan *plan)
{
    if (!plan)
        return;
    free(plan->nodes);
    free(plan->values);
    free(plan->offsets);
    free(plan->held);
    free(plan->stretches);
    free(plan->counts_host);
    free(plan);
}

void osp_plan_bind(struct osp_plan *plan, void *arena, void *pixels, size_t pixel_bytes, void *images)
{
    const struct osp_graph *graph = plan->graph;
    struct osp_tensor *values = plan->values;
    values[OSP_VALUE_PIXELS].shape.dim[0] = (int64_t)pixel_bytes;
    if (plan->bound_arena != arena || plan->bound_pixels != pixels || plan->bound_images != images) {
        values[OSP_VALUE_PIXELS].data = pixels;
        values[OSP_VALUE_IMAGES].data = images;
        for (int v = OSP_GRAPH_INPUTS; v < graph->value_count; v++)
            values[v].data = (char *)arena + plan->offsets[v];
        plan->bound_arena = arena;
        plan->bound_pixels = pixels;
        plan->bound_images = images;
        plan->rehearsed = plan->recorded = 0;
    }
    for (int i = 0; i < graph->node_count; i++) {
        const struct osp_graph_node *from = &graph->nodes[i];
        struct osp_call *call = &plan->nodes[i].call;
        for (int k = 0; k < from->inputs; k++)
            if (from->in[k] >= 0)
                call->in[k] = values[from->in[k]];
        for (int k = 0; k < call->outputs; k++)
            call->out[k] = values[from->out + k];
        call->scratch = (char *)arena + plan->nodes[i].scratch_offset;
    }
}

/* ---- Looking at a plan ----------------------------------------------------------------------------- */

int osp_plan_lines(const struct osp_plan *plan) { return plan->graph->node_count; }

/* The share of rows that the last run had, for a node whose rows are limited by counts; 1 for others. */
static double rows_done(const struct osp_plan *plan, int i)
{
    const struct osp_graph_node *from = &plan->graph->nodes[i];
    int slot = osp_op_counts_slot(from->op);
    if (!plan->ran || slot < 0 || slot >= from->inputs || from->in[slot] == OSP_NONE || from->in[slot] != plan->counts)
        return 1;
    double rows = 0, capacity = (double)plan->nodes[i].call.in[0].shape.dim[0];
    if (from->op == OSP_roi_align)
        capacity *= (double)plan->nodes[i].call.in[OSP_ROI_ALIGN_PROPOSALS].shape.dim[1];
    for (int n = 0; n < plan->dims.n; n++)
        rows += plan->counts_host[n];
    return capacity > 0 ? rows / capacity : 1;
}

void osp_plan_line(const struct osp_plan *plan, int i, struct osp_line *out)
{
    const struct osp_graph_node *from = &plan->graph->nodes[i];
    const struct osp_plan_node *node = &plan->nodes[i];
    *out = (struct osp_line){.node = from->name,
                             .stage = from->stage,
                             .op = osp_op_name(from->op),
                             .kernel = node->kernel_name,
                             .precision = osp_precision_name(node->kernel->precision),
                             .untuned = node->untuned,
                             .slices = node->slices};
    memcpy(out->shape, node->shape, sizeof out->shape);
    out->macs = node->macs;
    out->macs_done = node->macs * rows_done(plan, i);
    out->bytes = node->bytes;
    out->seconds = node->seconds;
    out->waves = node->occupancy.waves;
    out->occupancy = node->occupancy.warps;
}

int osp_plan_rung(const struct osp_plan *plan, int i, int rung, const char **name, const char **refusal)
{
    const struct osp_plan_node *node = &plan->nodes[i];
    const char *owner;
    enum osp_op op = plan->graph->nodes[i].op;
    int own = osp_backend_ladder(plan->backend, op, &owner)->count;
    const struct osp_kernel *kernel = rung < 0 ? NULL : osp_backend_kernel(plan->backend, op, rung, &owner);
    if (!kernel || (rung >= own && node->rung < own))
        return 0;
    *name = kernel->name;
    *refusal = kernel->refuses ? kernel->refuses(plan->device, &node->call) : NULL;
    return 1;
}

void osp_plan_memory(const struct osp_plan *plan, struct osp_plan_memory *out) { *out = plan->memory; }
