/* rpn_decode, against the same in double, row by row. Scores at a threshold and sides at min_size are whole numbers, so that they
 * are exact in both. */
#include "boxes.h"

#include <limits.h>
#include <math.h>

/* Where row t of T lies. */
struct place {
    int level;
    int64_t h, w;
};

static struct place place_of(const struct osp_call *call, int64_t t)
{
    const struct osp_rpn_decode_attrs *attrs = &call->attrs->rpn_decode;
    for (int level = 0;; level++) {
        const int64_t *dim = call->in[OSP_RPN_DECODE_DELTAS + level].shape.dim;
        int64_t positions = dim[1] * dim[2] * attrs->anchors, rows = positions < attrs->k ? positions : attrs->k;
        if (t < rows)
            return (struct place){level, dim[1], dim[2]};
        t -= rows;
    }
}

static bool decode_row(const struct case_view *view, int64_t n, int64_t t)
{
    const struct osp_call *call = view->call;
    const struct osp_rpn_decode_attrs *attrs = &call->attrs->rpn_decode;
    struct place place = place_of(call, t);
    int64_t row = n * call->in[OSP_RPN_DECODE_SCORES].shape.dim[1] + t;
    int64_t index = case_ints(view, OSP_RPN_DECODE_INDEX)[row], positions = place.h * place.w * attrs->anchors;
    double score = 1 / (1 + exp(-(double)case_floats(view, OSP_RPN_DECODE_SCORES)[row]));
    want_candidate(view, row, NULL, 0, 0, 0, -1);
    if (isnan(score))
        return false;
    if (score < (double)attrs->score_threshold || index < 0 || index >= positions)
        return true;

    int64_t a = index % attrs->anchors, x = index / attrs->anchors % place.w, y = index / attrs->anchors / place.w;
    double anchor[4], box[4], slack;
    for (int j = 0; j < 4; j++)
        anchor[j] = (double)attrs->base[place.level][a][j] +
                    (double)(j % 2 ? y * (call->dims.h / place.h) : x * (call->dims.w / place.w));
    const float *deltas = case_floats(view, OSP_RPN_DECODE_DELTAS + place.level) + (n * positions + index) * 4;
    const int64_t *image = case_longs(view, OSP_RPN_DECODE_IMAGES) + n * OSP_IMAGE_FIELDS;
    enum box_verdict verdict =
        box_reference(anchor, deltas, (const float[4]){1, 1, 1, 1}, (double)attrs->min_size, image, box, &slack);
    if (verdict == BOX_KEPT) /* e^-x past the largest float makes 0 of scores below 2^-128 */
        want_candidate(view, row, box, slack, score, case_slack(3, score) + 0x1p-127, place.level);
    return verdict != BOX_NONFINITE;
}

static void reference(const struct case_view *view)
{
    const int64_t *dim = view->call->in[OSP_RPN_DECODE_SCORES].shape.dim;
    for (int64_t n = 0; n < dim[0]; n++) {
        view->want[OSP_DECODE_OUT_NONFINITE][n] = 0;
        for (int64_t t = 0; t < dim[1]; t++)
            if (!decode_row(view, n, t))
                view->want[OSP_DECODE_OUT_NONFINITE][n]++;
    }
}

/* Seeded places, in any order and with repeats. Every `wild`-th is outside the level. */
static void make_index(const struct test_case *test, int slot, struct osp_tensor *out)
{
    struct osp_call call = {.attrs = &test->attrs};
    for (int i = 0; i < test->attrs.rpn_decode.levels; i++)
        call.in[OSP_RPN_DECODE_DELTAS + i].shape = test->in[OSP_RPN_DECODE_DELTAS + i].shape;
    const int *wild = test->extra;
    struct case_random random = {(uint64_t)slot};
    int64_t t = out->shape.dim[1];
    for (int64_t i = 0; i < out->shape.dim[0] * t; i++) {
        struct place place = place_of(&call, i % t);
        int64_t positions = place.h * place.w * test->attrs.rpn_decode.anchors;
        const int32_t outside[] = {-1, (int32_t)positions, INT_MAX, INT_MIN};
        ((int32_t *)out->data)[i] = (int32_t)case_integer(&random, 0, positions - 1);
        if (wild && i % *wild == 0)
            ((int32_t *)out->data)[i] = outside[i / *wild % CASE_COUNT(outside)];
    }
}

static const int every_third = 3;

static const int64_t two_images[2][OSP_IMAGE_FIELDS] = {{0, 60, 80, 128, 187}, {0, 100, 50, 100, 50}};
#define TWO_IMAGES GIVEN(OSP_I64, two_images, 2, OSP_IMAGE_FIELDS)
static const int64_t one_image[1][OSP_IMAGE_FIELDS] = {{0, 64, 64, 64, 61}};
#define ONE_IMAGE GIVEN(OSP_I64, one_image, 1, OSP_IMAGE_FIELDS)

#define THREE(side)                                                                                                              \
    {                                                                                                                            \
        {-1.5f * (side), -0.75f * (side), 1.5f * (side), 0.75f * (side)}, {-(side), -(side), (side), (side)},                    \
        {                                                                                                                        \
            -(side) / 2, -1.5f * (side), (side) / 2, 1.5f * (side)                                                               \
        }                                                                                                                        \
    }

