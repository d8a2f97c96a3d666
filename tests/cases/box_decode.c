/* box_decode, against the same in double, class by class. Probabilities at the threshold and sides at min_size are exact. */
#include "boxes.h"

#include <math.h>

/* Fills the row's slots; returns how many candidates were dropped for not being finite. */
static int decode_row(const struct case_view *view, int64_t n, int64_t row, const double proposal[4])
{
    const struct osp_box_decode_attrs *attrs = &view->call->attrs->box_decode;
    int64_t classes = view->call->in[OSP_BOX_DECODE_PROBABILITIES].shape.dim[1], used = row * attrs->slots;
    const float *probabilities = case_floats(view, OSP_BOX_DECODE_PROBABILITIES) + row * classes;
    const float *deltas = case_floats(view, OSP_BOX_DECODE_DELTAS) + row * classes * 4;
    const int64_t *image = case_longs(view, OSP_BOX_DECODE_IMAGES) + n * OSP_IMAGE_FIELDS;
    int dropped = 0;
    for (int64_t c = 1; c < classes; c++) {
        double box[4], slack;
        if (!isfinite(probabilities[c])) {
            dropped++;
            continue;
        }
        if (!(probabilities[c] > attrs->score_threshold))
            continue;
        enum box_verdict verdict =
            box_reference(proposal, deltas + c * 4, attrs->weights, (double)attrs->min_size, image, box, &slack);
        dropped += verdict == BOX_NONFINITE;
        if (verdict == BOX_KEPT && used < (row + 1) * attrs->slots)
            want_candidate(view, used++, box, slack, (double)probabilities[c], 0, (int)c);
    }
    return dropped;
}

static void reference(const struct case_view *view)
{
    const int64_t *dim = view->call->in[OSP_BOX_DECODE_PROPOSALS].shape.dim; /* (N,T,4) */
    for (int64_t i = 0; i < dim[0] * dim[1] * view->call->attrs->box_decode.slots; i++)
        want_candidate(view, i, NULL, 0, 0, 0, -1);
    for (int64_t n = 0; n < dim[0]; n++) {
        view->want[OSP_DECODE_OUT_NONFINITE][n] = 0;
        for (int64_t t = 0; t < dim[1] && t < case_rows(view, OSP_BOX_DECODE_COUNTS, n, dim[1]); t++) {
            const float *box = case_floats(view, OSP_BOX_DECODE_PROPOSALS) + (n * dim[1] + t) * 4;
            const double proposal[4] = {(double)box[0], (double)box[1], (double)box[2], (double)box[3]};
            view->want[OSP_DECODE_OUT_NONFINITE][n] += decode_row(view, n, n * dim[1] + t, proposal);
        }
    }
}

static const int64_t images[2][OSP_IMAGE_FIELDS] = {{0, 60, 80, 128, 187}, {0, 100, 50, 100, 50}};
#define IMAGES GIVEN(OSP_I64, images, 2, OSP_IMAGE_FIELDS)
static const int32_t some[2] = {17, 4}, none[2] = {0, 0}, wrong[2] = {-3, 1000};

static const struct box_rule proposals = {.extent = 150, .min_side = 1, .max_side = 120};
#define PROPOSALS MADE(OSP_F32, make_boxes, 2, 20, 4)

/* Clipped to 187 x 128, then 50 x 100: sides 1 and 2 (kept), 0.5 (small), 10 and 9; the whole picture, 0, 10 and 9. */
static const float exact_proposals[2][3][4] = {{{186, 0, 190, 2}, {186.5f, 3, 190, 9}, {60, 0, 70, 9}},
                                               {{-9, -9, 999, 999}, {60, 0, 70, 9}, {20, 0, 30, 9}}};
static const float exact_probabilities[6][3] = {{9, 0.5f, 0.25f}, {9, 0.5f, 0.75f}, {9, 0.2500001f, 0},
                                                {9, 1, 1},        {9, 1, 1},        {9, 1, 1}};
