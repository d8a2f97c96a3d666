/* upsample_add: one addition, so exact once the source index is right. */
#include <math.h>

#include "cases.h"

static const struct test_case cases[] = {
    {.name = "twice the size", .in = {UNIFORM(-4, 4, 2, 8, 10, 24), UNIFORM(-4, 4, 2, 4, 5, 24)}},
    {.name = "odd sizes", .in = {UNIFORM(-4, 4, 1, 25, 13, 7), UNIFORM(-4, 4, 1, 13, 7, 7)}},
    {.name = "same size", .in = {UNIFORM(-4, 4, 1, 5, 6, 16), UNIFORM(-4, 4, 1, 5, 6, 16)}},
    {.name = "one pixel spread", .in = {UNIFORM(-4, 4, 2, 3, 4, 5), UNIFORM(-4, 4, 2, 1, 1, 5)}},
    /* here f32 rounds some source index below the real quotient */
    {.name = "index rounding", .in = {UNIFORM(-4, 4, 1, 66, 290, 1), UNIFORM(-4, 4, 1, 39, 146, 1)}},
};

/* floor(to * (float)in/out) in f32 (ops.h), at most the last. */
static int64_t source(int64_t to, int64_t in, int64_t out)
{
    float ratio = (float)in / (float)out;
    return (int64_t)fminf(floorf((float)to * ratio), (float)(in - 1));
}

static void reference(const struct case_view *view)
{
    const int64_t *dim = view->call->out[0].shape.dim, *top = view->call->in[OSP_UPSAMPLE_ADD_TOP].shape.dim;
    for (int64_t i = 0; i < dim[0] * dim[1] * dim[2] * dim[3]; i++) {
        int64_t c = i % dim[3], x = i / dim[3] % dim[2], y = i / dim[3] / dim[2] % dim[1], n = i / dim[3] / dim[2] / dim[1];
        int64_t row = n * top[1] + source(y, top[1], dim[1]), at = (row * top[2] + source(x, top[2], dim[2])) * dim[3] + c;
        view->want[0][i] =
            (double)case_floats(view, OSP_UPSAMPLE_ADD_LATERAL)[i] + (double)case_floats(view, OSP_UPSAMPLE_ADD_TOP)[at];
    }
}

static const struct case_rung rungs[] = {{.name = "cuda/upsample_add/wide", .may_refuse = true}};

const struct case_table cases_upsample_add = {
    .cases = cases, .count = CASE_COUNT(cases), .reference = reference, .rungs = rungs, .rung_count = CASE_COUNT(rungs)};
