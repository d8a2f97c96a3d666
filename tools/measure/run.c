/* One run of a workload: decode, detect, and where the time went. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"
#include "runtime/file.h"
#include "tools/image/image.h"
#include "tools/progress.h"

/* What one call of the network needs. */
struct part {
    struct osp_image **images;
    struct osp_detections *found;
    int count;
};

static osp_status no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory while a run is measured"); }

/* ---- The network's part of the tally --------------------------------------------------------------- */

static int stage_of(struct tally *tally, const char *name)
{
    int i = 0;
    while (i < tally->stages && strcmp(tally->stage[i], name) != 0)
        i++;
    if (i == tally->stages && i < TALLY_STAGES)
        tally->stage[tally->stages++] = name;
    return i < TALLY_STAGES ? i : TALLY_STAGES - 1;
}

static osp_status add_layers(struct tally *tally, const struct osp_plan *plan)
{
    if (!tally->layer_seconds) {
        tally->layers = osp_plan_lines(plan);
        tally->layer_seconds = calloc((size_t)tally->layers, sizeof *tally->layer_seconds);
        if (!tally->layer_seconds)
            return no_memory();
    }
    for (int i = 0; i < tally->layers; i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        tally->layer_seconds[i] += line.seconds;
        tally->stage_seconds[stage_of(tally, line.stage)] += line.seconds;
    }
    return OSP_OK;
}

static osp_status add_network(struct tally *tally, const struct osp_session *session)
{
    struct osp_session_times times;
    osp_session_times(session, &times);
    tally->plan += times.plan;
    tally->pack += times.pack;
    tally->upload += times.upload;
    tally->network += times.network;
    tally->download += times.download;
    tally->postprocess += times.postprocess;
    tally->graph = times.graph;
    if (!times.graph)
        return add_layers(tally, osp_session_last_plan(session));
    tally->stage_seconds[stage_of(tally, "network")] += times.network;
    return OSP_OK;
}

/* ---- The cell's shapes: made at the first run -------------------------------------------------------- */

static osp_status copy_text(const char *text, char **out)
{
    free(*out);
    *out = strdup(text);
    return *out ? OSP_OK : no_memory();
}

static osp_status add_stage(struct cell *cell, const char *name, bool device)
{
    struct stage *grown = realloc(cell->stages, ((size_t)cell->stage_count + 1) * sizeof *grown);
    if (!grown)
        return no_memory();
    cell->stages = grown;
    cell->stages[cell->stage_count] = (struct stage){.device = device};
    return copy_text(name, &cell->stages[cell->stage_count++].name);
}

static osp_status make_stages(struct cell *cell, const struct tally *tally, bool gpu, bool drawing)
{
    osp_status status = add_stage(cell, "decode", false);
    if (!status)
        status = add_stage(cell, "upload", gpu);
    for (int i = 0; !status && i < tally->stages; i++)
        status = add_stage(cell, tally->stage[i], gpu);
    if (!status)
        status = add_stage(cell, "download", gpu);
    if (!status)
        status = add_stage(cell, "postprocess", false);
    if (!status)
        status = add_stage(cell, "host", false);
    if (!status && drawing)
        status = add_stage(cell, "drawing", false);
    return status;
}

static osp_status fill_layer(struct layer *layer, const struct osp_line *line)
{
    layer->waves = line->waves > 0 ? line->waves : NAN;
    layer->occupancy = line->occupancy > 0 ? line->occupancy : NAN;
    osp_status status = copy_text(line->node, &layer->node);
    if (!status)
        status = copy_text(line->stage, &layer->stage);
    if (!status)
        status = copy_text(line->op, &layer->op);
    if (!status)
        status = copy_text(line->kernel, &layer->kernel);
    if (!status)
        status = copy_text(line->shape, &layer->shape);
    if (!status)
        status = copy_text(line->precision, &layer->precision);
    return status;
}

