/* osprey ladder as tests run it, and what they read from its JSON. */
#ifndef OSPREY_TESTS_CLIMBS_H
#define OSPREY_TESTS_CLIMBS_H

#include <jansson.h>

#include "process.h"

#define ladder(...) process_run((const char *const[]){"ladder", __VA_ARGS__, NULL}, NULL, 0, NULL)

/* The JSON of a run, held against its schema; the test fails if it ends otherwise. Free with json_decref(). */
json_t *climb_json(const char *op, const char *shape, const char *backend);

static inline const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}
static inline double number_of(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

#endif
