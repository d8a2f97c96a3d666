/* conv2d: ragged maps, filters and channel counts; what lies in the padding; residuals; images that do not count. */
#include "filter.h"

static void reference(const struct case_view *view)
{
    const struct osp_conv2d_attrs *a = &view->call->attrs->conv2d;
    const int64_t *x = view->call->in[OSP_CONV2D_X].shape.dim, *out = view->call->out[0].shape.dim;
    const float *pixels = case_floats(view, OSP_CONV2D_X), *residual = case_floats(view, OSP_CONV2D_RESIDUAL);
    int64_t batch = view->call->in[OSP_CONV2D_COUNTS].data ? view->call->in[OSP_CONV2D_COUNTS].shape.dim[0] : 1;
    int64_t each = x[0] / batch;
    for (int64_t i = 0; i < osp_shape_count(&view->call->out[0].shape); i++) {
        int64_t k = i % out[3], q = i / out[3] % out[2], p = i / out[3] / out[2] % out[1], n = i / out[3] / out[2] / out[1];
        if (n % each >= case_rows(view, OSP_CONV2D_COUNTS, n / each, each)) {
            view->want[0][i] = 0;
            continue;
        }
        struct case_sum sum = {0};
        for (int64_t c = 0; c < x[3]; c++)
            for (int64_t r = 0; r < a->r; r++)
                for (int64_t s = 0; s < a->s; s++) {
                    int64_t h = p * a->stride + r - a->pad, w = q * a->stride + s - a->pad;
                    if (h >= 0 && h < x[1] && w >= 0 && w < x[2])
                        case_add(&sum, (double)pixels[((n * x[1] + h) * x[2] + w) * x[3] + c] *
                                           view->constant[OSP_WEIGHT][((k * x[3] + c) * a->r + r) * a->s + s]);
                }
        if (view->constant[OSP_BIAS])
            case_add(&sum, view->constant[OSP_BIAS][k]);
        if (residual)
            case_add(&sum, residual[i]);
        case_put(view, i, &sum, a->activation);
    }
}

#define FILTER(r_, s_, stride_, pad_, activation_) .attrs = {.conv2d = {r_, s_, stride_, pad_, activation_}}
#define WHOLE(...)                                 INTEGERS(OSP_F32, -8, 8, __VA_ARGS__)
#define REAL(...)                                  UNIFORM(-1, 1, __VA_ARGS__)
#define COUNTS(...)                                GIVEN(OSP_I32, ((const int32_t[]){__VA_ARGS__}), sizeof((int32_t[]){__VA_ARGS__}) / 4)

