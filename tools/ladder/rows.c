#include "rows.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "demand.h"
#include "runtime/file.h"
#include "runtime/shape.h"
#include "tools/counts.h"
#include "tools/tools.h"

/* ---- Machine code ----------------------------------------------------------------------------------- */

osp_status code_read(const struct osp_backend *backend, struct code *out)
{
    struct osp_code file;
    *out = (struct code){NULL, 0};
    for (int f = 0; backend->code && backend->code(f, &file); f++) {
        struct sass_kernel *kernels = NULL, *grown = NULL;
        int count = 0;
        osp_status status = file.size ? sass_read(file.file, file.data, file.size, &kernels, &count) : OSP_OK;
        if (!status && count) {
            grown = realloc(out->kernels, (size_t)(out->count + count) * sizeof *grown);
            status = grown ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory for %d kernels", count);
        }
        if (!status && count) {
            memcpy(grown + out->count, kernels, (size_t)count * sizeof *grown);
            out->kernels = grown;
            out->count += count;
        }
        free(kernels);
        if (status) {
            code_free(out);
            return status;
        }
    }
    return OSP_OK;
}

void code_free(struct code *code)
{
    free(code->kernels);
    *code = (struct code){NULL, 0};
}

void code_archs(const struct code *code, char *text, size_t size)
{
    int last = 0;
    *text = 0;
    for (;;) {
        int next = 0;
        for (int i = 0; i < code->count; i++)
            if (code->kernels[i].arch > last && (!next || code->kernels[i].arch < next))
                next = code->kernels[i].arch;
        if (!next)
            return;
        snprintf(text + strlen(text), size - strlen(text), "%s%d", *text ? ", " : "", next);
        last = next;
    }
}

void rows_free(struct rows *rows)
{
    free(rows->climbs);
    code_free(&rows->code);
    rows->climbs = NULL;
}

const struct sass_kernel *rows_code(const struct rows *rows, const struct climb *climb, int k)
{
    return demand_code(rows->code.kernels, rows->code.count, climb->kernels[k].kernel, rows->arch);
}

struct occupancy rows_fit(const struct rows *rows, const struct osp_kernel_counts *kernel, const struct sass_kernel *code)
{
    const struct occupancy_limits *limits = occupancy_limits_of(rows->arch);
    int threads = kernel->blocks ? (int)(kernel->threads / kernel->blocks) : 1;
    int shared = code->shared_bytes + (int)kernel->dynamic_shared;
    return limits ? occupancy_of(limits, threads, code->registers, shared) : (struct occupancy){0, 0, "unknown"};
}

/* ---- Estimates -------------------------------------------------------------------------------------- */

double rows_kernel_estimate(const struct gpu *gpu, const struct code *code, const struct climb *climb, int k, double bytes,
                            const char **limit)
{
    const struct osp_kernel_counts *kernel = &climb->kernels[k];
    const struct sass_kernel *machine = gpu ? demand_code(code->kernels, code->count, kernel->kernel, gpu->arch) : NULL;
    const double touched = 32.0 * (double)kernel->global.once, launches = (double)kernel->launches;
    bool passes = gpu && (double)climb->scratch > 1e6 * gpu->l2; /* through device memory: it is more than the cache holds */
    struct demand demand;
    *limit = "";
    if (!machine || !kernel->launches)
        return (double)NAN;
    /* what many blocks read comes from device memory once, and so does what one launch leaves to the next */
    bytes = fmin(touched, bytes + (passes ? (double)climb->scratch * launches : 0));
    demand_of_kernel(kernel, machine, climb->rung->precision, bytes / launches, &demand);
    struct estimate e = estimate_of(gpu, &demand);
    *limit = e.limit;
    return e.seconds * launches;
}

double rows_estimate(const struct gpu *gpu, const struct code *code, const struct climb *climb, double bytes, const char **limit)
{
    double all = climb->kernel_count ? 0 : (double)NAN, longest = 0;
    *limit = "";
    for (int k = 0; k < climb->kernel_count; k++) {
        const char *its;
        double seconds = rows_kernel_estimate(gpu, code, climb, k, bytes, &its);
        if (seconds > longest) {
            longest = seconds;
            *limit = its;
        }
        all += seconds;
    }
    return all;
}

