/* What the checked build does at each step of a launch. In the fast build `checked` is false and none of it is reached. A checked
 * launch runs on one OS thread, so nothing here is locked. */
#ifndef EMU_CHECK_H
#define EMU_CHECK_H

#include <string>

#include "internal.h"

namespace emu
{

enum AccessFlags : unsigned { STORE = 1, ATOMIC = 2, ASYNC = 4, SHARED = 8 };

/* ---- check.cpp: a byte of state for each byte of device memory ---- */
bool check_open();
/* One access of the running thread, before it is made. `pc` is the return address of the call in device code. */
void check_access(const void *address, unsigned bytes, unsigned flags, uintptr_t pc);
void check_launch_begin(const Launch &launch);
void check_block_begin(Worker &w);
void check_block_end(Worker &w);
void check_barrier(Worker &w);
void check_warp_done(Worker &w, int warp, const WarpOp &op);
void check_shared_variable(const Worker &w, const SharedVariable &variable);
/* Device memory as the host changes it. */
void check_allocated(const char *at, size_t bytes);
void check_freed(const char *at, size_t bytes);
void check_filled(const char *at, size_t bytes);
long check_unfilled(const char *at, size_t bytes); /* the first byte that was never written, or -1 */
/* This lane takes part in an instruction that touches nothing for it: it stays in step with its warp. */
void check_idle(unsigned flags, uintptr_t pc);
/* One instruction for all calls of a site: the first that came. The host's compiler may have made one for each way through. */
uintptr_t check_copy_site(Site site, uintptr_t pc);
void check_copy_wait();
void check_products(int count); /* multiply-adds that a warp made by one matrix instruction */
/* A copy under way: its bytes may not be touched; then they are there, written by this thread. */
void check_copy_begun(const char *at, size_t bytes);
void check_copy_made(const Worker &w, const Fiber *me, const char *at, size_t bytes);

/* ---- race.cpp: who touched each word last, and what orders two threads ---- */
bool race_open();
void race_launch_begin();
void race_block_begin();
void race_barrier();
void race_syncwarp(const Worker &w, int warp, uint32_t mask);
void race_access(const Worker &w, const Fiber *me, size_t offset, unsigned bytes, unsigned flags, uintptr_t pc);
void race_copy_made(const Worker &w, const Fiber *me, size_t offset, size_t bytes);
void check_fence(const Fiber *me);

/* ---- count.cpp: what each thread accessed since its warp was last together ---- */
void count_access(const Fiber *me, uint64_t address, unsigned bytes, unsigned flags, uintptr_t pc); /* 0 bytes: idle */
void count_warp(const Worker &w, int warp);
void count_block_end();
void count_barrier();
void count_copy_wait();
void count_products(int count);
void count_launch(const Launch &launch);

} // namespace emu
#endif
