/* Reading what was reported, and the way from an instruction to its line of source. */
#ifndef EMU_REPORT_H
#define EMU_REPORT_H

#include <string>

#include "internal.h"

namespace emu {

struct Line {
    std::string file;
    int line;
};
/* Of the instruction before a return address. Several are asked for at once where many will be needed. lines.cpp */
Line line_of(uintptr_t pc);
void lines_prepare(const std::vector<uintptr_t> &pcs);
void see_through(const char *file);

long report_total();
int report_get(int i, struct emu_error *out);
void report_clear();

int access_get(int i, struct emu_access *out);
void accesses_clear();

int waits_get(int i, struct emu_wait *out);
void waits_clear();

} // namespace emu
#endif
