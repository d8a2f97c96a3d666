/* Whether a program and the shared object that it opens were built from the same emu_ctl.h: a table of another layout would be
 * called at the wrong places. The shared object exports what this gives as emu_interface_layout(). */
#ifndef EMU_LAYOUT_H
#define EMU_LAYOUT_H

#include "emu_ctl.h"

static inline size_t emu_layout(void)
{
    const size_t sizes[] = {sizeof(struct emu_table),       sizeof(struct emu_error), sizeof(struct emu_access),
                            sizeof(struct emu_kernel_work), sizeof(struct emu_wait),  sizeof(struct emu_totals)};
    size_t sum = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        sum = sum * 1031 + sizes[i];
    return sum;
}
#endif
