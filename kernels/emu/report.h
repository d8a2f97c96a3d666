/* Reading what was reported, and the way from an instruction to its line of source. */
#ifndef EMU_REPORT_H
#define EMU_REPORT_H

#include <string>

#include "internal.h"

namespace emu
{

/* The module that the kernels are in. `bias`: what was added to its addresses when it was loaded. */
struct Module {
    uintptr_t bias, begin, end;
    std::string path;
};
const Module &the_module();

struct Line {
    std::string file;
    int line;
};
/* Of the instruction before a return address. Several are asked for at once where many will be needed. lines.cpp */
Line line_of(uintptr_t pc);
void lines_prepare(const std::vector<uintptr_t> &pcs);
void see_through(const char *file);
/* Instructions in half the room. */
static inline uint32_t pc_short(uintptr_t pc) { return (uint32_t)(pc - the_module().bias); }
static inline uintptr_t pc_long(uint32_t pc) { return pc + the_module().bias; }

long report_total();
int report_get(int i, struct emu_error *out);
void report_clear();

int access_get(int i, struct emu_access *out);
int work_get(int i, struct emu_kernel_work *out);
void accesses_clear();

int waits_get(int i, struct emu_wait *out);
void waits_clear();

} // namespace emu
#endif
