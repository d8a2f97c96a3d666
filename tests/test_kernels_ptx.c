/* Every CUDA rung against every case of its op through the cuda backend, as it runs on a GPU, on the driver that interprets the
 * PTX that nvcc made. The bits are those of the cpu's plainest rung and of the emulator, which comes from the source. The driver
 * poses as sm_90; then, for the ops whose kernels are written otherwise for it, as sm_75. (sm_80: tests/test_precision.c) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases/harness.h"
#include "sanitized.h"

static void open_devices(struct harness *harness)
{
    *harness = (struct harness){.backends = osp_backends};
    harness_add(harness, "cpu", &(struct osp_device_options){.threads = 1});
    if (!SANITIZED) /* test_kernels shows the sanitizers the emulator */
        harness_add(harness, "emu", &(struct osp_device_options){.threads = 1});
    harness_add(harness, "cuda", &(struct osp_device_options){.driver = "ptx"});
}

static void open_alone(struct harness *harness)
{
    *harness = (struct harness){.backends = osp_backends};
    harness_add(harness, "cuda", &(struct osp_device_options){.driver = "ptx"});
}

int main(void)
{
    static const char *const ops[] = {"conv2d", "linear"};
    const char *only = getenv("OSPREY_OP");
    char asked[64];
    snprintf(asked, sizeof asked, "%s", only ? only : "");
    int failed = harness_main(open_devices);
    setenv("PTX_DRIVER_SM", "75", 1);
    for (int i = 0; i < CASE_COUNT(ops); i++) {
        if (*asked && strcmp(asked, ops[i]) != 0)
            continue;
        setenv("OSPREY_OP", ops[i], 1);
        failed |= harness_main(open_alone);
    }
    return failed;
}
