/* Kernels with one planted fault each. A template has a fault's number as its argument, and 0 is the kernel without any: its
 * twin. All take the same arguments, so that one table (tests/test_planted.c) launches them all. A line that a report may name
 * bears the numbers of its faults in a comment that begins with the word "bug". */
#ifndef OSPREY_TESTS_PLANTED_H
#define OSPREY_TESTS_PLANTED_H

#include "kernels/device.h"

#define PLANTED(bug, threads, kernel)                                                                                            \
    CUDA_KERNEL(bug_##bug, threads, const float *a, const float *b, float *out, int n) { kernel<bug>(a, b, out, n); }            \
    CUDA_KERNEL(right_##bug, threads, const float *a, const float *b, float *out, int n) { kernel<0>(a, b, out, n); }

#endif
