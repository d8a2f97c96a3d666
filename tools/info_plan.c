#include "info.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "forecast.h"
#include "output.h"
#include "tools.h"

static struct osp_plan_memory size_of(const struct osp_plan *plan)
{
    struct osp_plan_memory memory;
    osp_plan_memory(plan, &memory);
    return memory;
}

static json_t *plan_json(const struct osp_plan *plan)
{
    struct osp_plan_memory size = size_of(plan);
    return json_pack("{si si si}", "batch", size.n, "height", size.h, "width", size.w);
}

static void print_title(const struct osp_plan *plan, const char *what)
{
    struct osp_plan_memory size = size_of(plan);
    printf("\n%s, %d x %dx%d\n", what, size.n, size.h, size.w);
}

/* ---- Work --------------------------------------------------------------------------------------- */

enum { MAX_STAGES = 32 };

struct work {
    int stages;
    double total; /* multiply-adds */
    struct {
        const char *name;
        int nodes;
        double macs, bytes;
    } stage[MAX_STAGES];
};

static struct work sum_work(const struct osp_plan *plan)
{
    struct work work = {0};
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        int s = 0;
        osp_plan_line(plan, i, &line);
        while (s < work.stages && strcmp(work.stage[s].name, line.stage) != 0)
            s++;
        if (s == MAX_STAGES)
            s--;
        else if (s == work.stages)
            work.stage[work.stages++].name = line.stage;
        work.stage[s].nodes++;
        work.stage[s].macs += line.macs;
        work.stage[s].bytes += line.bytes;
        work.total += line.macs;
    }
    return work;
}

static void print_layers(const struct osp_plan *plan)
{
    print_title(plan, "layers");
    printf("  %-44s %-12s %12s %9s  %s\n", "node", "op", "GMAC", "MB", "shape");
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        printf("  %-44s %-12s %12.6f %9.3f  %s\n", line.node, line.op, line.macs / 1e9, line.bytes / 1e6, line.shape);
    }
}

static void print_work(const struct osp_plan *plan, const struct work *work)
{
    print_title(plan, "work");
    for (int s = 0; s < work->stages; s++)
        printf("  %-14s %12.6f GMAC %6.1f %% %10.1f MB %4d nodes\n", work->stage[s].name, work->stage[s].macs / 1e9,
               work->total > 0 ? 100 * work->stage[s].macs / work->total : 0, work->stage[s].bytes / 1e6, work->stage[s].nodes);
    printf("  %-14s %12.6f GMAC\n", "total", work->total / 1e9);
}

static json_t *layers_json(const struct osp_plan *plan)
{
    json_t *layers = json_array();
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        json_array_append_new(layers, json_pack("{ss ss ss ss so so}", "node", line.node, "stage", line.stage, "op", line.op,
                                                "shape", line.shape, "gmac", json_rounded(line.macs / 1e9, 9), "bytes",
                                                json_integer((json_int_t)line.bytes)));
    }
    return layers;
}

void info_work(const struct osp_plan *plan, int layers, json_t *json)
{
    struct work work = sum_work(plan);
    if (!json) {
        if (layers)
            print_layers(plan);
        print_work(plan, &work);
        return;
    }
    json_t *object = plan_json(plan), *stages = json_object();
    for (int s = 0; s < work.stages; s++)
        json_object_set_new(stages, work.stage[s].name, json_rounded(work.stage[s].macs / 1e9, 9));
    json_object_set_new(object, "gmac_by_stage", stages);
    json_object_set_new(object, "gmac", json_rounded(work.total / 1e9, 9));
    if (layers)
        json_object_set_new(object, "layers", layers_json(plan));
    json_object_set_new(json, "work", object);
}

/* ---- Kernels ------------------------------------------------------------------------------------ */

static void print_rungs(const struct osp_plan *plan, int node, const struct osp_line *line)
{
    const char *name, *refusal, *chosen = base_name(line->kernel);
    for (int r = 0; osp_plan_rung(plan, node, r, &name, &refusal); r++) {
        bool model = line->untuned && strcmp(name, line->untuned) == 0;
        if (refusal)
            printf("      %-12s refused: %s\n", name, refusal);
        else if (strcmp(name, chosen) == 0)
            printf("      %-12s chosen%s%s\n", name, line->untuned ? ", as tuned" : "", model ? "; the plan's choice too" : "");
        else
            printf("      %-12s could run%s\n", name, model ? "; the plan's choice without tuning" : "");
    }
}

