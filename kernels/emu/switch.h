/* From one fiber to another: the only machine code in the emulator. A context is what a fiber that does not run has left on its
 * stack. On x86-64 a switch is a dozen instructions, inlined, with no call and return that would upset the predictor of returns;
 * elsewhere it is ucontext, some thirty times slower. With AddressSanitizer each switch is announced to it. */
#ifndef EMU_SWITCH_H
#define EMU_SWITCH_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_ASAN 1
#endif
#endif
#ifdef EMU_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__) || defined(EMU_UCONTEXT)
#include <ucontext.h>
#endif

namespace emu
{

/* `Context nowhere = {}` may be switched from, once, by a fiber that will not come back. */
struct Context {
#if defined(__x86_64__) && !defined(EMU_UCONTEXT)
    void *stack_pointer;
#else
    ucontext_t *saved;
#endif
};

/* Room that a context takes at the top of a stack. */
#if defined(__x86_64__) && !defined(EMU_UCONTEXT)
constexpr size_t CONTEXT_BYTES = 0;

/* A fiber that will start at `entry`, which never returns, with `top` (a multiple of 16) as the end of its stack. */
static inline Context context_new(char *top, size_t, void (*entry)())
{
    void **stack = reinterpret_cast<void **>(top);
    stack[-1] = nullptr; /* where a return address would be: `entry` finds the stack as after a call */
    stack[-2] = reinterpret_cast<void *>(entry);
    return Context{stack - 2};
}

#ifdef __AVX512F__
#define EMU_MORE_VECTORS                                                                                                         \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",       \
        "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define EMU_MORE_VECTORS
#endif
/* All registers count as changed, so the compiler keeps nothing in them; 128 bytes below the stack pointer may be in use. */
static inline __attribute__((always_inline)) void context_switch(Context &from, const Context &to)
{
    void **save = &from.stack_pointer;
    void *load = to.stack_pointer;
    asm volatile("leaq -128(%%rsp), %%rsp\n\t"
                 "pushq %%rbp\n\t"
                 "pushq %%rbx\n\t"
                 "leaq 1f(%%rip), %%rax\n\t"
                 "pushq %%rax\n\t"
                 "movq %%rsp, (%0)\n\t"
                 "movq %1, %%rsp\n\t"
                 "popq %%rax\n\t"
                 "jmp *%%rax\n"
                 "1:\n\t"
                 "popq %%rbx\n\t"
                 "popq %%rbp\n\t"
                 "leaq 128(%%rsp), %%rsp"
                 : "+D"(save), "+S"(load)
                 :
                 : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc", "xmm0", "xmm1",
                   "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                   "xmm15" EMU_MORE_VECTORS);
}
/* For an OS thread: it has its stack already. */
struct ThreadRoom {
};
static inline Context context_of_thread(ThreadRoom &) { return Context{nullptr}; }
#else
constexpr size_t CONTEXT_BYTES = (sizeof(ucontext_t) + 63) / 64 * 64;

static inline Context context_new(char *top, size_t bytes, void (*entry)())
{
    Context context = {reinterpret_cast<ucontext_t *>(top - CONTEXT_BYTES)};
    getcontext(context.saved);
    context.saved->uc_stack.ss_sp = top - bytes;
    context.saved->uc_stack.ss_size = bytes - CONTEXT_BYTES;
    context.saved->uc_link = nullptr;
    makecontext(context.saved, entry, 0);
    return context;
}
static inline void context_switch(Context &from, const Context &to)
{
    if (from.saved)
        swapcontext(from.saved, to.saved);
    else
        setcontext(to.saved);
}
/* For an OS thread: it has its stack already, but what it leaves needs room. */
struct ThreadRoom {
    ucontext_t saved;
};
static inline Context context_of_thread(ThreadRoom &room) { return Context{&room.saved}; }
#endif

} // namespace emu
#endif
