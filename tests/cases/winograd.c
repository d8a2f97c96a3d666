/* How far Winograd's F(4x4,3x3) may be from the exact sum.
 *
 * An output is  sum over points e of A(e) * sum over c of U(c,e) V(c,e),  U and V the transformed weights and pixels. To first
 * order every rounding is at most 2^-24 of what the step before could have been at most, so with absolute values all through
 *
 *     |error| <= (roundings in a row) * 2^-24 * sum |A(e)| sum (|G| |w| |Gt|)(c,e) * (|Bt| |x| |B|)(c,e)
 *
 * (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). Roundings in a row: 1 of the weight, which is made in double; 3
 * in each of the two passes over x; one for each channel; 3 in each pass over the sums, and one where a pass ends; bias, residual
 * and the activation: C + 20 with some to spare. Rows 1 and 2 of |Bt| have 5/2 where Bt has 1/2, because the kernel adds 3/2 and
 * subtracts 1. */
#include "filter.h"

#include <math.h>
#include <stdlib.h>

enum { STEP = 4, SIDE = 6, POINTS = 36, ROUNDINGS = 20 };

static const double x_side[SIDE][SIDE] = {{1, 1.5, 2, 1.5, 1, 0}, {0, 1, 2.5, 2.5, 1, 0}, {0, 1, 2.5, 2.5, 1, 0},
                                          {0, 2, 1, 2, 1, 0},     {0, 0.5, 1, 0.5, 1, 0}, {0, 1, 1.5, 2, 1.5, 1}};
static const double w_side[SIDE][3] = {{1, 0, 0},
                                       {1 / 3.0, 1 / 3.0, 1 / 3.0},
                                       {1 / 3.0, 1 / 3.0, 1 / 3.0},
                                       {16 / 15.0, 8 / 15.0, 4 / 15.0},
                                       {1 / 15.0, 2 / 15.0, 4 / 15.0},
                                       {0, 0, 1}};
static const double out_side[STEP][SIDE] = {
    {1, 1, 1, 1, 1, 0}, {0, 1, 1, 0.5, 2, 0}, {0, 1, 1, 0.25, 4, 0}, {0, 1, 1, 0.125, 8, 1}};

/* Below this a float is spaced evenly: what is lost there is at most 2^-24 of it. */
static const double SMALLEST = 0x1p-125;

static void weight_points(const float *w, double out[POINTS])
{
    for (int e = 0; e < POINTS; e++) {
        out[e] = SMALLEST;
        for (int t = 0; t < 9; t++)
            out[e] += w_side[e / SIDE][t / 3] * fabs((double)w[t]) * w_side[e % SIDE][t % 3];
    }
}

/* The square whose first pixel is (top, left) of channel c. */
static void pixel_points(const float *x, const int64_t dim[4], int64_t n, int64_t top, int64_t left, int64_t c,
                         double out[POINTS])
{
    for (int e = 0; e < POINTS; e++) {
        out[e] = SMALLEST;
        for (int64_t i = 0; i < SIDE; i++)
            for (int64_t j = 0; j < SIDE; j++)
                if (top + i >= 0 && top + i < dim[1] && left + j >= 0 && left + j < dim[2])
                    out[e] += x_side[e / SIDE][i] * x_side[e % SIDE][j] *
                              fabs((double)x[((n * dim[1] + top + i) * dim[2] + left + j) * dim[3] + c]);
    }
}

static double *room(int64_t count)
{
    double *memory = calloc((size_t)count, sizeof *memory);
    if (!memory)
        abort();
    return memory;
}

/* One output: what its products may be at most becomes what it may be off by. */
static void put_slack(const struct case_view *view, int64_t i, int64_t k, int64_t channels, double magnitude)
{
    const float *residual = case_floats(view, OSP_CONV2D_RESIDUAL), *bias = view->constant[OSP_BIAS];
    enum osp_activation activation = view->call->attrs->conv2d.activation;
    magnitude += (bias ? fabs((double)bias[k]) : 0) + (residual ? fabs((double)residual[i]) : 0);
    double slack = case_slack((double)(channels + ROUNDINGS), magnitude);
    if (activation == OSP_HARDSWISH || activation == OSP_HARDSIGMOID) /* as in case_put */
        slack = 2 * slack + 0x1p-22 * (6 + fabs(view->want[0][i]));
    view->slack[0][i] = slack < 0x1p+127 ? slack : INFINITY;
}

/* The outputs of one square: the images' sizes, and [C][POINTS] of the square and [K][C][POINTS] of the weights. */
static void put_square(const struct case_view *view, int64_t n, int64_t p, int64_t q, int64_t c, const double *pixels,
                       const double *weights)
{
    const int64_t *out = view->call->out[0].shape.dim;
    for (int64_t k = 0; k < out[3]; k++) {
        double sums[POINTS] = {0};
        for (int64_t i = 0; i < c * POINTS; i++)
            sums[i % POINTS] += pixels[i] * weights[k * c * POINTS + i];
        for (int64_t a = 0; a < STEP && p + a < out[1]; a++)
            for (int64_t b = 0; b < STEP && q + b < out[2]; b++) {
                double magnitude = 0;
                for (int e = 0; e < POINTS; e++)
                    if (out_side[a][e / SIDE] * out_side[b][e % SIDE] > 0)
                        magnitude += out_side[a][e / SIDE] * out_side[b][e % SIDE] * sums[e];
                put_slack(view, ((n * out[1] + p + a) * out[2] + q + b) * out[3] + k, k, c, magnitude);
            }
    }
}

void case_winograd_slack(const struct case_view *view)
{
    const int64_t *x = view->call->in[OSP_CONV2D_X].shape.dim, *out = view->call->out[0].shape.dim;
    const int64_t pad = view->call->attrs->conv2d.pad;
    if (view->call->attrs->conv2d.r != 3 || view->call->attrs->conv2d.s != 3)
        return;
    int64_t batch = view->call->in[OSP_CONV2D_COUNTS].data ? view->call->in[OSP_CONV2D_COUNTS].shape.dim[0] : 1,
            each = x[0] / batch;
    double *weights = room(out[3] * x[3] * POINTS), *pixels = room(x[3] * POINTS);
    for (int64_t i = 0; i < out[3] * x[3]; i++)
        weight_points(view->constant[OSP_WEIGHT] + i * 9, weights + i * POINTS);
    for (int64_t n = 0; n < x[0]; n++)
        for (int64_t p = 0; p < out[1] && n % each < case_rows(view, OSP_CONV2D_COUNTS, n / each, each); p += STEP)
            for (int64_t q = 0; q < out[2]; q += STEP) {
                for (int64_t c = 0; c < x[3]; c++)
                    pixel_points(case_floats(view, OSP_CONV2D_X), x, n, p - pad, q - pad, c, pixels + c * POINTS);
                put_square(view, n, p, q, x[3], pixels, weights);
            }
    free(pixels);
    free(weights);
}
