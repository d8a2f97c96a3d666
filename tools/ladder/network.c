#include "network.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "published.h"
#include "rows.h"
#include "runtime/plan.h"
#include "sample.h"
#include "tools/tools.h"

static const double MOST_WORK = 0.9; /* of the multiply-adds: the layers that are judged by their counts */

/* Nodes that are the same call of the same rung. */
struct layer {
    const char *name; /* of the first */
    const struct osp_plan_node *node;
    int count;
    struct osp_space_counts global, shared; /* of one */
    double seconds;                         /* of one, NAN: unknown */
    const char *limit;
};

struct network {
    const struct network_options *options;
    const struct osp_backend *backend;
    struct osp_model *model;
    struct osp_session *session;
    const struct osp_plan *plan;
    struct osp_device *part, *whole; /* that count some of the blocks, and all */
    struct code code;
    struct layer *layers;
    int count;
};

/* ---- Counting ---------------------------------------------------------------------------------------- */

static bool same_shape(const struct osp_tensor *a, const struct osp_tensor *b)
{
    return a->shape.rank == b->shape.rank && a->dtype == b->dtype && !memcmp(a->shape.dim, b->shape.dim, sizeof a->shape.dim);
}

static bool same(const struct osp_plan_node *a, const struct osp_plan_node *b)
{
    bool equal = a->kernel == b->kernel && a->call.inputs == b->call.inputs &&
                 !memcmp(a->call.attrs, b->call.attrs, sizeof *a->call.attrs);
    for (int i = 0; equal && i < a->call.inputs; i++)
        equal = same_shape(&a->call.in[i], &b->call.in[i]);
    for (int i = 0; equal && i < a->call.outputs; i++)
        equal = same_shape(&a->call.out[i], &b->call.out[i]);
    return equal;
}

static osp_status gather(struct network *n)
{
    const struct osp_graph *graph = n->plan->graph;
    n->layers = calloc((size_t)graph->node_count, sizeof *n->layers);
    if (!n->layers)
        return osp_fail(OSP_MEMORY, "out of memory for %d layers", graph->node_count);
    for (int i = 0; i < graph->node_count; i++) {
        int k = 0;
        while (k < n->count && !same(n->layers[k].node, &n->plan->nodes[i]))
            k++;
        if (k == n->count)
            n->layers[n->count++] = (struct layer){.name = graph->nodes[i].name, .node = &n->plan->nodes[i]};
        n->layers[k].count++;
    }
    return OSP_OK;
}

static void add(struct osp_space_counts *sum, const struct osp_space_counts *space)
{
    sum->requests += space->requests;
    sum->units += space->units;
    sum->ideal += space->ideal;
}

static osp_status count(const struct network *n, struct layer *layer)
{
    struct problem problem;
    struct climb climb;
    const struct osp_call *call = &layer->node->call;
    osp_status status = sample_of(call, &problem);
    if (status)
        return status;
    status = climb_count(&problem, n->backend, sample_is_whole(call->op) ? n->whole : n->part, layer->node->kernel, &climb);
    problem_free(&problem);
    if (status)
        return status;
    for (int k = 0; k < climb.kernel_count; k++) {
        add(&layer->global, &climb.kernels[k].global);
        add(&layer->shared, &climb.kernels[k].shared);
    }
    layer->seconds = rows_estimate(n->options->gpu, &n->code, &climb, layer->node->bytes, &layer->limit);
    return OSP_OK;
}

static osp_status open_device(const struct network *n, int blocks, struct osp_device **out)
{
    const struct gpu *gpu = n->options->gpu;
    char mode[80], part[32] = "";
    if (blocks)
        snprintf(part, sizeof part, ",blocks=%d", blocks);
    snprintf(mode, sizeof mode, "count%s,multiprocessors=%d,arch=%d", part, gpu->multiprocessors, gpu->arch);
    return n->backend->open(&(struct osp_device_options){.emu = mode}, out);
}