static osp_status make_layers(struct cell *cell, const struct osp_plan *plan)
{
    int count = osp_plan_lines(plan);
    osp_status status = OSP_OK;
    cell->layers = calloc((size_t)count, sizeof *cell->layers);
    if (!cell->layers)
        return no_memory();
    for (cell->layer_count = 0; !status && cell->layer_count < count; cell->layer_count++) {
        struct osp_line line;
        osp_plan_line(plan, cell->layer_count, &line);
        status = fill_layer(&cell->layers[cell->layer_count], &line);
    }
    return status;
}

/* The work of one run: of all its parts. */
static void add_work(struct cell *cell, const struct osp_plan *plan)
{
    for (int i = 0; i < cell->layer_count; i++) {
        struct osp_line line;
        osp_plan_line(plan, i, &line);
        cell->layers[i].macs += line.macs;
        cell->layers[i].macs_done += line.macs_done;
        cell->layers[i].bytes += line.bytes;
    }
}

static void clear_work(struct cell *cell)
{
    for (int i = 0; i < cell->layer_count; i++)
        cell->layers[i].macs = cell->layers[i].macs_done = cell->layers[i].bytes = 0;
}

static osp_status make_shapes(struct measure *m, int c, int w, const struct tally *tally)
{
    struct cell *cell = &m->study->columns[c].cells[w];
    struct workload *workload = &m->study->workloads[w];
    const struct osp_plan *plan = osp_session_last_plan(m->subjects[c].session);
    struct osp_plan_memory memory;
    osp_plan_memory(plan, &memory);
    workload->height = memory.h > workload->height ? memory.h : workload->height;
    workload->width = memory.w > workload->width ? memory.w : workload->width;
    cell->arena_bytes = fmax(isnan(cell->arena_bytes) ? 0 : cell->arena_bytes, (double)memory.arena);
    osp_status status = OSP_OK;
    if (cell->stage_count == 0)
        status = make_stages(cell, tally, m->study->columns[c].gpu, m->options.drawing);
    if (!status && m->options.layers && !tally->graph && cell->layer_count == 0)
        status = make_layers(cell, plan);
    return status;
}

/* ---- Pictures ------------------------------------------------------------------------------------- */

static osp_status keep_results(struct cell *cell, int pictures, int first, const struct part *part)
{
    if (cell->picture_count == 0) {
        cell->pictures = calloc((size_t)pictures, sizeof *cell->pictures);
        if (!cell->pictures)
            return no_memory();
        cell->picture_count = pictures;
    }
    for (int i = 0; i < part->count; i++) {
        struct picture_result *kept = &cell->pictures[first + i];
        free(kept->items);
        *kept = (struct picture_result){part->found[i].count, part->found[i].items};
        part->found[i].items = NULL; /* it is the cell's now */
    }
    return OSP_OK;
}

/* As `detect --out` draws them: captions and all. */
static osp_status draw(const struct measure *m, struct osp_image *image, const struct osp_detections *found)
{
    struct osp_mark *marks = calloc(found->count ? (size_t)found->count : 1, sizeof *marks);
    if (!marks)
        return no_memory();
    for (int i = 0; i < found->count; i++) {
        const struct osp_detection *d = &found->items[i];
        marks[i] = (struct osp_mark){.caption = osp_model_class(m->model, d->label), .colour = d->label};
        for (int k = 0; k < 4; k++)
            marks[i].box[k] = (double)d->box[k];
    }
    osp_status status = osp_image_draw(image, marks, found->count);
    free(marks);
    return status;
}

static void free_part(struct part *part)
{
    for (int i = 0; i < part->count; i++) {
        osp_image_free(part->images[i]);
        osp_detections_free(&part->found[i]);
    }
    part->count = 0;
}

static osp_status decode_part(const struct measure *m, int w, int first, int count, struct part *part)
{
    osp_status status = OSP_OK;
    for (part->count = 0; !status && part->count < count; part->count++) {
        const struct picture_file *file = &m->pictures[picture_of(m, w, first + part->count)];
        struct osp_image *image = NULL;
        status = osp_image_decode(file->name, file->data, file->size, NULL, &image);
        part->images[part->count] = image;
        part->found[part->count] = (struct osp_detections){0};
    }
    return status;
}

