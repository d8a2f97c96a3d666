/* An interpreter for PTX, the assembly text that nvcc emits: parses a module, checks every memory access, runs kernels on the CPU.
 * A driver (driver.c and its neighbours) is built on this; nothing here knows of contexts, streams or handles.
 *
 *     struct ptx_memory *memory;                  struct ptx_module *module;
 *     ptx_memory_new(0, &memory);                 ptx_module_parse(text, size, memory, &module, &error);
 *     address = ptx_alloc(memory, bytes, &fault)  kernel = ptx_module_kernel(module, "add");
 *     memcpy(ptx_host(memory, address, bytes, &fault), data, bytes);
 *     ptx_launch(kernel, &config, params, param_bytes, memory, &fault);
 *
 * What a PTX text may contain is decided by tables (isa.c): an instruction, type or modifier outside them is an error with its line
 * and its text, never a guess. Functions that can fail return 0 for success. Nothing prints, exits or recurses on input. */
#ifndef PTX_H
#define PTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Device memory: memory.c ---------------------------------------------------------------------------------
 * One address range is reserved for each ptx_memory. A device address is never a host address: no process has memory at
 * PTX_GLOBAL_BASE, so host code that follows a device pointer stops at once, and a kernel that follows a host pointer is told so.
 * Thread safe: one lock inside; a launch must not run while its memory is freed (the driver orders that). */
#define PTX_GLOBAL_BASE 0x00d0000000000000ull /* device allocations */
#define PTX_SHARED_BASE 0x00d1000000000000ull /* generic addresses of shared memory: base + offset in the block's shared memory */
#define PTX_LOCAL_BASE  0x00d2000000000000ull /* generic addresses of a thread's own memory */
#define PTX_PARAM_BASE  0x00d3000000000000ull /* generic addresses of kernel parameters */

enum ptx_fault_kind {
    PTX_OK,
    PTX_OUT_OF_RANGE,      /* no allocation there, or past the end of one */
    PTX_USE_AFTER_FREE,    /* an allocation was there */
    PTX_HOST_ADDRESS,      /* an address of the host */
    PTX_MISALIGNED,        /* not a multiple of the access's size */
    PTX_UNINITIALISED,     /* shared memory that nothing in this block has written */
    PTX_PENDING_COPY,      /* shared memory that a cp.async is still filling: a wait is missing */
    PTX_READ_ONLY,         /* a store to constant memory or to parameters */
    PTX_DIVERGENT_BARRIER, /* threads of a block wait at different barriers, or some have exited */
    PTX_BAD_MASK,          /* shfl, vote, match, redux, bar.warp: the mask names lanes that are not there */
    PTX_TRAP,              /* trap or brkpt was executed */
    PTX_BAD_OPERAND,       /* a value that the instruction does not allow */
    PTX_BAD_LAUNCH,        /* grid, block, shared memory or parameters outside the limits */
    PTX_BAD_POINTER,       /* ptx_free of what is no allocation */
    PTX_NO_MEMORY,         /* of the device (capacity) or of the host */
    PTX_STOPPED,           /* config.stop became true */
    PTX_FAULT_KINDS
};
const char *ptx_fault_name(enum ptx_fault_kind kind); /* "misaligned" */

struct ptx_fault {
    enum ptx_fault_kind kind;
    char message[512]; /* the whole story in a sentence: what, kernel, PTX line and its text, block, thread, address, what is near it */
    char kernel[128];
    int line; /* in the PTX text; 0: not at an instruction */
    char text[128];
    uint32_t block[3], thread[3];
    uint64_t address;
    uint32_t bytes;
};

struct ptx_memory;
int ptx_memory_new(uint64_t capacity, struct ptx_memory **out); /* capacity in bytes; 0: 16 GiB of address space. PTX_NO_MEMORY */
void ptx_memory_free(struct ptx_memory *memory);

