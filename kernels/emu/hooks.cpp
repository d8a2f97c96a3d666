/* What g++ and clang++ call for -fsanitize=thread at each access of a kernel. The library that would normally answer is not
 * linked: these do. This file, like the whole emulator, is compiled without the option. */
#ifdef EMU_CHECKED

#include "check.h"

using emu::check_access;
using emu::STORE;

#define PC ((uintptr_t)__builtin_return_address(0))

static void range(const void *address, size_t bytes, unsigned flags, uintptr_t pc)
{
    const char *at = static_cast<const char *>(address);
    for (size_t done = 0; done < bytes;) {
        size_t piece = bytes - done;
        while (piece > 16 || (piece & (piece - 1)) || ((uintptr_t)(at + done) & (piece - 1)))
            piece = piece > 16 ? 16 : piece - 1;
        check_access(at + done, (unsigned)piece, flags, pc);
        done += piece;
    }
}

#define HOOK(name, ...)                                                                                                          \
    void name(void *at);                                                                                                         \
    void name(void *at)                                                                                                          \
    {                                                                                                                            \
        uintptr_t pc = PC;                                                                                                       \
        __VA_ARGS__                                                                                                              \
    }
#define HOOKS(n)                                                                                                                 \
    HOOK(__tsan_read##n, check_access(at, n, 0, pc);)                                                                            \
    HOOK(__tsan_write##n, check_access(at, n, STORE, pc);)                                                                       \
    HOOK(__tsan_unaligned_read##n, check_access(at, n, 0, pc);)                                                                  \
    HOOK(__tsan_unaligned_write##n, check_access(at, n, STORE, pc);)                                                             \
    HOOK(__tsan_volatile_read##n, check_access(at, n, 0, pc);)                                                                   \
    HOOK(__tsan_volatile_write##n, check_access(at, n, STORE, pc);)                                                              \
    HOOK(__tsan_read_write##n, check_access(at, n, 0, pc); check_access(at, n, STORE, pc);)                                      \
    HOOK(__tsan_unaligned_read_write##n, check_access(at, n, 0, pc); check_access(at, n, STORE, pc);)

extern "C" {
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

void __tsan_init();
void __tsan_init() {}
void __tsan_func_entry(void *);
void __tsan_func_entry(void *) {}
void __tsan_func_exit();
void __tsan_func_exit() {}
void __tsan_vptr_read(void **);
void __tsan_vptr_read(void **) {}
void __tsan_vptr_update(void **, void *);
void __tsan_vptr_update(void **, void *) {}

void __tsan_read_range(void *at, size_t bytes);
void __tsan_read_range(void *at, size_t bytes) { range(at, bytes, 0, PC); }
void __tsan_write_range(void *at, size_t bytes);
void __tsan_write_range(void *at, size_t bytes) { range(at, bytes, STORE, PC); }

void *__tsan_memcpy(void *to, const void *from, size_t bytes);
void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
    range(from, bytes, 0, PC);
    range(to, bytes, STORE, PC);
    return memcpy(to, from, bytes);
}
void *__tsan_memmove(void *to, const void *from, size_t bytes);
void *__tsan_memmove(void *to, const void *from, size_t bytes)
{
    range(from, bytes, 0, PC);
    range(to, bytes, STORE, PC);
    return memmove(to, from, bytes);
}
void *__tsan_memset(void *to, int byte, size_t bytes);
void *__tsan_memset(void *to, int byte, size_t bytes)
{
    range(to, bytes, STORE, PC);
    return memset(to, byte, bytes);
}
}

#endif
