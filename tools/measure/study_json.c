/* A study as a JSON file: both ways are walks over the tables of study_fields.c. */
#include <float.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "study_fields.h"
#include "tools/tools.h"

enum { PLACE = 160 };
static const size_t longest_study = (size_t)256 << 20; /* bytes of a file that is read */

/* ---- Writing -------------------------------------------------------------------------------------- */

static json_t *record_json(const struct record *record, const void *at);

static json_t *text_json(const char *text)
{
    char *clean = clean_text(text, true);
    json_t *string = clean ? json_string(clean) : NULL;
    free(clean);
    return string;
}

static json_t *real_json(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *box_json(const float box[4])
{
    return json_pack("[ffff]", (double)box[0], (double)box[1], (double)box[2], (double)box[3]);
}

static json_t *samples_json(const struct samples *samples)
{
    json_t *array = json_array();
    for (int i = 0; i < samples->count; i++)
        if (json_array_append_new(array, real_json(samples->values[i])) != 0)
            break;
    return array;
}

static json_t *list_json(const struct record *of, const char *items, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++) {
        json_t *item = record_json(of, items + (size_t)i * of->size);
        if (json_array_append_new(array, item) != 0)
            break;
    }
    if (array && json_array_size(array) == (size_t)count)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *field_json(const struct field *f, const void *at)
{
    const char *value = (const char *)at + f->offset, *text;
    switch (f->kind) {
    case FIELD_TEXT:
        text = record_pointer(value);
        return text_json(text ? text : "");
    case FIELD_TEXT_OR_NULL:
        text = record_pointer(value);
        return text ? text_json(text) : json_null();
    case FIELD_BOOL:
        return json_boolean(*(const bool *)value);
    case FIELD_INT:
        return json_integer(*(const int *)(const void *)value);
    case FIELD_REAL:
    case FIELD_REAL_OR_NULL:
        return real_json(*(const double *)(const void *)value);
    case FIELD_FLOAT:
        return real_json((double)*(const float *)(const void *)value);
    case FIELD_BOX:
        return box_json((const float *)(const void *)value);
    case FIELD_SAMPLES:
        return samples_json((const struct samples *)(const void *)value);
    case FIELD_RECORD:
        return record_json(f->of, value);
    default:
        return list_json(f->of, record_pointer(value), *(const int *)(const void *)((const char *)at + f->count));
    }
}

static json_t *record_json(const struct record *record, const void *at)
{
    json_t *object = json_object();
    for (const struct field *f = record->fields; object && f->name; f++) {
        if (json_object_set_new(object, f->name, field_json(f, at)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *study_json(const struct study *study)
{
    json_t *fields = record_json(&study_record, study);
    json_t *object = fields ? json_pack("{si ss}", "schema", STUDY_SCHEMA, "kind", "study") : NULL;
    if (object && json_object_update(object, fields) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(fields);
    return object;
}

osp_status study_save(const struct study *study, const char *path)
{
    return result_write_json(path, study_json(study), JSON_COMPACT);
}

/* ---- Reading -------------------------------------------------------------------------------------- */

static osp_status read_record(const struct record *record, const json_t *json, const char *file, const char *place, void *at);

static osp_status refuse(const char *file, const char *place, const json_t *found, const char *allowed)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "", [JSON_REAL] = "",
        [JSON_TRUE] = "true",        [JSON_FALSE] = "false",    [JSON_NULL] = "null"};
    char number[40];
    if (!found)
        return osp_fail(OSP_REFUSED, "%s: %s: missing; allowed is %s", file, place, allowed);
    snprintf(number, sizeof number, "%g", json_number_value(found));
    return osp_fail(OSP_REFUSED, "%s: %s: found %s, allowed is %s", file, place,
                    json_is_number(found) ? number : kinds[json_typeof(found)], allowed);
}

static osp_status read_text(const json_t *json, const char *file, const char *place, void *at)
{
    if (!json_is_string(json))
        return refuse(file, place, json, "a string");
    char *copy = strdup(json_string_value(json));
    memcpy(at, &copy, sizeof copy);
    return copy ? OSP_OK : osp_fail(OSP_MEMORY, "%s: out of memory", file);
}

static osp_status read_int(const json_t *json, const char *file, const char *place, int least, int *out)
{
    char allowed[64];
    json_int_t value = json_integer_value(json);
    if (json_is_integer(json) && value >= least && value <= INT_MAX) {
        *out = (int)value;
        return OSP_OK;
    }
    snprintf(allowed, sizeof allowed, "a whole number from %d to %d", least, INT_MAX);
    return refuse(file, place, json, allowed);
}

static osp_status read_box(const json_t *json, const char *file, const char *place, float out[4])
{
    for (size_t i = 0; i < 4; i++) {
        const json_t *number = json_array_get(json, i);
        if (json_array_size(json) != 4 || !json_is_number(number) || fabs(json_number_value(number)) > (double)FLT_MAX)
            return refuse(file, place, json, "an array of four numbers");
        out[i] = (float)json_number_value(number);
    }
    return OSP_OK;
}

static osp_status read_samples(const json_t *json, const char *file, const char *place, struct samples *out)
{
    osp_status status = json_is_array(json) ? OSP_OK : refuse(file, place, json, "an array of numbers");
    for (size_t i = 0; !status && i < json_array_size(json); i++) {
        const json_t *number = json_array_get(json, i);
        status = json_is_number(number) ? samples_add(out, json_number_value(number))
                                        : refuse(file, place, number, "an array of numbers");
    }
    return status;
}

static osp_status read_list(const struct field *f, const json_t *json, const char *file, const char *place, void *items,
                            int *count)
{
    osp_status status = json_is_array(json) ? OSP_OK : refuse(file, place, json, "an array");
    for (size_t i = 0; !status && i < json_array_size(json); i++) {
        char inside[PLACE];
        void *item = NULL;
        snprintf(inside, sizeof inside, "%s[%zu]", place, i);
        status = i < INT_MAX ? record_append(f->of, items, count, &item) : refuse(file, place, json, "a shorter array");
        if (!status)
            status = read_record(f->of, json_array_get(json, i), file, inside, item);
    }
    return status;
}

static osp_status read_field(const struct field *f, const json_t *json, const char *file, const char *place, void *at)
{
    char *value = (char *)at + f->offset;
    bool real = json_is_number(json);
    switch (f->kind) {
    case FIELD_TEXT_OR_NULL:
        if (json_is_null(json))
            return OSP_OK;
        return json_is_string(json) ? read_text(json, file, place, value) : refuse(file, place, json, "a string or null");
    case FIELD_TEXT:
        return read_text(json, file, place, value);
    case FIELD_BOOL:
        *(bool *)value = json_is_true(json);
        return json_is_boolean(json) ? OSP_OK : refuse(file, place, json, "true or false");
    case FIELD_INT:
        return read_int(json, file, place, f->least, (int *)(void *)value);
    case FIELD_REAL_OR_NULL:
        *(double *)(void *)value = real ? json_number_value(json) : NAN;
        return real || json_is_null(json) ? OSP_OK : refuse(file, place, json, "a number or null");
    case FIELD_REAL:
        *(double *)(void *)value = json_number_value(json);
        return real ? OSP_OK : refuse(file, place, json, "a number");
    case FIELD_FLOAT:
        real = real && fabs(json_number_value(json)) <= (double)FLT_MAX;
        *(float *)(void *)value = real ? (float)json_number_value(json) : 0;
        return real ? OSP_OK : refuse(file, place, json, "a number");
    case FIELD_BOX:
        return read_box(json, file, place, (float *)(void *)value);
    case FIELD_SAMPLES:
        return read_samples(json, file, place, (struct samples *)(void *)value);
    case FIELD_RECORD:
        return read_record(f->of, json, file, place, value);
    default:
        return read_list(f, json, file, place, value, (int *)(void *)((char *)at + f->count));
    }
}

static bool has_field(const struct record *record, const char *name)
{
    const struct field *f = record->fields;
    while (f->name && strcmp(f->name, name) != 0)
        f++;
    return f->name;
}

/* Every field once, and nothing else; a study itself also has its schema number and its kind. */
static osp_status check_names(const struct record *record, const json_t *json, const char *file, const char *place)
{
    const char *name;
    json_t *value;
    char shown[80];
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        if (!has_field(record, name) && !(record == &study_record && (!strcmp(name, "schema") || !strcmp(name, "kind"))))
            return osp_fail(OSP_REFUSED, "%s: %s%sfound a field \"%s\", which schema %d does not have", file, place,
                            *place ? ": " : "", osp_quote(shown, sizeof shown, name, strlen(name)), STUDY_SCHEMA);
    }
    return OSP_OK;
}

static osp_status read_record(const struct record *record, const json_t *json, const char *file, const char *place, void *at)
{
    if (!json_is_object(json))
        return refuse(file, *place ? place : "the file", json, "an object");
    osp_status status = check_names(record, json, file, place);
    for (const struct field *f = record->fields; !status && f->name; f++) {
        char inside[PLACE];
        const json_t *value = json_object_get(json, f->name);
        snprintf(inside, sizeof inside, "%s%s%s", place, *place ? "." : "", f->name);
        status = value ? read_field(f, value, file, inside, at)
                       : osp_fail(OSP_REFUSED, "%s: %s: missing; schema %d has it", file, inside, STUDY_SCHEMA);
    }
    return status;
}

/* ---- What belongs together ------------------------------------------------------------------------ */

static osp_status check_index(const char *file, const char *what, int i, const char *field, int found, int count)
{
    if (found < count)
        return OSP_OK;
    return osp_fail(OSP_REFUSED, "%s: %s[%d].%s: found %d, but there are %d", file, what, i, field, found, count);
}

static osp_status check_column(const struct study *study, const char *file, int i)
{
    const struct column *column = &study->columns[i];
    osp_status status = check_index(file, "columns", i, "machine", column->machine, study->machine_count);
    if (!status && column->cell_count != study->workload_count)
        status = osp_fail(OSP_REFUSED, "%s: columns[%d].cells: found %d, allowed are %d, as many as workloads", file, i,
                          column->cell_count, study->workload_count);
    for (int w = 0; !status && w < column->cell_count; w++) {
        int pictures = column->cells[w].picture_count;
        if (pictures && pictures != study->workloads[w].pictures)
            status = osp_fail(OSP_REFUSED, "%s: columns[%d].cells[%d].pictures: found %d, allowed are none or %d", file, i, w,
                              pictures, study->workloads[w].pictures);
    }
    return status;
}

/* Indices that views follow without looking. */
static osp_status check_study(const struct study *study, const char *file)
{
    osp_status status = OSP_OK;
    int columns = study->column_count;
    for (int i = 0; !status && i < columns; i++)
        status = check_column(study, file, i);
    for (int i = 0; !status && i < study->agreement_count; i++) {
        const struct agreement *agreement = &study->agreements[i];
        status = check_index(file, "agreements", i, "a", agreement->a, columns);
        if (!status)
            status = check_index(file, "agreements", i, "b", agreement->b, columns);
        if (!status)
            status = check_index(file, "agreements", i, "workload", agreement->workload, study->workload_count);
    }
    for (int i = 0; !status && i < study->fit_count; i++)
        status = check_index(file, "fits", i, "column", study->fits[i].column, columns);
    for (int i = 0; !status && i < study->break_even_count; i++) {
        status = check_index(file, "break_evens", i, "a", study->break_evens[i].a, columns);
        if (!status)
            status = check_index(file, "break_evens", i, "b", study->break_evens[i].b, columns);
    }
    for (int i = 0; !status && i < study->finding_count; i++)
        status = check_index(file, "findings", i, "column", study->findings[i].column, columns);
    return status;
}

/* ---- The file ------------------------------------------------------------------------------------- */

static osp_status parse_file(const char *path, json_t **out)
{
    struct osp_file file;
    json_error_t error;
    osp_status status = osp_file_map(path, &file);
    if (status)
        return status;
    *out = NULL;
    if (file.size > longest_study)
        status = osp_fail(OSP_REFUSED, "%s: %zu bytes, allowed are at most %zu", path, file.size, longest_study);
    else if (!file.size)
        status = osp_fail(OSP_REFUSED, "%s: an empty file, allowed is a study", path);
    else if (!(*out = json_loadb((const char *)file.data, file.size, JSON_REJECT_DUPLICATES, &error)))
        status = osp_fail(OSP_REFUSED, "%s: line %d: %s", path, error.line, error.text);
    osp_file_unmap(&file);
    return status;
}

static osp_status check_kind(const json_t *json, const char *path)
{
    const json_t *kind = json_object_get(json, "kind"), *schema = json_object_get(json, "schema");
    if (!json_is_string(kind) || strcmp(json_string_value(kind), "study") != 0)
        return osp_fail(OSP_REFUSED, "%s: no study, as osprey bench and compare write them with --json", path);
    if (json_is_integer(schema) && json_integer_value(schema) == STUDY_SCHEMA)
        return OSP_OK;
    char allowed[32];
    snprintf(allowed, sizeof allowed, "%d", STUDY_SCHEMA);
    return refuse(path, "schema", schema, allowed);
}

osp_status study_load(const char *path, struct study *out)
{
    json_t *json = NULL;
    struct study study;
    osp_status status = parse_file(path, &json);
    if (status)
        return status;
    study_init(&study);
    status = check_kind(json, path);
    if (!status)
        status = read_record(&study_record, json, path, "", &study);
    if (!status)
        status = check_study(&study, path);
    json_decref(json);
    if (status)
        study_free(&study);
    else
        *out = study;
    return status;
}