/* A new allocation, 256-byte aligned, filled with 0xff, at least 256 bytes of nothing on each side; bytes 0 is PTX_BAD_LAUNCH. 0 on failure. */
uint64_t ptx_alloc(struct ptx_memory *memory, uint64_t bytes, struct ptx_fault *fault);
int ptx_free(struct ptx_memory *memory, uint64_t address, struct ptx_fault *fault); /* address 0 is fine; else the start of an allocation */
/* The host's view of [address, address + bytes), which must lie in one allocation; NULL and a fault if not. bytes may be 0. */
void *ptx_host(struct ptx_memory *memory, uint64_t address, uint64_t bytes, struct ptx_fault *fault);
/* The allocation that holds an address; false: none. */
bool ptx_find(struct ptx_memory *memory, uint64_t address, uint64_t *start, uint64_t *bytes);
uint64_t ptx_bytes_used(struct ptx_memory *memory);
uint64_t ptx_bytes_capacity(struct ptx_memory *memory);
uint64_t ptx_allocations(struct ptx_memory *memory); /* how many are alive */

/* ---- Modules: parse.c, decode.c ------------------------------------------------------------------------------ */
struct ptx_error {
    int line;          /* in the PTX text; 0: none */
    char message[512]; /* "line 12: unknown instruction: tex.2d.v4.f32.f32 {...};" */
};

struct ptx_module;
struct ptx_kernel;

struct ptx_parameter {
    uint32_t offset, bytes, align;
};

struct ptx_kernel_info {
    const char *name;
    int parameters;
    const struct ptx_parameter *parameter;
    uint32_t param_bytes;   /* of the whole parameter block */
    uint32_t static_shared; /* bytes, dynamic shared memory begins after them */
    uint32_t local_bytes;   /* per thread */
    uint32_t const_bytes;   /* of the module's .const variables */
    uint32_t registers;     /* 32-bit registers alive at once: an estimate, ptxas decides for a real device */
    uint32_t maxntid[3];    /* 0: not stated */
    uint32_t max_threads;   /* by .maxntid or .reqntid, else 1024 */
    bool reqntid;           /* maxntid is .reqntid: the block must be exactly that */
};

struct ptx_variable {
    const char *name;
    uint64_t address, bytes;
    bool constant;
};

/* Parses `size` bytes of text (a final NUL is not needed). Module-scope .global and .const variables are allocated in `memory` and
 * initialised. On failure *out is NULL and error says where and why. */
int ptx_module_parse(const char *text, size_t size, struct ptx_memory *memory, struct ptx_module **out, struct ptx_error *error);
void ptx_module_free(struct ptx_module *module); /* frees its variables; NULL is fine */
int ptx_module_version(const struct ptx_module *module); /* .version 9.0: 90 */
int ptx_module_target(const struct ptx_module *module);  /* .target sm_80: 80 */
int ptx_module_kernels(const struct ptx_module *module);
const struct ptx_kernel *ptx_module_kernel_at(const struct ptx_module *module, int index);
const struct ptx_kernel *ptx_module_kernel(const struct ptx_module *module, const char *name);     /* NULL: none of that name */
const struct ptx_variable *ptx_module_variable(const struct ptx_module *module, const char *name); /* NULL: none of that name */
const struct ptx_kernel_info *ptx_kernel_info(const struct ptx_kernel *kernel);

/* ---- Launch: launch.c, exec_*.c ------------------------------------------------------------------------------ */
struct ptx_counters {
    uint64_t thread_instructions, warp_instructions, blocks;
};

struct ptx_launch_config {
    uint32_t grid[3], block[3];
    uint32_t dynamic_shared;
    uint32_t shared_limit;          /* most static + dynamic bytes; 0: 227 KiB */
    int workers;                    /* host threads; 0: one per core */
    uint64_t seed;                  /* 0: blocks in order; else blocks, and warps in a block, in an order made from it */
    const volatile bool *stop;      /* looked at now and then; may be NULL */
    struct ptx_counters *counters;  /* added to; may be NULL */
};

/* Runs the whole grid, returns when it is done. The first fault (of the lowest block that had one when workers stopped) ends it. */
int ptx_launch(const struct ptx_kernel *kernel, const struct ptx_launch_config *config, const void *params, size_t param_bytes,
               struct ptx_memory *memory, struct ptx_fault *fault);

/* The instruction set that the executor uses: "avx512", "avx2", "portable". Tests may choose one; false: this machine lacks it. */
const char *ptx_isa(void);
bool ptx_isa_choose(const char *name);

#endif
