/* What the machine code of kernels is made of: read from the fat binaries that the program holds, with no disassembler.
 *
 * A fat binary holds an ELF file for each architecture. In it each kernel is a section ".text.NAME" of instructions of 16 bytes,
 * whose header names its symbol; ".nv.info" has the registers of a thread by symbol; its static shared memory is the size of
 * ".nv.shared.NAME". The low 9 bits of an instruction say what it does (the next 3 only where its operands come from);
 * spec/performance.md 5b. */
#ifndef OSPREY_TOOLS_LADDER_SASS_H
#define OSPREY_TOOLS_LADDER_SASS_H

#include <stddef.h>

#include "runtime/osprey.h"

enum sass_class {
    SASS_FFMA,
    SASS_MMA,  /* HMMA, IMMA: tensor cores */
    SASS_LDS,  /* shared memory to registers */
    SASS_LDSM, /* the same, a matrix at a time (ldmatrix) */
    SASS_STS,
    SASS_LDG,    /* global memory to registers; LD too, which may be of any memory */
    SASS_LDGSTS, /* global to shared memory (cp.async) */
    SASS_STG,
    SASS_LDL, /* local memory: spilled registers, and arrays that are indexed */
    SASS_STL,
    SASS_BAR,
    SASS_OTHER,
    SASS_CLASSES
};

struct sass_mix {
    int count; /* instructions; no padding */
    int of[SASS_CLASSES];
    int lds_bytes, ldg_bytes, sts_bytes; /* that a lane moves by them, in all; LDSM with LDS, LDGSTS with LDG */
    int flop;                            /* f32 operations of a lane, about: FFMA 2, FADD and FMUL 1, MMA 64 */
};

struct sass_kernel {
    char name[128];
    int arch;         /* 80 for sm_80 */
    int registers;    /* of a thread */
    int shared_bytes; /* static, of a block */
    struct sass_mix all;
    /* Once round the loop that has the most floating-point operations of its own, not in loops within, which count twice for they
     * go round twice or more; by the way that has the most, of equal ways the longest, so the share is the least that it can be;
     * of equal loops the one that loads more from global memory, then the shortest. Only loops that load count so; without any,
     * the longest innermost loop; zeros: no loop. */
    struct sass_mix loop;
    struct sass_mix lean; /* round the same loop by the way that loads least from global memory; of equal ways the longest */
    struct sass_mix once; /* from the first instruction to the exit by the way that has the most, every loop passed once */
    size_t loop_at;       /* byte offset of its first instruction in the kernel */
};

/* FFMA and MMA among the instructions, 0..1; 0 of an empty mix. */
double sass_share(const struct sass_mix *mix);

const char *sass_class_name(enum sass_class class); /* "FFMA" */

/* The kernels of a fat binary, for all of its architectures. `file` names it in sentences. Free the array with free().
 * OSP_REFUSED: bytes that are not what they should be; OSP_MEMORY. */
osp_status sass_read(const char *file, const unsigned char *data, size_t size, struct sass_kernel **out, int *count);

/* The mix of a kernel's instructions and its main loop, into out->all, loop, loop_at and once; `arch` says how jumps are written.
 * OSP_MEMORY. */
osp_status sass_mix_of(const unsigned char *code, size_t size, int arch, struct sass_kernel *out);

#endif
