/* A plan: for one (N,H,W), every shape, every kernel choice and every place in the arena. For runtime/ only. */
#ifndef OSPREY_PLAN_H
#define OSPREY_PLAN_H

#include "graph.h"
#include "tune.h"

/* "conv2d=naive" or "NODE:conv2d=naive": parsed and checked against the graph and the backend. */
struct osp_pin {
    int node; /* -1: every node of the op */
    enum osp_op op;
    int rung;
    int soft; /* "conv2d=winograd?": only where the rung does not refuse */
};
struct osp_pins {
    struct osp_pin *pin;
    int count;
    enum osp_precision precision; /* of what is not pinned, wherever a rung of it accepts the call; elsewhere f32 */
    struct osp_tune *tune;        /* what measurement chose of what is not pinned; NULL: nothing */
};
osp_status osp_pins_parse(const char *use, const struct osp_graph *graph, const struct osp_backend *backend,
                          struct osp_pins *out);
void osp_pins_free(struct osp_pins *pins);

/* "f32", "tf32", "f16" or "bf16" (NULL: f32), of which the backend must have at least one rung. OSP_USAGE. */
osp_status osp_precision_parse(const char *text, const struct osp_backend *backend, enum osp_precision *out);

/* The ladder that serves an op: the backend's own, else its base's; NULL: none. */
const struct osp_ladder *osp_backend_ladder(const struct osp_backend *backend, enum osp_op op, const char **owner);

/* Rung i of an op, as plans count them: those of the ladder above and, where that is an overlay's, behind them those of its base,
 * which serve the calls that all the overlay's refuse. NULL: there are no more. */
const struct osp_kernel *osp_backend_kernel(const struct osp_backend *backend, enum osp_op op, int i, const char **owner);

/* Puts the rung of the tuning file, if it has one for node i's call, in place of the chosen one. OSP_REFUSED: that rung is not
 * there, or refuses. */
osp_status osp_plan_tune(struct osp_plan *plan, int i, const struct osp_tune *tune);

/* Something that lives in the arena from node `first` to node `last`, both included. */
struct osp_block {
    size_t bytes; /* rounded up to 64 */
    int first, last;
    size_t offset; /* set by osp_arena_pack */
};

/* Packs blocks so that those alive at the same time do not overlap; returns the arena's size and, in *lower_bound, the peak of
 * live bytes. order: room for `count` ints. Among several greedy orders the smallest result wins. */
size_t osp_arena_pack(struct osp_block *blocks, int count, int nodes, int *order, size_t *lower_bound);

struct osp_plan_node {
    struct osp_call call; /* data pointers are bound by osp_plan_bind */
    const struct osp_kernel *kernel;
    int rung;              /* osp_backend_kernel */
    int free;              /* neither a pin nor a tuning file chose the rung */
    int slices;            /* of its stretch */
    const char *untuned;   /* the rung that was chosen before a tuning file chose; NULL: it did not */
    size_t scratch_offset; /* in the arena */
    char kernel_name[64];  /* "cpu/conv2d/tile" */
    char shape[80];
    double macs, bytes, seconds;
    struct osp_occupancy occupancy; /* of the last run, where the backend knows it */
};

/* Nodes first..end-1, which run one after the other for a slice of the batch, then for the next one. */
struct osp_stretch {
    int first, end, slices; /* slices divides the batch; 1: each node runs for the whole batch */
};

struct osp_plan {
    const struct osp_graph *graph;
    const struct osp_backend *backend;
    const struct osp_device *device;
    struct osp_dims dims;
    struct osp_plan_node *nodes;   /* [graph->node_count] */
    struct osp_tensor *values;     /* [graph->value_count]: dtype, shape and, once bound, data */
    size_t *offsets;               /* [graph->value_count]: in the arena */
    int *held;                     /* [graph->value_count]: the arena holds one slice of so many at a time; 1: the whole value */
    struct osp_stretch *stretches; /* all nodes, in order */
    int stretch_count;
    struct osp_plan_memory memory;
    const void *bound_arena, *bound_pixels, *bound_images;
    osp_value counts;     /* the value that limits rows, as the first node with counts has it; OSP_NONE */
    int32_t *counts_host; /* [dims.n]: of the last run */
    int ran;
    int rehearsed;   /* what this binding's launches need is loaded */
    void *recording; /* of a run with `recorded` set; the session's backend destroys it. NULL: none */
    int recorded;
    uint64_t used; /* for the least-recently-used rule */
};

/* What a plan is made for, besides its batch's size. */
struct osp_plan_wish {
    int keep_all; /* no memory is shared between values */
    int whole;    /* no slices */
};

osp_status osp_plan_new(const struct osp_graph *graph, const struct osp_backend *backend, const struct osp_device *device,
                        const struct osp_pins *pins, struct osp_dims dims, struct osp_plan_wish wish, struct osp_plan **out);
void osp_plan_free(struct osp_plan *plan);

size_t osp_tensor_bytes(const struct osp_tensor *tensor);

/* Bytes of packed weights that node i reads. */
size_t osp_plan_packed(const struct osp_plan *plan, int i);

/* ---- slices.c ---- */

/* Cuts the nodes, whose kernels are chosen, into stretches. OSP_MEMORY. */
osp_status osp_plan_slice(struct osp_plan *plan, int whole);

/* For a value that is made and last read at block->first and last: if it lives in one stretch only, how many slices that has, one
 * of which the arena must hold. Else 1, and the block lives as long as stretches that run slice by slice need it. */
int osp_plan_settle(const struct osp_plan *plan, struct osp_block *block);

/* Node i's call for one slice, made in *room where it is not the node's own. The plan is bound. */
const struct osp_call *osp_plan_slice_call(const struct osp_plan *plan, int i, int slice, struct osp_call *room);

/* Sets every data pointer of every call. */
void osp_plan_bind(struct osp_plan *plan, void *arena, void *pixels, size_t pixel_bytes, void *images);

#endif
