/* Every CUDA rung against every case of its op through the cuda backend, as it runs on a GPU, on the driver that interprets the
 * PTX that nvcc made. The bits are those of the cpu's plainest rung and of the emulator, which comes from the source. */
#include "cases/harness.h"

static void open_devices(struct harness *harness)
{
    *harness = (struct harness){.backends = osp_backends};
    harness_add(harness, "cpu", &(struct osp_device_options){.threads = 1});
    harness_add(harness, "emu", &(struct osp_device_options){.threads = 1});
    harness_add(harness, "cuda", &(struct osp_device_options){.driver = "ptx"});
}

int main(void) { return harness_main(open_devices); }
