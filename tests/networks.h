/* Whole networks to hold a backend against the cpu's: the demo model on the photos that ship with it, and torchvision's networks
 * with seeded weights on small pictures. */
#ifndef OSPREY_TESTS_NETWORKS_H
#define OSPREY_TESTS_NETWORKS_H

#include "runtime/osprey.h"

struct network {
    const char *label;
    const char *photo; /* NULL: a seeded picture */
    const char *architecture, *tensors;
    int classes, seed, size; /* of the shorter side */
};
extern const struct network networks[];
extern const int network_count;

/* The model of a network; for one with seeded weights it is written and read. And its picture: free it with osp_image_free. */
osp_status network_open(const struct network *network, struct osp_model **model, struct osp_image **picture);

/* The demo model for pictures of 64 x 64. Within a test of scratch.h. */
osp_status network_open_small(struct osp_model **model);

struct network_outcome {
    int wanted, found, labels_differ;
    double box, score;   /* the largest differences, pixels and probability */
    double first, again; /* seconds of the network's nodes in two runs, by the backend's own clock */
    char device[256];
};

/* Runs it on the cpu and as `options` say, twice, and compares. */
osp_status network_compare(const struct osp_model *model, const struct osp_image *picture,
                           const struct osp_session_options *options, struct network_outcome *out);
/* As DESIGN section 7 has it: same count, same labels, boxes within 1e-2 pixels, scores within 1e-4. */
int network_agrees(const struct network_outcome *outcome);

#endif
