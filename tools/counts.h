/* What kernels asked of memory in a session's last run: as a table, as JSON. Nothing where nothing is counted. */
#ifndef OSPREY_TOOLS_COUNTS_H
#define OSPREY_TOOLS_COUNTS_H

#include <jansson.h>

#include "runtime/osprey.h"

void counts_print(const struct osp_session *session);   /* on standard error */
json_t *counts_json(const struct osp_session *session); /* a new array; NULL: nothing was counted */
json_t *counts_kernel_json(const struct osp_kernel_counts *kernel); /* a new object */

#endif
