/* A session: a model on a device, its packed weights, its plans and its memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

static const struct osp_backend *find_backend(const char *name)
{
    for (int i = 0; osp_backends[i]; i++)
        if (!strcmp(osp_backends[i]->name, name))
            return osp_backends[i];
    return NULL;
}

const char *osp_backend_name(int i)
{
    for (int k = 0; k <= i; k++)
        if (!osp_backends[k])
            return NULL;
    return osp_backends[i]->name;
}

static osp_status no_such_backend(const char *name)
{
    char names[256] = "";
    for (int i = 0; osp_backends[i]; i++) {
        if (i)
            strncat(names, ", ", sizeof names - strlen(names) - 1);
        strncat(names, osp_backends[i]->name, sizeof names - strlen(names) - 1);
    }
    return osp_fail(OSP_USAGE, "no backend is called '%s'; there is %s", name, names);
}

/* ---- Opening and closing -------------------------------------------------------------------------- */

/* Opens what holds packed weights. path: as in osp_session_options. */
static osp_status open_packs(struct osp_session *s, const char *path)
{
    const char *model = osp_safetensors_path(s->graph->file);
    size_t size = path && !*path ? strlen(model) + sizeof ".packed" : 0;
    char *beside = size ? malloc(size) : NULL;
    if (size && !beside)
        return osp_fail(OSP_MEMORY, "out of memory: a path needs %zu bytes", size);
    if (beside)
        snprintf(beside, size, "%s.packed", model);
    osp_status status = osp_packs_open(s->graph, s->backend, s->device, beside ? beside : path, &s->packs);
    free(beside);
    return status;
}

osp_status osp_session_open(const struct osp_model *model, const struct osp_session_options *options, struct osp_session **out)
{
    static const struct osp_session_options defaults;
    const struct osp_session_options *o = options ? options : &defaults;
    const char *name = o->backend ? o->backend : "cpu";
    double start = osp_seconds();
    if (o->resize && strcmp(o->resize, "double") && strcmp(o->resize, "f32-reciprocal"))
        return osp_fail(OSP_USAGE, "resize rule '%s'; allowed are double and f32-reciprocal", o->resize);
    if (o->threads < 0 || o->plans < 0)
        return osp_fail(OSP_USAGE, "threads %d, plans %d; allowed are 0 (a default) and more", o->threads, o->plans);
    struct osp_session *s = calloc(1, sizeof *s);
    if (!s)
        return osp_fail(OSP_MEMORY, "out of memory: a session needs %zu bytes", sizeof *s);
    s->model = model;
    s->graph = osp_model_graph(model);
    s->backend = find_backend(name);
    s->keep = o->keep;
    s->record = o->graph;
    s->whole = o->whole;
    s->plan_room = o->plans ? o->plans : 4;
    atomic_flag_clear(&s->busy);
    osp_status status = s->backend ? OSP_OK : no_such_backend(name);
    if (!status && o->resize && !(s->resize = strdup(o->resize)))
        status = osp_fail(OSP_MEMORY, "out of memory while a session is opened");
    if (!status && !(s->plans = calloc((size_t)s->plan_room, sizeof(struct osp_plan *))))
        status = osp_fail(OSP_MEMORY, "out of memory: a session needs a table of %d plans", s->plan_room);
    if (!status)
        status = osp_pins_parse(o->use, s->graph, s->backend, &s->pins);
    if (!status)
        status = osp_precision_parse(o->precision, s->backend, &s->pins.precision);
    if (!status && s->record && !s->backend->capture)
        status = osp_fail(OSP_USAGE, "backend %s cannot capture a graph", s->backend->name);
    if (!status)
        status = s->backend->open(&(struct osp_device_options){o->threads, o->isa, o->driver, o->device, o->emu}, &s->device);
    if (!status)
        status = s->backend->clock->reserve(s->device, s->graph->node_count + OSP_MARKS);
    if (!status && o->tuned) {
        struct osp_tune_machine machine;
        osp_session_machine(s, &machine);
        status = osp_tune_open(o->tuned, &machine, &s->pins.tune);
    }
    if (!status)
        status = open_packs(s, o->pack_cache);
    if (status) {
        osp_session_close(s);
        return status;
    }
    s->times.open = osp_seconds() - start;
    *out = s;
    return OSP_OK;
}

static void forget_recording(struct osp_session *s, struct osp_plan *plan)
{
    if (plan->recording)
        s->backend->capture->destroy(s->device, plan->recording);
    plan->recording = NULL;
}

