/* Every rung of every compiled-in backend against every case of its op, on every instruction set of this machine and, in the
 * emulator, in four shuffled orders of threads and blocks: tests/cases/harness.h has the rules. */
#include "cases/harness.h"

static void open_devices(struct harness *harness) { harness_open(harness, osp_backends); }

int main(void) { return harness_main(open_devices); }