static const struct test_case cases[] = {
    /* the smallest maps, and filters larger than they are */
    {"one of everything", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {WHOLE(1, 1, 1, 1)}, .constant = {WHOLE(1, 1, 1, 1)}},
    {"1x1 map, 3x3", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(1, 1, 1, 5)}, .constant = {REAL(7, 5, 3, 3), REAL(7)}},
    {"1x1 map, 7x7 s2", FILTER(7, 7, 2, 3, OSP_LINEAR), .in = {WHOLE(2, 1, 1, 3)}, .constant = {WHOLE(4, 3, 7, 7), WHOLE(4)}},
    {"1x1 map, 1x1, as in squeeze", FILTER(1, 1, 1, 0, OSP_HARDSIGMOID), .in = {REAL(3, 1, 1, 24)},
     .constant = {REAL(72, 24, 1, 1), REAL(72)}},
    {"2x3 map, 5x5", FILTER(5, 5, 1, 2, OSP_RELU6), .in = {WHOLE(1, 2, 3, 4)}, .constant = {WHOLE(17, 4, 5, 5), WHOLE(17)}},
    {"2 rows, 7x7, long", FILTER(7, 7, 1, 3, OSP_LINEAR), .in = {REAL(1, 2, 41, 3)}, .constant = {REAL(15, 3, 7, 7)}},
    {"2 columns, 5x5 s2, tall", FILTER(5, 5, 2, 2, OSP_LINEAR), .in = {REAL(1, 23, 2, 5)},
     .constant = {REAL(3, 5, 5, 5), REAL(3)}},

    /* the stem, RPN heads, odd numbers of outputs */
    {"stem 7x7 s2", FILTER(7, 7, 2, 3, OSP_RELU), .in = {REAL(1, 18, 33, 3)}, .constant = {REAL(64, 3, 7, 7), REAL(64)}},
    {"stem 3x3 s2", FILTER(3, 3, 2, 1, OSP_HARDSWISH), .in = {REAL(2, 17, 35, 3)}, .constant = {REAL(16, 3, 3, 3), REAL(16)}},
    {"stem of whole numbers", FILTER(7, 7, 2, 3, OSP_RELU), .in = {WHOLE(1, 19, 31, 3)},
     .constant = {WHOLE(33, 3, 7, 7), WHOLE(33)}},
    {"head 1x1, 3 outputs", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {REAL(1, 7, 9, 67)}, .constant = {REAL(3, 67, 1, 1), REAL(3)}},
    {"head 1x1, 12 outputs", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {REAL(2, 5, 7, 64)},
     .constant = {REAL(12, 64, 1, 1), REAL(12)}},
    {"head 1x1, 15 outputs", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {WHOLE(1, 10, 14, 31)},
     .constant = {WHOLE(15, 31, 1, 1), WHOLE(15)}},
    {"head 1x1, 91 outputs", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {WHOLE(1, 1, 29, 16)}, .constant = {WHOLE(91, 16, 1, 1)}},
    {"1 output, 3x3", FILTER(3, 3, 1, 1, OSP_LINEAR), .in = {WHOLE(3, 13, 11, 8)}, .constant = {WHOLE(1, 8, 3, 3), WHOLE(1)}},

    /* strides, paddings and filters that no network here has */
    {"3x3 s1, primes", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(3, 13, 29, 17)}, .constant = {REAL(37, 17, 3, 3), REAL(37)}},
    {"3x3 s2, primes", FILTER(3, 3, 2, 1, OSP_RELU6), .in = {REAL(1, 23, 31, 19)}, .constant = {REAL(41, 19, 3, 3), REAL(41)}},
    {"3x3 s1, no padding", FILTER(3, 3, 1, 0, OSP_LINEAR), .in = {WHOLE(1, 11, 17, 7)}, .constant = {WHOLE(48, 7, 3, 3)}},
    {"3x3 s3", FILTER(3, 3, 3, 1, OSP_LINEAR), .in = {WHOLE(1, 20, 43, 6)}, .constant = {WHOLE(9, 6, 3, 3), WHOLE(9)}},
    {"1x7", FILTER(1, 7, 1, 0, OSP_LINEAR), .in = {WHOLE(1, 4, 47, 5)}, .constant = {WHOLE(33, 5, 1, 7)}},
    {"5x3 s2", FILTER(5, 3, 2, 1, OSP_LINEAR), .in = {REAL(1, 15, 30, 6)}, .constant = {REAL(18, 6, 5, 3), REAL(18)}},
    {"1x1 s2, as in downsample", FILTER(1, 1, 2, 0, OSP_LINEAR), .in = {WHOLE(2, 9, 31, 48)},
     .constant = {WHOLE(66, 48, 1, 1), WHOLE(66)}},
    {"5x5 s2 with padding 4", FILTER(5, 5, 2, 4, OSP_RELU), .in = {REAL(1, 5, 6, 9)}, .constant = {REAL(34, 9, 5, 5), REAL(34)}},

    {"1x1, full tiles", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {WHOLE(1, 8, 16, 20)},
     .constant = {WHOLE(128, 20, 1, 1), WHOLE(128)}},

    /* the tensor cores' tiles of 128 and 64: whole ones, ragged ones both ways, runs of whole and of cut stages, few and many of them */
    {"256 pixels, 128 outputs", FILTER(1, 1, 1, 0, OSP_RELU), .in = {WHOLE(1, 16, 16, 64), WHOLE(1, 16, 16, 128)},
     .constant = {WHOLE(128, 64, 1, 1), WHOLE(128)}},
    {"3x3, 130 pixels, 140 outputs", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(1, 10, 13, 24), REAL(1, 10, 13, 140)},
     .constant = {REAL(140, 24, 3, 3), REAL(140)}},
    {"3x3 s2, 4 channels, 91 outputs", FILTER(3, 3, 2, 1, OSP_HARDSWISH), .in = {REAL(2, 11, 9, 4)},
     .constant = {REAL(91, 4, 3, 3), REAL(91)}},
    {"a NaN in x, 4 channels", FILTER(3, 3, 1, 1, OSP_RELU), .in = {MADE(OSP_F32, case_one_nan, 1, 7, 9, 4)},
     .constant = {REAL(10, 4, 3, 3)}, .nan_expected = true},

    /* activations, residuals */
    {"hardswish", FILTER(1, 1, 1, 0, OSP_HARDSWISH), .in = {UNIFORM(-4, 4, 1, 9, 9, 5)},
     .constant = {REAL(20, 5, 1, 1), REAL(20)}},
    {"hardsigmoid", FILTER(3, 3, 1, 1, OSP_HARDSIGMOID), .in = {REAL(1, 9, 9, 5)}, .constant = {REAL(20, 5, 3, 3), REAL(20)}},
    {"relu6 of whole numbers", FILTER(1, 1, 1, 0, OSP_RELU6), .in = {INTEGERS(OSP_F32, -2, 2, 1, 6, 17, 5)},
     .constant = {INTEGERS(OSP_F32, -2, 2, 35, 5, 1, 1)}},
    {"residual", FILTER(1, 1, 1, 0, OSP_RELU), .in = {REAL(3, 5, 7, 16), REAL(3, 5, 7, 65)},
     .constant = {REAL(65, 16, 1, 1), REAL(65)}},
    {"residual, 3x3, no bias", FILTER(3, 3, 1, 1, OSP_RELU), .in = {WHOLE(2, 7, 15, 6), WHOLE(2, 7, 15, 18)},
     .constant = {WHOLE(18, 6, 3, 3)}},

    /* images that count: none, some, all */
    {"counts 0, 1, 2 of 2, 3x3", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(6, 7, 7, 9), [OSP_CONV2D_COUNTS] = COUNTS(0, 1, 2)},
     .constant = {REAL(33, 9, 3, 3), REAL(33)}},
    {"counts 3, 0 of 5, 1x1", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {WHOLE(10, 2, 3, 8), [OSP_CONV2D_COUNTS] = COUNTS(3, 0)},
     .constant = {WHOLE(10, 8, 1, 1), WHOLE(10)}},
    {"count 4 of 7 with residual", FILTER(3, 3, 2, 1, OSP_RELU), .in = {WHOLE(7, 5, 5, 4), WHOLE(7, 3, 3, 6), COUNTS(4)},
     .constant = {WHOLE(6, 4, 3, 3), WHOLE(6)}},
    {"count 0 of 2", FILTER(1, 1, 1, 0, OSP_HARDSIGMOID), .in = {REAL(2, 3, 3, 4), [OSP_CONV2D_COUNTS] = COUNTS(0)},
     .constant = {REAL(6, 4, 1, 1), REAL(6)}},

    /* sums too long for one pass over the filter, pixels that lie a multiple of 4 KiB apart */
    {"1500 channels, 3x3", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(1, 2, 2, 1500), REAL(1, 2, 2, 9)},
     .constant = {REAL(9, 1500, 3, 3), REAL(9)}},
    {"370 channels, 3x3", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(1, 3, 5, 370)}, .constant = {REAL(35, 370, 3, 3), REAL(35)}},
    {"1024 channels, 1x1", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {INTEGERS(OSP_F32, -4, 4, 1, 3, 5, 1024)},
     .constant = {INTEGERS(OSP_F32, -4, 4, 33, 1024, 1, 1)}},
    {"512 channels, 3x3 s2", FILTER(3, 3, 2, 1, OSP_LINEAR), .in = {REAL(1, 2, 31, 512)},
     .constant = {REAL(5, 512, 3, 3), REAL(5)}},
    {"long rows, many strips", FILTER(1, 1, 1, 0, OSP_RELU), .in = {REAL(1, 37, 61, 130)},
     .constant = {REAL(2, 130, 1, 1), REAL(2)}},

    /* more than a tile of the widest kernels, both ways */
    {"253 pixels, 255 outputs", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(1, 11, 23, 5), REAL(1, 11, 23, 255)},
     .constant = {REAL(255, 5, 3, 3), REAL(255)}},
    {"count 1 of 2, 198 pixels, 200 outputs", FILTER(1, 1, 1, 0, OSP_LINEAR),
     .in = {WHOLE(2, 9, 11, 20), [OSP_CONV2D_COUNTS] = COUNTS(1)}, .constant = {WHOLE(200, 20, 1, 1), WHOLE(200)}},

    /* for Winograd: squares cut at every edge, more strips than threads, fewer squares than the most that may count */
    {"3x3, squares cut at the edges", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(2, 9, 14, 24), REAL(2, 9, 14, 40)},
     .constant = {REAL(40, 24, 3, 3), REAL(40)}},
    {"3x3, whole blocks of 16", FILTER(3, 3, 1, 1, OSP_RELU), .in = {REAL(2, 9, 14, 32)},
     .constant = {REAL(48, 32, 3, 3), REAL(48)}},
    {"144 pixels of 1024 channels", FILTER(1, 1, 1, 0, OSP_RELU), .in = {REAL(2, 8, 9, 1024), REAL(2, 8, 9, 133)},
     .constant = {REAL(133, 1024, 1, 1), REAL(133)}},
    {"3x3, padding 2", FILTER(3, 3, 1, 2, OSP_LINEAR), .in = {REAL(1, 6, 5, 18)}, .constant = {REAL(21, 18, 3, 3), REAL(21)}},
    {"3x3, several strips", FILTER(3, 3, 1, 1, OSP_LINEAR), .in = {REAL(1, 30, 37, 96)},
     .constant = {REAL(20, 96, 3, 3), REAL(20)}},
    {"3x3, 42 of 43 images of one square", FILTER(3, 3, 1, 1, OSP_RELU),
     .in = {REAL(43, 3, 4, 40), [OSP_CONV2D_COUNTS] = COUNTS(42)}, .constant = {REAL(33, 40, 3, 3), REAL(33)}},

    /* numbers at the ends of the range: nothing may leak from one output to another, and the padding is not multiplied */
    {"one product, any exponent", FILTER(1, 1, 1, 0, OSP_LINEAR), .in = {MADE(OSP_F32, case_extremes, 1, 8, 8, 1)},
     .constant = {MADE(OSP_F32, case_extremes, 33, 1, 1, 1)}},
    {"sums, any exponent", FILTER(3, 3, 1, 1, OSP_LINEAR), .in = {MADE(OSP_F32, case_extremes, 1, 8, 17, 8)},
     .constant = {MADE(OSP_F32, case_extremes, 33, 8, 3, 3), REAL(33)}},
    {"a NaN in x", FILTER(3, 3, 1, 1, OSP_RELU6), .in = {MADE(OSP_F32, case_one_nan, 1, 7, 19, 3)},
     .constant = {REAL(35, 3, 3, 3)}, .nan_expected = true},
    {"an infinite weight at a corner", FILTER(3, 3, 1, 1, OSP_LINEAR), .in = {UNIFORM(0.5, 1, 1, 5, 20, 2)},
     .constant = {MADE(OSP_F32, case_one_infinity, 3, 2, 3, 3)}},
};

