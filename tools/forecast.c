#include "forecast.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"

/* Resident bytes of this process; 0 where the system does not say. */
static double resident(void)
{
    double pages[2] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%lf %lf", &pages[0], &pages[1]) != 2)
            pages[1] = 0;
        fclose(file);
    }
    return pages[1] * (double)sysconf(_SC_PAGESIZE);
}

osp_status budget_open(struct budget *budget, const struct osp_model *model, struct osp_session *session, double limit)
{
    size_t free_bytes = 0, total = 0;
    *budget = (struct budget){.session = session, .asked = limit > 0, .limit = limit};
    osp_model_describe(model, &budget->model);
    budget->own_memory = strcmp(osp_session_backend(session), "cuda") == 0;
    if (!budget->asked) {
        osp_status status = osp_session_memory(session, &free_bytes, &total);
        if (status != OSP_OK)
            return status;
        budget->limit = 0.9 * (double)free_bytes; /* the rest is for fragments, and for whoever else computes here */
    }
    bool counts_program = budget->asked && !budget->own_memory; /* what is free is free beside it */
    budget->left = budget->limit - (counts_program ? resident() : 0);
    return OSP_OK;
}

static int padded(int side) { return (side + 31) / 32 * 32; }

osp_status batch_add(const struct budget *budget, struct batch_size *batch, int height, int width)
{
    const struct osp_model_info *m = &budget->model;
    const char *rule = osp_session_resize(budget->session);
    int h, w;
    osp_status status = osp_resized_size(rule ? rule : m->resize, m->min_size, m->max_size, height, width, &h, &w);
    if (status != OSP_OK)
        return status;
    double bytes = 3.0 * height * width;
    batch->pictures++;
    batch->height = padded(h) > batch->height ? padded(h) : batch->height;
    batch->width = padded(w) > batch->width ? padded(w) : batch->width;
    batch->bytes += bytes;
    batch->largest = bytes > batch->largest ? bytes : batch->largest;
    return OSP_OK;
}

/* What the plan of that size says of itself. */
static osp_status plan_of(struct budget *budget, int n, int h, int w, struct forecast *out)
{
    for (int i = 0; i < budget->plan_count; i++)
        if (budget->plans[i].n == n && budget->plans[i].h == h && budget->plans[i].w == w) {
            out->arena = budget->plans[i].arena;
            out->weights = budget->plans[i].weights;
            return OSP_OK;
        }
    const struct osp_plan *plan;
    struct osp_plan_memory memory;
    osp_status status = osp_session_plan(budget->session, n, h, w, &plan);
    if (status != OSP_OK)
        return status;
    osp_plan_memory(plan, &memory);
    out->arena = (double)memory.arena;
    out->weights = (double)memory.weights;
    int slot = budget->plan_next;
    budget->plans[slot].n = n;
    budget->plans[slot].h = h;
    budget->plans[slot].w = w;
    budget->plans[slot].arena = out->arena;
    budget->plans[slot].weights = out->weights;
    budget->plan_next = (slot + 1) % BUDGET_PLANS;
    budget->plan_count += budget->plan_count < BUDGET_PLANS;
    return OSP_OK;
}

osp_status budget_forecast(struct budget *budget, const struct batch_size *batch, struct forecast *out)
{
    *out = (struct forecast){0};
    osp_status status = plan_of(budget, batch->pictures, batch->height, batch->width, out);
    out->pictures = batch->bytes * (budget->own_memory ? 1 : 2);
    out->decoding = budget->own_memory ? 0 : 3 * batch->largest; /* a progressive JPEG's coefficients are two bytes each */
    out->total = out->arena + out->weights + out->pictures + out->decoding;
    return status;
}

osp_status budget_allows(struct budget *budget, const struct batch_size *batch, bool *out)
{
    struct forecast forecast;
    osp_status status = budget_forecast(budget, batch, &forecast);
    *out = status == OSP_OK && forecast.total <= budget->left;
    return status;
}

static osp_status same_size(const struct budget *budget, int height, int width, int pictures, struct batch_size *out)
{
    osp_status status = OSP_OK;
    *out = (struct batch_size){0};
    for (int i = 0; i < pictures && status == OSP_OK; i++)
        status = batch_add(budget, out, height, width);
    return status;
}

osp_status budget_chunk(struct budget *budget, int height, int width, int most, int *out)
{
    int fits = 0, too_many = most + 1;
    osp_status status = OSP_OK;
    for (int n = most; status == OSP_OK && too_many - fits > 1; n = fits + (too_many - fits) / 2) {
        struct batch_size batch;
        bool allowed = false;
        status = same_size(budget, height, width, n, &batch);
        if (status == OSP_OK)
            status = budget_allows(budget, &batch, &allowed);
        *(allowed ? &fits : &too_many) = n;
    }
    *out = fits;
    return status;
}

osp_status budget_refuse(struct budget *budget, const char *name, int height, int width)
{
    struct batch_size batch;
    struct forecast forecast = {0};
    osp_status status = same_size(budget, height, width, 1, &batch);
    if (status == OSP_OK)
        status = budget_forecast(budget, &batch, &forecast);
    if (status != OSP_OK)
        return status;
    return osp_fail(OSP_MEMORY,
                    "%s: %dx%d pixels need %.0f MB, of which %.0f for activations and %.0f for weights; the memory limit of %.0f "
                    "MB leaves %.0f",
                    name, width, height, forecast.total / 1e6, forecast.arena / 1e6, forecast.weights / 1e6, budget->limit / 1e6,
                    budget->left > 0 ? budget->left / 1e6 : 0);
}
