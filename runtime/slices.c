/* A batch in slices: where one picture's activations fit the caches and all pictures' do not, a stretch of nodes runs for a few
 * pictures first, then for the next few, and what a node hands on is still in cache when the next one reads it.
 *
 * The choice is by a model (struct osp_pace): a node takes the longer of its multiply-adds and of what comes from beyond the
 * cache, which is its weights, once for each slice, and every input since whose making more was written than a cache holds. The
 * cheapest cut of the nodes into stretches wins, and of equals the one with fewer slices. Bits do not depend on it: no kernel's
 * sums reach from one picture into another. */
#include <stdlib.h>

#include "plan.h"

/* Of the shorter of arithmetic and memory all but one part in so many hides behind the longer one. */
enum { HIDDEN = 6 };

/* The model is no finer than this: a stretch in slices must save more than so many starts of a node, and all of them together
 * more than one part in so many of the whole network's time. */
enum { LEAST = 16, PART = 25 };

/* Whether image n of every output is made of image n of every input alone; the pictures of the batch are the first dimension. */
static int by_image(const struct osp_graph_node *node)
{
    switch (node->op) {
    case OSP_resize:
    case OSP_depthwise:
    case OSP_maxpool:
    case OSP_avgpool:
    case OSP_scale:
    case OSP_upsample_add:
        return 1;
    case OSP_conv2d:
        return node->inputs <= OSP_CONV2D_COUNTS || node->in[OSP_CONV2D_COUNTS] == OSP_NONE;
    default:
        return 0;
    }
}

/* What the choice is made from. */
struct scene {
    const struct osp_plan *plan;
    struct osp_pace pace;
    double *written; /* [nodes + 1]: bytes that the nodes before this one write */
    double *weights; /* [nodes]: bytes that are packed for it */
};

/* Seconds of node i in a stretch that began at `first` and runs in so many slices. ends: it is the stretch's last, whose output
 * all slices fill in turn. */
static double node_seconds(const struct scene *scene, int i, int first, int slices, int ends)
{
    const struct osp_graph *graph = scene->plan->graph;
    const struct osp_graph_node *from = &graph->nodes[i];
    const double *written = scene->written;
    double out = written[i + 1] - written[i], in = 0;
    double missed = scene->weights[i] * slices, arithmetic = scene->plan->nodes[i].macs / scene->pace.macs;
    for (int k = 0; k < from->inputs; k++) {
        int made = from->in[k] >= OSP_GRAPH_INPUTS ? graph->values[from->in[k]].node : -1;
        if (made < 0)
            continue;
        double bytes = (double)osp_tensor_bytes(&scene->plan->values[from->in[k]]);
        double before = made < first ? written[first] - written[made] : 0;
        double within = (written[i + 1] - written[made < first ? first : made]) / slices;
        if (before + within > scene->pace.cache)
            missed += bytes;
        in += bytes;
    }
    if (in / slices + (ends ? out : out / slices) > scene->pace.cache)
        missed += out;
    double memory = missed / scene->pace.bytes;
    double longer = arithmetic > memory ? arithmetic : memory, shorter = arithmetic + memory - longer;
    return scene->pace.start * slices + longer + shorter / HIDDEN;
}

/* Of the cheapest way through the nodes before this one: its last stretch. */
struct way {
    double seconds;
    int first, slices;
};

/* Tries every stretch that begins at `first` and runs in so many slices. */
static void try_stretches(const struct scene *scene, struct way *ways, int first, int slices)
{
    const struct osp_graph *graph = scene->plan->graph;
    double seconds = ways[first].seconds + (slices > 1 ? LEAST * scene->pace.start : 0);
    for (int i = first; i < graph->node_count && (slices == 1 || by_image(&graph->nodes[i])); i++) {
        double all = seconds + node_seconds(scene, i, first, slices, 1);
        if (ways[i + 1].slices == 0 || all < ways[i + 1].seconds)
            ways[i + 1] = (struct way){all, first, slices};
        seconds += node_seconds(scene, i, first, slices, 0);
    }
}

