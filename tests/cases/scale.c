/* scale: one multiplication, so exact. */
#include "cases.h"

static const struct test_case cases[] = {
    {.name = "batch", .in = {UNIFORM(-4, 4, 3, 5, 7, 72), UNIFORM(0, 1, 3, 1, 1, 72)}},
    {.name = "ragged channels", .in = {UNIFORM(-4, 4, 2, 4, 3, 19), UNIFORM(0, 1, 2, 1, 1, 19)}},
    {.name = "one position", .in = {UNIFORM(-4, 4, 2, 1, 1, 3), UNIFORM(-1, 1, 2, 1, 1, 3)}},
    {.name = "one channel", .in = {UNIFORM(-4, 4, 1, 9, 11, 1), UNIFORM(-1, 1, 1, 1, 1, 1)}},
};

static void reference(const struct case_view *view)
{
    const int64_t *dim = view->call->out[0].shape.dim;
    for (int64_t i = 0; i < dim[0] * dim[1] * dim[2] * dim[3]; i++) {
        int64_t n = i / (dim[1] * dim[2] * dim[3]), c = i % dim[3];
        view->want[0][i] =
            (double)case_floats(view, OSP_SCALE_X)[i] * (double)case_floats(view, OSP_SCALE_FACTOR)[n * dim[3] + c];
    }
}

static const struct case_rung rungs[] = {{.name = "cuda/scale/wide", .may_refuse = true}};

const struct case_table cases_scale = {
    .cases = cases, .count = CASE_COUNT(cases), .reference = reference, .rungs = rungs, .rung_count = CASE_COUNT(rungs)};