static json_t *rungs_json(const struct osp_plan *plan, int node)
{
    json_t *rungs = json_array();
    const char *name, *refusal;
    for (int r = 0; osp_plan_rung(plan, node, r, &name, &refusal); r++)
        json_array_append_new(rungs, json_pack("{ss ss?}", "rung", name, "refusal", refusal));
    return rungs;
}

void info_kernels(const struct osp_plan *plan, json_t *json)
{
    json_t *nodes = json ? json_array() : NULL;
    if (!json)
        print_title(plan, "kernels");
    for (int i = 0; i < osp_plan_lines(plan); i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        if (json) {
            json_array_append_new(nodes, json_pack("{ss ss ss ss ss? si so}", "node", line.node, "op", line.op, "kernel",
                                                   line.kernel, "precision", line.precision, "untuned", line.untuned, "slices",
                                                   line.slices, "ladder", rungs_json(plan, i)));
        } else {
            printf("  %-44s %s  %s  %s", line.node, line.kernel, line.precision, line.shape);
            if (line.slices > 1)
                printf("  in %d slices of %d", line.slices, size_of(plan).n / line.slices);
            printf("\n");
            print_rungs(plan, i, &line);
        }
    }
    if (json) {
        json_t *object = plan_json(plan);
        json_object_set_new(object, "nodes", nodes);
        json_object_set_new(json, "kernels", object);
    }
}

/* ---- Memory ------------------------------------------------------------------------------------- */

void info_memory(const struct osp_plan *plan, json_t *json)
{
    struct osp_plan_memory size = size_of(plan);
    if (json) {
        json_t *object = plan_json(plan);
        json_object_set_new(object, "arena", json_integer((json_int_t)size.arena));
        json_object_set_new(object, "lower_bound", json_integer((json_int_t)size.lower_bound));
        json_object_set_new(object, "unshared", json_integer((json_int_t)size.unshared));
        json_object_set_new(object, "weights", json_integer((json_int_t)size.weights));
        json_object_set_new(json, "memory", object);
        return;
    }
    double bound = size.lower_bound ? (double)size.lower_bound : 1;
    print_title(plan, "memory");
    printf("  %-14s %14zu bytes  (for activations)\n", "arena", size.arena);
    printf("  %-14s %14zu bytes  (most that is alive at once; the arena is %.3f times that)\n", "lower bound", size.lower_bound,
           (double)size.arena / bound);
    printf("  %-14s %14zu bytes  (every activation by itself)\n", "unshared", size.unshared);
    printf("  %-14s %14zu bytes  (as these kernels pack them)\n", "weights", size.weights);
}

/* One line of the forecast. */
static osp_status forecast_batch(struct budget *budget, int n, int height, int width, json_t *json)
{
    struct batch_size batch = {.pictures = n, .height = height, .width = width};
    struct forecast forecast;
    osp_status status = budget_forecast(budget, &batch, &forecast);
    if (status != OSP_OK)
        return status;
    double bytes = forecast.arena + forecast.weights;
    if (json)
        json_array_append_new(
            json, json_pack("{si sI sI}", "batch", n, "arena", (json_int_t)forecast.arena, "with_weights", (json_int_t)bytes));
    else
        printf("  batch of %-5d %10.1f MB%s\n", n, bytes / 1e6, bytes <= budget->left ? "" : "  more than is free");
    return OSP_OK;
}

osp_status info_forecast(const struct osp_model *model, struct osp_session *session, int most, int height, int width,
                         json_t *json)
{
    struct budget budget;
    osp_status status = budget_open(&budget, model, session, 0);
    if (status != OSP_OK)
        return status;
    json_t *list = json ? json_array() : NULL;
    if (!json)
        printf("\nforecast, %dx%d: activations and packed weights; pictures come on top, 3 bytes a pixel%s\n", height, width,
               budget.own_memory ? "" : ", twice");
    for (int n = 1; n < most && status == OSP_OK; n *= 2)
        status = forecast_batch(&budget, n, height, width, list);
    if (status == OSP_OK)
        status = forecast_batch(&budget, most, height, width, list);
    if (json)
        json_object_set_new(json, "forecast", list);
    else if (status == OSP_OK)
        printf("  %-14s %10.1f MB\n", "free", budget.limit / 0.9 / 1e6);
    return status;
}
