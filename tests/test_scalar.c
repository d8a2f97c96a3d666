/* runtime/scalar.h against long double: the stated errors, the edges, and the same bits from every compiler.
 * Every 127th float by default; OSPREY_LONG (make check-long) takes every one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/ops.h"

/* ---- Sweeps ------------------------------------------------------------------------------------------------ */

static uint32_t step = 127;

/* One float's distance from the exact value, in the spacing of floats there (denormal spacing below 2^-126). */
static double ulps(float got, long double want)
{
    int exponent = -125; /* of the denormals */
    if (fabsl(want) >= 0x1p-126L)
        frexpl(want, &exponent);
    return (double)(fabsl((long double)got - want) / ldexpl(1, exponent - 24));
}

/* The largest error of f over the floats from low to high (same sign, |low| < |high|); NaN counts as infinite. */
static double worst_error(float (*f)(float), long double (*exact)(long double), float low, float high)
{
    int64_t first = osp_bits(low), last = osp_bits(high);
    double worst = 0;
#pragma omp parallel for reduction(max : worst)
    for (int64_t bits = first; bits <= last; bits += step) {
        float x = osp_from_bits((uint32_t)bits);
        double error = ulps(f(x), exact(x));
        worst = error <= worst ? worst : error == error ? error : HUGE_VAL;
    }
    return worst;
}

static void check_error(const char *name, double worst, double bound)
{
    print_message("%s: %.3f ulp\n", name, worst);
    if (!(worst <= bound))
        fail_msg("%s: error of %.3f ulp, stated: %.3f", name, worst, bound);
}

/* FNV-1a over results: pins every bit. */
static uint64_t digest(float (*f)(float), float low, float high)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t bits = osp_bits(low); bits <= osp_bits(high); bits += 4093)
        hash = (hash ^ osp_bits(f(osp_from_bits(bits)))) * 0x100000001b3u;
    return hash;
}

static float call_exp(float x) { return osp_expf(x); }
static float call_log2(float x) { return osp_log2f(x); }
static float call_sigmoid(float x) { return osp_sigmoidf(x); }
static long double exact_sigmoid(long double x) { return 1 / (1 + expl(-x)); }

/* ---- exp --------------------------------------------------------------------------------------------------- */

static void test_exp_error(void **state)
{
    check_error("exp, x > 0", worst_error(call_exp, expl, 0x1p-30f, 88.7228317f), 1);
    check_error("exp, x < 0, normal", worst_error(call_exp, expl, -0x1p-30f, -87.3365f), 1);
    check_error("exp, x < 0, denormal", worst_error(call_exp, expl, -87.3365f, -103.972f), 1);
}

static void test_exp_edges(void **state)
{
    assert_true(osp_expf(0.0f) == 1 && osp_expf(-0.0f) == 1);
    assert_true(osp_expf(0x1p-149f) == 1 && osp_expf(-0x1p-149f) == 1);
    assert_true(osp_expf(88.7228317f) < INFINITY && osp_expf(88.7228394f) == INFINITY);
    assert_true(osp_expf(INFINITY) == INFINITY && osp_expf(3e38f) == INFINITY);
    assert_true(osp_expf(-103.972076f) > 0 && osp_expf(-103.972084f) == 0);
    assert_true(osp_expf(-INFINITY) == 0 && osp_expf(-3e38f) == 0);
    assert_true(osp_expf(NAN) != osp_expf(NAN) && osp_expf(-NAN) != osp_expf(-NAN));
}

/* ---- log2 -------------------------------------------------------------------------------------------------- */

static void test_log2_error(void **state)
{
    check_error("log2, below 0.5", worst_error(call_log2, log2l, 0x1p-149f, 0.5f), 1);
    check_error("log2, 0.5 to 1", worst_error(call_log2, log2l, 0.5f, 0x1.fffffep-1f), 1);
    check_error("log2, 1 to 2", worst_error(call_log2, log2l, 0x1.000002p+0f, 2.0f), 1);
    check_error("log2, above 2", worst_error(call_log2, log2l, 2.0f, 0x1.fffffep127f), 1);
}

static void test_log2_edges(void **state)
{
    for (int n = -149; n < 128; n++)
        assert_true(osp_log2f(ldexpf(1, n)) == (float)n);
    assert_true(osp_log2f(0.0f) == -INFINITY && osp_log2f(-0.0f) == -INFINITY);
    assert_true(osp_log2f(INFINITY) == INFINITY);
    float bad[] = {-1, -0x1p-149f, -INFINITY, NAN};
    for (int i = 0; i < 4; i++)
        assert_true(osp_log2f(bad[i]) != osp_log2f(bad[i]));
}

/* ---- sigmoid and activations ------------------------------------------------------------------------------- */

static void test_sigmoid(void **state)
{
    check_error("sigmoid, x > 0", worst_error(call_sigmoid, exact_sigmoid, 0x1p-30f, 100), 3);
    check_error("sigmoid, x < 0", worst_error(call_sigmoid, exact_sigmoid, -0x1p-30f, -87.3f), 3);
    assert_true(osp_sigmoidf(0) == 0.5f && osp_sigmoidf(INFINITY) == 1 && osp_sigmoidf(-INFINITY) == 0);
    assert_true(osp_sigmoidf(-88.8f) == 0 && osp_sigmoidf(17.4f) == 1);
    assert_true(osp_sigmoidf(NAN) != osp_sigmoidf(NAN));
}

static void test_activations(void **state)
{
    static const struct {
        float x, relu, relu6, hardswish, hardsigmoid;
    } table[] = {
        {-INFINITY, 0, 0, NAN, 0}, /* -inf * 0, as in torch */
        {-4, 0, 0, 0, 0},
        {-3, 0, 0, 0, 0},
        {-1.5f, 0, 0, -0.375f, 0.25f},
        {0, 0, 0, 0, 0.5f},
        {1.5f, 1.5f, 1.5f, 1.125f, 0.75f},
        {3, 3, 3, 3, 1},
        {6, 6, 6, 6, 1},
        {7, 7, 6, 7, 1},
        {NAN, NAN, NAN, NAN, NAN},
        {INFINITY, INFINITY, 6, INFINITY, 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        float x = table[i].x, want[] = {x, table[i].relu, table[i].relu6, table[i].hardswish, table[i].hardsigmoid};
        for (int a = OSP_LINEAR; a <= OSP_HARDSIGMOID; a++) {
            float got = osp_activate((enum osp_activation)a, x);
            if (got != want[a] && !(got != got && want[a] != want[a]))
                fail_msg("activation %d of %g: got %g, want %g", a, (double)x, (double)got, (double)want[a]);
        }
    }
}

/* ---- Bits ---------------------------------------------------------------------------------------------------- */

static void test_bits(void **state)
{
    assert_int_equal(digest(call_exp, 0x1p-30f, 90), 0x25f2722e08492453u);
    assert_int_equal(digest(call_exp, -0x1p-30f, -110), 0x23b10e9a82fc88c4u);
    assert_int_equal(digest(call_log2, 0x1p-149f, 0x1.fffffep127f), 0x975e8d7be47a0a5au);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_error),  cmocka_unit_test(test_exp_edges), cmocka_unit_test(test_log2_error),
        cmocka_unit_test(test_log2_edges), cmocka_unit_test(test_sigmoid),   cmocka_unit_test(test_activations),
        cmocka_unit_test(test_bits),
    };
    if (getenv("OSPREY_LONG"))
        step = 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