/* Pictures first..first+count-1 through the network. Only what the total holds is timed in it. */
static osp_status run_part(struct measure *m, int c, int w, int first, int count, struct part *part, struct tally *tally)
{
    struct cell *cell = &m->study->columns[c].cells[w];
    struct osp_session *session = m->subjects[c].session;
    double start = now();
    osp_status status = decode_part(m, w, first, count, part);
    double decoded = now();
    if (!status)
        status = osp_detect_batch(session, (const struct osp_image *const *)part->images, count, part->found);
    double end = now();
    if (status)
        return status;
    tally->decode += decoded - start;
    tally->total += end - start;
    status = add_network(tally, session);
    if (!status)
        status = make_shapes(m, c, w, tally);
    if (status)
        return status;
    add_work(cell, osp_session_last_plan(session));
    start = now();
    for (int i = 0; !status && m->options.drawing && i < count; i++)
        status = draw(m, part->images[i], &part->found[i]);
    tally->drawing += now() - start;
    return status ? status : keep_results(cell, m->study->workloads[w].pictures, first, part);
}

osp_status run_workload(struct measure *m, int c, int w, struct tally *tally)
{
    const struct work *work = &m->works[w];
    struct cell *cell = &m->study->columns[c].cells[w];
    int at_once = (work->batch + work->chunks - 1) / work->chunks;
    struct part part = {calloc((size_t)at_once, sizeof *part.images), calloc((size_t)at_once, sizeof *part.found), 0};
    *tally = (struct tally){0};
    clear_work(cell);
    osp_status status =
        part.images && part.found ? osp_session_set_size(m->subjects[c].session, work->min_size, work->max_size) : no_memory();
    for (int batch = 0, k = 0, end; !status && batch < work->pictures; batch = end) {
        end = work->ends ? work->ends[k++] : batch + work->batch < work->pictures ? batch + work->batch : work->pictures;
        for (int first = batch; !status && first < end; first += at_once) {
            status = run_part(m, c, w, first, first + at_once < end ? at_once : end - first, &part, tally);
            double start = now(); /* giving the pictures back is part of a run */
            free_part(&part);
            tally->total += now() - start;
        }
    }
    free(part.images);
    free(part.found);
    if (status) {
        free(tally->layer_seconds);
        tally->layer_seconds = NULL;
    }
    return status;
}

/* ---- Samples -------------------------------------------------------------------------------------- */

static double stage_seconds(const struct tally *tally, const char *name)
{
    double named = tally->decode + tally->upload + tally->download + tally->postprocess;
    for (int i = 0; i < tally->stages; i++) {
        if (!strcmp(tally->stage[i], name))
            return tally->stage_seconds[i];
        named += tally->stage_seconds[i];
    }
    return !strcmp(name, "decode")        ? tally->decode
           : !strcmp(name, "upload")      ? tally->upload
           : !strcmp(name, "download")    ? tally->download
           : !strcmp(name, "postprocess") ? tally->postprocess
           : !strcmp(name, "drawing")     ? tally->drawing
                                          : fmax(0, tally->total - named); /* host */
}

osp_status run_record(struct measure *m, int c, int w, const struct tally *tally)
{
    struct cell *cell = &m->study->columns[c].cells[w];
    osp_status status = samples_add(&cell->total, tally->total);
    if (!status && !isnan(tally->waited))
        status = samples_add(&cell->waited, tally->waited);
    for (int i = 0; !status && i < cell->stage_count; i++)
        status = samples_add(&cell->stages[i].seconds, stage_seconds(tally, cell->stages[i].name));
    for (int i = 0; !status && i < cell->layer_count; i++)
        status = samples_add(&cell->layers[i].seconds, tally->layer_seconds[i]);
    cell->measured = true;
    return status;
}
