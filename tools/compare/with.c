/* Other programs' timings as columns: tools/measure/peers.schema.json says what the file holds. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "runtime/file.h"
#include "tools/report/view.h"
#include "tools/tools.h"

enum { LONGEST = 64 << 20, MOST_PROGRAMS = 64, MOST_SAMPLES = 1000000, MOST_FOUND = 100000 };

/* ---- Reading with sentences --------------------------------------------------------------------- */

static osp_status refuse(const char *path, const char *where, const char *field, const char *allowed)
{
    return osp_fail(OSP_REFUSED, "%s: %s: %s: allowed is %s (tools/measure/peers.schema.json)", path, where, field, allowed);
}

static osp_status read_number(const char *path, const char *where, const json_t *from, const char *field, double least,
                              double most, double *out)
{
    const json_t *value = json_object_get(from, field);
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= least && number <= most)) {
        char allowed[64];
        snprintf(allowed, sizeof allowed, "a number from %g to %g", least, most);
        return refuse(path, where, field, allowed);
    }
    *out = number;
    return OSP_OK;
}

static osp_status read_text(const char *path, const char *where, const json_t *from, const char *field, const char **out)
{
    *out = json_string_value(json_object_get(from, field));
    return *out ? OSP_OK : refuse(path, where, field, "text");
}

static osp_status read_samples(const char *path, const char *where, const char *field, const json_t *list, double above,
                               struct samples *out)
{
    osp_status status = OSP_OK;
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > MOST_SAMPLES)
        return refuse(path, where, field, "a list of at most a million seconds");
    for (size_t i = 0; i < count && status == OSP_OK; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_number(value) || !(json_number_value(value) >= above && json_number_value(value) < 1e9))
            return refuse(path, where, field, "seconds, 0 and more (and more than 0 for a whole run)");
        status = samples_add(out, json_number_value(value));
    }
    return status;
}

/* ---- Detections --------------------------------------------------------------------------------- */

static osp_status read_detection(const char *path, const char *where, const json_t *from, struct osp_detection *out)
{
    double label = 0, score = 0, side = 0;
    const json_t *box = json_object_get(from, "box");
    osp_status status = read_number(path, where, from, "label", 1, 1e6, &label);
    if (status == OSP_OK)
        status = read_number(path, where, from, "score", -1e30, 1e30, &score);
    if (status == OSP_OK && json_array_size(box) != 4)
        status = refuse(path, where, "box", "four numbers");
    for (size_t k = 0; k < 4 && status == OSP_OK; k++) {
        side = json_number_value(json_array_get(box, k));
        if (!json_is_number(json_array_get(box, k)) || !(fabs(side) < 1e30))
            status = refuse(path, where, "box", "four numbers");
        out->box[k] = (float)side;
    }
    out->label = (int)label;
    out->score = (float)score;
    return status;
}

static osp_status read_picture(const char *path, const char *where, const json_t *from, struct picture_result *out)
{
    osp_status status = OSP_OK;
    size_t count = json_array_size(from);
    if (!json_is_array(from) || count > MOST_FOUND)
        return refuse(path, where, "pictures", "a list of detections for each picture");
    out->items = calloc(count ? count : 1, sizeof *out->items);
    if (!out->items)
        return osp_fail(OSP_MEMORY, "%s: out of memory", path);
    out->count = (int)count;
    for (size_t i = 0; i < count && status == OSP_OK; i++)
        status = read_detection(path, where, json_array_get(from, i), &out->items[i]);
    return status;
}

static osp_status read_pictures(const char *path, const char *where, const json_t *list, int batch, struct cell *cell)
{
    osp_status status = OSP_OK;
    if (!list)
        return OSP_OK;
    if (!json_is_array(list) || json_array_size(list) != (size_t)batch)
        return refuse(path, where, "pictures", "a list as long as the batch");
    cell->pictures = calloc((size_t)batch, sizeof *cell->pictures);
    if (!cell->pictures)
        return osp_fail(OSP_MEMORY, "%s: out of memory", path);
    cell->picture_count = batch;
    for (int i = 0; i < batch && status == OSP_OK; i++)
        status = read_picture(path, where, json_array_get(list, (size_t)i), &cell->pictures[i]);
    return status;
}

