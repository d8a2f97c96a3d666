/* Primitives made once for a shape, with weights in the layout that they want, and how they are run. */
#include <string.h>

#include "cpu/onednn/onednn.h"

/* Shapes kept with a node: the levels of a pyramid share one, and so do counts of rows. */
enum { JOBS = 64 };

/* Counts of rows are rounded up to this, so that not each number of proposals makes a primitive. The rows beyond are computed and
 * then zeroed: whoever made them left zeros. */
enum { ROWS = 32 };

struct job {
    int64_t images, h, w; /* of x: the shape it was made for */
    bool residual;
    uint64_t used;
    dnnl_primitive_t primitive, enter, leave; /* reorders of src and dst; NULL: the primitive takes NHWC */
    dnnl_memory_t src, dst, inner_src, inner_dst, weights, bias;
    size_t inner_src_bytes;
};

struct onednn_state {
    struct osp_node_state plain; /* cpu/rows.h: the weights as the file has them */
    struct job jobs[JOBS];
    uint64_t clock;
};

static osp_status checked(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return OSP_OK;
    if (status == dnnl_out_of_memory)
        return osp_fail(OSP_MEMORY, "onednn: out of memory: %s", what);
    return osp_fail(OSP_UNAVAILABLE, "onednn: %s: the library's status is %d", what, (int)status);
}

osp_status onednn_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    struct onednn_state *own = calloc(1, sizeof *own);
    if (!own)
        return osp_fail(OSP_MEMORY, "onednn: no memory for %zu bytes", sizeof *own);
    osp_status status = cpu_rows_prepare(device, call, &own->plain);
    if (status)
        free(own);
    else
        state->data = own;
    return status;
}

/* Packed weights belong to all jobs that have them. */
static void free_job(const struct onednn_library *dnnl, struct onednn_state *own, struct job *job)
{
    bool shared = false;
    for (int i = 0; i < JOBS; i++)
        shared |= &own->jobs[i] != job && own->jobs[i].weights == job->weights;
    dnnl_memory_t memories[] = {job->src, job->dst, job->inner_src, job->inner_dst, job->bias, shared ? NULL : job->weights};
    dnnl_primitive_t primitives[] = {job->primitive, job->enter, job->leave};
    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
        if (memories[i])
            dnnl->memory_destroy(memories[i]);
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++)
        if (primitives[i])
            dnnl->primitive_destroy(primitives[i]);
    *job = (struct job){0};
}

void onednn_release(struct osp_device *device, struct osp_node_state *state)
{
    struct onednn_state *own = state->data;
    if (!own)
        return;
    for (int i = 0; i < JOBS; i++)
        free_job(onednn_of(device)->dnnl, own, &own->jobs[i]);
    cpu_rows_release(device, &own->plain);
    free(own);
    state->data = NULL;
}

/* ---- Making a job ------------------------------------------------------------------------------------ */

static dnnl_status_t make_reorder(const struct onednn_device *device, const dnnl_memory_desc_t *from,
                                  const dnnl_memory_desc_t *to, dnnl_primitive_t *out)
{
    const struct onednn_library *dnnl = device->dnnl;
    dnnl_primitive_desc_t description;
    dnnl_status_t status = dnnl->reorder_primitive_desc_create(&description, from, device->engine, to, device->engine, NULL);
    if (status)
        return status;
    status = dnnl->primitive_create(out, description);
    dnnl->primitive_desc_destroy(description);
    return status;
}

static dnnl_status_t execute(const struct onednn_device *device, dnnl_primitive_t primitive, int count,
                             const dnnl_exec_arg_t *arguments)
{
    dnnl_status_t status = device->dnnl->primitive_execute(primitive, device->stream, count, arguments);
    return status ? status : device->dnnl->stream_wait(device->stream);
}

