/* maxpool: exact. */
#include <math.h>

#include "cases.h"

#define POOL(r_, s_, stride_, pad_)                                                                                              \
    {                                                                                                                            \
        .maxpool = {.r = (r_), .s = (s_), .stride = (stride_), .pad = (pad_) }                                                   \
    }

/* (1,3,3,2) */
static const float with_nan[] = {1, 2, 3, -INFINITY, 5, 6, 7, 8, 9, -INFINITY, 11, 12, NAN, 14, INFINITY, 16, 17, -INFINITY};

/* (1,2,3,4): each channel has its NaN in a pixel of its own. */
static const float with_nan_by_four[] = {NAN, 1,   2, -INFINITY, 3, 4, NAN, -INFINITY, 5,        6, 7, -INFINITY,
                                         8,   NAN, 9, -INFINITY, 1, 2, 3,   -INFINITY, INFINITY, 5, 6, NAN};

static const struct test_case cases[] = {
    {.name = "stem", .attrs = POOL(3, 3, 2, 1), .in = {UNIFORM(-4, 4, 1, 16, 22, 64)}},
    {.name = "ragged batch", .attrs = POOL(3, 3, 2, 1), .in = {UNIFORM(-4, 4, 2, 7, 9, 5)}},
    {.name = "padding never wins", .attrs = POOL(3, 3, 2, 1), .in = {UNIFORM(-5, -1, 1, 8, 6, 17)}},
    {.name = "subsample", .attrs = POOL(1, 1, 2, 0), .in = {UNIFORM(-4, 4, 1, 25, 13, 20)}},
    {.name = "one pixel", .attrs = POOL(3, 3, 2, 1), .in = {UNIFORM(-4, 4, 1, 1, 1, 33)}},
    {.name = "flat filter", .attrs = POOL(1, 5, 1, 0), .in = {UNIFORM(-4, 4, 1, 3, 11, 3)}},
    {.name = "more padding than stride", .attrs = POOL(5, 5, 1, 2), .in = {UNIFORM(-4, 4, 1, 6, 5, 16)}},
    {.name = "not finite", .attrs = POOL(2, 2, 1, 1), .in = {GIVEN(OSP_F32, with_nan, 1, 3, 3, 2)}, .nan_expected = true},
    {.name = "not finite, by four",
     .attrs = POOL(2, 2, 1, 0),
     .in = {GIVEN(OSP_F32, with_nan_by_four, 1, 2, 3, 4)},
     .nan_expected = true},
};

/* Largest of the taps that lie in the map; NaN if one of them is. */
static double largest(const float *x, const int64_t *dim, const struct osp_maxpool_attrs *a, int64_t n, int64_t p, int64_t q,
                      int64_t c)
{
    double best = -INFINITY;
    for (int64_t tap = 0; tap < (int64_t)a->r * a->s; tap++) {
        int64_t y = p * a->stride + tap / a->s - a->pad, i = q * a->stride + tap % a->s - a->pad;
        if (y < 0 || y >= dim[1] || i < 0 || i >= dim[2])
            continue;
        double value = (double)x[((n * dim[1] + y) * dim[2] + i) * dim[3] + c];
        if (isnan(value))
            return NAN;
        best = fmax(best, value);
    }
    return best;
}

static void reference(const struct case_view *view)
{
    const int64_t *in = view->call->in[0].shape.dim, *out = view->call->out[0].shape.dim;
    for (int64_t i = 0; i < out[0] * out[1] * out[2] * out[3]; i++) {
        int64_t c = i % out[3], q = i / out[3] % out[2], p = i / out[3] / out[2] % out[1], n = i / out[3] / out[2] / out[1];
        view->want[0][i] = largest(case_floats(view, 0), in, &view->test->attrs.maxpool, n, p, q, c);
    }
}

const struct case_table cases_maxpool = {.cases = cases, .count = CASE_COUNT(cases), .reference = reference};
