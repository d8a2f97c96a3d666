#include "study_fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"

/* One row a field: the struct's own name of it is the file's name of it. */
#define TEXT(type, name)                                                                                                         \
    {                                                                                                                            \
#name, FIELD_TEXT, offsetof(struct type, name), 0, NULL, 0                                                               \
    }
#define TEXT_OR_NULL(type, name)                                                                                                 \
    {                                                                                                                            \
#name, FIELD_TEXT_OR_NULL, offsetof(struct type, name), 0, NULL, 0                                                       \
    }
#define BOOL(type, name)                                                                                                         \
    {                                                                                                                            \
#name, FIELD_BOOL, offsetof(struct type, name), 0, NULL, 0                                                               \
    }
#define INT(type, name, least)                                                                                                   \
    {                                                                                                                            \
#name, FIELD_INT, offsetof(struct type, name), least, NULL, 0                                                            \
    }
#define REAL(type, name)                                                                                                         \
    {                                                                                                                            \
#name, FIELD_REAL, offsetof(struct type, name), 0, NULL, 0                                                               \
    }
#define REAL_OR_NULL(type, name)                                                                                                 \
    {                                                                                                                            \
#name, FIELD_REAL_OR_NULL, offsetof(struct type, name), 0, NULL, 0                                                       \
    }
#define SAMPLES(type, name)                                                                                                      \
    {                                                                                                                            \
#name, FIELD_SAMPLES, offsetof(struct type, name), 0, NULL, 0                                                            \
    }
#define RECORD(type, name, of)                                                                                                   \
    {                                                                                                                            \
#name, FIELD_RECORD, offsetof(struct type, name), 0, of, 0                                                               \
    }
#define LIST(type, name, of, count)                                                                                              \
    {                                                                                                                            \
#name, FIELD_LIST, offsetof(struct type, name), 0, of, offsetof(struct type, count)                                      \
    }
#define END                                                                                                                      \
    {                                                                                                                            \
        NULL, FIELD_TEXT, 0, 0, NULL, 0                                                                                          \
    }

static const struct record stage_record = {
    sizeof(struct stage), (const struct field[]){TEXT(stage, name), BOOL(stage, device), SAMPLES(stage, seconds), END}};

static const struct record layer_record = {
    sizeof(struct layer),
    (const struct field[]){TEXT(layer, node), TEXT(layer, stage), TEXT(layer, op), TEXT(layer, kernel), TEXT(layer, shape),
                           TEXT(layer, precision), REAL(layer, macs), REAL(layer, macs_done), REAL(layer, bytes),
                           REAL_OR_NULL(layer, waves), REAL_OR_NULL(layer, occupancy), SAMPLES(layer, seconds), END}};

static const struct record detection_record = {
    sizeof(struct osp_detection),
    (const struct field[]){INT(osp_detection, label, 0),
                           {"score", FIELD_FLOAT, offsetof(struct osp_detection, score), 0, NULL, 0},
                           {"box", FIELD_BOX, offsetof(struct osp_detection, box), 0, NULL, 0},
                           END}};

static const struct record picture_record = {sizeof(struct picture_result),
                                             (const struct field[]){LIST(picture_result, items, &detection_record, count), END}};

static const struct record cell_record = {
    sizeof(struct cell),
    (const struct field[]){BOOL(cell, measured), BOOL(cell, partial), TEXT_OR_NULL(cell, skipped), SAMPLES(cell, total),
                           SAMPLES(cell, waited), LIST(cell, stages, &stage_record, stage_count),
                           LIST(cell, layers, &layer_record, layer_count), LIST(cell, pictures, &picture_record, picture_count),
                           REAL_OR_NULL(cell, drift), REAL_OR_NULL(cell, arena_bytes), REAL_OR_NULL(cell, peak_bytes),
                           REAL_OR_NULL(cell, gaps), REAL_OR_NULL(cell, clock_mhz_first), REAL_OR_NULL(cell, clock_mhz_last),
                           REAL_OR_NULL(cell, temperature), END}};

static const struct record once_record = {sizeof(struct once),
                                          (const struct field[]){REAL_OR_NULL(once, program_start),
                                                                 REAL_OR_NULL(once, open_model), REAL_OR_NULL(once, open_device),
                                                                 REAL_OR_NULL(once, load_modules), REAL_OR_NULL(once, plan),
                                                                 REAL_OR_NULL(once, pack), REAL_OR_NULL(once, first_run), END}};

static const struct record column_record = {sizeof(struct column),
                                            (const struct field[]){TEXT(column, name),
                                                                   TEXT(column, backend),
                                                                   TEXT(column, device),
                                                                   TEXT(column, kernels),
                                                                   TEXT(column, precision),
                                                                   TEXT(column, precisions),
                                                                   TEXT_OR_NULL(column, failure),
                                                                   BOOL(column, emulated),
                                                                   BOOL(column, foreign),
                                                                   INT(column, machine, 0),
                                                                   INT(column, threads, 0),
                                                                   BOOL(column, gpu),
                                                                   REAL_OR_NULL(column, peak_flops),
                                                                   REAL_OR_NULL(column, peak_bytes),
                                                                   REAL_OR_NULL(column, link_bytes),
                                                                   INT(column, link_lanes, 0),
                                                                   INT(column, link_lanes_most, 0),
                                                                   REAL_OR_NULL(column, link_rate),
                                                                   REAL_OR_NULL(column, link_rate_most),
                                                                   RECORD(column, once, &once_record),
                                                                   LIST(column, cells, &cell_record, cell_count),
                                                                   END}};

