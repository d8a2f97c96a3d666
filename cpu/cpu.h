/* The cpu backend's device, and what its rungs share. */
#ifndef OSPREY_CPU_H
#define OSPREY_CPU_H

#include <stdlib.h>

#include "runtime/backend.h"

enum cpu_isa { CPU_PORTABLE, CPU_AVX2, CPU_AVX512, CPU_ISA_COUNT };

struct cpu_device {
    int threads;      /* for num_threads(...): results must not depend on it */
    enum cpu_isa isa; /* what *.simd.c functions to call: tables are indexed by it */
    struct cpu_clock *clock;
};

static inline const struct cpu_device *cpu_of(const struct osp_device *device) { return (const struct cpu_device *)device; }

/* Cycles a second of all threads together, as of AVX-512 on Zen 4: of another instruction set, as many as do the same work. For
 * models of cost. */
double cpu_cycles(const struct cpu_device *device);

/* For an overlay, whose device begins with a struct cpu_device: opens and closes that, and what else it takes over. */
osp_status cpu_device_open(const struct osp_device_options *options, struct cpu_device *out);
void cpu_device_close(struct cpu_device *device);
extern const struct osp_memory cpu_memory;
extern const struct osp_clock cpu_marks;

/* Every op has a ladder: cpu/<op>/ladder.c. */
#define OSP_OP(name, help) extern const struct osp_ladder cpu_##name##_ladder;
#include "runtime/ops.def"
#undef OSP_OP

/* 64-byte aligned, and large blocks on large pages where the kernel has them; NULL when there is no memory. Free with free(). */
void *cpu_alloc(size_t bytes);

/* What this process may still take, and what it could take at most. OSP_UNAVAILABLE where the kernel does not say. */
osp_status cpu_memory_available(struct osp_device *device, size_t *free_bytes, size_t *total_bytes);

/* The number of valid rows among rows [n*T, n*T + T), or T without counts. */
static inline int64_t cpu_valid_rows(const struct osp_tensor *counts, int64_t n, int64_t t)
{
    return counts->data ? ((const int32_t *)counts->data)[n] : t;
}

#endif