static const struct case_rung rungs[] = {
    {"onednn/conv2d/direct", .own_order = true, .by_threads = true, .loses_nan = true},
    {"onednn/conv2d/winograd", .may_refuse = true, .own_order = true, .by_threads = true, .loses_nan = true,
     .slack = case_winograd_slack, .widen = 4}, /* other points: 0, 5/8, -5/8, 3/2, -3/2 */
    {"cudnn/conv2d/plain", .may_refuse = true, .own_order = true},
    {"cudnn/conv2d/fused", .may_refuse = true, .own_order = true, .loses_nan = true},
    {"cudnn/conv2d/matmul", .may_refuse = true, .own_order = true, .loses_nan = true},
    {"cudnn/conv2d/plain_tf32", .may_refuse = true, .own_order = true, .slack = case_tf32_slack},
    {"cudnn/conv2d/fused_tf32", .may_refuse = true, .own_order = true, .loses_nan = true, .slack = case_tf32_slack},
    {"cudnn/conv2d/matmul_tf32", .may_refuse = true, .own_order = true, .loses_nan = true, .slack = case_tf32_slack},
    {"cuda/conv2d/buffered", .may_refuse = true},
    {"cuda/conv2d/warp", .may_refuse = true},
    {"cuda/conv2d/strip", .may_refuse = true},
    {"cuda/conv2d/winograd", .may_refuse = true, .own_order = true, .slack = case_winograd_slack},
    {"cuda/conv2d/tf32", .may_refuse = true, .own_order = true, .slack = case_rounded_tf32},
    {"cuda/conv2d/f16", .may_refuse = true, .may_refuse_weights = true, .own_order = true, .slack = case_rounded_f16},
    {"cuda/conv2d/bf16", .may_refuse = true, .own_order = true, .slack = case_rounded_bf16},
    {"cpu/conv2d/winograd", .may_refuse = true, .own_order = true, .slack = case_winograd_slack},
};

const struct case_table cases_conv2d = {
    .cases = cases, .count = CASE_COUNT(cases), .reference = reference, .rungs = rungs, .rung_count = CASE_COUNT(rungs)};
