/* nms, against its definition: take the best that is left, drop what it overlaps. Where boxes are whole numbers, areas and
 * overlaps are exact in f32 and in double, and a quotient of two exact floats rounds to f32 as f32 division does, so the
 * references compare equal. */
#include "boxes.h"

#include <limits.h>
#include <math.h>

static double length(double low, double high) { return high > low ? high - low : 0; }

static float overlap(const float *a, const float *b)
{
    double inter = length(fmax((double)a[0], (double)b[0]), fmin((double)a[2], (double)b[2])) *
                   length(fmax((double)a[1], (double)b[1]), fmin((double)a[3], (double)b[3]));
    double areas = ((double)a[2] - (double)a[0]) * ((double)a[3] - (double)a[1]) +
                   ((double)b[2] - (double)b[0]) * ((double)b[3] - (double)b[1]);
    return (float)(inter / (areas - inter));
}

static bool better(float a, float b) { return b != b ? a == a : a > b; }

enum { MOST = 4500 };

static void want_row(const struct case_view *view, int64_t row, const float *box, float score, int32_t group)
{
    for (int j = 0; j < 4; j++)
        view->want[OSP_NMS_OUT_BOXES][row * 4 + j] = box ? (double)box[j] : 0;
    view->want[OSP_NMS_OUT_SCORES][row] = (double)score;
    view->want[OSP_NMS_OUT_GROUPS][row] = group;
}

static void reference(const struct case_view *view)
{
    const int64_t *dim = view->call->in[OSP_NMS_SCORES].shape.dim;
    int64_t t = dim[1], m = view->call->out[OSP_NMS_OUT_SCORES].shape.dim[1];
    for (int64_t n = 0; n < dim[0]; n++) {
        const float *boxes = case_floats(view, OSP_NMS_BOXES) + n * t * 4, *scores = case_floats(view, OSP_NMS_SCORES) + n * t;
        const int32_t *groups = case_ints(view, OSP_NMS_GROUPS) + n * t;
        bool gone[MOST];
        for (int64_t i = 0; i < t; i++)
            gone[i] = groups[i] < 0;
        int64_t kept = 0;
        for (; kept < m; kept++) {
            int64_t best = -1;
            for (int64_t i = 0; i < t; i++)
                if (!gone[i] && (best < 0 || better(scores[i], scores[best])))
                    best = i;
            if (best < 0)
                break;
            want_row(view, n * m + kept, boxes + best * 4, scores[best], groups[best]);
            gone[best] = true;
            for (int64_t i = 0; i < t; i++)
                if (groups[i] == groups[best] && overlap(boxes + i * 4, boxes + best * 4) > view->call->attrs->nms.threshold)
                    gone[i] = true;
        }
        view->want[OSP_NMS_OUT_COUNT][n] = (double)kept;
        for (int64_t row = kept; row < m; row++)
            want_row(view, n * m + row, NULL, 0, 0);
    }
}

static const struct box_rule crowded = {.extent = 40, .min_side = 5, .max_side = 30, .whole = true};
static const struct box_rule sparse = {.extent = 2000, .min_side = 10, .max_side = 60, .whole = true};
static const struct box_rule anywhere = {.extent = 300, .min_side = 0.5, .max_side = 200};
static const struct box_rule tiny = {.extent = 3, .min_side = 0, .max_side = 3, .whole = true};

/* Against the first: 10/20 (at one half), 12/20 (above), 3/10 of the union, and a copy in another group. */
static const float chosen[6][4] = {{0, 0, 10, 2}, {0, 0, 10, 1}, {0, 0, 6, 2}, {0, 0, 3, 2}, {0, 0, 10, 2}, {20, 20, 30, 22}};
static const float chosen_scores[6] = {1, 0.9f, 0.9f, 0.8f, 0.7f, 0.6f};
static const int32_t chosen_groups[6] = {1, 1, 1, 1, 2, 1};
#define CHOSEN                                                                                                                   \
    {                                                                                                                            \
        GIVEN(OSP_F32, chosen, 1, 6, 4), GIVEN(OSP_F32, chosen_scores, 1, 6), GIVEN(OSP_I32, chosen_groups, 1, 6)                \
    }

static const float one_box[4][4] = {{5, 5, 9, 9}, {5, 5, 9, 9}, {5, 5, 9, 9}, {5, 5, 9, 9}};
static const float empty_boxes[4][4] = {{5, 5, 5, 5}, {5, 5, 5, 5}, {5, 5, 9, 5}, {0, 0, 9, 9}};
static const float ones[4] = {1, 1, 1, 1};
static const int32_t last_groups[4] = {INT_MAX, 0, INT_MAX, INT_MAX - 1};

