/* The instructions of lanes.def as loops over 32 lanes, and loads and stores. Compiled once for each instruction set. */
#include "lanes.h"
#include "internal.h"

#ifdef __clang__ /* some loops stay scalar where an instruction set lacks what they need: no reason to warn */
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

#define JOIN_(a, b)   a##b
#define JOIN(a, b)    JOIN_(a, b)
#define EACH_LANE     _Pragma("omp simd") for (int l = 0; l < LANES; l++)
#define AT(T, offset) ((T *)(void *)(w->file + (offset)))

/* All lanes: a plain loop. Some: the same loop, keeping what the others had. */
#define COMPUTE(D, expr)                                                                                                         \
    const uint32_t lanes = insn_lanes(w, i);                                                                                     \
    D *d = AT(D, i->d);                                                                                                          \
    if (lanes == (uint32_t)ALL) {                                                                                                \
        EACH_LANE                                                                                                                \
        {                                                                                                                        \
            expr;                                                                                                                \
            d[l] = (D)result;                                                                                                    \
        }                                                                                                                        \
    } else if (lanes) {                                                                                                          \
        EACH_LANE                                                                                                                \
        {                                                                                                                        \
            expr;                                                                                                                \
            d[l] = lanes >> l & 1 ? (D)result : d[l];                                                                            \
        }                                                                                                                        \
    }                                                                                                                            \
    return i + 1;

#define VALUE1(name, pattern, D, A, e)                                                                                           \
    static const struct insn *lane_##name(struct warp *w, const struct insn *i)                                                  \
    {                                                                                                                            \
        const A *pa = AT(A, i->a);                                                                                               \
        COMPUTE(D, const A a = pa[l]; const D result = (D)(e))                                                                   \
    }
#define VALUE2(name, pattern, D, A, B, e)                                                                                        \
    static const struct insn *lane_##name(struct warp *w, const struct insn *i)                                                  \
    {                                                                                                                            \
        const A *pa = AT(A, i->a);                                                                                               \
        const B *pb = AT(B, i->b);                                                                                               \
        COMPUTE(D, const A a = pa[l]; const B b = pb[l]; const D result = (D)(e))                                                \
    }
#define VALUE3(name, pattern, D, A, B, C, e)                                                                                     \
    static const struct insn *lane_##name(struct warp *w, const struct insn *i)                                                  \
    {                                                                                                                            \
        const A *pa = AT(A, i->a);                                                                                               \
        const B *pb = AT(B, i->b);                                                                                               \
        const C *pc = AT(C, i->c);                                                                                               \
        COMPUTE(D, const A a = pa[l]; const B b = pb[l]; const C c = pc[l]; const D result = (D)(e))                             \
    }

/* A predicate's bits are gathered by a sum in which each lane has its own bit. */
#define TEST(expr)                                                                                                               \
    const uint32_t lanes = insn_lanes(w, i);                                                                                     \
    uint32_t *d = AT(uint32_t, i->d), bits = 0;                                                                                  \
    if (lanes == 0)                                                                                                              \
        return i + 1;                                                                                                            \
    _Pragma("omp simd reduction(|:bits)") for (int l = 0; l < LANES; l++)                                                        \
    {                                                                                                                            \
        expr;                                                                                                                    \
        bits |= result ? 1u << l : 0;                                                                                            \
    }                                                                                                                            \
    *d = (*d & ~lanes) | (bits & lanes);                                                                                         \
    return i + 1;
#define TEST1(name, pattern, A, e)                                                                                               \
    static const struct insn *lane_##name(struct warp *w, const struct insn *i)                                                  \
    {                                                                                                                            \
        const A *pa = AT(A, i->a);                                                                                               \
        TEST(const A a = pa[l]; const int result = (e))                                                                          \
    }
#define TEST2(name, pattern, A, e)                                                                                               \
    static const struct insn *lane_##name(struct warp *w, const struct insn *i)                                                  \
    {                                                                                                                            \
        const A *pa = AT(A, i->a), *pb = AT(A, i->b);                                                                            \
        TEST(const A a = pa[l]; const A b = pb[l]; const int result = (e))                                                       \
    }
#define SELECT(name, pattern, T)                                                                                                 \
    static const struct insn *lane_##name(struct warp *w, const struct insn *i)                                                  \
    {                                                                                                                            \
        const T *pa = AT(T, i->a), *pb = AT(T, i->b);                                                                            \
        const uint32_t chosen = *AT(uint32_t, i->c) ^ i->extra;                                                                  \
        COMPUTE(T, const T result = chosen >> l & 1 ? pa[l] : pb[l])                                                             \
    }
#include "lanes.def"

#define VALUE1(name, ...) lane_##name,
#define VALUE2(name, ...) lane_##name,
#define VALUE3(name, ...) lane_##name,
#define TEST1(name, ...)  lane_##name,
#define TEST2(name, ...)  lane_##name,
#define SELECT(name, ...) lane_##name,
static handler *const LANE_HANDLERS[] = {
#include "lanes.def"
};

#include "lanes_memory.h"

const struct lane_set JOIN(ptx_lanes_, ISA) = {.lanes = LANE_HANDLERS, .loads = LOADS, .stores = STORES};