void osp_session_close(struct osp_session *s)
{
    if (!s)
        return;
    if (s->device) {
        for (int i = 0; i < s->plan_count; i++)
            forget_recording(s, s->plans[i]);
        osp_packs_close(s->packs, s->device);
        s->backend->memory->free(s->device, s->arena.data);
        s->backend->memory->free(s->device, s->pixels.data);
        s->backend->memory->free(s->device, s->images.data);
        s->backend->close(s->device);
    }
    for (int i = 0; i < s->plan_count; i++)
        osp_plan_free(s->plans[i]);
    osp_pins_free(&s->pins);
    free(s->plans);
    free(s->resize);
    free(s);
}

const char *osp_session_backend(const struct osp_session *s) { return s->backend->name; }
const char *osp_session_resize(const struct osp_session *s) { return s->resize; }
const char *osp_session_isa(const struct osp_session *s) { return s->backend->isa(s->device); }
const char *osp_session_tuned(const struct osp_session *s) { return s->pins.tune ? osp_tune_path(s->pins.tune) : NULL; }
const char *osp_session_precision(const struct osp_session *s) { return osp_precision_name(s->pins.precision); }
const char *osp_session_pack_cache(const struct osp_session *s, const char **remark)
{
    *remark = osp_packs_remark(s->packs);
    return osp_packs_path(s->packs);
}
osp_status osp_session_write_pack_cache(struct osp_session *s, size_t *bytes) { return osp_packs_write(s->packs, bytes); }
int osp_session_threads(const struct osp_session *s) { return s->backend->threads(s->device); }
const struct osp_model *osp_session_model(const struct osp_session *s) { return s->model; }
const struct osp_plan *osp_session_last_plan(const struct osp_session *s) { return s->last; }
void osp_session_times(const struct osp_session *s, struct osp_session_times *out) { *out = s->times; }
osp_status osp_session_memory(const struct osp_session *s, size_t *free_bytes, size_t *total_bytes)
{
    return s->backend->memory->available(s->device, free_bytes, total_bytes);
}

void osp_session_note_postprocess(struct osp_session *s, double seconds) { s->times.postprocess = seconds; }

osp_status osp_session_enter(struct osp_session *s)
{
    if (atomic_flag_test_and_set(&s->busy))
        return osp_fail(OSP_BUSY, "this session is in use by another thread: open one session for each thread");
    return OSP_OK;
}

void osp_session_leave(struct osp_session *s) { atomic_flag_clear(&s->busy); }

/* ---- Plans ---------------------------------------------------------------------------------------- */

/* How often nodes run for other slices than the last. */
static int steps_again(const struct osp_plan *plan)
{
    int steps = 0;
    for (int i = 0; i < plan->graph->node_count; i++)
        steps += plan->nodes[i].slices - 1;
    return steps;
}

static osp_status find_plan(struct osp_session *s, struct osp_dims dims, struct osp_plan **out)
{
    int oldest = 0;
    for (int i = 0; i < s->plan_count; i++) {
        const struct osp_dims *d = &s->plans[i]->dims;
        if (d->n == dims.n && d->h == dims.h && d->w == dims.w) {
            s->plans[i]->used = ++s->clock;
            *out = s->plans[i];
            return OSP_OK;
        }
        if (s->plans[i]->used < s->plans[oldest]->used)
            oldest = i;
    }
    struct osp_plan *plan;
    osp_status status =
        osp_plan_new(s->graph, s->backend, s->device, &s->pins, dims, (struct osp_plan_wish){s->keep, s->whole}, &plan);
    if (status)
        return status;
    int again = steps_again(plan);
    if (again && (status = s->backend->clock->reserve(s->device, s->graph->node_count + OSP_MARKS + again))) {
        osp_plan_free(plan);
        return status;
    }
    int place = s->plan_count;
    if (s->plan_count == s->plan_room) {
        place = oldest;
        if (s->last == s->plans[oldest])
            s->last = NULL;
        forget_recording(s, s->plans[oldest]);
        osp_plan_free(s->plans[oldest]);
    } else {
        s->plan_count++;
    }
    plan->used = ++s->clock;
    *out = s->plans[place] = plan;
    return OSP_OK;
}

static osp_status check_dims(int n, int h, int w)
{
    if (n < 1 || n > 65536 || h < 32 || w < 32 || h > 1 << 20 || w > 1 << 20 || h % 32 || w % 32)
        return osp_fail(OSP_USAGE, "batch %d of %dx%d; allowed are 1 to 65536 of sides that are multiples of 32, up to 1048576",
                        n, h, w);
    return OSP_OK;
}

osp_status osp_session_plan(struct osp_session *s, int n, int h, int w, const struct osp_plan **out)
{
    osp_status status = check_dims(n, h, w);
    struct osp_plan *plan = NULL;
    if (!status)
        status = find_plan(s, (struct osp_dims){n, h, w}, &plan);
    if (!status)
        *out = plan;
    return status;
}

/* ---- Running -------------------------------------------------------------------------------------- */

