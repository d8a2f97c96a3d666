/* PTX texts of any kind: parsed, and what parses is run with one warp, up to its first loop. */
#include <stdint.h>
#include <string.h>

#include "tools/ptx/ptx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t params[32768];
    static const volatile bool stop = true; /* looked at where a branch goes back */
    struct ptx_memory *memory;
    struct ptx_module *module;
    struct ptx_error error;
    struct ptx_fault fault;
    if (ptx_memory_new(1 << 26, &memory) != 0)
        return 0;
    if (ptx_module_parse((const char *)data, size, memory, &module, &error) == 0) {
        for (int i = 0; i < ptx_module_kernels(module); i++) {
            const struct ptx_launch_config config = {.grid = {1, 1, 1}, .block = {40, 1, 1}, .workers = 1, .stop = &stop};
            ptx_launch(ptx_module_kernel_at(module, i), &config, params, sizeof params, memory, &fault);
        }
    }
    ptx_module_free(module);
    ptx_memory_free(memory);
    return 0;
}
