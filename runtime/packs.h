/* Packed weights: made once for a model and a kind of device, used by every session that is alike. For runtime/ only. */
#ifndef OSPREY_PACKS_H
#define OSPREY_PACKS_H

#include "plan.h"

struct osp_packs;

/* Finds what sessions of a device like this one share, or makes it; osp_packs_close with the same device. path: a file that keeps
 * packed weights (packfile.h), or NULL. OSP_MEMORY; OSP_USAGE where the backend has none that could be kept,
 * OSP_UNWRITTEN where another file stands there. */
osp_status osp_packs_open(const struct osp_graph *graph, const struct osp_backend *backend, const struct osp_device *device,
                          const char *path, struct osp_packs **out);
void osp_packs_close(struct osp_packs *packs, struct osp_device *device); /* NULL is allowed */

/* Packs what this plan is the first to need, holding one layer of the weight file in memory at a time; what the file of packed weights
 * has is taken from there. OSP_UNWRITTEN: another file stands in its place. When the weight file has changed
 * meanwhile, what was packed from it is forgotten: OSP_REFUSED. */
osp_status osp_packs_prepare(struct osp_packs *packs, struct osp_device *device, const struct osp_plan *plan);

/* Puts what has been packed into the file, beside what that has; *bytes: its size, or 0: it lacks nothing. OSP_UNWRITTEN,
 * OSP_MEMORY; OSP_REFUSED where the file has changed since it was mapped. */
osp_status osp_packs_write(struct osp_packs *packs, size_t *bytes);

const char *osp_packs_path(const struct osp_packs *packs);     /* NULL: none */
const char *osp_packs_remark(struct osp_packs *packs);         /* why the file that was there is not used; "" */
osp_status osp_packs_unchanged(const struct osp_packs *packs); /* the file, since it was mapped: osp_file_unchanged */

/* What node i of the plan packed. */
struct osp_node_state *osp_packs_state(struct osp_packs *packs, const struct osp_plan *plan, int i);

#endif