static osp_status ensure(struct osp_session *s, struct osp_buffer *buffer, size_t bytes)
{
    if (buffer->data && buffer->bytes >= bytes)
        return OSP_OK;
    s->backend->memory->free(s->device, buffer->data);
    *buffer = (struct osp_buffer){0};
    osp_status status = s->backend->memory->alloc(s->device, bytes, &buffer->data);
    if (!status)
        buffer->bytes = bytes;
    return status;
}

/* Sends the pictures, each on a 64-byte boundary, and the rows that say where they are. */
static osp_status upload(struct osp_session *s, const struct osp_image *const *pictures, int64_t *images, int n,
                         size_t *pixel_bytes)
{
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        images[i * OSP_IMAGE_FIELDS + OSP_IMAGE_OFFSET] = (int64_t)total;
        total += ((size_t)pictures[i]->width * (size_t)pictures[i]->height * 3 + 63) / 64 * 64;
    }
    size_t row_bytes = (size_t)n * OSP_IMAGE_FIELDS * sizeof *images;
    osp_status status = ensure(s, &s->pixels, total);
    if (!status)
        status = ensure(s, &s->images, row_bytes);
    if (!status)
        status = s->backend->clock->mark(s->device, s->graph->node_count + OSP_MARK_UP_FROM);
    for (int i = 0; !status && i < n; i++)
        status = s->backend->memory->upload(s->device, (char *)s->pixels.data + images[i * OSP_IMAGE_FIELDS], pictures[i]->rgb,
                                            (size_t)pictures[i]->width * (size_t)pictures[i]->height * 3);
    if (!status)
        status = s->backend->memory->upload(s->device, s->images.data, images, row_bytes);
    if (!status)
        status = s->backend->clock->mark(s->device, s->graph->node_count + OSP_MARK_UP_TO);
    *pixel_bytes = total;
    return status;
}

/* One run of a node, for a slice of the batch. */
struct step {
    const struct osp_stretch *stretch; /* NULL: before the first */
    int node, slice;
    int mark, again; /* the time mark behind it; how many steps were for other slices than the last */
};

/* The step after this one; 0: there is none. */
static int next_step(const struct osp_plan *plan, struct step *step)
{
    const struct osp_stretch *end = plan->stretches + plan->stretch_count;
    if (!step->stretch) {
        *step = (struct step){.stretch = plan->stretches};
    } else if (++step->node == step->stretch->end) {
        if (++step->slice < step->stretch->slices) {
            step->node = step->stretch->first;
        } else {
            step->stretch++;
            step->slice = 0;
        }
    }
    if (step->stretch == end)
        return 0;
    int last = step->slice + 1 == step->stretch->slices;
    step->mark = last ? step->node + 1 : plan->graph->node_count + OSP_MARKS + step->again++;
    return 1;
}

/* Starts every node. marks: with a time mark behind each, and asking how each fills the device. */
static osp_status start_nodes(struct osp_session *s, struct osp_plan *plan, int marks)
{
    struct osp_call room;
    struct osp_occupancy before;
    if (marks && s->backend->occupancy)
        s->backend->occupancy(s->device, &before); /* forgets what a run that failed left behind */
    for (struct step step = {0}; next_step(plan, &step);) {
        const struct osp_call *call = osp_plan_slice_call(plan, step.node, step.slice, &room);
        osp_status status = plan->nodes[step.node].kernel->run(s->device, call, osp_packs_state(s->packs, plan, step.node));
        if (status)
            return osp_fail(status, "%s: %s", s->graph->nodes[step.node].name, osp_message());
        if (marks && (status = s->backend->clock->mark(s->device, step.mark)))
            return status;
        if (marks && s->backend->occupancy)
            s->backend->occupancy(s->device, &plan->nodes[step.node].occupancy);
    }
    return OSP_OK;
}

/* The nodes' times, each over all slices. */
static osp_status read_clock(struct osp_session *s, struct osp_plan *plan)
{
    osp_status status = OSP_OK;
    int before = 0;
    for (int i = 0; i < s->graph->node_count; i++)
        plan->nodes[i].seconds = 0;
    for (struct step step = {0}; !status && next_step(plan, &step); before = step.mark) {
        double seconds = 0;
        status = s->backend->clock->seconds(s->device, before, step.mark, &seconds);
        plan->nodes[step.node].seconds += seconds;
    }
    return status;
}

/* What the backend does once for a plan in its memory: loads all that its launches need, and records them if that is asked for.
 */
static osp_status rehearse(struct osp_session *s, struct osp_plan *plan)
{
    const struct osp_capture *capture = s->backend->capture;
    if (!capture || (plan->rehearsed && plan->recorded >= s->record))
        return OSP_OK;
    osp_status status = capture->rehearse(s->device, 1);
    if (!status)
        status = start_nodes(s, plan, 0);
    osp_status back = capture->rehearse(s->device, 0);
    status = status ? status : back;
    plan->rehearsed = !status;
    if (status || !s->record)
        return status;
    forget_recording(s, plan);
    status = capture->begin(s->device);
    if (status)
        return status;
    status = start_nodes(s, plan, 0);
    back = capture->end(s->device, !status, &plan->recording);
    status = status ? status : back;
    plan->recorded = !status;
    return status;
}

