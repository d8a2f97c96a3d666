/* Files as bytes on the heap, in blocks of exactly their size, so that ASan sees a read past the end; and tables of hostile
 * files. */
#ifndef OSPREY_TESTS_BYTES_H
#define OSPREY_TESTS_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/osprey.h"

uint8_t *bytes_copy(const void *data, size_t size); /* free() it; never NULL */
uint8_t *bytes_of_file(const char *path, size_t *size);

/* Walks tests/hostile/<table>: rows of file, status and words, with tabs between. Each file of tests/hostile/<folder> must get
 * that status from `open` ("ok", "refused", "unreadable"), and unless ok a sentence that names the file and has the words; a
 * row's failures are printed. Returns the number of rows; fails the test unless all hold. */
int bytes_table(const char *table, const char *folder, osp_status (*open)(const char *path));

#endif