static dnnl_status_t execute_reorder(const struct onednn_device *device, dnnl_primitive_t reorder, dnnl_memory_t from,
                                     dnnl_memory_t to)
{
    return execute(device, reorder, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

/* The weights in layout `wanted`: those of another job, or a new copy. */
static dnnl_status_t pack(const struct onednn_device *device, struct onednn_state *own, const dnnl_memory_desc_t *plain,
                          const dnnl_memory_desc_t *wanted, dnnl_memory_t *out)
{
    const struct onednn_library *dnnl = device->dnnl;
    const struct weight_rows *rows = own->plain.data;
    for (int i = 0; i < JOBS; i++) {
        const dnnl_memory_desc_t *packed;
        if (own->jobs[i].weights && !dnnl->memory_get_memory_desc(own->jobs[i].weights, &packed) &&
            dnnl->memory_desc_equal(packed, wanted)) {
            *out = own->jobs[i].weights;
            return dnnl_success;
        }
    }
    if (dnnl->memory_desc_equal(plain, wanted))
        return dnnl->memory_create(out, plain, device->engine, rows->w);
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t status = dnnl->memory_create(&from, plain, device->engine, rows->w);
    if (!status)
        status = dnnl->memory_create(&to, wanted, device->engine, DNNL_MEMORY_ALLOCATE);
    if (!status)
        status = make_reorder(device, plain, wanted, &reorder);
    if (!status)
        status = execute_reorder(device, reorder, from, to);
    if (reorder)
        dnnl->primitive_destroy(reorder);
    if (from)
        dnnl->memory_destroy(from);
    if (status && to)
        dnnl->memory_destroy(to);
    else
        *out = to;
    return status;
}

/* One operand: its memory as osprey has it, and, where the primitive wants another layout, that and the reorder. */
static dnnl_status_t make_operand(const struct onednn_device *device, const dnnl_memory_desc_t *plain,
                                  const dnnl_memory_desc_t *wanted, bool enters, dnnl_memory_t *memory, dnnl_memory_t *inner,
                                  dnnl_primitive_t *reorder)
{
    const struct onednn_library *dnnl = device->dnnl;
    dnnl_status_t status = dnnl->memory_create(memory, plain, device->engine, DNNL_MEMORY_NONE);
    if (status || dnnl->memory_desc_equal(plain, wanted))
        return status;
    status = dnnl->memory_create(inner, wanted, device->engine, DNNL_MEMORY_NONE);
    return status ? status : make_reorder(device, enters ? plain : wanted, enters ? wanted : plain, reorder);
}

static dnnl_status_t make_job(const struct onednn_device *device, struct onednn_state *own, const struct onednn_request *request,
                              struct job *job)
{
    const struct onednn_library *dnnl = device->dnnl;
    const struct weight_rows *rows = own->plain.data;
    const dnnl_memory_desc_t *src = dnnl->primitive_desc_query_md(request->primitive, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *dst = dnnl->primitive_desc_query_md(request->primitive, dnnl_query_dst_md, 0);
    const dnnl_memory_desc_t *weights = dnnl->primitive_desc_query_md(request->primitive, dnnl_query_weights_md, 0);
    dnnl_status_t status = dnnl->primitive_create(&job->primitive, request->primitive);
    if (!status)
        status = make_operand(device, &request->src, src, true, &job->src, &job->inner_src, &job->enter);
    if (!status)
        status = make_operand(device, &request->dst, dst, false, &job->dst, &job->inner_dst, &job->leave);
    if (!status)
        status = pack(device, own, &request->weights, weights, &job->weights);
    if (!status && request->bias.ndims)
        status = dnnl->memory_create(&job->bias, &request->bias, device->engine, rows->bias);
    job->inner_src_bytes = dnnl->memory_desc_get_size(src);
    return status;
}

/* The job for the first `images` of the call, made if need be. */
static osp_status find_job(const struct onednn_device *device, const struct osp_call *call, struct onednn_state *own,
                           onednn_describe *describe, int64_t images, bool residual, struct job **out)
{
    const struct osp_shape *x = &call->in[0].shape;
    int64_t h = x->rank == 4 ? x->dim[1] : 0, w = x->rank == 4 ? x->dim[2] : 0;
    struct job *oldest = own->jobs;
    for (struct job *job = own->jobs; job < own->jobs + JOBS; job++) {
        if (job->primitive && job->images == images && job->h == h && job->w == w && job->residual == residual) {
            job->used = ++own->clock;
            *out = job;
            return OSP_OK;
        }
        if (job->used < oldest->used)
            oldest = job;
    }
    free_job(device->dnnl, own, oldest);
    struct onednn_request request = {.primitive = NULL};
    dnnl_status_t status = describe(device, call, images, &request);
    if (!status)
        status = make_job(device, own, &request, oldest);
    if (request.primitive)
        device->dnnl->primitive_desc_destroy(request.primitive);
    if (status) {
        free_job(device->dnnl, own, oldest);
        return checked(status, "a primitive could not be made");
    }
    oldest->images = images;
    oldest->h = h;
    oldest->w = w;
    oldest->residual = residual;
    oldest->used = ++own->clock;
    *out = oldest;
    return OSP_OK;
}

/* ---- Running ----------------------------------------------------------------------------------------- */

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Room for src and dst in the layouts that the primitive wants, where those are not NHWC. */
size_t onednn_scratch(const struct osp_device *opaque, const struct osp_call *call, onednn_describe *describe)
{
    const struct onednn_device *device = onednn_of(opaque);
    const struct onednn_library *dnnl = device->dnnl;
    struct onednn_request request = {.primitive = NULL};
    size_t bytes = 0;
    int before = onednn_threads_set(device);
    if (!describe(device, call, call->in[0].shape.dim[0], &request))
        bytes = aligned(dnnl->memory_desc_get_size(dnnl->primitive_desc_query_md(request.primitive, dnnl_query_src_md, 0))) +
                dnnl->memory_desc_get_size(dnnl->primitive_desc_query_md(request.primitive, dnnl_query_dst_md, 0));
    if (request.primitive)
        dnnl->primitive_desc_destroy(request.primitive);
    onednn_threads_restore(before);
    return bytes;
}

static dnnl_status_t run_job(const struct onednn_device *device, const struct job *job, const float *x, float *out, void *scratch)
{
    const struct onednn_library *dnnl = device->dnnl;
    dnnl_memory_t src = job->enter ? job->inner_src : job->src, dst = job->leave ? job->inner_dst : job->dst;
    dnnl_status_t status = dnnl->memory_set_data_handle(job->src, (void *)x);
    if (!status)
        status = dnnl->memory_set_data_handle(job->dst, out);
    if (!status && job->enter)
        status = dnnl->memory_set_data_handle(src, scratch);
    if (!status && job->leave)
        status = dnnl->memory_set_data_handle(dst, (char *)scratch + aligned(job->inner_src_bytes));
    if (!status && job->enter)
        status = execute_reorder(device, job->enter, job->src, src);
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, job->weights}, {DNNL_ARG_DST, dst}, {DNNL_ARG_BIAS, job->bias}};
    if (!status)
        status = execute(device, job->primitive, job->bias ? 4 : 3, arguments);
    if (!status && job->leave)
        status = execute_reorder(device, job->leave, dst, job->dst);
    return status;
}

/* oneDNN adds what already lies in the output. */
static void copy_residual(const struct onednn_device *device, float *out, const float *residual, int64_t count)
{
    enum { PIECE = 1 << 16 };
#pragma omp parallel for schedule(static) num_threads(device->cpu.threads)
    for (int64_t i = 0; i < count; i += PIECE)
        memcpy(out + i, residual + i, sizeof(float) * (size_t)(count - i < PIECE ? count - i : PIECE));
}

osp_status onednn_run(struct osp_device *opaque, const struct osp_call *call, struct osp_node_state *state,
                      onednn_describe *describe, const struct onednn_rows *rows)
{
    const struct onednn_device *device = onednn_of(opaque);
    int before = onednn_threads_set(device);
    osp_status status = OSP_OK;
    for (int64_t i = 0; !status && i < rows->batch; i++) {
        int64_t count = cpu_valid_rows(rows->counts, i, rows->each), first = i * rows->each;
        int64_t images = (count + ROWS - 1) / ROWS * ROWS;
        images = images < rows->each ? images : rows->each;
        float *out = rows->out + first * rows->to;
        struct job *job;
        if (count > 0 && !(status = find_job(device, call, state->data, describe, images, rows->residual != NULL, &job))) {
            if (rows->residual)
                copy_residual(device, out, rows->residual + first * rows->to, images * rows->to);
            status = checked(run_job(device, job, rows->x + first * rows->from, out, call->scratch), "a primitive failed");
        }
        memset(out + count * rows->to, 0, sizeof(float) * (size_t)((rows->each - count) * rows->to));
    }
    onednn_threads_restore(before);
    return status;
}
