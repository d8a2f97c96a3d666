/* Which instruction set runs the lane loops: the best that this machine has, unless a test chooses. It is read when a module is
 * parsed. */
#include "internal.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
/* Whatever has AVX2 has F16C, which old compilers cannot ask for. */
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
#else
static bool has_avx2(void) { return false; }
static bool has_avx512(void) { return false; }
#endif

static const struct {
    const char *name;
    const struct lane_set *set;
} SETS[] = {{"avx512", &ptx_lanes_avx512}, {"avx2", &ptx_lanes_avx2}, {"portable", &ptx_lanes_portable}};
static atomic_int chosen = -1;

static bool available(int n) { return n == 0 ? has_avx512() : n == 1 ? has_avx2() : true; }

static int current(void)
{
    int n = atomic_load(&chosen);
    for (int best = 0; n < 0; best++)
        if (available(best))
            atomic_store(&chosen, n = best);
    return n;
}

const struct lane_set *ptx_lane_set(void) { return SETS[current()].set; }
const char *ptx_isa(void) { return SETS[current()].name; }

bool ptx_isa_choose(const char *name)
{
    for (int n = 0; n < (int)(sizeof SETS / sizeof *SETS); n++) {
        if (strcmp(SETS[n].name, name) == 0 && available(n)) {
            atomic_store(&chosen, n);
            return true;
        }
    }
    return false;
}
