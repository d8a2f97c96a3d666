/* Functions: attributes, occupancy, launches. */
#include "driver.h"

#include <stdlib.h>
#include <string.h>

CUresult drv_function(CUfunction handle, struct function **out)
{
    *out = drv_object(handle, KIND_FUNCTION);
    return *out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

/* ---- Attributes --------------------------------------------------------------------------------------------------------- */
enum {
    MAX_THREADS,
    SHARED_SIZE,
    CONST_SIZE,
    LOCAL_SIZE,
    REGISTERS,
    PTX_VERSION,
    BINARY_VERSION,
    CACHE_MODE_CA,
    MAX_DYNAMIC,
    CARVEOUT
};

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction handle)
{
    struct function *f;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_function(handle, &f);
    if (!code && !value)
        code = CUDA_ERROR_INVALID_VALUE;
    if (code)
        return drv_leave(code);
    const struct ptx_kernel_info *info = ptx_kernel_info(f->kernel);
    switch ((int)attribute) {
    case MAX_THREADS:
        *value = (int)info->max_threads;
        break;
    case SHARED_SIZE:
        *value = (int)info->static_shared;
        break;
    case CONST_SIZE:
        *value = (int)info->const_bytes;
        break;
    case LOCAL_SIZE:
        *value = (int)info->local_bytes;
        break;
    case REGISTERS:
        *value = (int)info->registers;
        break;
    case PTX_VERSION:
        *value = ptx_module_target(f->module->ptx);
        break;
    case BINARY_VERSION:
        *value = drv.sm;
        break;
    case CACHE_MODE_CA:
        *value = 0;
        break;
    case MAX_DYNAMIC:
        *value = f->max_dynamic_shared;
        break;
    case CARVEOUT:
        *value = -1;
        break; /* no preference */
    default:
        code = CUDA_ERROR_INVALID_VALUE;
        break;
    }
    return drv_leave(code);
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value)
{
    enum { SHARED_OPTIN = 97 };
    struct function *f;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_function(handle, &f);
    if (code)
        return drv_leave(code);
    int most = drv_attribute(SHARED_OPTIN) - (int)ptx_kernel_info(f->kernel)->static_shared;
    if (attribute == MAX_DYNAMIC && value >= 0 && value <= most)
        f->max_dynamic_shared = value;
    else if (!(attribute == CARVEOUT && value >= -1 && value <= 100)) /* a preference without effect */
        code = CUDA_ERROR_INVALID_VALUE;
    return drv_leave(code);
}

CUresult cuFuncSetCacheConfig(CUfunction handle, CUfunc_cache config)
{
    struct function *f;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_function(handle, &f);
    return drv_leave(code ? code : (unsigned)config > 3 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS);
}

CUresult cuFuncGetModule(CUmodule *module, CUfunction handle)
{
    struct function *f;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_function(handle, &f);
    if (!code && !module)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *module = f->module->object.handle;
    return drv_leave(code);
}

static CUresult get_name(const char **name, CUfunction handle)
{
    struct function *f;
    CUresult code = drv_function(handle, &f);
    if (!code && !name)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *name = ptx_kernel_info(f->kernel)->name;
    return code;
}

CUresult cuFuncGetName(const char **name, CUfunction function)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(get_name(name, function));
}

CUresult cuKernelGetName(const char **name, CUkernel kernel)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(get_name(name, (CUfunction)kernel));
}

CUresult cuKernelGetFunction(CUfunction *function, CUkernel kernel)
{
    struct function *f;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_function((CUfunction)kernel, &f);
    if (!code && !function)
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *function = (CUfunction)kernel;
    return drv_leave(code);
}

CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t *offset, size_t *bytes)
{
    struct function *f;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_function(handle, &f);
    const struct ptx_kernel_info *info = code ? NULL : ptx_kernel_info(f->kernel);
    if (!code && (!offset || index >= (size_t)info->parameters))
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code) {
        *offset = info->parameter[index].offset;
        if (bytes)
            *bytes = info->parameter[index].bytes;
    }
    return drv_leave(code);
}

/* ---- Occupancy: warps, registers, shared memory and block slots of a multiprocessor --------------------------------------- */
static size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