/* ---- JSON ------------------------------------------------------------------------------------------- */

static json_t *mix_json(const struct sass_mix *mix)
{
    json_t *object =
        json_pack("{si si si}", "instructions", mix->count, "lds_bytes", mix->lds_bytes, "ldg_bytes", mix->ldg_bytes);
    for (int i = 0; i < SASS_CLASSES; i++)
        json_object_set_new(object, sass_class_name((enum sass_class)i), json_integer(mix->of[i]));
    return object;
}

static json_t *kernel_json(const struct rows *rows, const struct climb *climb, int k)
{
    const struct osp_kernel_counts *kernel = &climb->kernels[k];
    const struct sass_kernel *code = rows_code(rows, climb, k);
    json_t *object = counts_kernel_json(kernel);
    json_object_set_new(json_object_get(object, "shared"), "read", json_integer(kernel->shared.read));
    json_object_update_new(json_object_get(object, "global"),
                           json_pack("{sI sI sI}", "read", (json_int_t)kernel->global.read, "lines",
                                     (json_int_t)kernel->global.lines, "sectors_of_blocks", (json_int_t)kernel->global.once));
    json_object_update_new(object, json_pack("{sI sI sI sI}", "products", (json_int_t)kernel->products, "dynamic_shared_bytes",
                                             (json_int_t)kernel->dynamic_shared, "barriers", (json_int_t)kernel->barriers,
                                             "copy_waits", (json_int_t)kernel->copy_waits));
    if (!code)
        return object;
    struct occupancy o = rows_fit(rows, kernel, code);
    json_object_set_new(object, "code",
                        json_pack("{si si si si sf ss so so sf}", "arch", code->arch, "registers", code->registers,
                                  "shared_bytes", code->shared_bytes, "blocks_per_multiprocessor", o.blocks, "occupancy", o.warps,
                                  "limited_by", o.limit, "all", mix_json(&code->all), "loop", mix_json(&code->loop), "fma_share",
                                  sass_share(&code->loop)));
    return object;
}

static json_t *rung_json(const struct rows *rows, const struct climb *climb)
{
    json_t *object = json_pack("{ss ss}", "rung", climb->rung->name, "precision", osp_precision_name(climb->rung->precision));
    if (climb->refusal) {
        json_object_set_new(object, "refusal", json_string(climb->refusal));
        return object;
    }
    json_t *kernels = json_array();
    for (int i = 0; i < climb->kernel_count; i++)
        json_array_append_new(kernels, kernel_json(rows, climb, i));
    json_object_set_new(object, "good", json_boolean(climb_is_good(climb)));
    json_object_set_new(object, "relative_l2", isfinite(climb->apart) ? json_real(climb->apart) : json_null());
    json_object_set_new(object, "integers_that_differ", json_integer(climb->different));
    if (!isnan(climb->seconds))
        json_object_set_new(object, "seconds", json_real(climb->seconds));
    const char *limit;
    double estimate = rows_estimate(rows->gpu, &rows->code, climb, osp_call_bytes(&rows->problem->call), &limit);
    if (!isnan(estimate))
        json_object_set_new(object, "estimate",
                            json_pack("{ss sf ss}", "gpu", rows->gpu->name, "seconds", estimate, "limit", limit));
    json_object_set_new(object, "kernels", kernels);
    return object;
}

osp_status rows_write_json(const struct rows *rows, const char *path)
{
    const struct osp_call *call = &rows->problem->call;
    json_t *rungs = json_array();
    for (int i = 0; i < rows->count; i++)
        json_array_append_new(rungs, rung_json(rows, &rows->climbs[i]));
    json_t *all = json_pack("{ss ss ss ss ss ss sf sf so}", "version", OSP_VERSION, "commit", commit_name(), "op",
                            osp_op_name(call->op), "shape", rows->problem->shape, "backend", rows->backend->name, "device",
                            rows->device, "flop", 2 * osp_call_macs(call), "bytes", osp_call_bytes(call), "rungs", rungs);
    return result_write_json(path, all, JSON_INDENT(2));
}
