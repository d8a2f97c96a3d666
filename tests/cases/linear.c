/* linear: few and many rows, odd numbers of outputs, more columns than one stretch, rows that do not count. */
#include "filter.h"

static void reference(const struct case_view *view)
{
    const struct osp_shape *x = &view->call->in[OSP_LINEAR_X].shape, *counts = &view->call->in[OSP_LINEAR_COUNTS].shape;
    const float *rows = case_floats(view, OSP_LINEAR_X);
    int64_t m = x->dim[0], columns = osp_shape_count(x) / m, outputs = view->call->out[0].shape.dim[1];
    int64_t each = case_ints(view, OSP_LINEAR_COUNTS) ? m / counts->dim[0] : m;
    for (int64_t i = 0; i < m * outputs; i++) {
        int64_t row = i / outputs, k = i % outputs;
        if (row % each >= case_rows(view, OSP_LINEAR_COUNTS, row / each, each)) {
            view->want[0][i] = 0;
            continue;
        }
        struct case_sum sum = {0};
        for (int64_t c = 0; c < columns; c++)
            case_add(&sum, (double)rows[row * columns + c] * view->constant[OSP_WEIGHT][k * columns + c]);
        if (view->constant[OSP_BIAS])
            case_add(&sum, view->constant[OSP_BIAS][k]);
        case_put(view, i, &sum, view->call->attrs->linear.activation);
    }
}

#define THEN(activation_) .attrs = {.linear = {activation_}}
#define WHOLE(...)        INTEGERS(OSP_F32, -8, 8, __VA_ARGS__)
#define REAL(...)         UNIFORM(-1, 1, __VA_ARGS__)
#define COUNTS(...)       GIVEN(OSP_I32, ((const int32_t[]){__VA_ARGS__}), sizeof((int32_t[]){__VA_ARGS__}) / 4)

static const struct test_case cases[] = {
    {"one of everything", THEN(OSP_LINEAR), .in = {WHOLE(1, 1)}, .constant = {WHOLE(1, 1)}},
    {"one row", THEN(OSP_RELU), .in = {REAL(1, 130)}, .constant = {REAL(91, 130), REAL(91)}},
    {"two rows, three outputs", THEN(OSP_LINEAR), .in = {WHOLE(2, 64)}, .constant = {WHOLE(3, 64), WHOLE(3)}},
    {"7 rows", THEN(OSP_LINEAR), .in = {WHOLE(7, 65)}, .constant = {WHOLE(17, 65)}},
    {"13 rows", THEN(OSP_HARDSWISH), .in = {REAL(13, 33)}, .constant = {REAL(12, 33), REAL(12)}},
    {"20 rows", THEN(OSP_RELU), .in = {REAL(20, 100)}, .constant = {REAL(364, 100), REAL(364)}},
    {"29 rows, one column", THEN(OSP_HARDSIGMOID), .in = {REAL(29, 1)}, .constant = {REAL(15, 1), REAL(15)}},
    {"151 rows", THEN(OSP_RELU), .in = {WHOLE(151, 31)}, .constant = {WHOLE(33, 31), WHOLE(33)}},
    {"130 rows, 200 outputs", THEN(OSP_RELU), .in = {REAL(130, 70)}, .constant = {REAL(200, 70), REAL(200)}},
    {"rows that are maps", THEN(OSP_RELU6), .in = {REAL(5, 7, 7, 3)}, .constant = {REAL(40, 147), REAL(40)}},
    {"1024 columns", THEN(OSP_LINEAR), .in = {INTEGERS(OSP_F32, -4, 4, 15, 1024)},
     .constant = {INTEGERS(OSP_F32, -4, 4, 35, 1024)}},
    {"2051 columns", THEN(OSP_RELU), .in = {REAL(15, 2051)}, .constant = {REAL(35, 2051), REAL(35)}},
    {"2048 columns, one row", THEN(OSP_RELU), .in = {REAL(1, 2048)}, .constant = {REAL(100, 2048), REAL(100)}},
    {"counts 3, 33 of 40, 1088 columns", THEN(OSP_RELU), .in = {REAL(80, 1088), COUNTS(3, 33)},
     .constant = {REAL(37, 1088), REAL(37)}},
    {"100 rows, 50 outputs, 16 columns", THEN(OSP_RELU), .in = {REAL(100, 16)}, .constant = {REAL(50, 16), REAL(50)}},
    {"128 rows, 128 outputs, 136 columns", THEN(OSP_LINEAR), .in = {REAL(128, 136)}, .constant = {REAL(128, 136), REAL(128)}},
    {"whole tiles", THEN(OSP_RELU), .in = {WHOLE(256, 64)}, .constant = {WHOLE(128, 64), WHOLE(128)}},
    {"count 0 of 6", THEN(OSP_HARDSIGMOID), .in = {REAL(6, 9), COUNTS(0)}, .constant = {REAL(8, 9), REAL(8)}},
    {"counts 0, 3, 5 of 5", THEN(OSP_LINEAR), .in = {WHOLE(15, 40), COUNTS(0, 3, 5)}, .constant = {WHOLE(18, 40), WHOLE(18)}},
    {"counts 1, 29 of 50, long", THEN(OSP_RELU), .in = {REAL(100, 1030), COUNTS(1, 29)}, .constant = {REAL(9, 1030), REAL(9)}},
    {"any exponent", THEN(OSP_LINEAR), .in = {MADE(OSP_F32, case_extremes, 30, 24)},
     .constant = {MADE(OSP_F32, case_extremes, 50, 24)}},
    {"a NaN in x", THEN(OSP_RELU), .in = {MADE(OSP_F32, case_one_nan, 31, 10)}, .constant = {REAL(35, 10)}, .nan_expected = true},
};

static const struct case_rung rungs[] = {
    {"cuda/linear/warp", .may_refuse = true},
    {"cuda/linear/split", .may_refuse = true, .own_order = true},
    {"cuda/linear/tf32", .may_refuse = true, .own_order = true, .slack = case_rounded_tf32},
    {"cuda/linear/f16", .may_refuse = true, .may_refuse_weights = true, .own_order = true, .slack = case_rounded_f16},
    {"cuda/linear/bf16", .may_refuse = true, .own_order = true, .slack = case_rounded_bf16},
    {"onednn/linear/direct", .own_order = true, .by_threads = true, .loses_nan = true},
    {"cudnn/linear/matmul", .may_refuse = true, .own_order = true, .loses_nan = true},
    {"cudnn/linear/matmul_tf32", .may_refuse = true, .own_order = true, .loses_nan = true, .slack = case_tf32_slack},
};

const struct case_table cases_linear = {
    .cases = cases, .count = CASE_COUNT(cases), .reference = reference, .rungs = rungs, .rung_count = CASE_COUNT(rungs)};