static int blocks_per_multiprocessor(const struct function *f, int block, size_t dynamic)
{
    enum {
        WARP = 32,
        REGISTER_UNIT = 256,
        WARP_UNIT = 4,
        THREADS = 39,
        SHARED = 81,
        BLOCKS = 106,
        RESERVED = 111,
        REGISTER_FILE = 82
    };
    const struct ptx_kernel_info *info = ptx_kernel_info(f->kernel);
    int warps = (block + WARP - 1) / WARP;
    int most = drv_attribute(BLOCKS), by_warps = drv_attribute(THREADS) / WARP / warps;
    size_t per_warp = round_up((info->registers ? info->registers : 1) * (size_t)WARP, REGISTER_UNIT);
    int by_registers = (int)(drv_attribute(REGISTER_FILE) / per_warp) / WARP_UNIT * WARP_UNIT / warps;
    size_t shared = round_up(info->static_shared + dynamic + (size_t)drv_attribute(RESERVED), drv.sm == 75 ? 256 : 128);
    int by_shared = shared ? (int)((size_t)drv_attribute(SHARED) / shared) : most;
    if (dynamic > (size_t)f->max_dynamic_shared || block > (int)info->max_threads)
        return 0;
    most = by_warps < most ? by_warps : most;
    most = by_registers < most ? by_registers : most;
    return by_shared < most ? by_shared : most;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction handle, int block, size_t dynamic_shared,
                                                              unsigned flags)
{
    struct function *f;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_function(handle, &f);
    if (!code && (!blocks || block <= 0 || flags > 1))
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code)
        *blocks = blocks_per_multiprocessor(f, block, dynamic_shared);
    return drv_leave(code);
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int block, size_t dynamic_shared)
{
    return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, block, dynamic_shared, 0);
}

