/* Every CUDA rung against every case of its op in the emulator's checked build, which must have nothing to report: no race, no
 * access out of bounds, none to memory that nobody wrote. The cpu's plainest rung gives the bits. */
#include "cases/harness.h"

static void open_devices(struct harness *harness)
{
    *harness = (struct harness){.backends = osp_backends};
    harness_add(harness, "cpu", &(struct osp_device_options){.threads = 1});
    harness_add(harness, "emu", &(struct osp_device_options){.emu = "check"});
}

int main(void) { return harness_main(open_devices); }
