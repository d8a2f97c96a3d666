/* topk, against picking the best that is left, again and again. */
#include "boxes.h"

/* Whether logit a, at an earlier position than b, gives way to b. */
static bool gives_way(float a, float b) { return a != a ? b == b : b > a; }

static int64_t pick(const float *logits, int64_t positions, const bool *taken)
{
    int64_t best = -1;
    for (int64_t i = 0; i < positions; i++)
        if (!taken[i] && (best < 0 || gives_way(logits[best], logits[i])))
            best = i;
    return best;
}

enum { MOST_POSITIONS = 5000 };

static void reference(const struct case_view *view)
{
    const struct osp_call *call = view->call;
    int64_t row = 0;
    for (int64_t n = 0; n < call->in[0].shape.dim[0]; n++)
        for (int level = 0; level < call->attrs->topk.levels; level++) {
            const int64_t *dim = call->in[level].shape.dim;
            int64_t positions = dim[1] * dim[2] * dim[3];
            const float *logits = case_floats(view, level) + n * positions;
            bool taken[MOST_POSITIONS] = {false};
            for (int64_t i = 0; i < call->attrs->topk.k && i < positions; i++, row++) {
                int64_t best = pick(logits, positions, taken);
                taken[best] = true;
                view->want[0][row] = (double)logits[best];
                view->want[1][row] = (double)best;
            }
        }
}

static const float zeros[] = {-0.0f, 0.0f, -0.0f, 0.0f, 1e-45f, -1e-45f};

static const struct test_case cases[] = {
    {.name = "three ragged levels, two images, k past the last",
     .attrs.topk = {.levels = 3, .k = 20},
     .in = {UNIFORM(-8, 8, 2, 7, 5, 3), UNIFORM(-8, 8, 2, 4, 3, 3), UNIFORM(-8, 8, 2, 1, 1, 3)}},
    {.name = "a level as large as k",
     .attrs.topk = {.levels = 2, .k = 36},
     .in = {UNIFORM(-1, 1, 1, 4, 3, 3), UNIFORM(-1, 1, 1, 1, 37, 1)}},
    {.name = "k is 1",
     .attrs.topk = {.levels = 2, .k = 1},
     .in = {UNIFORM(-1, 1, 3, 6, 6, 15), INTEGERS(OSP_F32, 0, 3, 3, 3, 3, 15)}},
    {.name = "all equal", .attrs.topk = {.levels = 1, .k = 50}, .in = {INTEGERS(OSP_F32, 4, 4, 2, 9, 7, 3)}},
    {.name = "five values only, thousands of places",
     .attrs.topk = {.levels = 1, .k = 700},
     .in = {INTEGERS(OSP_F32, -2, 2, 1, 40, 40, 3)}},
    {.name = "thousands of values", .attrs.topk = {.levels = 1, .k = 1000}, .in = {UNIFORM(-30, 2, 1, 40, 41, 3)}},
    {.name = "thousands kept", .attrs.topk = {.levels = 1, .k = 4500}, .in = {INTEGERS(OSP_F32, -9, 9, 1, 49, 34, 3)}},
    {.name = "neighbouring floats", .attrs.topk = {.levels = 1, .k = 100}, .in = {UNIFORM(1, 1.00002, 1, 20, 20, 3)}},
    {.name = "an empty level between two",
     .attrs.topk = {.levels = 3, .k = 4},
     .in = {UNIFORM(-1, 1, 2, 2, 2, 3), UNIFORM(-1, 1, 2, 0, 2, 3), UNIFORM(-1, 1, 2, 1, 1, 3)}},
    {.name = "zeros of both signs are equal", .attrs.topk = {.levels = 1, .k = 6}, .in = {GIVEN(OSP_F32, zeros, 1, 2, 1, 3)}},
    {.name = "NaN and infinity",
     .attrs.topk = {.levels = 2, .k = 120},
     .in = {MADE(OSP_F32, make_strange, 1, 9, 7, 3), MADE(OSP_F32, make_strange, 1, 5, 5, 3)},
     .nan_expected = true},
};

const struct case_table cases_topk = {.cases = cases, .count = CASE_COUNT(cases), .reference = reference};