static const struct record workload_record = {
    sizeof(struct workload), (const struct field[]){TEXT(workload, name), TEXT(workload, sweep), INT(workload, pictures, 1),
                                                    INT(workload, batch, 1), INT(workload, chunks, 1), INT(workload, height, 0),
                                                    INT(workload, width, 0), REAL(workload, megapixels), END}};

static const struct record machine_record = {
    sizeof(struct machine),
    (const struct field[]){TEXT(machine, host), TEXT(machine, cpu), TEXT(machine, isa), TEXT(machine, governor),
                           TEXT(machine, gpu), TEXT(machine, driver), TEXT(machine, os), INT(machine, cores, 0),
                           INT(machine, cores_allowed, 0), REAL_OR_NULL(machine, cpu_mhz), REAL_OR_NULL(machine, memory_bytes),
                           REAL_OR_NULL(machine, core_wait), END}};

static const struct record agreement_record = {
    sizeof(struct agreement),
    (const struct field[]){INT(agreement, a, 0), INT(agreement, b, 0), INT(agreement, workload, 0), INT(agreement, matched, 0),
                           INT(agreement, missing, 0), INT(agreement, extra, 0), INT(agreement, flips, 0), REAL(agreement, box),
                           REAL(agreement, score), REAL(agreement, iou), BOOL(agreement, agree), REAL(agreement, box_bound),
                           REAL(agreement, score_bound), TEXT_OR_NULL(agreement, first_node),
                           REAL_OR_NULL(agreement, first_difference), REAL_OR_NULL(agreement, first_bound), END}};

static const struct record fit_record = {
    sizeof(struct fit), (const struct field[]){INT(fit, column, 0), TEXT(fit, sweep), REAL_OR_NULL(fit, fixed),
                                               REAL_OR_NULL(fit, each), REAL_OR_NULL(fit, error), INT(fit, points, 0), END}};

static const struct record break_even_record = {
    sizeof(struct break_even),
    (const struct field[]){INT(break_even, a, 0), INT(break_even, b, 0), REAL_OR_NULL(break_even, with_start),
                           REAL_OR_NULL(break_even, without_start), REAL_OR_NULL(break_even, batch), END}};

static const struct record finding_record = {
    sizeof(struct finding),
    (const struct field[]){TEXT(finding, rule), INT(finding, column, -1), TEXT(finding, sentence), TEXT(finding, advice),
                           REAL_OR_NULL(finding, value), REAL_OR_NULL(finding, threshold), END}};

const struct record study_record = {
    sizeof(struct study),
    (const struct field[]){
        TEXT(study, command), TEXT(study, version), TEXT(study, commit), TEXT(study, date), TEXT(study, model_path),
        TEXT(study, model_sha256), TEXT(study, architecture), TEXT(study, resize), TEXT(study, images), BOOL(study, partial),
        LIST(study, machines, &machine_record, machine_count), LIST(study, workloads, &workload_record, workload_count),
        LIST(study, columns, &column_record, column_count), LIST(study, agreements, &agreement_record, agreement_count),
        LIST(study, fits, &fit_record, fit_count), LIST(study, break_evens, &break_even_record, break_even_count),
        LIST(study, findings, &finding_record, finding_count), END}};

/* ---- Walks ---------------------------------------------------------------------------------------- */

void record_init(const struct record *record, void *at)
{
    memset(at, 0, record->size);
    for (const struct field *f = record->fields; f->name; f++) {
        void *value = (char *)at + f->offset;
        if (f->kind == FIELD_REAL_OR_NULL)
            *(double *)value = NAN;
        else if (f->kind == FIELD_RECORD)
            record_init(f->of, value);
    }
}

void *record_pointer(const void *at)
{
    void *pointer;
    memcpy(&pointer, at, sizeof pointer);
    return pointer;
}

void record_free(const struct record *record, void *at)
{
    for (const struct field *f = record->fields; f->name; f++) {
        void *value = (char *)at + f->offset;
        if (f->kind == FIELD_TEXT || f->kind == FIELD_TEXT_OR_NULL) {
            free(record_pointer(value));
        } else if (f->kind == FIELD_SAMPLES) {
            free(((struct samples *)value)->values);
        } else if (f->kind == FIELD_RECORD) {
            record_free(f->of, value);
        } else if (f->kind == FIELD_LIST) {
            int count = *(int *)(void *)((char *)at + f->count);
            char *items = record_pointer(value);
            for (int i = 0; i < count; i++)
                record_free(f->of, items + (size_t)i * f->of->size);
            free(items);
        }
    }
    memset(at, 0, record->size);
}

osp_status record_append(const struct record *record, void *items, int *count, void **out)
{
    size_t bytes = ((size_t)*count + 1) * record->size;
    char *grown = realloc(record_pointer(items), bytes);
    if (!grown)
        return osp_fail(OSP_MEMORY, "out of memory: a study needs a list of %zu bytes", bytes);
    memcpy(items, &grown, sizeof grown);
    *out = grown + (size_t)*count * record->size;
    record_init(record, *out);
    ++*count;
    return OSP_OK;
}
