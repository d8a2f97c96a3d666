/* osprey info: the parts of its report that need a plan. Each prints text, or adds to `json` if that is not NULL. */
#ifndef OSPREY_TOOLS_INFO_H
#define OSPREY_TOOLS_INFO_H

#include <jansson.h>

#include "runtime/osprey.h"

/* Multiply-adds by stage, and with `layers` by node. */
void info_work(const struct osp_plan *plan, int layers, json_t *json);

/* Every node's kernel, and what became of the other rungs of its ladder. */
void info_kernels(const struct osp_plan *plan, json_t *json);

/* The arena beside its lower bound, and beside what it would be without sharing. */
void info_memory(const struct osp_plan *plan, json_t *json);

/* What batches of 1, 2, 4, ... up to `most` network inputs of that size need, beside what the device has free. OSP_MEMORY,
 * OSP_UNAVAILABLE. */
osp_status info_forecast(const struct osp_model *model, struct osp_session *session, int most, int height, int width,
                         json_t *json);

#endif