static osp_status measure(struct network *n)
{
    const struct network_options *o = n->options;
    char mode[80];
    snprintf(mode, sizeof mode, "fast,multiprocessors=%d,arch=%d", o->gpu->multiprocessors, o->gpu->arch);
    const struct osp_session_options options = {.backend = "emu", .emu = mode, .precision = o->precision, .use = o->use};
    osp_status status = osp_session_open(n->model, &options, &n->session);
    status = status ? status : osp_session_plan(n->session, 1, o->size.height, o->size.width, &n->plan);
    status = status ? status : code_read(n->backend, &n->code);
    if (!status && !n->code.count)
        status = osp_fail(OSP_UNAVAILABLE, "this program was built without nvcc: it has no machine code, and so no estimates");
    status = status ? status : open_device(n, o->blocks, &n->part);
    status = status ? status : open_device(n, 0, &n->whole);
    status = status ? status : gather(n);
    for (int i = 0; !status && i < n->count; i++)
        status = count(n, &n->layers[i]);
    return status;
}

static void close_all(struct network *n)
{
    if (n->part)
        n->backend->close(n->part);
    if (n->whole)
        n->backend->close(n->whole);
    osp_session_close(n->session);
    osp_model_close(n->model);
    code_free(&n->code);
    free(n->layers);
}

/* ---- What came of it --------------------------------------------------------------------------------- */

static double ratio(const struct osp_space_counts *space)
{
    return space->ideal ? (double)space->units / (double)space->ideal : 0;
}

/* The layers with the most multiply-adds, as many as make up MOST_WORK of all: the largest ratios among them, and whose. */
struct worst {
    double sectors, passes;
    const char *sectors_of, *passes_of;
};

static double work_of(const struct layer *layer) { return layer->count * layer->node->macs; }

static struct worst worst_of(const struct network *n)
{
    struct worst w = {0, 0, "", ""};
    double left = 0;
    for (int i = 0; i < n->count; i++)
        left += work_of(&n->layers[i]) * MOST_WORK;
    for (double below = INFINITY; left > 0;) {
        double next = 0; /* the largest that was not taken; layers with as much are taken together */
        for (int i = 0; i < n->count; i++)
            if (work_of(&n->layers[i]) < below)
                next = fmax(next, work_of(&n->layers[i]));
        if (next <= 0)
            break;
        for (int i = 0; i < n->count; i++) {
            const struct layer *layer = &n->layers[i];
            if (work_of(layer) < next || work_of(layer) >= below)
                continue;
            left -= work_of(layer);
            if (ratio(&layer->global) > w.sectors) {
                w.sectors = ratio(&layer->global);
                w.sectors_of = layer->name;
            }
            if (ratio(&layer->shared) > w.passes) {
                w.passes = ratio(&layer->shared);
                w.passes_of = layer->name;
            }
        }
        below = next;
    }
    return w;
}

static double total_of(const struct network *n, double *macs)
{
    double all = 0;
    *macs = 0;
    for (int i = 0; i < n->count; i++) {
        all += n->layers[i].count * n->layers[i].seconds;
        *macs += n->layers[i].count * n->layers[i].node->macs;
    }
    return all;
}

static const char *rung_of(const struct layer *layer) /* without the backend */
{
    const char *slash = strchr(layer->node->kernel_name, '/');
    return slash ? slash + 1 : layer->node->kernel_name;
}

