/* Shared by the cases of conv2d, depthwise and linear: sums of products, with what they may be off by. */
#ifndef OSPREY_CASES_FILTER_H
#define OSPREY_CASES_FILTER_H

#include "cases.h"

struct case_sum {
    double value, magnitude; /* of the products, and of their absolute values */
    int64_t terms;
};

static inline void case_add(struct case_sum *sum, double product)
{
    sum->value += product;
    sum->magnitude += product < 0 ? -product : product;
    sum->terms++;
}

/* Writes activation(sum) as element i of output 0, and its slack: none where x holds whole numbers and the activation does not
 * divide. */
void case_put(const struct case_view *view, int64_t i, const struct case_sum *sum, enum osp_activation activation);

/* As struct case_rung's slack: what Winograd's F(4x4,3x3) at the points 0, 1, -1, 1/2, -2 may be off by (winograd.c). */
void case_winograd_slack(const struct case_view *view);

/* As struct case_rung's slack, of conv2d and linear: what products of tf32 numbers may be off by, in f32 sums. */
void case_tf32_slack(const struct case_view *view);

/* As struct case_rung's slack, of conv2d and linear: sums of products of operands that are rounded to tf32, f16 or bf16 first.
 * The reference sums those products too; what is left is what f32 sums may be off by. Nothing is promised of a sum with an
 * operand that the type cannot hold. */
void case_rounded_tf32(const struct case_view *view);
void case_rounded_f16(const struct case_view *view);
void case_rounded_bf16(const struct case_view *view);

/* `make` functions for operands: extremes() spreads the exponent from 2^-75 to 2^30, so that products reach below the smallest
 * float; one_nan() and one_infinity() are numbers in [0.5,1) but for one element, the middle one and the first. */
void case_extremes(const struct test_case *test, int slot, struct osp_tensor *out);
void case_one_nan(const struct test_case *test, int slot, struct osp_tensor *out);
void case_one_infinity(const struct test_case *test, int slot, struct osp_tensor *out);

#endif