/* The largest number of threads at once; of block sizes that are equal in that the largest. */
CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int *grid, int *block, CUfunction handle, CUoccupancyB2DSize shared_of,
                                                   size_t dynamic_shared, int limit, unsigned flags)
{
    enum { WARP = 32, MULTIPROCESSORS = 16 };
    struct function *f;
    int best = 0;
    ENTER(NEEDS_CONTEXT);
    CUresult code = drv_function(handle, &f);
    if (!code && (!grid || !block || limit < 0 || flags > 1))
        code = CUDA_ERROR_INVALID_VALUE;
    if (code)
        return drv_leave(code);
    int most = (int)ptx_kernel_info(f->kernel)->max_threads;
    most = limit && limit < most ? limit : most;
    *grid = *block = 0;
    for (int size = most; size > 0; size = size % WARP ? size - size % WARP : size - WARP) {
        drv_client(true);
        size_t dynamic = shared_of ? shared_of(size) : dynamic_shared;
        drv_client(false);
        int blocks = blocks_per_multiprocessor(f, size, dynamic);
        if (blocks * size > best) {
            best = blocks * size;
            *block = size;
            *grid = blocks * drv_attribute(MULTIPROCESSORS);
        }
    }
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuOccupancyMaxPotentialBlockSize(int *grid, int *block, CUfunction function, CUoccupancyB2DSize shared_of,
                                          size_t dynamic_shared, int limit)
{
    return cuOccupancyMaxPotentialBlockSizeWithFlags(grid, block, function, shared_of, dynamic_shared, limit, 0);
}

/* ---- Launches ---------------------------------------------------------------------------------------------------------------
 */
static CUresult check_shape(const struct function *f, const struct ptx_launch_config *config)
{
    enum { BLOCK_X = 2, GRID_X = 5 }; /* device attributes; y and z follow */
    const struct ptx_kernel_info *info = ptx_kernel_info(f->kernel);
    uint64_t threads = 1;
    for (int i = 0; i < 3; i++) {
        if (!config->grid[i] || !config->block[i] || config->grid[i] > (uint32_t)drv_attribute(GRID_X + i) ||
            config->block[i] > (uint32_t)drv_attribute(BLOCK_X + i))
            return drv_fault(CUDA_ERROR_INVALID_VALUE, "launch of %s: grid %u,%u,%u and block %u,%u,%u are not both possible",
                             info->name, config->grid[0], config->grid[1], config->grid[2], config->block[0], config->block[1],
                             config->block[2]);
        threads *= config->block[i];
    }
    if (threads > 1024)
        return drv_fault(CUDA_ERROR_INVALID_VALUE, "launch of %s: a block of %llu threads, at most 1024 are possible", info->name,
                         (unsigned long long)threads);
    if (threads > info->max_threads)
        return drv_fault(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES,
                         "launch of %s: a block of %llu threads, it was compiled for %u at most", info->name,
                         (unsigned long long)threads, info->max_threads);
    if (info->reqntid && memcmp(config->block, info->maxntid, sizeof config->block) != 0)
        return drv_fault(CUDA_ERROR_INVALID_VALUE, "launch of %s: it demands blocks of %u,%u,%u", info->name, info->maxntid[0],
                         info->maxntid[1], info->maxntid[2]);
    if (config->dynamic_shared > (uint32_t)f->max_dynamic_shared)
        return drv_fault(CUDA_ERROR_INVALID_VALUE,
                         "launch of %s: %u bytes of dynamic shared memory, %d are allowed (cuFuncSetAttribute)", info->name,
                         config->dynamic_shared, f->max_dynamic_shared);
    return CUDA_SUCCESS;
}

/* Arguments are copied now: the client may change or drop its own when the call returns. */
static CUresult copy_arguments(const struct function *f, void **arguments, void **extra, struct op *op)
{
    enum { END, BUFFER_POINTER, BUFFER_SIZE };
    const struct ptx_kernel_info *info = ptx_kernel_info(f->kernel);
    const void *packed = NULL;
    const size_t *size = NULL;
    op->u.kernel.bytes = info->param_bytes;
    op->u.kernel.arguments = calloc(1, info->param_bytes + 1);
    if (!op->u.kernel.arguments)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (info->parameters == 0)
        return CUDA_SUCCESS;
    if (!arguments == !extra) /* one of them it must be */
        return CUDA_ERROR_INVALID_VALUE;
    for (int i = 0; arguments && i < info->parameters; i++) {
        if (!arguments[i])
            return drv_fault(CUDA_ERROR_INVALID_VALUE, "launch of %s: argument %d of %d is NULL", info->name, i + 1,
                             info->parameters);
        memcpy((char *)op->u.kernel.arguments + info->parameter[i].offset, arguments[i], info->parameter[i].bytes);
    }
    if (arguments)
        return CUDA_SUCCESS;
    for (; (uintptr_t)*extra != END; extra += 2)
        if ((uintptr_t)*extra == BUFFER_POINTER)
            packed = extra[1];
        else if ((uintptr_t)*extra == BUFFER_SIZE)
            size = extra[1];
        else
            return CUDA_ERROR_INVALID_VALUE;
    if (!packed || !size || *size < info->param_bytes)
        return drv_fault(CUDA_ERROR_INVALID_VALUE, "launch of %s: a buffer of %zu bytes for %u bytes of arguments", info->name,
                         size ? *size : 0, info->param_bytes);
    memcpy(op->u.kernel.arguments, packed, info->param_bytes);
    return CUDA_SUCCESS;
}

static CUresult launch(CUfunction handle, const struct ptx_launch_config *config, CUstream stream_handle, void **arguments,
                       void **extra)
{
    enum { SHARED_OPTIN = 97 };
    struct function *f;
    struct stream *stream;
    CUresult code = drv_stream(stream_handle, &stream);
    if (!code)
        code = drv_function(handle, &f);
    if (!code && f->object.context != stream->object.context)
        code = CUDA_ERROR_INVALID_HANDLE;
    if (!code)
        code = check_shape(f, config);
    if (code)
        return code;
    struct op *op = drv_op(OP_KERNEL, stream->object.context);
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op->u.kernel.function = handle;
    op->u.kernel.config = *config;
    op->u.kernel.config.shared_limit = (uint32_t)drv_attribute(SHARED_OPTIN);
    code = copy_arguments(f, arguments, extra, op);
    if (code) {
        drv_op_free(op);
        return code;
    }
    return drv_issue(stream, op);
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream, void **arguments,
                        void **extra)
{
    struct ptx_launch_config config = {
        .grid = {grid_x, grid_y, grid_z}, .block = {block_x, block_y, block_z}, .dynamic_shared = shared_bytes};
    ENTER(NEEDS_CONTEXT);
    return drv_leave(launch(function, &config, stream, arguments, extra));
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *c, CUfunction function, void **arguments, void **extra)
{
    enum { IGNORE = 0, SYNCHRONIZATION_POLICY = 3, PRIORITY = 8, PREFERRED_CARVEOUT = 14 };
    ENTER(NEEDS_CONTEXT);
    if (!c || (c->numAttrs && !c->attrs))
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    for (unsigned i = 0; i < c->numAttrs; i++) {
        int id = (int)c->attrs[i].id;
        if (id != IGNORE && id != SYNCHRONIZATION_POLICY && id != PRIORITY && id != PREFERRED_CARVEOUT)
            return drv_leave(drv_fault(CUDA_ERROR_NOT_SUPPORTED, "launch attribute %d is not known to this driver", id));
    }
    struct ptx_launch_config config = {.grid = {c->gridDimX, c->gridDimY, c->gridDimZ},
                                       .block = {c->blockDimX, c->blockDimY, c->blockDimZ},
                                       .dynamic_shared = c->sharedMemBytes};
    return drv_leave(launch(function, &config, c->hStream, arguments, extra));
}
