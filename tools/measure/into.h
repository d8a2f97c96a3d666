/* Results in a README: what stands between a line "<!-- results: NAME -->" and "<!-- /results -->" is a tool's, and nobody types
 * it. */
#ifndef OSPREY_TOOLS_MEASURE_INTO_H
#define OSPREY_TOOLS_MEASURE_INTO_H

#include <stdio.h>

#include "runtime/osprey.h"

/* Is there a place for it? OSP_USAGE, OSP_UNREADABLE. */
osp_status into_check(const char *name, const char *path);

/* What `print` writes, in place of what stood between. OSP_UNWRITTEN: the file is as it was. */
typedef osp_status into_function(const void *user, FILE *stream);
osp_status into_write(const char *name, const char *path, into_function *print, const void *user);

#endif