static void print(const struct network *n, const char *architecture)
{
    const struct gpu *gpu = n->options->gpu;
    double macs, all = total_of(n, &macs);
    const struct worst w = worst_of(n);
    char archs[64];
    code_archs(&n->code, archs, sizeof archs);
    printf("%s %dx%d, %s, estimated for %s (sm_%d, %d multiprocessors, %d MHz): computed, not measured\nosprey %s, commit %s\n\n"
           "%-35s %2s %-18s %6s %8s %8s %6s %-13s %7s %6s\n",
           architecture, n->options->size.height, n->options->size.width, osp_session_precision(n->session), gpu->name, gpu->arch,
           gpu->multiprocessors, gpu->mhz, OSP_VERSION, commit_name(), "layer, the first of so many", "", "rung", "GFLOP",
           "ms each", "ms all", "share", "limited by", "sectors", "passes");
    for (int i = 0; i < n->count; i++) {
        const struct layer *layer = &n->layers[i];
        printf("%-35s %2d %-18s %6.2f %8.4f %8.3f %4.1f %% %-13s %7.2f %6.2f\n", layer->name, layer->count, rung_of(layer),
               2e-9 * layer->node->macs, layer->seconds * 1e3, layer->count * layer->seconds * 1e3,
               100 * layer->count * layer->seconds / all, layer->limit, ratio(&layer->global), ratio(&layer->shared));
    }
    printf("\nestimate: %.2f ms for the network, %.1f pictures/s, %.2f TFLOP/s\n", all * 1e3, 1 / all, 2e-12 * macs / all);
    printf(
        "counted: of the layers that make %.0f %% of the multiply-adds, sectors are at most %.3f times the fewest (%s), passes "
        "%.3f (%s)\n",
        100 * MOST_WORK, w.sectors, w.sectors_of, w.passes, w.passes_of);
    if (n->options->blocks)
        printf("\nOf each launch at most %d blocks were counted, for all.", n->options->blocks);
    printf(" Machine code: this program has it for %s; the nearest stands for others.\n"
           "Left out: the host, copies to and from the GPU, clocks that fall under load. The estimator's median error on what\n"
           "others published, and it was not fitted on, is %.0f %%: osprey ladder --published.\n",
           archs, 100 * published_error(PUBLISHED_UNSEEN));
}

static json_t *layer_json(const struct layer *layer)
{
    return json_pack("{ss si ss ss ss sf sf sf ss sf sf}", "layer", layer->name, "count", layer->count, "kernel",
                     layer->node->kernel_name, "precision", osp_precision_name(layer->node->kernel->precision), "shape",
                     layer->node->shape, "flop", 2 * layer->node->macs, "bytes", layer->node->bytes, "seconds", layer->seconds,
                     "limit", layer->limit, "sectors_over_least", ratio(&layer->global), "passes_over_least",
                     ratio(&layer->shared));
}

static osp_status write_json(const struct network *n, const char *architecture)
{
    double macs, all = total_of(n, &macs);
    const struct worst w = worst_of(n);
    json_t *layers = json_array();
    for (int i = 0; i < n->count; i++)
        json_array_append_new(layers, layer_json(&n->layers[i]));
    json_t *json = json_pack("{ss ss ss ss si si ss sf sf sf sf sf so}", "version", OSP_VERSION, "commit", commit_name(),
                             "network", architecture, "gpu", n->options->gpu->name, "height", n->options->size.height, "width",
                             n->options->size.width, "precision", osp_session_precision(n->session), "estimated_seconds", all,
                             "estimator_error", published_error(PUBLISHED_UNSEEN), "flop", 2 * macs, "worst_sectors_over_least",
                             w.sectors, "worst_passes_over_least", w.passes, "layers", layers);
    return result_write_json(n->options->json, json, JSON_INDENT(2));
}

int network_run(const struct network_options *options)
{
    struct network n = {.options = options, .backend = climb_backend("emu")};
    struct osp_model_info info;
    osp_status status = osp_model_open(options->model, &n.model);
    if (status)
        return say_model_failure(status);
    osp_model_describe(n.model, &info);
    status = measure(&n);
    if (!status && !(options->json && !strcmp(options->json, "-")))
        print(&n, info.architecture);
    status = status ? status : stdout_flush();
    if (!status && options->json)
        status = write_json(&n, info.architecture);
    close_all(&n);
    return status ? say_failure(status) : EXIT_DONE;
}
