/* kernels/nms/limit.h against the division that it stands for: overlaps at, beside and far from every kind of threshold. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases/cases.h"
#include "kernels/nms/limit.h"

static long open_pairs; /* that the floats leave open */

static void agree(const struct nms_limit *limit, float inter, float uni)
{
    const int want = inter / uni > limit->threshold;
    const float rest = fmaf(-limit->threshold, uni, inter), need = limit->half * uni;
    open_pairs += !(rest < need || rest > need);
    if (nms_is_above(limit, inter, uni) != want)
        fail_msg("threshold %a: %a / %a is %a, which is %sabove", (double)limit->threshold, (double)inter, (double)uni,
                 (double)(inter / uni), want ? "" : "not ");
}

static const float thresholds[] = {0,     0x1p-149f, FLT_MIN,        0x1p-31f, 0x1p-30f, 0x1p-10f, 0.05f,          0.25f, 0.3f,
                                   0.45f, 0.5f,      0x1.fffffep-2f, 0.6f,     0.7f,     0.75f,    0x1.fffffep-1f, 1,     1.5f};

/* Unions of all sizes; intersections whose quotient lies within a few floats of the threshold, by eighths of their distance. */
static void beside_the_threshold(void **state)
{
    struct case_random random = {1};
    long pairs = 0;
    for (int t = 0; t < 2000; t++) {
        const int given = CASE_COUNT(thresholds);
        struct nms_limit limit = nms_limit_of(t < given ? thresholds[t] : (float)case_uniform(&random, 0, 1));
        const double step = (double)nextafterf(limit.threshold, INFINITY) - (double)limit.threshold;
        for (int i = 0; i < 1000; i++, pairs++) {
            const int kind = (int)case_integer(&random, 0, 2);
            const float uni =
                kind == 0 ? (float)case_integer(&random, 1, 4000000)
                          : ldexpf((float)case_uniform(&random, 1, 2), (int)case_integer(&random, kind == 1 ? -4 : -90, 24));
            const double quotient = (double)limit.threshold + step * (double)case_integer(&random, -16, 24) / 8;
            const float inter = (float)(quotient * (double)uni);
            agree(&limit, inter < 0 ? 0 : inter, uni);
        }
    }
    print_message("%ld of %ld pairs were left to double\n", open_pairs, pairs);
    assert_true(open_pairs > pairs / 1000); /* so that it is tried too */
}

static void anything_with_anything(void **state)
{
    static const float values[] = {0, FLT_TRUE_MIN, FLT_MIN, 0x1p-61f, 0x1p-60f, 1e-7f,    0.3f,      1,
                                   3, 10.5,         1e4f,    1e30f,    FLT_MAX,  INFINITY, (float)NAN};
    for (int t = 0; t < CASE_COUNT(thresholds); t++) {
        struct nms_limit limit = nms_limit_of(thresholds[t]);
        for (int i = 0; i < CASE_COUNT(values); i++)
            for (int j = 0; j < CASE_COUNT(values); j++) {
                agree(&limit, values[i], values[j]);
                if (values[j] != 0) /* no difference is -0 */
                    agree(&limit, values[i], -values[j]);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(beside_the_threshold), cmocka_unit_test(anything_with_anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
