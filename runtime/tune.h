/* Kernels chosen by measurement: the file that `osprey bench --tune` writes, and by which the plans of a session opened with
 * `tuned` go (tools/measure/tuning.schema.json). It holds for one machine and one setting of its device; a layer is known by its call, so that
 * what was measured in one network serves another. */
#ifndef OSPREY_TUNE_H
#define OSPREY_TUNE_H

#include <stddef.h>

#include "osprey.h"

enum { OSP_TUNE_PATH = 4096, OSP_TUNE_CALL = 512, OSP_TUNE_RUNGS = 16 };

/* What the choices hold for. */
struct osp_tune_machine {
    char backend[32], device[256], isa[32], precision[8]; /* device: the GPU, or the processor with family, model and stepping */
    int threads;
};
void osp_session_machine(const struct osp_session *session, struct osp_tune_machine *out);

/* "conv2d 1x200x272x64 * 64x64x3x3 64 -> 1x200x272x64, 3x3 stride 1 pad 1": node i's op, inputs * weights -> outputs. */
void osp_plan_call(const struct osp_plan *plan, int i, char text[OSP_TUNE_CALL]);

/* Where a machine's own file is: $XDG_CACHE_HOME/osprey/tune-....json, with ~/.cache for a cache folder that is not named.
 * OSP_USAGE: neither variable is set. */
osp_status osp_tune_own_path(const struct osp_tune_machine *machine, char path[OSP_TUNE_PATH]);

/* One layer's choice, and the seconds by which it was made. */
struct osp_tune_layer {
    const char *call, *rung;
    int rungs;
    struct {
        const char *name;
        double seconds;
    } time[OSP_TUNE_RUNGS];
};

/* Writes layers into a file, whole or not at all. Choices for other calls that stand there stay, if they were made by this
 * version for this machine; else the file begins anew. own: in the cache folder, which is made if need be, and where anything in
 * the way is replaced. Elsewhere what is no tuning file is not written over: OSP_REFUSED. OSP_UNWRITTEN, OSP_MEMORY. */
osp_status osp_tune_save(const char *path, int own, const struct osp_tune_machine *machine, const struct osp_tune_layer *layers,
                         int count);

/* Could it, as things stand? Said before the measuring rather than after. */
osp_status osp_tune_check(const char *path, int own, const struct osp_tune_machine *machine);

struct osp_tune;

/* path "": the machine's own. OSP_USAGE: it is not there, or for another machine, setting or version; OSP_REFUSED: it is damaged;
 * OSP_MEMORY. */
osp_status osp_tune_open(const char *path, const struct osp_tune_machine *machine, struct osp_tune **out);
void osp_tune_close(struct osp_tune *tune); /* NULL is allowed */
const char *osp_tune_path(const struct osp_tune *tune);
const char *osp_tune_rung(const struct osp_tune *tune, const char *call); /* NULL: there is none for such a call */

#endif
