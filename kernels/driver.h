/* The table of CUDA driver calls: all that the cuda backend knows of a GPU. cuda.c fills it from libcuda.so.1 at run time, emu.c from the
 * emulator; our PTX driver is one more libcuda. Types and names are those of <cuda.h>; where that header is included first, its own
 * declarations are used, so that a wrong prototype here does not compile (tests/test_driver_header.c). */
#ifndef OSPREY_KERNELS_DRIVER_H
#define OSPREY_KERNELS_DRIVER_H

#include "runtime/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef __cuda_cuda_h__
typedef int CUresult; /* 0: success */
typedef int CUdevice;
typedef int CUdevice_attribute;
typedef int CUfunction_attribute;
typedef int CUjit_option;
typedef int CUstreamCaptureMode;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
#endif

/* One field for each row of driver.def: `CUresult (*cuMemAlloc)(CUdeviceptr *, size_t)` and so on. */
struct cuda_driver {
#define CUDA_CALL(name, symbol, ...) CUresult (*name)(__VA_ARGS__);
#include "driver.def"
#undef CUDA_CALL
};

/* Opens a driver library (NULL: libcuda.so.1; "ptx": our PTX driver, libcuda-ptx.so, found beside the program or in the build folder) and fills the
 * table. OSP_UNAVAILABLE with a sentence: which library or symbol is missing and what to do. The library stays open. */
osp_status cuda_driver_open(const char *path, const struct cuda_driver **out, const char **name);
#define CUDA_SYSTEM_DRIVER "libcuda.so.1"

#ifdef __cplusplus
}
#endif
#endif
