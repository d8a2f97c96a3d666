/* Atomics: out of line, so that the emulator sees that they are; real ones, because blocks run on several OS threads. */
#include <algorithm>

#include "check.h"
#include "internal.h"

namespace emu
{

template <class T> static inline T result_of(AtomicOp op, T old, T value, T compare)
{
    switch (op) {
    case ATOMIC_ADD:
        return old + value;
    case ATOMIC_MIN:
        return std::min(old, value);
    case ATOMIC_MAX:
        return std::max(old, value);
    case ATOMIC_EXCHANGE:
        return value;
    case ATOMIC_COMPARE:
        return old == compare ? value : old;
    default:
        break;
    }
    if constexpr (std::is_integral_v<T>) {
        switch (op) {
        case ATOMIC_AND:
            return old & value;
        case ATOMIC_OR:
            return old | value;
        case ATOMIC_XOR:
            return old ^ value;
        default:
            break;
        }
    }
    return old;
}

template <class T> T atomic(AtomicOp op, T *address, T value, T compare)
{
    stop_if_asked(*worker);
    if (checked)
        check_access(address, sizeof(T), STORE | ATOMIC, (uintptr_t)__builtin_return_address(0));
    T old, wanted;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    do
        wanted = result_of(op, old, value, compare);
    while (!__atomic_compare_exchange(address, &old, &wanted, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    return old;
}
template int atomic(AtomicOp, int *, int, int);
template unsigned atomic(AtomicOp, unsigned *, unsigned, unsigned);
template unsigned long long atomic(AtomicOp, unsigned long long *, unsigned long long, unsigned long long);
template float atomic(AtomicOp, float *, float, float);

void threadfence()
{
    if (checked)
        check_fence(worker->current());
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

} // namespace emu