/* To the host; the time, by the device's clock, is added to the session's. */
static osp_status download(struct osp_session *s, void *to, const void *from, size_t bytes)
{
    const struct osp_clock *clock = s->backend->clock;
    int mark = s->graph->node_count;
    double seconds = 0;
    osp_status status = clock->mark(s->device, mark + OSP_MARK_DOWN_FROM);
    if (!status)
        status = s->backend->memory->download(s->device, to, from, bytes);
    if (!status)
        status = clock->mark(s->device, mark + OSP_MARK_DOWN_TO);
    if (!status)
        status = clock->seconds(s->device, mark + OSP_MARK_DOWN_FROM, mark + OSP_MARK_DOWN_TO, &seconds);
    s->times.download += seconds;
    return status;
}

/* Runs the nodes, one by one or as they were recorded; then reads the row counts and the clock. */
static osp_status run_nodes(struct osp_session *s, struct osp_plan *plan)
{
    const struct osp_clock *clock = s->backend->clock;
    int count = s->graph->node_count;
    osp_status status = clock->mark(s->device, 0);
    if (!status)
        status = s->record ? s->backend->capture->launch(s->device, plan->recording) : start_nodes(s, plan, 1);
    if (!status && s->record)
        status = clock->mark(s->device, count);
    if (!status && plan->counts != OSP_NONE)
        status =
            download(s, plan->counts_host, plan->values[plan->counts].data, (size_t)plan->dims.n * sizeof *plan->counts_host);
    if (!status)
        status = clock->seconds(s->device, count + OSP_MARK_UP_FROM, count + OSP_MARK_UP_TO, &s->times.upload);
    if (!status && !s->record)
        status = read_clock(s, plan);
    if (!status)
        status = clock->seconds(s->device, 0, count, &s->times.network);
    return status;
}

osp_status osp_session_run(struct osp_session *s, const struct osp_image *const *pictures, int64_t *images, int n, int h, int w)
{
    struct osp_plan *plan = NULL;
    size_t pixel_bytes = 0;
    double t0 = osp_seconds();
    osp_status status = check_dims(n, h, w);
    if (!status)
        status = find_plan(s, (struct osp_dims){n, h, w}, &plan);
    double t1 = osp_seconds();
    if (!status)
        status = osp_packs_prepare(s->packs, s->device, plan);
    if (!status)
        status = ensure(s, &s->arena, plan->memory.arena);
    double t2 = osp_seconds();
    if (!status)
        status = upload(s, pictures, images, n, &pixel_bytes);
    if (status)
        return status;
    double t3 = osp_seconds();
    osp_plan_bind(plan, s->arena.data, s->pixels.data, pixel_bytes, s->images.data);
    s->last = NULL;
    status = rehearse(s, plan);
    s->times.plan = t1 - t0;
    s->times.pack = t2 - t1 + osp_seconds() - t3;
    s->times.upload = s->times.download = 0;
    s->times.graph = s->record;
    if (!status && s->backend->counter)
        s->backend->counter->clear(s->device);
    if (!status)
        status = run_nodes(s, plan);
    if (!status)
        status = osp_packs_unchanged(s->packs);
    if (!status) {
        plan->ran = 1;
        s->last = plan;
    }
    return status;
}

int osp_session_counts(const struct osp_session *s, int i, struct osp_kernel_counts *out)
{
    return s->backend->counter && s->last ? s->backend->counter->get(s->device, i, out) : 0;
}

static const struct osp_tensor *result(const struct osp_session *s, int i)
{
    return s->last && i >= 0 && i < s->graph->kept_count ? &s->last->values[s->graph->kept[i]] : NULL;
}

size_t osp_session_result_bytes(const struct osp_session *s, int i)
{
    const struct osp_tensor *value = result(s, i);
    return value ? (size_t)osp_shape_count(&value->shape) * osp_dtype_size(value->dtype) : 0;
}

osp_status osp_session_result(struct osp_session *s, int i, void *out, size_t bytes)
{
    const struct osp_tensor *value = result(s, i);
    if (!value)
        return osp_fail(OSP_USAGE, "result %d: nothing has run, or the network keeps only %d values", i, s->graph->kept_count);
    size_t size = osp_session_result_bytes(s, i);
    if (size != bytes)
        return osp_fail(OSP_USAGE, "result %d has %zu bytes, %zu were asked for", i, size, bytes);
    return download(s, out, value->data, bytes);
}
