/* A folder of its own for a test program, and files in it. */
#ifndef OSPREY_TESTS_SCRATCH_H
#define OSPREY_TESTS_SCRATCH_H

#include <stddef.h>

/* For cmocka: the folder is made before the first test, emptied after each, and gone after the last. */
int scratch_begin(void **state);
int scratch_empty(void **state);
int scratch_end(void **state);

/* A path in the folder; the last four stay valid. */
char *at(const char *name);

void put_file(const char *path, const void *data, size_t size);
char *get_file(const char *path, size_t *size); /* a NUL is added; size may be NULL; free() it */
void copy_file(const char *from, const char *to);
int entries(const char *folder); /* how many, hidden ones included */

#endif
