/* depthwise: ragged maps and channel counts, every filter and stride of the networks here and some of none. */
#include "filter.h"

static void reference(const struct case_view *view)
{
    const struct osp_depthwise_attrs *a = &view->call->attrs->depthwise;
    const int64_t *x = view->call->in[OSP_DEPTHWISE_X].shape.dim, *out = view->call->out[0].shape.dim;
    const float *pixels = case_floats(view, OSP_DEPTHWISE_X);
    for (int64_t i = 0; i < osp_shape_count(&view->call->out[0].shape); i++) {
        int64_t c = i % out[3], q = i / out[3] % out[2], p = i / out[3] / out[2] % out[1], n = i / out[3] / out[2] / out[1];
        struct case_sum sum = {0};
        for (int64_t r = 0; r < a->r; r++)
            for (int64_t s = 0; s < a->s; s++) {
                int64_t h = p * a->stride + r - a->pad, w = q * a->stride + s - a->pad;
                if (h >= 0 && h < x[1] && w >= 0 && w < x[2])
                    case_add(&sum, (double)pixels[((n * x[1] + h) * x[2] + w) * x[3] + c] *
                                       (double)view->constant[OSP_WEIGHT][(c * a->r + r) * a->s + s]);
            }
        if (view->constant[OSP_BIAS])
            case_add(&sum, view->constant[OSP_BIAS][c]);
        case_put(view, i, &sum, a->activation);
    }
}

#define FILTER(r_, s_, stride_, pad_, activation_) .attrs = {.depthwise = {r_, s_, stride_, pad_, activation_}}
#define WHOLE(...)                                 INTEGERS(OSP_F32, -8, 8, __VA_ARGS__)
#define REAL(...)                                  UNIFORM(-1, 1, __VA_ARGS__)

static const struct test_case cases[] = {
    {"one of everything", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {WHOLE(1, 1, 1, 1)}, .constant = {WHOLE(1, 1, 1, 1)}},
    {"1x1 map, 3x3", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(2, 1, 1, 17)}, .constant = {REAL(17, 1, 3, 3), REAL(17)}},
    {"1x1 map, 5x5 s2", FILTER(5, 5, 2, 2, OSP_LINEAR), .in = {WHOLE(1, 1, 1, 3)}, .constant = {WHOLE(3, 1, 5, 5), WHOLE(3)}},
    {"2x3 map, 5x5", FILTER(5, 5, 1, 2, OSP_HARDSWISH), .in = {REAL(1, 2, 3, 40)}, .constant = {REAL(40, 1, 5, 5), REAL(40)}},
    {"3x3", FILTER(3, 3, 1, 1, OSP_RELU6), .in = {REAL(3, 11, 23, 35)}, .constant = {REAL(35, 1, 3, 3), REAL(35)}},
    {"3x3 s2", FILTER(3, 3, 2, 1, OSP_HARDSWISH), .in = {REAL(1, 13, 37, 72)}, .constant = {REAL(72, 1, 3, 3), REAL(72)}},
    {"3x3 s2, even", FILTER(3, 3, 2, 1, OSP_RELU), .in = {WHOLE(1, 12, 34, 16)}, .constant = {WHOLE(16, 1, 3, 3), WHOLE(16)}},
    {"5x5", FILTER(5, 5, 1, 2, OSP_RELU6), .in = {WHOLE(1, 10, 29, 20)}, .constant = {WHOLE(20, 1, 5, 5), WHOLE(20)}},
    {"5x5 s2", FILTER(5, 5, 2, 2, OSP_RELU), .in = {REAL(2, 21, 40, 9)}, .constant = {REAL(9, 1, 5, 5), REAL(9)}},
    {"5x5 s2, whole vectors", FILTER(5, 5, 2, 2, OSP_HARDSWISH), .in = {REAL(1, 13, 22, 24)},
     .constant = {REAL(24, 1, 5, 5), REAL(24)}},
    {"3x3, one row of five", FILTER(3, 3, 1, 1, OSP_LINEAR), .in = {REAL(2, 1, 5, 17)},
     .constant = {REAL(17, 1, 3, 3), REAL(17)}},
    {"5x5 s2, two rows of six", FILTER(5, 5, 2, 2, OSP_RELU6), .in = {REAL(2, 3, 11, 33)}, .constant = {REAL(33, 1, 5, 5)}},
    {"5x5, hardly padded", FILTER(5, 5, 1, 1, OSP_HARDSIGMOID), .in = {REAL(1, 5, 13, 48)},
     .constant = {REAL(48, 1, 5, 5), REAL(48)}},
    {"3x3 s2, padding 2", FILTER(3, 3, 2, 2, OSP_LINEAR), .in = {WHOLE(1, 4, 9, 19)}, .constant = {WHOLE(19, 1, 3, 3)}},
    {"7x7 s2", FILTER(7, 7, 2, 3, OSP_LINEAR), .in = {WHOLE(1, 15, 30, 5)}, .constant = {WHOLE(5, 1, 7, 7), WHOLE(5)}},
    {"3x3 s3, no padding", FILTER(3, 3, 3, 0, OSP_LINEAR), .in = {WHOLE(1, 12, 31, 33)}, .constant = {WHOLE(33, 1, 3, 3)}},
    {"1x5", FILTER(1, 5, 1, 0, OSP_LINEAR), .in = {WHOLE(1, 3, 30, 8)}, .constant = {WHOLE(8, 1, 1, 5)}},
    {"5x3 s2, padding 2", FILTER(5, 3, 2, 2, OSP_HARDSIGMOID), .in = {REAL(1, 9, 20, 24)},
     .constant = {REAL(24, 1, 5, 3), REAL(24)}},
    {"5x5 with padding 4", FILTER(5, 5, 1, 4, OSP_LINEAR), .in = {WHOLE(1, 3, 9, 4)}, .constant = {WHOLE(4, 1, 5, 5), WHOLE(4)}},
    {"any exponent", FILTER(3, 3, 1, 1, OSP_LINEAR), .in = {MADE(OSP_F32, case_extremes, 1, 9, 19, 20)},
     .constant = {MADE(OSP_F32, case_extremes, 20, 1, 3, 3)}},
    {"a NaN in x", FILTER(3, 3, 1, 1, OSP_RELU), .in = {MADE(OSP_F32, case_one_nan, 1, 7, 19, 18)},
     .constant = {REAL(18, 1, 3, 3)}, .nan_expected = true},
    {"an infinite weight at a corner", FILTER(3, 3, 1, 1, OSP_LINEAR), .in = {UNIFORM(0.5, 1, 1, 5, 20, 2)},
     .constant = {MADE(OSP_F32, case_one_infinity, 2, 1, 3, 3)}},
};

static const struct case_rung rungs[] = {
    {"cpu/depthwise/rows", .may_refuse = true},
    {"onednn/depthwise/direct", .own_order = true, .loses_nan = true},
};

const struct case_table cases_depthwise = {
    .cases = cases, .count = CASE_COUNT(cases), .reference = reference, .rungs = rungs, .rung_count = CASE_COUNT(rungs)};
