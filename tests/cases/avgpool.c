/* avgpool: exact on whole numbers, within the rounding of a sum otherwise. */
#include <math.h>

#include "cases.h"

static const struct test_case cases[] = {
    {.name = "whole numbers", .in = {INTEGERS(OSP_F32, -9, 9, 2, 5, 7, 72)}},
    {.name = "one position", .in = {UNIFORM(-4, 4, 1, 1, 1, 3)}},
    {.name = "exact block", .in = {UNIFORM(-4, 4, 1, 10, 14, 64)}},
    {.name = "block and tail", .in = {UNIFORM(0, 6, 3, 7, 10, 120)}},
    {.name = "few channels", .in = {UNIFORM(-4, 4, 2, 25, 13, 5)}},
    {.name = "many rows", .in = {UNIFORM(-4, 4, 1, 521, 3, 9)}},
    {.name = "many channels", .in = {UNIFORM(-4, 4, 1, 3, 4, 333)}},
};

static void reference(const struct case_view *view)
{
    const int64_t *dim = view->call->in[0].shape.dim;
    int64_t positions = dim[1] * dim[2];
    for (int64_t i = 0; i < dim[0] * dim[3]; i++) {
        int64_t n = i / dim[3], c = i % dim[3];
        double sum = 0, magnitude = 0;
        for (int64_t p = 0; p < positions; p++) {
            double x = (double)case_floats(view, 0)[(n * positions + p) * dim[3] + c];
            sum += x;
            magnitude += fabs(x);
        }
        view->want[0][i] = sum / (double)positions;
        if (view->test->in[0].fill == FILL_UNIFORM)
            view->slack[0][i] = case_slack((double)positions, magnitude / (double)positions);
    }
}

const struct case_table cases_avgpool = {.cases = cases, .count = CASE_COUNT(cases), .reference = reference};
