/* A study in memory. */
#include "study.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "study_fields.h"

void study_init(struct study *study) { record_init(&study_record, study); }
void study_free(struct study *study) { record_free(&study_record, study); }

/* One more in the study's list of this name. */
static osp_status append(struct study *study, const char *list, void **out)
{
    const struct field *f = study_record.fields;
    while (strcmp(f->name, list) != 0)
        f++;
    return record_append(f->of, (char *)study + f->offset, (int *)(void *)((char *)study + f->count), out);
}

static osp_status copy_text(const char *text, char **out)
{
    *out = strdup(text);
    return *out ? OSP_OK : osp_fail(OSP_MEMORY, "out of memory: a study needs %zu bytes for a name", strlen(text) + 1);
}

/* Cells for all workloads that there are. */
static osp_status add_cells(const struct study *study, struct column *column)
{
    const struct field *f = study_record.fields;
    while (strcmp(f->name, "columns") != 0)
        f++;
    for (f = f->of->fields; strcmp(f->name, "cells") != 0;)
        f++;
    osp_status status = OSP_OK;
    void *cell;
    while (!status && column->cell_count < study->workload_count)
        status = record_append(f->of, &column->cells, &column->cell_count, &cell);
    return status;
}

osp_status study_add_column(struct study *study, const char *name, struct column **out)
{
    void *column = NULL;
    osp_status status = append(study, "columns", &column);
    *out = column;
    if (!status)
        status = copy_text(name, &(*out)->name);
    return status ? status : add_cells(study, *out);
}

osp_status study_add_workload(struct study *study, const char *name, const char *sweep, struct workload **out)
{
    void *workload = NULL;
    osp_status status = append(study, "workloads", &workload);
    *out = workload;
    if (!status)
        status = copy_text(name, &(*out)->name);
    if (!status)
        status = copy_text(sweep, &(*out)->sweep);
    if (!status)
        (*out)->pictures = (*out)->batch = (*out)->chunks = 1;
    for (int i = 0; !status && i < study->column_count; i++)
        status = add_cells(study, &study->columns[i]);
    return status;
}

#define ADD(type, list)                                                                                                          \
    osp_status study_add_##type(struct study *study, struct type **out)                                                          \
    {                                                                                                                            \
        void *made = NULL;                                                                                                       \
        osp_status status = append(study, list, &made);                                                                          \
        *out = made;                                                                                                             \
        return status;                                                                                                           \
    }
ADD(machine, "machines")
ADD(agreement, "agreements")
ADD(fit, "fits")
ADD(break_even, "break_evens")
ADD(finding, "findings")

osp_status samples_add(struct samples *samples, double value)
{
    if (samples->count == samples->room) {
        int room = samples->room ? samples->room * 2 : 16;
        double *grown = realloc(samples->values, (size_t)room * sizeof *grown);
        if (!grown)
            return osp_fail(OSP_MEMORY, "out of memory: %d samples", room);
        samples->values = grown;
        samples->room = room;
    }
    samples->values[samples->count++] = value;
    return OSP_OK;
}
