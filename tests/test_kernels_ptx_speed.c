/* How fast the PTX driver interprets: thread instructions a second of one core, printed, for conv2d's register tile on a layer
 * that fills its largest one. What this fails on is the bits: they are those of the cpu's plainest rung here too. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases/harness.h"
#include "kernels/cuda.h"

/* 302 million multiply-adds in 128 tiles of 128 x 128. */
static const struct test_case layer = {
    "128 x 128 pixels, 3x3, 16 to 128 channels",
    .attrs = {.conv2d = {3, 3, 1, 1, OSP_RELU}},
    .in = {UNIFORM(-1, 1, 1, 128, 128, 16)},
    .constant = {UNIFORM(-1, 1, 128, 16, 3, 3), UNIFORM(-1, 1, 128)},
};

/* A backend of which conv2d has one rung. */
static void narrow_to(const char *name, const char *rung, struct osp_backend *out, struct osp_ladder *one)
{
    for (int b = 0; osp_backends[b]; b++)
        if (!strcmp(osp_backends[b]->name, name))
            *out = *osp_backends[b];
    const struct osp_ladder *all = out->ops[OSP_conv2d];
    for (int i = 0; i < all->count; i++)
        if (!strcmp(all->rungs[i]->name, rung))
            *one = (struct osp_ladder){&all->rungs[i], 1};
    out->ops[OSP_conv2d] = one;
    assert_non_null(one->rungs);
}

static void test_register_tile(void **state)
{
    const struct case_table table = {.cases = &layer, .count = 1, .reference = cases_conv2d.reference};
    struct osp_backend cpu, cuda;
    struct osp_ladder plain = {0}, tile = {0};
    const struct osp_backend *const backends[] = {&cpu, &cuda, NULL};
    struct harness harness = {.backends = backends};
    narrow_to("cpu", "naive", &cpu, &plain);
    narrow_to("cuda", "register", &cuda, &tile);
    setenv("PTX_DRIVER_WORKERS", "1", 1);
    harness_add(&harness, "cpu", &(struct osp_device_options){.threads = 0});
    harness_add(&harness, "cuda", &(struct osp_device_options){.driver = "ptx"});
    if (harness.count < 2) { /* the harness has said why */
        harness_close(&harness);
        skip();
    }
    int failures = harness_run(&harness, &table, OSP_conv2d);
    harness_close(&harness);
    if (failures)
        fail_msg("%s", harness.first);

    char path[CUDA_PATH];
    void (*work)(uint64_t *, uint64_t *, double *);
    uint64_t threads, warps;
    double seconds;
    *(void **)&work = dlsym(cuda_library_beside("libcuda-ptx.so", path), "ptx_driver_work");
    assert_non_null(work);
    work(&threads, &warps, &seconds);
    print_message("conv2d/register on the PTX driver: %.0f million thread instructions a second on one core\n",
                  1e-6 * (double)threads / seconds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_register_tile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
