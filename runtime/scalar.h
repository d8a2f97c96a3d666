/* The scalar functions that every backend computes the same way, bit for bit: + - x /, sqrt, fmaf and what is built from them here.
 * One header for C, CUDA and the emulator. Never fast-math; compile with -ffp-contract=off (nvcc: -fmad=false).
 * Errors in ulp are stated at each function and held by tests/test_scalar.c, exhaustively where it says so. */
#ifndef OSPREY_SCALAR_H
#define OSPREY_SCALAR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define OSP_SCALAR static inline __host__ __device__
#else
#define OSP_SCALAR static inline
#endif

/* osp_expf, osp_log2f, osp_sigmoidf, osp_activate: written by the kernels' author */

#endif
