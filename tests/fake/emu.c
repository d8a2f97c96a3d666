/* A shared object that a program of another version left behind: libosprey-emu-check.so with another layout of its table. */
#include <stddef.h>

struct emu_table;
const struct emu_table *emu_interface(void);
const struct emu_table *emu_interface(void) { return NULL; }

size_t emu_interface_layout(void);
size_t emu_interface_layout(void) { return 1; }
