/* softmax's row, compiled for each instruction set. */
#include "cpu/softmax/softmax.h"
#include "cpu/simd.h"

void SIMD(cpu_softmax_row)(const float *x, float *out, int64_t c) { softmax_row(x, out, c); }
