/* A column as it is typed: BACKEND[:WORD]..., where a WORD is
 *
 *     naive                      a rung: pinned for every op whose ladder has it, wherever it does not refuse
 *     conv2d=tile                a rung of one op
 *     conv2d=tile?               the same, wherever it does not refuse
 *     backbone.conv1:conv2d=tile a rung of one node
 *     threads=N isa=X            cpu, onednn
 *     driver=PATH device=N       cuda ("driver=ptx": the driver that interprets PTX)
 *     emu=MODE                   emu
 *     precision=X                f32, tf32, f16, bf16: what the backend has
 *     tuned tuned=F              as osprey bench --tune chose: this machine's file, or F
 *     pack-cache pack-cache=F    cpu: packed weights kept beside the model, or in F
 *     graph                      cuda, emu: one captured graph
 *     whole                      cpu: no slices of a batch
 *
 * A rung of one op goes before one for all, and one of a node before both. */
#ifndef OSPREY_TOOLS_MEASURE_SPEC_H
#define OSPREY_TOOLS_MEASURE_SPEC_H

#include "runtime/osprey.h"

struct spec {
    char *name;                         /* as typed */
    char *kernels;                      /* the pins among the words, joined by commas; "": none */
    struct osp_session_options options; /* its strings live as long as the spec */
    char *words, *use;                  /* what they point into */
};

/* OSP_USAGE with what there is, for a backend, rung, op or word that is not. Nodes are looked up when a session is opened. */
osp_status spec_parse(const char *text, struct spec *out);
void spec_free(struct spec *spec); /* no-op on one that is all zero */

#endif
