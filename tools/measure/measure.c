/* What is measured: a model, pictures, columns, workloads. rounds.c measures them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"
#include "runtime/file.h"
#include "tools/image/image.h"
#include "tools/progress.h"
#include "tools/tools.h"

enum { MOST_BATCH = 65536 };

static osp_status no_memory(void) { return osp_fail(OSP_MEMORY, "out of memory while a measurement is prepared"); }

void measure_set_options(struct measure *m, const struct measure_options *options)
{
    m->options = *options;
    if (!m->options.least)
        m->options.least = 10;
    if (!m->options.most)
        m->options.most = 1000;
    if (m->options.seconds == 0)
        m->options.seconds = 10;
    if (m->options.narrow == 0)
        m->options.narrow = 0.01;
}

osp_status measure_new(const char *model_path, const struct measure_options *options, struct study *study, struct measure **out)
{
    struct measure *m = calloc(1, sizeof *m);
    if (!m)
        return no_memory();
    m->study = study;
    measure_set_options(m, options);
    double start = now();
    osp_status status = osp_model_open(model_path, &m->model);
    m->open_model = now() - start;
    m->program_start = options->program && !status ? time_program_start(options->program) : NAN;
    if (!status)
        status = study_describe(m);
    m->base_bytes = resident_bytes();
    if (status)
        measure_free(m);
    else
        *out = m;
    return status;
}

void measure_free(struct measure *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->subject_count; i++) {
        measure_close(m, i);
        spec_free(&m->subjects[i].spec);
    }
    for (int i = 0; i < m->picture_count; i++) {
        free(m->pictures[i].name);
        free(m->pictures[i].data);
    }
    for (int i = 0; i < m->work_count; i++) {
        free((int *)(uintptr_t)m->works[i].order);
        free((int *)(uintptr_t)m->works[i].ends);
    }
    osp_model_close(m->model);
    free(m->subjects);
    free(m->pictures);
    free(m->works);
    free(m);
}

const struct osp_model *measure_model(const struct measure *m) { return m->model; }
int measure_pictures(const struct measure *m) { return m->picture_count; }

void measure_picture_size(const struct measure *m, int picture, int *height, int *width)
{
    *height = m->pictures[picture].height;
    *width = m->pictures[picture].width;
}

int picture_of(const struct measure *m, int w, int i) { return m->works[w].order ? m->works[w].order[i] : i % m->picture_count; }

struct osp_session *measure_session(const struct measure *m, int column) { return m->subjects[column].session; }

void measure_close(struct measure *m, int column)
{
    if (m->subjects[column].session)
        pack_cache_write(m->subjects[column].session, false); /* a column's figures do not depend on that */
    osp_session_close(m->subjects[column].session);
    m->subjects[column].session = NULL;
}

/* ---- Pictures ------------------------------------------------------------------------------------- */

/* Decodes it. The first picture of all is decoded once more, to know what the first time costs beyond any later one. */
static osp_status try_decoding(struct measure *m, const char *name, const void *data, size_t size, struct osp_image **out)
{
    struct osp_image *again;
    double start = now();
    osp_status status = osp_image_decode(name, data, size, NULL, out);
    double first = now();
    if (status || m->picture_count > 0)
        return status;
    status = osp_image_decode(name, data, size, NULL, &again);
    m->first_decode = fmax(0, (first - start) - (now() - first));
    if (status)
        osp_image_free(*out);
    else
        osp_image_free(again);
    return status;
}

osp_status measure_add_bytes(struct measure *m, const char *name, void *data, size_t size)
{
    struct osp_image *image = NULL;
    struct picture_file *grown = realloc(m->pictures, ((size_t)m->picture_count + 1) * sizeof *grown);
    char *copy = strdup(name);
    if (grown)
        m->pictures = grown;
    osp_status status = grown && copy ? try_decoding(m, name, data, size, &image) : no_memory();
    if (status) {
        free(copy);
        free(data);
        return status;
    }
    m->pictures[m->picture_count++] = (struct picture_file){copy, data, size, image->height, image->width};
    osp_image_free(image);
    return OSP_OK;
}

osp_status measure_add_file(struct measure *m, const char *path)
{
    struct osp_file file;
    osp_status status = osp_file_map(path, &file);
    if (status)
        return status;
    size_t size = file.size;
    void *data = malloc(size ? size : 1);
    if (data && size)
        memcpy(data, file.data, size);
    status = data ? osp_file_unchanged(&file) : no_memory();
    osp_file_unmap(&file);
    if (!status)
        return measure_add_bytes(m, path, data, size);
    free(data);
    return status;
}

/* ---- Columns -------------------------------------------------------------------------------------- */

static double device_used(const struct osp_session *session)
{
    size_t free_bytes, total;
    return osp_session_memory(session, &free_bytes, &total) ? NAN : (double)(total - free_bytes);
}

