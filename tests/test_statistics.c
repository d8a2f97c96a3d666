/* Quantiles against numpy's, and intervals that hold what they say: simulated rounds with outliers and a drift that both columns
 * share. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/measure/statistics.h"

static struct samples of(double *values, int count) { return (struct samples){values, count, count}; }

static void quantiles_are_those_of_numpy(void **state)
{
    double values[] = {7, 1, 3, 10, 4};
    struct samples s = of(values, 5);
    assert_true(samples_median(&s) == 4);
    assert_true(fabs(samples_quantile(&s, 0.1) - 1.8) < 1e-12); /* np.quantile([7,1,3,10,4], .1) */
    assert_true(fabs(samples_quantile(&s, 0.9) - 8.8) < 1e-12);
    assert_true(samples_quantile(&s, 0) == 1 && samples_quantile(&s, 1) == 10);
    s.count = 0;
    assert_true(isnan(samples_median(&s)));
}

static double uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) / 9007199254740992.0;
}

/* How often, of `trials`, the interval of a's time over b's, truly `ratio`, holds that ratio. */
static int held(int rounds, double ratio, int trials, double *widest)
{
    int count = 0;
    uint64_t seed = 20261122;
    *widest = 0;
    for (int t = 0; t < trials; t++) {
        double x[64], y[64];
        for (int i = 0; i < rounds; i++) {
            double drift = 1 + 0.5 * i / rounds;
            x[i] = ratio * drift * (1 + 0.05 * uniform(&seed)) * (uniform(&seed) < 0.05 ? 3 : 1);
            y[i] = drift * (1 + 0.05 * uniform(&seed)) * (uniform(&seed) < 0.05 ? 3 : 1);
        }
        struct samples a = of(x, rounds), b = of(y, rounds);
        struct estimate e = samples_ratio(&a, &b);
        count += e.low <= ratio && ratio <= e.high;
        assert_true(e.low <= e.value && e.value <= e.high);
        if (e.high / e.low > *widest && t < 100)
            *widest = e.high / e.low;
    }
    return count;
}

static void intervals_hold_the_truth(void **state)
{
    double widest;
    assert_in_range(held(5, 2, 1000, &widest), 975, 1000);
    assert_in_range(held(8, 2, 1000, &widest), 980, 1000);
    assert_in_range(held(20, 0.5, 1000, &widest), 980, 1000);
    assert_in_range(held(60, 1, 1000, &widest), 980, 1000);
    assert_true(widest < 1.06); /* and with 60 rounds they are narrow, the outliers and the drift notwithstanding */
}

static void little_is_said_of_little(void **state)
{
    double one[] = {2}, two[] = {1};
    struct samples a = of(one, 1), b = of(two, 1), none = of(NULL, 0);
    struct estimate e = samples_ratio(&a, &b);
    assert_true(e.value == 2 && isnan(e.low) && estimate_is_noise(&e));
    e = samples_ratio(&none, &b);
    assert_true(isnan(e.value) && estimate_is_noise(&e));
    e = (struct estimate){1.5, 1.4, 1.6};
    assert_false(estimate_is_noise(&e));
    e = (struct estimate){1.01, 0.99, 1.03};
    assert_true(estimate_is_noise(&e));
}

static void many_samples_are_thinned_evenly(void **state)
{
    double values[2000];
    for (int i = 0; i < 2000; i++)
        values[i] = 1 + i / 1999.0;
    struct samples s = of(values, 2000);
    struct estimate e = samples_location(&s);
    assert_true(fabs(e.value - 1.5) < 0.002 && e.low > 1.45 && e.high < 1.55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_numpy),
        cmocka_unit_test(intervals_hold_the_truth),
        cmocka_unit_test(little_is_said_of_little),
        cmocka_unit_test(many_samples_are_thinned_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