static osp_status set_stretches(struct osp_plan *plan, const struct way *ways)
{
    int count = 0, at = plan->graph->node_count;
    for (; at > 0; at = ways[at].first)
        count++;
    plan->stretches = calloc((size_t)count, sizeof *plan->stretches);
    if (!plan->stretches)
        return osp_fail(OSP_MEMORY, "out of memory while a plan is made");
    plan->stretch_count = count;
    for (at = plan->graph->node_count; at > 0; at = ways[at].first) {
        plan->stretches[--count] = (struct osp_stretch){ways[at].first, at, ways[at].slices};
        for (int i = ways[at].first; i < at; i++)
            plan->nodes[i].slices = ways[at].slices;
    }
    return OSP_OK;
}

static void measure(const struct osp_plan *plan, struct scene *scene)
{
    for (int i = 0; i < plan->graph->node_count; i++) {
        const struct osp_plan_node *node = &plan->nodes[i];
        scene->written[i + 1] = scene->written[i];
        for (int k = 0; k < node->call.outputs; k++)
            scene->written[i + 1] += (double)osp_tensor_bytes(&node->call.out[k]);
        scene->weights[i] = (double)osp_plan_packed(plan, i);
    }
}

/* Fills ways from the first node to the last; the first try is that of all nodes with the whole batch. */
static void find_way(const struct scene *scene, struct way *ways)
{
    int nodes = scene->plan->graph->node_count, n = scene->plan->dims.n;
    try_stretches(scene, ways, 0, 1);
    double whole = ways[nodes].seconds;
    for (int first = 0; first < nodes; first++)
        for (int slices = 1; slices <= n; slices++)
            if (n % slices == 0)
                try_stretches(scene, ways, first, slices);
    if (ways[nodes].seconds > whole - whole / PART)
        ways[nodes] = (struct way){whole, 0, 1};
}

osp_status osp_plan_slice(struct osp_plan *plan, int whole)
{
    size_t places = (size_t)plan->graph->node_count + 1;
    struct scene scene = {.plan = plan, .written = calloc(places, sizeof(double)), .weights = calloc(places, sizeof(double))};
    struct way *ways = calloc(places, sizeof *ways);
    osp_status status =
        scene.written && scene.weights && ways ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while a plan is made");
    if (!status && !whole && plan->dims.n > 1 && plan->backend->pace) {
        plan->backend->pace(plan->device, &scene.pace);
        measure(plan, &scene);
        find_way(&scene, ways);
    } else if (!status) {
        ways[plan->graph->node_count] = (struct way){0, 0, 1};
    }
    if (!status)
        status = set_stretches(plan, ways);
    free(scene.written);
    free(scene.weights);
    free(ways);
    return status;
}

/* ---- Living and running in slices ------------------------------------------------------------------- */

static const struct osp_stretch *stretch_of(const struct osp_plan *plan, int node)
{
    const struct osp_stretch *stretch = plan->stretches;
    while (stretch->end <= node)
        stretch++;
    return stretch;
}

int osp_plan_settle(const struct osp_plan *plan, struct osp_block *block)
{
    const struct osp_stretch *made = stretch_of(plan, block->first), *read = stretch_of(plan, block->last);
    if (made == read)
        return made->slices;
    if (made->slices > 1)
        block->first = made->first;
    if (read->slices > 1)
        block->last = read->end - 1;
    return 1;
}

static void cut(struct osp_tensor *tensor, int slices, int slice)
{
    tensor->shape.dim[0] /= slices;
    tensor->data = (char *)tensor->data + (size_t)slice * osp_tensor_bytes(tensor);
}

const struct osp_call *osp_plan_slice_call(const struct osp_plan *plan, int i, int slice, struct osp_call *room)
{
    const struct osp_graph_node *from = &plan->graph->nodes[i];
    const struct osp_plan_node *node = &plan->nodes[i];
    if (node->slices == 1)
        return &node->call;
    *room = node->call;
    room->dims.n /= node->slices;
    for (int k = 0; k < from->inputs; k++)
        if (from->in[k] >= 0 && from->in[k] != OSP_VALUE_PIXELS)
            cut(&room->in[k], node->slices, plan->held[from->in[k]] > 1 ? 0 : slice);
    for (int k = 0; k < room->outputs; k++)
        cut(&room->out[k], node->slices, plan->held[from->out + k] > 1 ? 0 : slice);
    return room;
}