static const float no_deltas[6][12];
#define EXACT(slots_)                                                                                                            \
    .attrs.box_decode = {.weights = {10, 10, 5, 5}, .score_threshold = 0.25f, .min_size = 1, .slots = (slots_)},                 \
    .in = {GIVEN(OSP_F32, exact_probabilities, 6, 3),                                                                            \
           GIVEN(OSP_F32, no_deltas, 6, 12),                                                                                     \
           GIVEN(OSP_F32, exact_proposals, 2, 3, 4),                                                                             \
           {0},                                                                                                                  \
           IMAGES}

#define COCO                                                                                                                     \
    {                                                                                                                            \
        .weights = {10, 10, 5, 5}, .score_threshold = 0.05f, .min_size = 1e-2f, .slots = 6                                       \
    }

static const struct test_case cases[] = {
    {.name = "seven classes, two images, ragged counts",
     .attrs.box_decode = COCO,
     .extra = &proposals,
     .in = {UNIFORM(0, 0.12, 40, 7), UNIFORM(-6, 6, 40, 28), PROPOSALS, GIVEN(OSP_I32, some, 2), IMAGES}},
    {.name = "no counts: all rows",
     .attrs.box_decode = COCO,
     .extra = &proposals,
     .in = {UNIFORM(0, 0.12, 40, 7), UNIFORM(-6, 6, 40, 28), PROPOSALS, {0}, IMAGES}},
    {.name = "counts of 0",
     .attrs.box_decode = COCO,
     .extra = &proposals,
     .in = {UNIFORM(0, 0.12, 40, 7), UNIFORM(-6, 6, 40, 28), PROPOSALS, GIVEN(OSP_I32, none, 2), IMAGES}},
    {.name = "counts outside 0..T",
     .attrs.box_decode = COCO,
     .extra = &proposals,
     .in = {UNIFORM(0, 0.12, 40, 7), UNIFORM(-6, 6, 40, 28), PROPOSALS, GIVEN(OSP_I32, wrong, 2), IMAGES}},
    {.name = "ninety-one classes, clamped exponents, boxes far outside",
     .attrs.box_decode = {.weights = {10, 10, 5, 5}, .score_threshold = 0.05f, .min_size = 1e-2f, .slots = 19},
     .extra = &proposals,
     .in = {UNIFORM(-0.4, 0.07, 40, 91), UNIFORM(-60, 60, 40, 364), PROPOSALS, GIVEN(OSP_I32, some, 2), IMAGES}},
    {.name = "more classes pass than there are slots: the first stay",
     .attrs.box_decode = {.weights = {1, 2, 3, 4}, .score_threshold = 0.1f, .min_size = 1e-2f, .slots = 2},
     .extra = &proposals,
     .in = {UNIFORM(0, 1, 40, 5), UNIFORM(-1, 1, 40, 20), PROPOSALS, {0}, IMAGES}},
    {.name = "two classes",
     .attrs.box_decode = {.weights = {10, 10, 5, 5}, .score_threshold = 0.05f, .min_size = 1e-2f, .slots = 1},
     .extra = &proposals,
     .in = {UNIFORM(0, 0.12, 40, 2), UNIFORM(-6, 6, 40, 8), PROPOSALS, GIVEN(OSP_I32, some, 2), IMAGES}},
    {.name = "probabilities and sides at their thresholds", EXACT(2)},
    {.name = "the very last row has one class too many", EXACT(1)},
    {.name = "probabilities and deltas that are not finite",
     .attrs.box_decode = COCO,
     .extra = &proposals,
     .in = {MADE(OSP_F32, make_strange, 40, 7), MADE(OSP_F32, make_strange, 40, 28), PROPOSALS, GIVEN(OSP_I32, some, 2), IMAGES}},
    {.name = "deltas that are not finite",
     .attrs.box_decode = COCO,
     .extra = &proposals,
     .in = {UNIFORM(0, 0.12, 40, 7), MADE(OSP_F32, make_strange, 40, 28), PROPOSALS, GIVEN(OSP_I32, some, 2), IMAGES}},
};

const struct case_table cases_box_decode = {.cases = cases, .count = CASE_COUNT(cases), .reference = reference};