/* ---- Work --------------------------------------------------------------------------------------- */

static osp_status read_stages(const char *path, const char *where, const json_t *stages, struct cell *cell)
{
    const char *name;
    json_t *list;
    osp_status status = OSP_OK;
    if (!stages)
        return OSP_OK;
    size_t count = json_object_size(stages);
    if (!json_is_object(stages) || count > VIEW_STAGES)
        return refuse(path, where, "stages", "an object of at most 24 stages");
    cell->stages = calloc(count ? count : 1, sizeof *cell->stages);
    if (!cell->stages)
        return osp_fail(OSP_MEMORY, "%s: out of memory", path);
    json_object_foreach((json_t *)(uintptr_t)stages, name, list)
    {
        struct stage *stage = &cell->stages[cell->stage_count++];
        stage->name = clean_text(name, false);
        if (status == OSP_OK)
            status = stage->name ? read_samples(path, where, "stages", list, 0, &stage->seconds)
                                 : osp_fail(OSP_MEMORY, "%s: out of memory", path);
    }
    return status;
}

/* Into every workload of this batch and size whose pictures are one batch. Returns how many through `joined`. */
static osp_status read_work(const char *path, const char *where, struct study *study, int column, const json_t *work, int *joined)
{
    double batch = 0, height = 0, width = 0;
    const char *covers = NULL;
    osp_status status = read_number(path, where, work, "batch", 1, 1 << 20, &batch);
    if (status == OSP_OK)
        status = read_number(path, where, work, "height", 1, 1 << 20, &height);
    if (status == OSP_OK)
        status = read_number(path, where, work, "width", 1, 1 << 20, &width);
    if (status == OSP_OK)
        status = read_text(path, where, work, "covers", &covers);
    if (status == OSP_OK && strcmp(covers, "end-to-end") != 0 && strcmp(covers, "network") != 0)
        status = refuse(path, where, "covers", "\"end-to-end\" or \"network\"");
    for (int w = 0; w < study->workload_count && status == OSP_OK; w++) {
        const struct workload *load = &study->workloads[w];
        struct cell *cell = &study->columns[column].cells[w];
        if (load->batch != (int)batch || load->pictures != (int)batch || load->height != (int)height ||
            load->width != (int)width || cell->measured)
            continue;
        status = read_samples(path, where, "seconds", json_object_get(work, "seconds"), 1e-12, &cell->total);
        if (status == OSP_OK && cell->total.count == 0)
            status = refuse(path, where, "seconds", "at least one");
        if (status == OSP_OK)
            status = read_stages(path, where, json_object_get(work, "stages"), cell);
        if (status == OSP_OK)
            status = read_pictures(path, where, json_object_get(work, "pictures"), (int)batch, cell);
        cell->measured = status == OSP_OK;
        *joined += cell->measured;
    }
    return status;
}

/* ---- Programs ----------------------------------------------------------------------------------- */

static osp_status set_text(char **to, const char *text)
{
    char *clean = clean_text(text ? text : "", false);
    free(*to);
    *to = clean;
    return clean ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory while other programs' timings are read");
}

/* What the file says of the program itself; all but the name may be absent. */
static osp_status describe(struct column *column, const json_t *program, int machine)
{
    const char *version = json_string_value(json_object_get(program, "version"));
    const char *device = json_string_value(json_object_get(program, "device"));
    const char *precision = json_string_value(json_object_get(program, "precision"));
    const char *failure = json_string_value(json_object_get(program, "failure"));
    char words[256];
    snprintf(words, sizeof words, "%s%s%s", version ? version : "", version && device ? ", " : "", device ? device : "");
    osp_status status = set_text(&column->device, words);
    if (status == OSP_OK)
        status = set_text(&column->backend, "other");
    if (status == OSP_OK)
        status = set_text(&column->precision, precision ? precision : "f32");
    if (status == OSP_OK && failure)
        status = set_text(&column->failure, failure);
    column->foreign = true;
    column->machine = machine;
    column->gpu = json_is_true(json_object_get(program, "gpu"));
    column->threads = (int)json_integer_value(json_object_get(program, "threads"));
    column->once.open_model =
        json_is_number(json_object_get(program, "open_model")) ? json_number_value(json_object_get(program, "open_model")) : NAN;
    column->once.first_run =
        json_is_number(json_object_get(program, "first_run")) ? json_number_value(json_object_get(program, "first_run")) : NAN;
    return status;
}

