/* JSON held against a JSON Schema: the keywords that the schemas of this tree use (draft 2020-12), and no others. */
#ifndef OSPREY_TESTS_SCHEMA_H
#define OSPREY_TESTS_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Does `value` satisfy `schema`? If not, `why` says what and where. A keyword that is not known here is a failure too. */
bool schema_accepts(const json_t *schema, const json_t *value, char *why, size_t size);

/* The same for two files; a failed read is a failure. */
bool schema_accepts_file(const char *schema_path, const char *path, char *why, size_t size);

#endif