/* What can be said once its device is open. */
static osp_status open_column(struct measure *m, int c)
{
    struct subject *subject = &m->subjects[c];
    struct column *column = &m->study->columns[c];
    struct osp_session_times times;
    struct osp_device_info device;
    double before = resident_bytes();
    osp_status status = osp_session_open(m->model, &subject->spec.options, &subject->session);
    if (status)
        return status;
    osp_session_times(subject->session, &times);
    osp_session_device(subject->session, &device);
    column->once.open_device = times.open;
    subject->load_seconds = device.load_seconds;
    subject->device_bytes = device.gpu ? device_used(subject->session) : NAN;
    subject->own_bytes = resident_bytes() - before;
    return column_describe(m, c);
}

/* It cannot go on: its column says why. */
osp_status measure_fail_column(struct measure *m, int c)
{
    struct column *column = &m->study->columns[c];
    free(column->failure);
    column->failure = strdup(osp_message());
    measure_close(m, c);
    return column->failure ? OSP_OK : no_memory();
}

static osp_status start_column(struct measure *m, const char *text, const struct spec *spec, int *out)
{
    struct column *column;
    struct subject *grown = realloc(m->subjects, ((size_t)m->subject_count + 1) * sizeof *grown);
    if (!grown)
        return no_memory();
    m->subjects = grown;
    osp_status status = study_add_column(m->study, text, &column);
    if (status)
        return status;
    *out = m->subject_count++;
    m->subjects[*out] = (struct subject){.spec = *spec, .device_bytes = NAN, .first = NAN};
    column->backend = strdup(spec->options.backend);
    column->kernels = strdup(spec->kernels);
    column->once.open_model = m->open_model;
    column->once.program_start = m->program_start;
    return column->backend && column->kernels ? OSP_OK : no_memory();
}

osp_status measure_add_column(struct measure *m, const char *text, int *out)
{
    struct spec spec;
    int c = -1;
    osp_status status = spec_parse(text, &spec);
    if (status)
        return status;
    status = start_column(m, text, &spec, &c);
    if (c < 0)
        spec_free(&spec);
    if (!status) {
        status = open_column(m, c);
        if (status && status != OSP_USAGE)
            status = measure_fail_column(m, c);
    }
    if (!status)
        *out = c;
    return status;
}

/* ---- Workloads ------------------------------------------------------------------------------------ */

/* A copy of a list in struct work; NULL stays NULL. */
static osp_status copy_list(const int **list, int count)
{
    int *copy = *list ? malloc((size_t)count * sizeof *copy) : NULL;
    if (copy)
        memcpy(copy, *list, (size_t)count * sizeof *copy);
    osp_status status = *list && !copy ? no_memory() : OSP_OK;
    *list = copy;
    return status;
}

static osp_status copy_lists(const struct measure *m, struct work *work)
{
    int runs = 0;
    while (work->ends && work->ends[runs] < work->pictures)
        runs++;
    for (int i = 0; work->order && i < work->pictures; i++)
        if (work->order[i] < 0 || work->order[i] >= m->picture_count)
            return osp_fail(OSP_USAGE, "picture %d of %d", work->order[i], m->picture_count);
    osp_status status = copy_list(&work->order, work->pictures), second = copy_list(&work->ends, runs + 1);
    return status ? status : second;
}

osp_status measure_add_work(struct measure *m, const char *name, const char *sweep, const struct work *asked, int *out)
{
    struct work work = *asked;
    work.pictures = work.pictures ? work.pictures : 1;
    work.batch = work.batch ? work.batch : work.pictures;
    work.chunks = work.chunks ? work.chunks : 1;
    if (work.pictures < 1 || work.batch < 1 || work.batch > work.pictures || work.batch > MOST_BATCH || work.chunks < 1 ||
        work.chunks > work.batch)
        return osp_fail(OSP_USAGE,
                        "%d pictures in batches of %d, each in %d parts; allowed are batches of 1 to %d, no larger than "
                        "all, and parts of at least one picture",
                        work.pictures, work.batch, work.chunks, MOST_BATCH);
    if (m->picture_count == 0)
        return osp_fail(OSP_USAGE, "no picture to measure with");
    struct work *grown = realloc(m->works, ((size_t)m->work_count + 1) * sizeof *grown);
    struct workload *workload;
    if (!grown)
        return no_memory();
    m->works = grown;
    osp_status status = study_add_workload(m->study, name, sweep, &workload);
    if (!status)
        status = copy_lists(m, &work);
    if (status)
        return status;
    workload->pictures = work.pictures;
    workload->batch = work.batch;
    workload->chunks = work.chunks;
    *out = m->work_count;
    m->works[m->work_count++] = work;
    for (int i = 0; i < work.pictures; i++) {
        const struct picture_file *picture = &m->pictures[picture_of(m, *out, i)];
        workload->megapixels += (double)picture->height * picture->width / 1e6;
    }
    return OSP_OK;
}