/* Five levels of 128 x 192, three anchors, 30 a level and fewer where there are fewer. */
#define PYRAMID_ATTRS(min_size_, score_)                                                                                         \
    {                                                                                                                            \
        .levels = 5, .anchors = 3, .k = 30, .min_size = (min_size_), .score_threshold = (score_), .base = {                      \
            THREE(4.0f),                                                                                                         \
            THREE(8.0f),                                                                                                         \
            THREE(16.0f),                                                                                                        \
            THREE(32.0f),                                                                                                        \
            THREE(64.0f)                                                                                                         \
        }                                                                                                                        \
    }
#define PYRAMID_ROWS (30 + 30 + 30 + 18 + 6)
#define PYRAMID(delta)                                                                                                           \
    UNIFORM(-(delta), delta, 2, 16, 24, 12), UNIFORM(-(delta), delta, 2, 8, 12, 12), UNIFORM(-(delta), delta, 2, 4, 6, 12),      \
        UNIFORM(-(delta), delta, 2, 2, 3, 12), UNIFORM(-(delta), delta, 2, 1, 2, 12)
#define INDEX MADE(OSP_I32, make_index, 2, PYRAMID_ROWS)

/* One level of one position, four anchors. From (0,0), clipped to 61 x 64: sides 1 and 2; 1 and 1; 1 and 0.5; 61 and 64. */
static const int32_t four_places[] = {0, 1, 2, 3};
static const float at_threshold[] = {0, 1e-8f, -1e-6f, 100}; /* sigmoid: 0.5, 0.5, just below, 1 */
static const float no_deltas[16];
#define ONE_CELL                                                                                                                 \
    {                                                                                                                            \
        .levels = 1, .anchors = 4, .k = 9, .min_size = 1, .score_threshold = 0.5f, .base = {                                     \
            {{-1, -2, 1, 2}, {-3, -3, 1, 1}, {0, 0, 1, 0.5f}, {-90, -90, 90, 90}}                                                \
        }                                                                                                                        \
    }

static const struct test_case cases[] = {
    {.name = "five levels, two images of different sizes",
     .attrs.rpn_decode = PYRAMID_ATTRS(1e-3f, 0),
     .dims = {2, 128, 192},
     .in = {UNIFORM(-6, 6, 2, PYRAMID_ROWS), INDEX, TWO_IMAGES, PYRAMID(0.4)}},
    {.name = "a score threshold",
     .attrs.rpn_decode = PYRAMID_ATTRS(1e-3f, 0.05f),
     .dims = {2, 128, 192},
     .in = {UNIFORM(-6, 6, 2, PYRAMID_ROWS), INDEX, TWO_IMAGES, PYRAMID(0.4)}},
    {.name = "clamped exponents, boxes far outside",
     .attrs.rpn_decode = PYRAMID_ATTRS(1e-3f, 0),
     .dims = {2, 128, 192},
     .in = {UNIFORM(-200, 200, 2, PYRAMID_ROWS), INDEX, TWO_IMAGES, PYRAMID(12.0)}},
    {.name = "an index outside its level",
     .attrs.rpn_decode = PYRAMID_ATTRS(1e-3f, 0),
     .dims = {2, 128, 192},
     .extra = &every_third,
     .in = {UNIFORM(-6, 6, 2, PYRAMID_ROWS), INDEX, TWO_IMAGES, PYRAMID(0.4)}},
    {.name = "deltas and scores that are not finite",
     .attrs.rpn_decode = PYRAMID_ATTRS(1e-3f, 0.05f),
     .dims = {2, 128, 192},
     .in = {MADE(OSP_F32, make_strange, 2, PYRAMID_ROWS), INDEX, TWO_IMAGES, MADE(OSP_F32, make_strange, 2, 16, 24, 12),
            UNIFORM(-0.4, 0.4, 2, 8, 12, 12), UNIFORM(-0.4, 0.4, 2, 4, 6, 12), MADE(OSP_F32, make_strange, 2, 2, 3, 12),
            UNIFORM(-0.4, 0.4, 2, 1, 2, 12)}},
    {.name = "sides and scores at their thresholds, a map of one cell",
     .attrs.rpn_decode = ONE_CELL,
     .dims = {1, 64, 64},
     .in = {GIVEN(OSP_F32, at_threshold, 1, 4), GIVEN(OSP_I32, four_places, 1, 4), ONE_IMAGE,
            GIVEN(OSP_F32, no_deltas, 1, 1, 1, 16)}},
    {.name = "fifteen anchors, map sizes that do not divide the picture",
     .attrs.rpn_decode = {.levels = 2,
                          .anchors = 15,
                          .k = 40,
                          .min_size = 1e-3f,
                          .base = {{{-4, -8, 4, 8}, {-8, -8, 8, 8}, [14] = {-30, -20, 30, 20}},
                                   {[7] = {-40, -40, 40, 40}, [14] = {-9, -9, 9, 9}}}},
     .dims = {2, 128, 192},
     .in = {UNIFORM(-6, 6, 2, 70), MADE(OSP_I32, make_index, 2, 70), TWO_IMAGES, UNIFORM(-1, 1, 2, 3, 5, 60),
            UNIFORM(-1, 1, 2, 2, 1, 60)}},
};

const struct case_table cases_rpn_decode = {.cases = cases, .count = CASE_COUNT(cases), .reference = reference};
