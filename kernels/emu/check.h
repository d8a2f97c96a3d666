/* What the checked build does at each step of a launch. In the fast build `checked` is false and none of it is reached. */
#ifndef EMU_CHECK_H
#define EMU_CHECK_H

#include "internal.h"

namespace emu {

enum AccessFlags { STORE = 1, ATOMIC = 2, ASYNC = 4 };

/* One access of the running thread, before it is made. `pc` is the return address of the call in device code. check.cpp */
void check_access(const void *address, unsigned bytes, unsigned flags, uintptr_t pc);
void check_launch_begin(const Launch &launch);
void check_launch_end(const Launch &launch);
void check_block_begin(Worker &w);
void check_block_end(Worker &w);
void check_barrier(Worker &w);
void check_warp_done(Worker &w, int warp, const WarpOp &op);
void check_shared_variable(Worker &w, const SharedVariable &variable);
void check_fence(Fiber *me);
/* Device memory as the host changes it. */
void check_allocated(const char *at, size_t bytes);
void check_freed(const char *at, size_t bytes);
void check_filled(const char *at, size_t bytes);
/* The first byte that was never written, or -1. */
long check_unfilled(const char *at, size_t bytes);
/* A copy under way: its bytes may not be touched; then they are there, written by this thread. */
void check_copy_begun(const char *at, size_t bytes);
void check_copy_made(Worker &w, const Fiber *me, const char *at, size_t bytes);

} // namespace emu
#endif
