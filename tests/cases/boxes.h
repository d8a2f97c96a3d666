/* What the references of the detection ops share: boxes to test with, and decoding in double. */
#ifndef OSPREY_CASES_BOXES_H
#define OSPREY_CASES_BOXES_H

#include "cases.h"

/* How make_boxes makes the boxes of a case; its `extra` points to one. */
struct box_rule {
    double extent;             /* corners start in [0, extent) */
    double min_side, max_side; /* sides, in [min_side, max_side) */
    bool whole;                /* whole numbers only: areas and overlaps are then exact in f32 */
    const float (*first)[4];   /* boxes to start with, as they stand */
    int first_count;
};

/* A `make` for (N,T,4) f32. */
void make_boxes(const struct test_case *test, int slot, struct osp_tensor *out);

/* A `make` for f32: NaN, both infinities, both zeros, the largest float and small whole numbers, in a seeded order. */
void make_strange(const struct test_case *test, int slot, struct osp_tensor *out);

enum box_verdict { BOX_KEPT, BOX_SMALL, BOX_NONFINITE };

/* torchvision BoxCoder.decode_single, clip_boxes_to_image, remove_small_boxes, in double. *slack: how far f32 may be off. */
enum box_verdict box_reference(const double reference[4], const float deltas[4], const float weights[4], double min_size,
                               const int64_t *image, double box[4], double *slack);

/* Writes row i of a decode op's boxes, scores and groups; box NULL: a dropped row. */
void want_candidate(const struct case_view *view, int64_t i, const double *box, double box_slack, double score,
                    double score_slack, int group);

#endif
