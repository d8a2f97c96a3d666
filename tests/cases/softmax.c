/* softmax: rows sum to one, rows past the count are zero and never read. */
#include <math.h>

#include "cases.h"

static const int32_t counts[] = {3, 0, 5};                                   /* of 5 rows an image */
static const float edges[] = {0, -100, 100, -INFINITY, 1e30f, -1e30f, 3, 3}; /* (4,2) */
static const float bad[] = {1, NAN, 0, INFINITY, -INFINITY, -INFINITY};      /* (3,2) */

/* Logits of the valid rows; NaN in the others, so that a kernel that reads them is seen. */
static void logits(const struct test_case *test, int slot, struct osp_tensor *out)
{
    struct case_random random = {42};
    int64_t classes = out->shape.dim[1], each = out->shape.dim[0] / 3;
    for (int64_t i = 0; i < out->shape.dim[0] * classes; i++) {
        int64_t row = i / classes;
        ((float *)out->data)[i] = row % each < counts[row / each] ? (float)case_uniform(&random, -8, 8) : NAN;
    }
}

static const struct test_case cases[] = {
    {.name = "COCO", .in = {UNIFORM(-9, 9, 40, 91)}},
    {.name = "two classes", .in = {UNIFORM(-9, 9, 7, 2)}},
    {.name = "one class", .in = {UNIFORM(-9, 9, 3, 1)}},
    {.name = "many classes", .in = {UNIFORM(-30, 30, 2, 333)}},
    {.name = "counts", .in = {MADE(OSP_F32, logits, 15, 17), GIVEN(OSP_I32, counts, 3)}},
    {.name = "edges", .in = {GIVEN(OSP_F32, edges, 4, 2)}},
    {.name = "not finite", .in = {GIVEN(OSP_F32, bad, 3, 2)}, .nan_expected = true},
};

static void row_reference(const float *x, int64_t classes, double *want, double *slack)
{
    double best = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; c++)
        best = isnan(x[c]) ? NAN : fmax(best, (double)x[c]);
    for (int64_t c = 0; c < classes; c++)
        sum += exp((double)x[c] - best);
    for (int64_t c = 0; c < classes; c++) {
        double below = fmin(best - (double)x[c], 110); /* its rounding scales exp; past 110 both are 0 */
        want[c] = exp((double)x[c] - best) / sum;
        slack[c] = case_slack((double)classes + 8 + below, want[c]);
    }
}

static void reference(const struct case_view *view)
{
    const int64_t *dim = view->call->out[0].shape.dim;
    int64_t images = view->call->in[OSP_SOFTMAX_COUNTS].data ? view->call->in[OSP_SOFTMAX_COUNTS].shape.dim[0] : 1;
    int64_t each = dim[0] / images;
    for (int64_t m = 0; m < dim[0]; m++) {
        double *want = view->want[0] + m * dim[1];
        for (int64_t c = 0; c < dim[1]; c++)
            want[c] = 0;
        if (m % each < case_rows(view, OSP_SOFTMAX_COUNTS, m / each, each))
            row_reference(case_floats(view, OSP_SOFTMAX_X) + m * dim[1], dim[1], want, view->slack[0] + m * dim[1]);
    }
}

const struct case_table cases_softmax = {.cases = cases, .count = CASE_COUNT(cases), .reference = reference};
