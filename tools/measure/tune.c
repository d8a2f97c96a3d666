/* Tuning: what it begins with, what it says and what it writes. */
#include "tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "statistics.h"
#include "tools/signals.h"
#include "tools/tools.h"
#include "tune_inside.h"

static osp_status no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory while tuning"); }

/* ---- Results -------------------------------------------------------------------------------------- */

static double rung_seconds(const struct rung *rung) { return rung->seconds.count ? samples_median(&rung->seconds) : rung->tried; }

static void print_changes(const struct tuner *t)
{
    for (int k = 0; k < t->kind_count; k++) {
        const struct kind *kind = &t->kinds[k];
        const struct rung *model = &kind->rung[kind->model], *best = &kind->rung[kind->best];
        struct osp_line line;
        if (best == model)
            continue;
        osp_plan_line(osp_session_last_plan(t->session), kind->first, &line);
        printf("  %s, %s", line.node, line.shape);
        if (kind->layers > 1)
            printf(", and %d more", kind->layers - 1);
        printf(": %s %.3f ms, the plan's %s %.3f ms\n", best->name, rung_seconds(best) * 1e3, model->name,
               rung_seconds(model) * 1e3);
    }
}

static osp_status print_results(const struct tuner *t)
{
    const struct osp_plan *plan = osp_session_last_plan(t->session);
    struct osp_plan_memory size;
    double planned = 0, best = 0;
    int choices = 0, changed = 0, layers = 0;
    osp_plan_memory(plan, &size);
    for (int k = 0; k < t->kind_count; k++) {
        const struct kind *kind = &t->kinds[k];
        planned += rung_seconds(&kind->rung[kind->model]);
        best += rung_seconds(&kind->rung[kind->best]);
        choices += kind->rungs > 1;
        changed += kind->best != kind->model;
        layers += kind->best != kind->model ? kind->layers : 0;
    }
    printf("%s, %s, %d thread%s, %s: %d layers of %d kinds at %d x %dx%d, %d kinds with a choice of rungs\n", t->machine.backend,
           t->machine.device, t->machine.threads, t->machine.threads == 1 ? "" : "s", t->machine.isa, t->nodes, t->kind_count,
           size.n, size.h, size.w, choices);
    print_changes(t);
    printf("the plan's own choice is the fastest, or as fast, for %d of %d kinds; all layers take %.3f ms by it and %.3f ms as "
           "tuned:\nthe cost model loses %.2f %% (%d layers)\n",
           t->kind_count - changed, t->kind_count, planned * 1e3, best * 1e3, best > 0 ? 100 * (planned / best - 1) : 0, layers);
    return stdout_flush();
}

static osp_status save(const struct tuner *t, const char *path)
{
    struct osp_tune_layer *layers = calloc((size_t)t->kind_count, sizeof *layers);
    if (!layers)
        return no_memory();
    for (int k = 0; k < t->kind_count; k++) {
        const struct kind *kind = &t->kinds[k];
        layers[k] = (struct osp_tune_layer){.call = kind->call, .rung = kind->rung[kind->best].name};
        for (int r = 0; r < kind->rungs; r++) {
            if (isnan(rung_seconds(&kind->rung[r])))
                continue;
            layers[k].time[layers[k].rungs].name = kind->rung[r].name;
            layers[k].time[layers[k].rungs++].seconds = rung_seconds(&kind->rung[r]) / kind->layers;
        }
    }
    osp_status status = osp_tune_save(path, !*t->asked->file, &t->machine, layers, t->kind_count);
    free(layers);
    return status;
}

/* ---- All together --------------------------------------------------------------------------------- */

static osp_status load_images(struct tuner *t)
{
    osp_status status = OSP_OK;
    t->images = calloc((size_t)t->asked->batch, sizeof *t->images);
    if (!t->images)
        return no_memory();
    for (int i = 0; !status && i < t->asked->batch; i++)
        status = osp_image_load(t->asked->paths[i % t->asked->path_count], NULL, &t->images[i]);
    return status;
}

static osp_status check_column(const struct tuner *t)
{
    struct osp_device_info device;
    osp_session_device(t->session, &device);
    if (*t->spec.options.use)
        return osp_fail(OSP_USAGE, "--tune: %s pins rungs, which leaves nothing to choose", t->spec.name);
    if (t->spec.options.graph)
        return osp_fail(OSP_USAGE, "--tune: %s runs as one graph, whose layers have no times", t->spec.name);
    if (device.emulated)
        return osp_fail(OSP_USAGE, "--tune: %s is emulated; its times say nothing of a GPU", t->spec.name);
    return OSP_OK;
}

static osp_status prepare(struct tuner *t, char path[OSP_TUNE_PATH])
{
    osp_status status = spec_parse(t->asked->column, &t->spec);
    t->spec.options.tuned = NULL; /* the plan's own choices are what is looked at */
    if (!status)
        status = osp_session_open(t->model, &t->spec.options, &t->session);
    if (!status)
        status = check_column(t);
    if (!status)
        status = osp_session_set_size(t->session, t->asked->min_size, t->asked->max_size);
    if (!status)
        osp_session_machine(t->session, &t->machine);
    if (!status && *t->asked->file)
        snprintf(path, OSP_TUNE_PATH, "%s", t->asked->file);
    else if (!status)
        status = osp_tune_own_path(&t->machine, path);
    if (!status)
        status = osp_tune_check(path, !*t->asked->file, &t->machine);
    if (!status)
        status = load_images(t);
    return status ? status : tune_run_once(t, t->session);
}

static void clean_up(struct tuner *t)
{
    for (int k = 0; k < t->kind_count; k++)
        for (int r = 0; r < t->kinds[k].rungs; r++)
            free(t->kinds[k].rung[r].seconds.values);
    for (int i = 0; t->images && i < t->asked->batch; i++)
        osp_image_free(t->images[i]);
    free(t->images);
    free(t->kinds);
    free(t->kind_of);
    osp_session_close(t->session);
    osp_model_close(t->model);
    spec_free(&t->spec);
}

int tune(const struct tune_asked *asked)
{
    struct tuner t = {.asked = asked};
    char path[OSP_TUNE_PATH];
    osp_status status = osp_model_open(asked->model_path, &t.model);
    if (status)
        return say_model_failure(status);
    signals_watch();
    status = prepare(&t, path);
    if (!status)
        status = tune_measure(&t);
    if (!status && !signal_caught())
        status = print_results(&t);
    if (!status && !signal_caught() && !(status = save(&t, path)))
        say("wrote %s; osprey detect --tuned%s%s runs by it", path, *asked->file ? "=" : "", asked->file);
    clean_up(&t);
    return status ? say_failure(status) : signal_caught() ? 128 + signal_caught() : EXIT_DONE;
}
