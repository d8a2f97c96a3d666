/* The overlay cudnn while every call of cuDNN and cuBLASLt fails in turn: one sentence with the call's name and code, or the
 * layer is refused with it; no crash, nothing left. On the stand-in of tests/fake/nvidia.h and the driver that interprets PTX. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cudnn_fake.h"

#if CUDNN_FAKE
static void each_call_fails(void **state)
{
    for (int l = 0; l < CUDNN_LAYERS; l++) {
        struct cudnn_outcome found;
        uint64_t failed = 0, refused = 0, passed = 0;
        fake.fail_at(0, 0);
        cudnn_run_layer(&cudnn_layers[l], &found);
        cudnn_expect_right(&cudnn_layers[l], &found);
        const uint64_t calls = fake.calls();
        const char **names = calloc(calls, sizeof *names);
        assert_non_null(names);
        for (uint64_t n = 1; n <= calls; n++)
            assert_non_null(names[n - 1] = fake.call_name(n));
        for (uint64_t n = 1; n <= calls; n++) {
            const char *name = names[n - 1];
            const int code =
                strncmp(name, "cublas", 6) ? (int)CUDNN_STATUS_EXECUTION_FAILED : (int)CUBLAS_STATUS_EXECUTION_FAILED;
            char when[128], number[16];
            snprintf(when, sizeof when, "%s, call %llu, %s", cudnn_layers[l].rung, (unsigned long long)n, name);
            snprintf(number, sizeof number, "(%d)", code);
            fake.fail_at(n, code);
            cudnn_run_layer(&cudnn_layers[l], &found);
            fake.fail_at(0, 0);
            cudnn_expect_clean(when);
            if (!found.status && !found.refused && !strstr(name, "Destroy"))
                fail_msg("%s failed and nobody noticed", when);
            if (!found.status && !found.refused)
                cudnn_expect_right(&cudnn_layers[l], &found);
            else if (strstr(name, "Destroy") || !strstr(found.sentence, name) || !strstr(found.sentence, number))
                fail_msg("%s: the sentence is \"%s\"", when, found.sentence);
            *(found.refused ? &refused : found.status ? &failed : &passed) += 1;
        }
        print_message(
            "%-12s %3llu calls: %llu fail the plan or the run with a sentence, %llu refuse the layer with one, %llu destroy\n",
            cudnn_layers[l].rung, (unsigned long long)calls, (unsigned long long)failed, (unsigned long long)refused,
            (unsigned long long)passed);
        assert_true(failed && refused && passed);
        free(names);
        cudnn_run_layer(&cudnn_layers[l], &found);
        cudnn_expect_right(&cudnn_layers[l], &found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_call_fails, cudnn_fake_open, cudnn_fake_close)};
    return cudnn_fake_runs() ? cmocka_run_group_tests(tests, cudnn_fake_begin, NULL) : 0;
}
#else
static void it_is_in_this_build(void **state)
{
    print_message("NOT RUN: no headers of cuDNN 9 and cuBLAS here\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_in_this_build)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
