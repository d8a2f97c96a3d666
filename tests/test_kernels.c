/* Every rung of every compiled-in backend against every case of its op: tests/cases/harness.h has the rules. The list of ops is
 * ops.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cases/harness.h"

static struct harness harness;

static int open_all(void **state)
{
    harness_open(&harness, osp_backends);
    for (int i = 0; i < harness.count; i++)
        print_message("%s on %s\n", harness.benches[i].backend->name, harness.benches[i].label);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define OSP_OP(name, help) cmocka_unit_test(test_##name),
#include "runtime/ops.def"
#undef OSP_OP
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
