#include "climb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"

enum { MOST_RUNS = 50, FEWEST_RUNS = 3 };
static const double ENOUGH = 0.5; /* seconds of timed runs */

const struct osp_backend *climb_backend(const char *name)
{
    for (int i = 0; osp_backends[i]; i++)
        if (!strcmp(osp_backends[i]->name, name))
            return osp_backends[i];
    return NULL;
}

/* ---- A call on a device ---------------------------------------------------------------------------- */

struct bound {
    const struct osp_backend *backend;
    struct osp_device *device;
    const struct osp_kernel *rung;
    struct osp_call call;
    struct osp_node_state state;
};

static size_t bytes_of(const struct osp_tensor *tensor)
{
    return (size_t)osp_shape_count(&tensor->shape) * osp_dtype_size(tensor->dtype);
}

static void unbind(struct bound *b)
{
    if (b->rung->release)
        b->rung->release(b->device, &b->state);
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        b->backend->memory->free(b->device, b->call.in[i].data);
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++)
        b->backend->memory->free(b->device, b->call.out[i].data);
    b->backend->memory->free(b->device, b->call.scratch);
}

/* Memory for the call, its inputs copied, its weights packed. On failure nothing is left. */
static osp_status bind(struct bound *b, const struct problem *problem)
{
    const struct osp_memory *memory = b->backend->memory;
    osp_status status = OSP_OK;
    b->call = problem->call;
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        b->call.in[i].data = NULL;
    size_t scratch = b->rung->scratch ? b->rung->scratch(b->device, &b->call) : 0;
    if (b->rung->prepare)
        status = b->rung->prepare(b->device, &b->call, &b->state);
    for (int i = 0; !status && i < problem->call.inputs; i++) {
        if (!problem->call.in[i].shape.rank)
            continue;
        size_t bytes = bytes_of(&b->call.in[i]);
        status = memory->alloc(b->device, bytes, &b->call.in[i].data);
        status = status ? status : memory->upload(b->device, b->call.in[i].data, problem->call.in[i].data, bytes);
    }
    for (int i = 0; !status && i < b->call.outputs; i++)
        status = memory->alloc(b->device, bytes_of(&b->call.out[i]), &b->call.out[i].data);
    if (!status && scratch)
        status = memory->alloc(b->device, scratch, &b->call.scratch);
    if (status)
        unbind(b);
    return status;
}

static osp_status fetch(const struct bound *b, void *out[OSP_MAX_OUTPUTS])
{
    osp_status status = OSP_OK;
    for (int i = 0; !status && i < b->call.outputs; i++) {
        size_t bytes = bytes_of(&b->call.out[i]);
        out[i] = malloc(bytes ? bytes : 1);
        status = out[i] ? b->backend->memory->download(b->device, out[i], b->call.out[i].data, bytes)
                        : osp_fail(OSP_MEMORY, "out of memory for an output of %zu bytes", bytes);
    }
    return status;
}

osp_status climb_reference(const struct problem *problem, void *out[OSP_MAX_OUTPUTS])
{
    struct bound b = {.backend = climb_backend("cpu")};
    memset(out, 0, OSP_MAX_OUTPUTS * sizeof *out);
    osp_status status = b.backend->open(NULL, &b.device);
    if (status)
        return status;
    b.rung = b.backend->ops[problem->call.op]->rungs[0];
    status = bind(&b, problem);
    if (!status) {
        status = b.rung->run(b.device, &b.call, &b.state);
        status = status ? status : fetch(&b, out);
        unbind(&b);
    }
    b.backend->close(b.device);
    return status;
}

/* ---- Judging and timing ----------------------------------------------------------------------------- */

static void compare(struct climb *climb, const struct bound *b, void *const got[], void *const want[])
{
    double square = 0, all = 0;
    for (int i = 0; i < b->call.outputs; i++) {
        int64_t count = osp_shape_count(&b->call.out[i].shape);
        size_t size = osp_dtype_size(b->call.out[i].dtype);
        bool real = b->call.out[i].dtype == OSP_F32;
        for (int64_t k = 0; k < count; k++) {
            const char *g = (const char *)got[i] + (size_t)k * size, *w = (const char *)want[i] + (size_t)k * size;
            float a = 0, c = 0;
            if (real) {
                memcpy(&a, g, sizeof a);
                memcpy(&c, w, sizeof c);
            }
            bool same = !memcmp(g, w, size);
            climb->different += !real && !same;
            square += same ? 0 : (double)(a - c) * (double)(a - c); /* NaN stays NaN, and is not good */
            all += (double)c * (double)c;
        }
    }
    climb->apart = square == 0 ? 0 : all > 0 ? sqrt(square / all) : INFINITY;
}

