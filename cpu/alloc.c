/* Memory for tensors and packed weights. */
#include <stdint.h>
#include <sys/mman.h>

#include "cpu/cpu.h"

enum { LINE = 64, LARGE_PAGE = 2 << 20 };

/* A tile reads a dozen pixels that lie pages apart, and the transforms of Winograd write 36 planes: on pages of 4 KiB that is
 * more of them than a core remembers the addresses of. Only whole large pages are asked for, so that nothing is resident that
 * would not be otherwise. Where the kernel has none, or no leave to use them, everything is as it was. */
static void ask_for_large_pages(void *memory, size_t bytes)
{
    uintptr_t first = ((uintptr_t)memory + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE,
              end = ((uintptr_t)memory + bytes) / LARGE_PAGE * LARGE_PAGE;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
}

void *cpu_alloc(size_t bytes)
{
    size_t rounded = (bytes + LINE - 1) / LINE * LINE + LINE;
    void *memory = aligned_alloc(LINE, rounded);
    if (memory)
        ask_for_large_pages(memory, rounded);
    return memory;
}
