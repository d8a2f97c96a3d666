/* What a study's structs hold, as tables: reading, writing, freeing and the defaults of a new one are walks over them. */
#ifndef OSPREY_TOOLS_MEASURE_STUDY_FIELDS_H
#define OSPREY_TOOLS_MEASURE_STUDY_FIELDS_H

#include "study.h"

enum field_kind {
    FIELD_TEXT,         /* char *; NULL is written as "" */
    FIELD_TEXT_OR_NULL, /* char * */
    FIELD_BOOL,         /* bool */
    FIELD_INT,          /* int, least and more */
    FIELD_REAL,         /* double, finite */
    FIELD_REAL_OR_NULL, /* double; NaN is null */
    FIELD_FLOAT,        /* float, finite */
    FIELD_BOX,          /* float[4] */
    FIELD_SAMPLES,      /* struct samples: an array of numbers */
    FIELD_RECORD,       /* a struct */
    FIELD_LIST          /* a pointer to structs; how many is an int elsewhere in the same struct */
};

struct record;

struct field {
    const char *name; /* NULL: past the last */
    enum field_kind kind;
    size_t offset;
    int least;               /* FIELD_INT */
    const struct record *of; /* FIELD_RECORD, FIELD_LIST */
    size_t count;            /* FIELD_LIST: the offset of its count */
};

struct record {
    size_t size;
    const struct field *fields;
};

extern const struct record study_record; /* all of a study but its schema number */

/* All zero, and NaN where a number may be missing. */
void record_init(const struct record *record, void *at);
void record_free(const struct record *record, void *at);

/* The pointer that stands at `at`, of whatever type it is there. */
void *record_pointer(const void *at);

/* Room for one more in the list whose pointer stands at `items`, set up by record_init. */
osp_status record_append(const struct record *record, void *items, int *count, void **out);

#endif
