#include "allocations.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_long made;

long allocations_made(void) { return atomic_load(&made); }

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t), void (*freed)(const volatile void *));

static void count_allocation(const volatile void *block, size_t bytes) { atomic_fetch_add(&made, 1); }
static void ignore_free(const volatile void *block) {}

__attribute__((constructor)) static void install(void) { __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free); }
#else
/* glibc's allocator under its own names; defining malloc here replaces it for every library of the process. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *block, size_t bytes);
void *aligned_alloc(size_t align, size_t bytes);

void *malloc(size_t bytes)
{
    atomic_fetch_add(&made, 1);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    atomic_fetch_add(&made, 1);
    return __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes)
{
    atomic_fetch_add(&made, 1);
    return __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    atomic_fetch_add(&made, 1);
    return __libc_memalign(align, bytes);
}
#endif