bool climb_is_good(const struct climb *climb)
{
    static const double most[OSP_PRECISION_COUNT] = {1e-5, 1e-3, 1e-3, 1e-2};
    return climb->apart <= most[climb->rung->precision] && climb->different == 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static osp_status time_runs(struct bound *b, double *median)
{
    const struct osp_clock *clock = b->backend->clock;
    double seconds[MOST_RUNS], spent = 0;
    int runs = 0;
    osp_status status = clock->reserve(b->device, 2);
    while (!status && runs < MOST_RUNS && (runs < FEWEST_RUNS || spent < ENOUGH)) {
        status = clock->mark(b->device, 0);
        status = status ? status : b->rung->run(b->device, &b->call, &b->state);
        status = status ? status : clock->mark(b->device, 1);
        status = status ? status : clock->seconds(b->device, 0, 1, &seconds[runs]);
        spent += status ? 0 : seconds[runs++];
    }
    if (!status) {
        qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
        *median = seconds[runs / 2];
    }
    return status;
}

static void take_counts(const struct bound *b, struct climb *out)
{
    const struct osp_counter *counter = b->backend->counter;
    while (counter && out->kernel_count < CLIMB_KERNELS &&
           counter->get(b->device, out->kernel_count, &out->kernels[out->kernel_count]))
        out->kernel_count++;
}

/* Memory that kernels read and no other kernel has written whole. */
static osp_status clear(const struct bound *b, void *data, size_t bytes)
{
    void *zeros = data && bytes ? calloc(bytes, 1) : NULL;
    osp_status status = zeros ? b->backend->memory->upload(b->device, data, zeros, bytes) : OSP_OK;
    if (data && bytes && !zeros)
        status = osp_fail(OSP_MEMORY, "out of memory for %zu bytes", bytes);
    free(zeros);
    return status;
}

osp_status climb_count(const struct problem *problem, const struct osp_backend *backend, struct osp_device *device,
                       const struct osp_kernel *rung, struct climb *out)
{
    struct bound b = {.backend = backend, .device = device, .rung = rung};
    *out = (struct climb){.rung = rung, .seconds = (double)NAN};
    osp_status status = bind(&b, problem);
    if (status)
        return status;
    char byte;
    out->scratch = rung->scratch ? rung->scratch(device, &b.call) : 0;
    status = clear(&b, b.call.scratch, out->scratch);
    for (int i = 0; !status && i < b.call.outputs; i++)
        status = clear(&b, b.call.out[i].data, bytes_of(&b.call.out[i]));
    backend->counter->clear(device);
    status = status ? status : rung->run(device, &b.call, &b.state);
    status = status ? status : backend->memory->download(device, &byte, b.call.out[0].data, sizeof byte); /* waits */
    if (!status)
        take_counts(&b, out);
    unbind(&b);
    return status;
}

osp_status climb_run(const struct problem *problem, const struct osp_backend *backend, struct osp_device *device,
                     const struct osp_kernel *rung, void *const reference[OSP_MAX_OUTPUTS], bool timed, struct climb *out)
{
    struct bound b = {.backend = backend, .device = device, .rung = rung};
    void *got[OSP_MAX_OUTPUTS] = {NULL};
    struct osp_call unbound = problem->call;
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        unbound.in[i].data = NULL;
    *out = (struct climb){.rung = rung, .seconds = (double)NAN};
    out->refusal = rung->refuses ? rung->refuses(device, &unbound) : NULL;
    if (out->refusal)
        return OSP_OK;
    osp_status status = bind(&b, problem);
    if (status)
        return status;
    out->scratch = rung->scratch ? rung->scratch(device, &b.call) : 0;
    if (backend->counter)
        backend->counter->clear(device);
    status = rung->run(device, &b.call, &b.state);
    status = status ? status : fetch(&b, got);
    if (!status) {
        take_counts(&b, out);
        compare(out, &b, got, reference);
    }
    if (!status && timed)
        status = time_runs(&b, &out->seconds);
    for (int i = 0; i < OSP_MAX_OUTPUTS; i++)
        free(got[i]);
    unbind(&b);
    return status;
}
