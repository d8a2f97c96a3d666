#include "rig.h"

#include <stdio.h>

const struct emu_table *emu;

/* The order is the natural one, of one worker, and no setting of another test is left. */
int machine_begin(void **state)
{
    emu->set_workers(1);
    emu->set_seed(0);
    emu->set_checks(EMU_CHECK_MEMORY | EMU_CHECK_RACES);
    emu->set_memory((size_t)8 << 30);
    emu->set_shared_limit(227 * 1024);
    emu->set_watchdog(20);
    emu->omit(NULL, 0);
    return 0;
}

int machine_begin_cores(void **state)
{
    machine_begin(state);
    emu->set_workers(0);
    return 0;
}

int machine_end(void **state)
{
    struct emu_error error;
    for (int i = 0; emu->error(i, &error); i++)
        print_error("%s\n", error.text);
    assert_string_equal(emu->leaks(), "");
    return emu->errors() != 0;
}

int machine_run(const char *name, const struct CMUnitTest *tests, size_t count)
{
    const char *builds[5] = {"fast", "ucontext"};
    const char *const *checked = builds_checked();
    int failed = 0;
    for (int i = 0; checked[i]; i++)
        builds[i + 2] = checked[i];
    for (int i = 0; builds[i]; i++) {
        char group[128];
        snprintf(group, sizeof group, "%s, %s", name, builds[i]);
        emu = build_open(builds[i]);
        failed += _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    }
    return failed;
}
