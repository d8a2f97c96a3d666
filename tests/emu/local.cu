/* A planted fault in a thread's own memory, which no check of accesses sees: a local variable that is not always set. Compilers
 * warn of it, and one that fills locals with a pattern shows it. */
#include "planted.h"

template <int BUG>
CUDA_DEVICE void copied(const float *a, /* (256) */
                        const float *, float *out, /* (256) */
                        int)
{
    int t = threadIdx.x;
    float v;
    if (BUG != 24 || a[t] > 0) /* bug 24 */
        v = a[t];
    out[t] = v; /* bug 24 */
}
PLANTED(24, 256, copied)
