/* Packed weights: made once for a model and a kind of device, used by every session that is alike. For runtime/ only. */
#ifndef OSPREY_PACKS_H
#define OSPREY_PACKS_H

#include "plan.h"

struct osp_packs;

/* Finds what sessions of a device like this one share, or makes it; osp_packs_close with the same device. OSP_MEMORY. */
osp_status osp_packs_open(const struct osp_graph *graph, const struct osp_backend *backend, const struct osp_device *device,
                          struct osp_packs **out);
void osp_packs_close(struct osp_packs *packs, struct osp_device *device); /* NULL is allowed */

/* Packs what this plan is the first to need, holding one layer of the file in memory at a time. When the file has changed
 * meanwhile, what was packed from it is forgotten: OSP_REFUSED. */
osp_status osp_packs_prepare(struct osp_packs *packs, struct osp_device *device, const struct osp_plan *plan);

/* What node i of the plan packed. */
struct osp_node_state *osp_packs_state(struct osp_packs *packs, const struct osp_plan *plan, int i);

#endif
