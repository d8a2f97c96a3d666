/* What is asked of the columns: one picture, then sweeps, buckets and experiments. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "asked.h"
#include "runtime/file.h"
#include "tools/forecast.h"
#include "tools/report/view.h"
#include "tools/signals.h"
#include "tools/tools.h"

enum { ARTICLE_PICTURES = 100, BUCKET_BATCH = 8 };

/* A run of a sweep may take so many times the seconds that a column has at a workload. */
static const double patience = 6;

/* ---- Who takes part ----------------------------------------------------------------------------- */

/* Seconds that one picture takes on a column; NaN: not measured. */
static double picture_seconds(const struct comparison *comparison, int column)
{
    return view_per_picture(&comparison->study, column, comparison->single);
}

static osp_status skip(struct cell *cell, const char *why)
{
    cell->skipped = strdup(why);
    return cell->skipped ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while workloads are listed");
}

/* Emulations join the single picture only, and a column that would take minutes for one run says so instead. */
static osp_status choose_columns(struct comparison *comparison, int workload)
{
    osp_status status = OSP_OK;
    for (int c = 0; c < comparison->study.column_count && status == OSP_OK; c++) {
        const struct column *column = &comparison->study.columns[c];
        double run = picture_seconds(comparison, c) * comparison->study.workloads[workload].pictures;
        char why[160];
        if (column->failure)
            continue;
        if (column->emulated) {
            status = skip(&column->cells[workload], "emulated: it joins the single picture only");
        } else if (run > patience * comparison->seconds) {
            snprintf(why, sizeof why, "a run would take about %.*f s; --seconds %.0f lets it", run < 10 ? 2 : 0, run,
                     ceil(run / patience));
            status = skip(&column->cells[workload], why);
        }
    }
    return status;
}

/* ---- Memory ------------------------------------------------------------------------------------- */

static void largest_picture(const struct comparison *comparison, int *height, int *width)
{
    *height = *width = 1;
    for (int i = 0; i < measure_pictures(comparison->measure); i++) {
        int h, w;
        measure_picture_size(comparison->measure, i, &h, &w);
        if ((double)h * w > (double)*height * *width) {
            *height = h;
            *width = w;
        }
    }
}

/* In how many parts a batch is run, so that it fits on every column's device: the same for all, to be fair. */
static osp_status chunks_of(struct comparison *comparison, int batch, int *out)
{
    int chunk = batch, height, width;
    osp_status status = OSP_OK;
    largest_picture(comparison, &height, &width);
    for (int c = 0; c < comparison->study.column_count && status == OSP_OK; c++) {
        struct osp_session *session = measure_session(comparison->measure, c);
        struct budget budget;
        int fits;
        if (!session || comparison->study.columns[c].emulated)
            continue;
        status = budget_open(&budget, measure_model(comparison->measure), session, comparison->memory_limit);
        if (status == OSP_OK)
            status = budget_chunk(&budget, height, width, chunk, &fits);
        if (status == OSP_OK && fits == 0 && comparison->memory_limit > 0)
            status = budget_refuse(&budget, "the largest picture", height, width);
        else if (status == OSP_OK && fits > 0)
            chunk = fits;
    }
    *out = (batch + chunk - 1) / chunk;
    return status;
}

/* ---- Adding work -------------------------------------------------------------------------------- */

static osp_status add_work(struct comparison *comparison, const char *name, const char *sweep, struct work work, int *out)
{
    int workload;
    osp_status status =
        comparison->study.workload_count < MOST_WORKS ? OSP_OK : osp_fail(OSP_USAGE, "more than %d workloads", MOST_WORKS);
    if (status == OSP_OK && work.batch > 1)
        status = chunks_of(comparison, work.batch, &work.chunks);
    if (status == OSP_OK)
        status = measure_add_work(comparison->measure, name, sweep, &work, &workload);
    if (status == OSP_OK && comparison->single >= 0)
        status = choose_columns(comparison, workload);
    if (status == OSP_OK && work.chunks > 1 && !comparison->quiet)
        say("%s: %d pictures at a time in %d parts, for want of memory", name, work.batch, work.chunks);
    if (status == OSP_OK && out)
        *out = workload;
    return status;
}

static osp_status add_batches(struct comparison *comparison, const struct numbers *batches)
{
    osp_status status = OSP_OK;
    for (int i = 0; i < batches->count && status == OSP_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "batch %d", batches->value[i]);
        status =
            add_work(comparison, name, "batch", (struct work){.pictures = batches->value[i], .batch = batches->value[i]}, NULL);
    }
    return status;
}

