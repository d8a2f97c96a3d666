/* The graph's inside: for runtime/ only. */
#ifndef OSPREY_GRAPH_H
#define OSPREY_GRAPH_H

#include "backend.h"
#include "build.h"

enum { OSP_MAX_KEPT = 8 };

struct osp_graph_node {
    char *name;
    const char *stage;
    enum osp_op op;
    union osp_attrs attrs;
    int inputs, weights;
    osp_value in[OSP_MAX_INPUTS];
    osp_weight weight[OSP_MAX_CONSTANTS];
    osp_value out; /* first output; the others follow */
    int twin; /* the first node with the same op, weights and attributes: they share packed weights (an RPN head over levels) */
};

struct osp_graph_value {
    int node; /* that makes it; -1: an input of the graph */
    int output;
};

struct osp_graph {
    const struct osp_safetensors *file;
    struct osp_graph_node *nodes;
    int node_count;
    struct osp_graph_value *values; /* 0 is pixels, 1 is images */
    int value_count;
    struct osp_constant **constants;
    int constant_count;
    const struct osp_stored_tensor **used; /* tensors of the file that the network asked for */
    int used_count;
    osp_value kept[OSP_MAX_KEPT];
    int kept_count;
    const char *stage;
    osp_status failed; /* the first error; its sentence: */
    char sentence[1024];
};

enum { OSP_VALUE_PIXELS, OSP_VALUE_IMAGES, OSP_GRAPH_INPUTS };

/* The node of this name, -1: none. */
int osp_graph_find(const struct osp_graph *graph, const char *name);

#endif
