#include "filter.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Of each product, relative: 0 while a reference is made. */
static double product_error;

/* What operands are rounded to; NULL: they are not. */
static const struct rounding {
    int bits, lowest; /* of the mantissa, the first one too; the exponent below which numbers are spaced evenly */
    double beyond;    /* numbers from here on cannot be held */
    bool away;        /* ties: away from zero, else to even */
} * rounding;

static double rounded(double x)
{
    if (x == 0 || !(fabs(x) < rounding->beyond))
        return fabs(x) < rounding->beyond ? x : INFINITY;
    int exponent = ilogb(x);
    double step = ldexp(1, (exponent < rounding->lowest ? rounding->lowest : exponent) - rounding->bits + 1);
    return rounding->away ? copysign(floor(fabs(x) / step + 0.5) * step, x) : nearbyint(x / step) * step;
}

/* Of activations that divide: slopes of at most 1.5; then x + 3, the product and the quotient are rounded. */
static double divided(double slack, double value) { return 2 * slack + 0x1p-22 * (3 + (value < 0 ? -value : value)); }

void case_put(const struct case_view *view, int64_t i, const struct case_sum *sum, enum osp_activation activation)
{
    double result = case_activation(activation, sum->value),
           slack = case_slack((double)sum->terms, sum->magnitude) + product_error * sum->magnitude;
    bool divides = activation == OSP_HARDSWISH || activation == OSP_HARDSIGMOID;
    bool whole = view->test->in[0].fill == FILL_INTEGERS;
    if (!rounding)
        view->want[0][i] = result;
    if (isinf(view->want[0][i]) || (whole && !divides))
        return;
    slack += (double)sum->terms * 0x1p-149; /* results below the smallest normal float */
    if (rounding) /* tensor cores may cut sums off where they would round, and lose what is below the smallest normal float */
        slack = 2 * slack + (double)sum->terms * 0x1p-126;
    if (divides)
        slack = divided(slack, sum->value);
    if (rounding)
        slack += fabs(result - view->want[0][i]);
    view->slack[0][i] = slack == slack ? slack : INFINITY;
}

static float *rounded_copy(const float *from, int64_t count)
{
    float *copy = malloc((size_t)count * sizeof *copy);
    assert_non_null(copy);
    for (int64_t i = 0; i < count; i++)
        copy[i] = (float)rounded(from[i]);
    return copy;
}

/* The reference of operands that were rounded, once each and not for each product. */
static void put_rounded(const struct case_view *given, const struct rounding *to)
{
    struct case_view view = *given;
    struct osp_call call = *given->call;
    rounding = to;
    float *x = rounded_copy(call.in[0].data, osp_shape_count(&call.in[0].shape)),
          *w = rounded_copy(view.constant[OSP_WEIGHT], osp_shape_count(&view.test->constant[OSP_WEIGHT].shape));
    call.in[0].data = x;
    view.constant[OSP_WEIGHT] = w;
    view.call = &call;
    (call.op == OSP_linear ? &cases_linear : &cases_conv2d)->reference(&view);
    rounding = NULL;
    free(x);
    free(w);
}
void case_rounded_tf32(const struct case_view *view) { put_rounded(view, &(struct rounding){11, -126, INFINITY, true}); }
void case_rounded_f16(const struct case_view *view) { put_rounded(view, &(struct rounding){11, -14, 65520, false}); }
void case_rounded_bf16(const struct case_view *view) { put_rounded(view, &(struct rounding){8, -126, INFINITY, false}); }

/* tf32 keeps 10 bits behind the point: each factor is off by at most 2^-11 of itself, the product by (1 + 2^-11)^2 - 1. Whole
 * numbers of the cases are exact. */
void case_tf32_slack(const struct case_view *view)
{
    product_error = 0x1p-10 + 0x1p-22;
    (view->call->op == OSP_linear ? &cases_linear : &cases_conv2d)->reference(view);
    product_error = 0;
}

static struct case_random generator(int slot) { return (struct case_random){(uint64_t)slot + 1}; }

void case_extremes(const struct test_case *test, int slot, struct osp_tensor *out)
{
    struct case_random random = generator(slot);
    float *data = out->data;
    for (int64_t i = 0; i < osp_shape_count(&out->shape); i++)
        data[i] = (float)ldexp(case_uniform(&random, -1, 1), (int)case_integer(&random, -75, 30));
}

static void fill_positive(int slot, struct osp_tensor *out)
{
    struct case_random random = generator(slot);
    float *data = out->data;
    for (int64_t i = 0; i < osp_shape_count(&out->shape); i++)
        data[i] = (float)case_uniform(&random, 0.5, 1);
}

void case_one_nan(const struct test_case *test, int slot, struct osp_tensor *out)
{
    fill_positive(slot, out);
    ((float *)out->data)[osp_shape_count(&out->shape) / 2] = NAN;
}

void case_one_infinity(const struct test_case *test, int slot, struct osp_tensor *out)
{
    fill_positive(slot, out);
    ((float *)out->data)[0] = INFINITY;
}