/* The network's shorter side; the longer may grow with it as the model lets it at its own size. */
static osp_status add_sizes(struct comparison *comparison)
{
    osp_status status = OSP_OK;
    for (int i = 0; i < comparison->sizes.count && status == OSP_OK; i++) {
        int size = comparison->sizes.value[i];
        int most = (int)((double)size * comparison->model.max_size / comparison->model.min_size);
        char name[48];
        snprintf(name, sizeof name, "shorter side %d", size);
        status = add_work(comparison, name, "size", (struct work){.pictures = 1, .min_size = size, .max_size = most}, NULL);
    }
    return status;
}

/* ---- Shape buckets ------------------------------------------------------------------------------ */

struct shaped {
    int picture, height, width;
};

static int by_shape(const void *a, const void *b)
{
    const struct shaped *x = a, *y = b;
    if (x->height != y->height)
        return x->height < y->height ? -1 : 1;
    if (x->width != y->width)
        return x->width < y->width ? -1 : 1;
    return (x->picture > y->picture) - (x->picture < y->picture);
}

/* The shape that the network pads a picture to by itself. */
static osp_status shape_of(const struct comparison *comparison, int picture, struct shaped *out)
{
    const struct osp_model_info *model = &comparison->model;
    int height, width;
    measure_picture_size(comparison->measure, picture, &height, &width);
    osp_status status =
        osp_resized_size(model->resize, model->min_size, model->max_size, height, width, &out->height, &out->width);
    out->picture = picture;
    out->height = (out->height + 31) / 32 * 32;
    out->width = (out->width + 31) / 32 * 32;
    return status;
}

/* Pictures of one shape after another, and where each run ends: after `batch` of them, or where the shape changes. */
static osp_status bucket(const struct comparison *comparison, int count, int batch, int *order, int *ends, int *runs)
{
    struct shaped *shaped = calloc((size_t)count, sizeof *shaped);
    osp_status status = shaped ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while pictures are sorted by shape");
    for (int i = 0; i < count && status == OSP_OK; i++)
        status = shape_of(comparison, i, &shaped[i]);
    if (status == OSP_OK)
        qsort(shaped, (size_t)count, sizeof *shaped, by_shape);
    *runs = 0;
    for (int i = 0, first = 0; i < count && status == OSP_OK; i++) {
        bool last = i + 1 == count || shaped[i + 1].height != shaped[i].height || shaped[i + 1].width != shaped[i].width;
        order[i] = shaped[i].picture;
        if (last || i + 1 - first == batch) {
            ends[(*runs)++] = i + 1;
            first = i + 1;
        }
    }
    free(shaped);
    return status;
}

static osp_status add_buckets(struct comparison *comparison)
{
    int count = measure_pictures(comparison->measure), batch = BUCKET_BATCH, runs = 0, workload = 0;
    char name[64];
    for (int i = 0; i < comparison->batches.count; i++)
        batch = i == 0 || comparison->batches.value[i] > batch ? comparison->batches.value[i] : batch;
    batch = batch < count ? batch : count;
    if (count < 2 || batch < 2)
        return osp_fail(OSP_USAGE, "--bucket: %d picture%s in batches of %d; allowed are two and more", count,
                        count == 1 ? "" : "s", batch);
    int *order = calloc((size_t)count, sizeof *order), *ends = calloc((size_t)count, sizeof *ends);
    osp_status status = order && ends ? bucket(comparison, count, batch, order, ends, &runs)
                                      : osp_fail(OSP_MEMORY, "out of memory while pictures are sorted by shape");
    if (status == OSP_OK)
        status = add_work(comparison, "one by one", "bucket", (struct work){.pictures = count, .batch = 1}, NULL);
    snprintf(name, sizeof name, "batches of %d, padded to the largest", batch);
    if (status == OSP_OK)
        status = add_work(comparison, name, "bucket", (struct work){.pictures = count, .batch = batch}, NULL);
    if (status == OSP_OK) {
        snprintf(name, sizeof name, "%d batch%s of one shape each, up to %d", runs, runs == 1 ? "" : "es", batch);
        status = add_work(comparison, name, "bucket",
                          (struct work){.pictures = count, .batch = batch, .order = order, .ends = ends}, &workload);
    }
    if (status == OSP_OK) {
        comparison->orders[workload].picture = order;
        order = NULL;
    }
    free(order);
    free(ends);
    return status;
}

/* ---- The article's experiments ------------------------------------------------------------------ */

/* One image was the single picture. Now a hundred, one by one and batched; a sweep that shows from which batch on which column
 * wins; and the optimised model: the demo network, or the user's, in every precision that a backend has. */