static const struct test_case cases[] = {
    {.name = "crowded, ties, four groups and absent ones, two images",
     .attrs.nms = {.threshold = 0.5f, .max_out = 150},
     .extra = &crowded,
     .in = {MADE(OSP_F32, make_boxes, 2, 201, 4), INTEGERS(OSP_F32, 0, 20, 2, 201), INTEGERS(OSP_I32, -1, 3, 2, 201)}},
    {.name = "one group, many survivors",
     .attrs.nms = {.threshold = 0.25f, .max_out = 1200},
     .extra = &sparse,
     .in = {MADE(OSP_F32, make_boxes, 1, 1200, 4), UNIFORM(0, 1, 1, 1200), INTEGERS(OSP_I32, 7, 7, 1, 1200)}},
    {.name = "ninety groups, output full early",
     .attrs.nms = {.threshold = 0.5f, .max_out = 100},
     .extra = &crowded,
     .in = {MADE(OSP_F32, make_boxes, 1, 1100, 4), UNIFORM(0.05, 1, 1, 1100), INTEGERS(OSP_I32, 1, 90, 1, 1100)}},
    {.name = "thousands of boxes, few survivors", /* more than a kernel may take on at once */
     .attrs.nms = {.threshold = 0.25f, .max_out = 300},
     .extra = &anywhere,
     .in = {MADE(OSP_F32, make_boxes, 1, 4500, 4), UNIFORM(0, 1, 1, 4500), INTEGERS(OSP_I32, -1, 1, 1, 4500)}},
    {.name = "fractions of a pixel, five levels",
     .attrs.nms = {.threshold = 0x1.666666p-1f, .max_out = 300}, /* 0.7, down to a float */
     .extra = &anywhere,
     .in = {MADE(OSP_F32, make_boxes, 3, 400, 4), UNIFORM(0, 1, 3, 400), INTEGERS(OSP_I32, 0, 4, 3, 400)}},
    {.name = "small whole boxes: overlaps at simple fractions, empty boxes",
     .attrs.nms = {.threshold = 0.5f, .max_out = 300},
     .extra = &tiny,
     .in = {MADE(OSP_F32, make_boxes, 1, 300, 4), INTEGERS(OSP_F32, 0, 3, 1, 300), INTEGERS(OSP_I32, 0, 9, 1, 300)}},
    {.name = "exactly at one half stays", .attrs.nms = {.threshold = 0.5f, .max_out = 6}, .in = CHOSEN},
    {.name = "three tenths is above the float below 0.3", /* torchvision's CPU compares with the double 0.3 */
     .attrs.nms = {.threshold = 0x1.333332p-2f, .max_out = 6},
     .in = CHOSEN},
    {.name = "threshold 0: any overlap", .attrs.nms = {.threshold = 0, .max_out = 6}, .in = CHOSEN},
    {.name = "threshold 1: none goes", .attrs.nms = {.threshold = 1, .max_out = 6}, .in = CHOSEN},
    {.name = "one survivor only", .attrs.nms = {.threshold = 0.5f, .max_out = 1}, .in = CHOSEN},
    {.name = "the same box four times, three groups, the largest numbers",
     .attrs.nms = {.threshold = 0.5f, .max_out = 9},
     .in = {GIVEN(OSP_F32, one_box, 1, 4, 4), GIVEN(OSP_F32, ones, 1, 4), GIVEN(OSP_I32, last_groups, 1, 4)}},
    {.name = "empty boxes overlap nothing",
     .attrs.nms = {.threshold = 0.5f, .max_out = 4},
     .in = {GIVEN(OSP_F32, empty_boxes, 1, 4, 4), GIVEN(OSP_F32, ones, 1, 4), INTEGERS(OSP_I32, 1, 1, 1, 4)}},
    {.name = "nobody there",
     .attrs.nms = {.threshold = 0.5f, .max_out = 10},
     .extra = &crowded,
     .in = {MADE(OSP_F32, make_boxes, 2, 30, 4), UNIFORM(0, 1, 2, 30), INTEGERS(OSP_I32, -1, -1, 2, 30)}},
    {.name = "NaN scores come last",
     .attrs.nms = {.threshold = 0.5f, .max_out = 40},
     .extra = &crowded,
     .in = {MADE(OSP_F32, make_boxes, 1, 40, 4), MADE(OSP_F32, make_strange, 1, 40), INTEGERS(OSP_I32, 0, 30, 1, 40)},
     .nan_expected = true},
};

const struct case_table cases_nms = {.cases = cases, .count = CASE_COUNT(cases), .reference = reference};
