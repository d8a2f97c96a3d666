/* A cmocka program with one test for each op. The list is ops.def; OSPREY_OP names the only one to run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

static struct harness harness;
static void (*open_devices)(struct harness *);

/* Devices are opened for each op anew: what goes wrong on one does not spoil the next. */
static int open_all(void **state)
{
    static int said;
    open_devices(&harness);
    for (int i = 0; i < harness.count; i++) {
        if (!said)
            print_message("%s on %s\n", harness.benches[i].backend->name, harness.benches[i].label);
        if (strstr(harness.benches[i].label, "sm_75")) /* its tensor cores know f16 alone */
            harness.lacks = 1u << OSP_PRECISION_TF32 | 1u << OSP_PRECISION_BF16;
    }
    said = 1;
    return harness.count == 0;
}

static int close_all(void **state)
{
    harness_close(&harness);
    return 0;
}

static void test_op(const struct case_table *table, enum osp_op op)
{
    int failures = harness_run(&harness, table, op);
    if (failures)
        fail_msg("%s: %d failures%s", osp_op_name(op), failures, failures > HARNESS_SHOWN ? ", not all of them shown" : "");
}

#define OSP_OP(name, help)                                                                                                       \
    static void test_##name(void **state) { test_op(&cases_##name, OSP_##name); }
#include "runtime/ops.def"
#undef OSP_OP

int harness_main(void (*open)(struct harness *))
{
    const char *only = getenv("OSPREY_OP");
    char filter[64];
    const struct CMUnitTest tests[] = {
#define OSP_OP(name, help) cmocka_unit_test_setup_teardown(test_##name, open_all, close_all),
#include "runtime/ops.def"
#undef OSP_OP
    };
    open_devices = open;
    if (only && *only) {
        if (osp_op_find(only) < 0) {
            print_error("OSPREY_OP: there is no op %s\n", only);
            return 2;
        }
        snprintf(filter, sizeof filter, "test_%s", only);
        cmocka_set_test_filter(filter);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