static osp_status add_article(struct comparison *comparison)
{
    static const struct numbers batches = {5, {1, 2, 4, 8, 16}};
    int precise = comparison->study.column_count;
    osp_status status = add_work(comparison, "100 pictures, one by one", "article-2",
                                 (struct work){.pictures = ARTICLE_PICTURES, .batch = 1}, NULL);
    if (status == OSP_OK)
        status = add_work(comparison, "100 pictures, in one batch", "article-2",
                          (struct work){.pictures = ARTICLE_PICTURES, .batch = ARTICLE_PICTURES}, NULL);
    if (status == OSP_OK)
        status = add_batches(comparison, comparison->batches.count ? &comparison->batches : &batches);
    if (status == OSP_OK)
        status = measure_run(comparison->measure);
    if (status == OSP_OK && !signal_caught())
        status = columns_add_precisions(comparison);
    for (int c = precise; c < comparison->study.column_count && status == OSP_OK; c++)
        for (int w = 0; w < comparison->study.workload_count && status == OSP_OK; w++)
            status = skip(&comparison->study.columns[c].cells[w], "reduced precision: it joins the third experiment only");
    if (status == OSP_OK)
        status = add_work(comparison, "1 picture, every precision", "article-3", (struct work){.pictures = 1}, NULL);
    return status;
}

/* ---- All ---------------------------------------------------------------------------------------- */

osp_status works_measure(struct comparison *comparison)
{
    bool article = comparison->experiment != NULL;
    comparison->single = -1;
    int single = 0;
    osp_status status =
        add_work(comparison, "1 picture", article ? "article-1" : "single", (struct work){.pictures = 1}, &single);
    if (status == OSP_OK)
        status = measure_run(comparison->measure);
    comparison->single = single;
    if (status != OSP_OK || signal_caught())
        return status;
    if (article)
        status = add_article(comparison);
    else
        status = add_batches(comparison, &comparison->batches);
    if (status == OSP_OK)
        status = add_sizes(comparison);
    if (status == OSP_OK && comparison->bucket)
        status = add_buckets(comparison);
    return status == OSP_OK ? measure_run(comparison->measure) : status;
}

/* ---- Drift -------------------------------------------------------------------------------------- */

static int picture_at(const struct comparison *comparison, int workload, int i)
{
    const int *order = comparison->orders[workload].picture;
    return order ? order[i] : i % measure_pictures(comparison->measure);
}

/* The cell and place where this picture ran alone at the model's own size; NULL: it did not. */
static const struct picture_result *alone(const struct comparison *comparison, int column, int picture)
{
    const struct study *study = &comparison->study;
    for (int w = 0; w < study->workload_count; w++) {
        const struct cell *cell = &study->columns[column].cells[w];
        if (study->workloads[w].batch != 1 || strcmp(study->workloads[w].sweep, "size") == 0 || !cell->measured)
            continue;
        for (int i = 0; i < cell->picture_count; i++)
            if (picture_at(comparison, w, i) == picture)
                return &cell->pictures[i];
    }
    return NULL;
}

static osp_status drift_of(struct comparison *comparison, int column, int workload, struct agreement_cut cut)
{
    struct cell *cell = &comparison->study.columns[column].cells[workload];
    int come_or_go = 0, looked_at = 0;
    double drift = 0;
    osp_status status = OSP_OK;
    for (int i = 0; i < cell->picture_count && status == OSP_OK; i++) {
        const struct picture_result *reference = alone(comparison, column, picture_at(comparison, workload, i));
        struct agreement one;
        if (!reference)
            continue;
        status = agreement_of(reference, &cell->pictures[i], 1, agreement_bounds_of(cell, cell), cut, &one);
        drift = fmax(drift, one.box);
        come_or_go += one.missing + one.extra + one.flips;
        looked_at++;
    }
    if (looked_at == 0 || status != OSP_OK)
        return status;
    cell->drift = drift;
    if (come_or_go && !comparison->quiet)
        say("%s, %s: padding makes %d detection%s come, go or change label", comparison->study.columns[column].name,
            comparison->study.workloads[workload].name, come_or_go, come_or_go == 1 ? "" : "s");
    return OSP_OK;
}

osp_status drifts_find(struct comparison *comparison, struct agreement_cut cut)
{
    osp_status status = OSP_OK;
    for (int c = 0; c < comparison->study.column_count; c++)
        for (int w = 0; w < comparison->study.workload_count && status == OSP_OK; w++)
            if (comparison->study.workloads[w].batch > 1 && comparison->study.columns[c].cells[w].measured)
                status = drift_of(comparison, c, w, cut);
    return status;
}