static osp_status read_program(const char *path, struct study *study, const json_t *program, int index, int machine)
{
    char where[64];
    const char *name = NULL;
    const json_t *list = json_object_get(program, "work");
    int joined = 0;
    struct column *column;
    snprintf(where, sizeof where, "program %d", index + 1);
    osp_status status = read_text(path, where, program, "name", &name);
    if (status == OSP_OK && (!*name || strlen(name) > 64))
        status = refuse(path, where, "name", "text of 1 to 64 bytes");
    if (status == OSP_OK && (!json_is_array(list) || json_array_size(list) > 1024))
        status = refuse(path, where, "work", "a list of at most 1024");
    char *clean = status == OSP_OK ? clean_text(name, false) : NULL;
    if (status == OSP_OK)
        status = clean ? study_add_column(study, clean, &column) : osp_fail(OSP_MEMORY, "%s: out of memory", path);
    if (status == OSP_OK)
        status = describe(column, program, machine);
    for (size_t i = 0; status == OSP_OK && i < json_array_size(list); i++) {
        snprintf(where, sizeof where, "program %d, work %zu", index + 1, i + 1);
        status = read_work(path, where, study, study->column_count - 1, json_array_get(list, i), &joined);
    }
    if (status == OSP_OK)
        say("%s: %s did %d of %d workloads here", path, clean, joined, study->workload_count);
    free(clean);
    return status;
}

static osp_status read_programs(const char *path, struct study *study, const json_t *root)
{
    const char *sha256 = NULL, *kind = NULL;
    double schema = 0;
    const json_t *programs = json_object_get(root, "programs"), *machine = json_object_get(root, "machine");
    osp_status status = read_number(path, "file", root, "schema", 1, 1, &schema);
    if (status == OSP_OK)
        status = read_text(path, "file", root, "kind", &kind);
    if (status == OSP_OK && strcmp(kind, "peers") != 0)
        status = refuse(path, "file", "kind", "\"peers\"");
    if (status == OSP_OK)
        status = read_text(path, "file", root, "model_sha256", &sha256);
    if (status == OSP_OK && strcmp(sha256, text_or(study->model_sha256, "")) != 0)
        status = osp_fail(OSP_USAGE,
                          "%s: it is of the model %.12s..., and the comparison of %.12s...; only the same work can be compared",
                          path, sha256, text_or(study->model_sha256, "unknown"));
    if (status == OSP_OK &&
        (!json_is_array(programs) || json_array_size(programs) < 1 || json_array_size(programs) > MOST_PROGRAMS))
        status = refuse(path, "file", "programs", "a list of 1 to 64");
    int at = 0;
    const char *cpu = json_string_value(json_object_get(machine, "cpu"));
    if (status == OSP_OK && study->machine_count && cpu && strcmp(cpu, text_or(study->machines[0].cpu, "")) != 0) {
        struct machine *added;
        status = study_add_machine(study, &added);
        at = study->machine_count - 1;
        if (status == OSP_OK)
            status = set_text(&added->cpu, cpu);
        say("%s: it was measured on another processor, %s", path, cpu);
    }
    for (size_t i = 0; status == OSP_OK && i < json_array_size(programs); i++)
        status = read_program(path, study, json_array_get(programs, i), (int)i, at);
    return status;
}

osp_status with_programs(struct study *study, const char *path)
{
    struct osp_file file;
    json_error_t error;
    osp_status status = osp_file_map(path, &file);
    if (status != OSP_OK)
        return status;
    json_t *root = file.size <= LONGEST ? json_loadb((const char *)file.data, file.size, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (file.size > LONGEST)
        status = osp_fail(OSP_REFUSED, "%s: %zu bytes; allowed are %d", path, file.size, LONGEST);
    else if (!root)
        status = osp_fail(OSP_REFUSED, "%s: line %d: no JSON: %s", path, error.line, error.text);
    if (status == OSP_OK)
        status = read_programs(path, study, root);
    json_decref(root);
    osp_file_unmap(&file);
    return status;
}
