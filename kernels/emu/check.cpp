/* What the checked build does; for now it does nothing: the fast build never asks. */
#include "check.h"
#include "report.h"
namespace emu {
bool checked;
void check_access(const void *, unsigned, unsigned, uintptr_t) {}
void check_launch_begin(const Launch &) {}
void check_launch_end(const Launch &) {}
void check_block_begin(Worker &) {}
void check_block_end(Worker &) {}
void check_barrier(Worker &) {}
void check_warp_done(Worker &, int, const WarpOp &) {}
void check_shared_variable(Worker &, const SharedVariable &) {}
void check_fence(Fiber *) {}
void check_allocated(const char *, size_t) {}
void check_freed(const char *, size_t) {}
void check_filled(const char *, size_t) {}
long check_unfilled(const char *, size_t) { return -1; }
void check_copy_begun(const char *, size_t) {}
void check_copy_made(Worker &, const Fiber *, const char *, size_t) {}
int access_get(int, struct emu_access *) { return 0; }
void accesses_clear() {}
Line line_of(uintptr_t) { return {}; }
void lines_prepare(const std::vector<uintptr_t> &) {}
void see_through(const char *) {}
}
