/* The examples of tools/ptx/examples: programs that know nothing of this driver and are linked with -lcuda. They run on it as it
 * stands, in the poses and orders that the environment asks for, and tell what they are told when a call fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a command line with $BUILD/ptx/ before its program prints; its status. */
static int run(const char *environment, const char *name, char out[1024])
{
    char command[1024];
    const char *build = getenv("BUILD") ? getenv("BUILD") : "build";
    snprintf(command, sizeof command, "%s %s/ptx/%s tools/ptx/examples/%s.ptx 2>&1", environment, build, name, name);
    FILE *stream = popen(command, "r");
    assert_non_null(stream);
    size_t size = fread(out, 1, 1023, stream);
    out[size] = 0;
    return pclose(stream);
}

static void they_run(void **state)
{
    char out[1024];
    static const char *const environments[] = {"", "PTX_DRIVER_SM=75", "PTX_DRIVER_SM=80 PTX_DRIVER_SEED=3",
                                               "PTX_DRIVER_WORKERS=1"};
    for (size_t i = 0; i < sizeof environments / sizeof *environments; i++) {
        if (run(environments[i], "vector_add", out) || !strstr(out, "100000 sums are right"))
            fail_msg("vector_add: %s", out);
        if (run(environments[i], "reduce", out) || !strstr(out, "sum 300000, expected 300000"))
            fail_msg("reduce: %s", out);
    }
    assert_int_equal(run("PTX_DRIVER_SM=75", "vector_add", out), 0);
    assert_non_null(strstr(out, "sm_75"));
}

static void they_say_what_failed(void **state)
{
    char out[1024];
    assert_int_not_equal(run("PTX_DRIVER_MEMORY=500000", "vector_add", out), 0);
    assert_non_null(strstr(out, "cuMemAlloc"));
    assert_non_null(strstr(out, "out of device memory")); /* the driver's own sentence */
    assert_int_not_equal(run("PTX_DRIVER_FAIL=9:999", "reduce", out), 0);
    assert_non_null(strstr(out, "(999)"));
    assert_int_not_equal(run("PTX_DRIVER_SM=60", "reduce", out), 0);
    assert_non_null(strstr(out, "PTX_DRIVER_SM"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(they_run), cmocka_unit_test(they_say_what_failed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
