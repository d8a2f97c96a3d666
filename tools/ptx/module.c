/* Modules and libraries: PTX text of one image, parsed, with its kernels and variables. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What a client says about compilation ----------------------------------------------------------------------------- */
enum { INFO_LOG = 3, INFO_LOG_SIZE, ERROR_LOG, ERROR_LOG_SIZE, JIT_OPTIONS = 34 };

struct jit {
    char *log[2]; /* information, errors */
    size_t room[2];
    void **size_value[2]; /* gets the bytes written */
};

static CUresult read_options(unsigned count, const CUjit_option *option, void **value, struct jit *jit)
{
    memset(jit, 0, sizeof *jit);
    if (count && (!option || !value))
        return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < count; i++) {
        unsigned which = (unsigned)option[i];
        if (which >= JIT_OPTIONS)
            return CUDA_ERROR_INVALID_VALUE;
        if (which == INFO_LOG || which == ERROR_LOG)
            jit->log[which == ERROR_LOG] = value[i];
        if (which == INFO_LOG_SIZE || which == ERROR_LOG_SIZE) {
            jit->room[which == ERROR_LOG_SIZE] = (uintptr_t)value[i];
            jit->size_value[which == ERROR_LOG_SIZE] = &value[i];
        }
    }
    return CUDA_SUCCESS;
}

static void write_log(const struct jit *jit, bool error, const char *text)
{
    size_t written = 0;
    if (jit->log[error] && jit->room[error]) {
        snprintf(jit->log[error], jit->room[error], "%s", text);
        written = strlen(jit->log[error]);
    }
    if (jit->size_value[error])
        *jit->size_value[error] = (void *)(uintptr_t)written;
}

/* ---- Modules ----------------------------------------------------------------------------------------------------------------
 */
void drv_module_free(struct module *module)
{
    for (struct function *f = module->functions, *next; f; f = next) {
        next = f->sibling;
        drv_object_remove(&f->object);
        free(f);
    }
    drv_object_remove(&module->object);
    ptx_module_free(module->ptx);
    free(module->text);
    free(module);
}

static CUresult parse(char *text, size_t size, struct ptx_module **out, char *log, size_t room)
{
    struct ptx_error error = {0};
    if (ptx_module_parse(text, size, drv.memory, out, &error)) {
        snprintf(log, room, "ptx: %s", error.message);
        return CUDA_ERROR_INVALID_PTX;
    }
    if (ptx_module_target(*out) > drv.sm) {
        snprintf(log, room, "ptx: .target sm_%d is higher than the device, sm_%d", ptx_module_target(*out), drv.sm);
        ptx_module_free(*out);
        return CUDA_ERROR_INVALID_PTX;
    }
    return CUDA_SUCCESS;
}

static CUresult load(const void *image, const struct jit *jit, void **out)
{
    char log[1024] = "";
    char *text = NULL;
    size_t size = 0;
    struct ptx_module *ptx = NULL;
    CUresult code = drv_image_text(image, &text, &size, log, sizeof log);
    if (!code)
        code = parse(text, size, &ptx, log, sizeof log);
    write_log(jit, false, "");
    write_log(jit, true, log);
    if (code) {
        free(text);
        return drv_fault(code, "a module is refused: %s", log);
    }
    struct module *module = calloc(1, sizeof *module);
    if (!module || !drv_object_add(&module->object, KIND_MODULE, drv_current())) {
        free(module);
        ptx_module_free(ptx);
        free(text);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    module->ptx = ptx;
    module->text = text;
    *out = module->object.handle;
    return CUDA_SUCCESS;
}

static CUresult load_with(const void *image, unsigned count, const CUjit_option *option, void **value, void **out)
{
    struct jit jit;
    void *handle = NULL;
    if (!image || !out)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult code = read_options(count, option, value, &jit);
    if (!code)
        code = drv_capture_forbids();
    if (!code)
        code = load(image, &jit, &handle);
    if (!code)
        *out = handle;
    return code;
}

/* What only a file can have wrong: less in it than its header says, or a pointer. */
static CUresult check_file(const char *image, uint64_t size, const char *path)
{
    uint16_t header;
    uint64_t entries;
    memcpy(&header, image + 6, sizeof header);
    memcpy(&entries, image + 8, sizeof entries);
    if (!memcmp(image, "\xb1\x43\x62\x46", 4))
        return drv_fault(CUDA_ERROR_INVALID_IMAGE, "%s is the wrapper of a fat binary, not one", path);
    if (!memcmp(image, "\x50\xed\x55\xba", 4) && (size < header || entries > size - header))
        return drv_fault(CUDA_ERROR_INVALID_IMAGE, "%s is cut off: %llu bytes of a fat binary of %u and %llu", path,
                         (unsigned long long)size, header, (unsigned long long)entries);
    return CUDA_SUCCESS;
}

static CUresult load_file(const char *path, unsigned count, const CUjit_option *option, void **value, void **out)
{
    if (!path || !out)
        return CUDA_ERROR_INVALID_VALUE;
    FILE *file = fopen(path, "rb");
    if (!file)
        return drv_fault(CUDA_ERROR_FILE_NOT_FOUND, "cannot read %s", path);
    char *image = NULL;
    long size = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
    CUresult code = size < 0 || fseek(file, 0, SEEK_SET) ? CUDA_ERROR_FILE_NOT_FOUND : CUDA_SUCCESS;
    if (!code && !(image = calloc(1, (size_t)size + 16))) /* zeros behind: the end of a text, and no header is cut */
        code = CUDA_ERROR_OUT_OF_MEMORY;
    if (!code && fread(image, 1, (size_t)size, file) != (size_t)size)
        code = CUDA_ERROR_FILE_NOT_FOUND;
    fclose(file);
    if (!code)
        code = check_file(image, (uint64_t)size, path);
    if (!code)
        code = load_with(image, count, option, value, out);
    free(image);
    return code;
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned options, CUjit_option *option, void **value)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(load_with(image, options, option, value, (void **)module));
}

CUresult cuModuleLoadData(CUmodule *module, const void *image)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(load_with(image, 0, NULL, NULL, (void **)module));
}

CUresult cuModuleLoadFatBinary(CUmodule *module, const void *image)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(load_with(image, 0, NULL, NULL, (void **)module));
}

CUresult cuModuleLoad(CUmodule *module, const char *path)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(load_file(path, 0, NULL, NULL, (void **)module));
}

static CUresult unload(void *handle)
{
    struct module *module = drv_object(handle, KIND_MODULE);
    if (!module)
        return CUDA_ERROR_INVALID_HANDLE;
    CUresult code = drv_capture_forbids();
    if (code)
        return code;
    code = drv_finish_context(module->object.context);
    drv_module_free(module);
    return code;
}

CUresult cuModuleUnload(CUmodule module)
{
    ENTER(NEEDS_CONTEXT | RELEASES);
    return drv_leave(unload(module));
}

CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode *mode)
{
    enum { EAGER = 1 };
    ENTER(NEEDS_INIT);
    if (!mode)
        return drv_leave(CUDA_ERROR_INVALID_VALUE);
    *mode = EAGER;
    return drv_leave(CUDA_SUCCESS);
}

/* ---- What is in one
 * ------------------------------------------------------------------------------------------------------------ */
static CUresult function_for(struct module *module, const struct ptx_kernel *kernel, void **out)
{
    enum { WITHOUT_ASKING = 48 * 1024 }; /* more dynamic shared memory must be asked for by cuFuncSetAttribute */
    struct function *f = module->functions;
    while (f && f->kernel != kernel)
        f = f->sibling;
    if (!f) {
        f = calloc(1, sizeof *f);
        if (!f || !drv_object_add(&f->object, KIND_FUNCTION, module->object.context)) {
            free(f);
            return CUDA_ERROR_OUT_OF_MEMORY;
        }
        int used = (int)ptx_kernel_info(kernel)->static_shared;
        f->max_dynamic_shared = used < WITHOUT_ASKING ? WITHOUT_ASKING - used : 0;
        f->module = module;
        f->kernel = kernel;
        f->sibling = module->functions;
        module->functions = f;
    }
    *out = f->object.handle;
    return CUDA_SUCCESS;
}

static CUresult get_function(void **out, void *handle, const char *name)
{
    struct module *module = drv_object(handle, KIND_MODULE);
    if (!out || !name)
        return CUDA_ERROR_INVALID_VALUE;
    if (!module)
        return CUDA_ERROR_INVALID_HANDLE;
    const struct ptx_kernel *kernel = ptx_module_kernel(module->ptx, name);
    return kernel ? function_for(module, kernel, out) : CUDA_ERROR_NOT_FOUND;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(get_function((void **)function, module, name));
}

static CUresult count_functions(unsigned *count, void *handle)
{
    struct module *module = drv_object(handle, KIND_MODULE);
    if (!count)
        return CUDA_ERROR_INVALID_VALUE;
    if (!module)
        return CUDA_ERROR_INVALID_HANDLE;
    *count = (unsigned)ptx_module_kernels(module->ptx);
    return CUDA_SUCCESS;
}

CUresult cuModuleGetFunctionCount(unsigned *count, CUmodule module)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(count_functions(count, module));
}

CUresult cuModuleEnumerateFunctions(CUfunction *functions, unsigned count, CUmodule handle)
{
    ENTER(NEEDS_CONTEXT);
    struct module *module = drv_object(handle, KIND_MODULE);
    CUresult code = !module ? CUDA_ERROR_INVALID_HANDLE : functions ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; !code && i < count && (int)i < ptx_module_kernels(module->ptx); i++)
        code = function_for(module, ptx_module_kernel_at(module->ptx, (int)i), (void **)&functions[i]);
    return drv_leave(code);
}

static CUresult get_global(CUdeviceptr *address, size_t *bytes, void *handle, const char *name)
{
    struct module *module = drv_object(handle, KIND_MODULE);
    if (!name || (!address && !bytes))
        return CUDA_ERROR_INVALID_VALUE;
    if (!module)
        return CUDA_ERROR_INVALID_HANDLE;
    const struct ptx_variable *variable = ptx_module_variable(module->ptx, name);
    if (!variable)
        return CUDA_ERROR_NOT_FOUND;
    if (address)
        *address = variable->address;
    if (bytes)
        *bytes = variable->bytes;
    return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(get_global(address, bytes, module, name));
}

/* ---- Libraries: here a library is a module of the context in which it was loaded, and a kernel of one a function
 * ------------------ */
CUresult cuLibraryLoadData(CUlibrary *library, const void *image, CUjit_option *option, void **value, unsigned options,
                           CUlibraryOption *library_option, void **library_value, unsigned library_options)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(load_with(image, options, option, value, (void **)library));
}

CUresult cuLibraryLoadFromFile(CUlibrary *library, const char *path, CUjit_option *option, void **value, unsigned options,
                               CUlibraryOption *library_option, void **library_value, unsigned library_options)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(load_file(path, options, option, value, (void **)library));
}

CUresult cuLibraryUnload(CUlibrary library)
{
    ENTER(NEEDS_CONTEXT | RELEASES);
    return drv_leave(unload(library));
}

CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(get_function((void **)kernel, library, name));
}

CUresult cuLibraryGetKernelCount(unsigned *count, CUlibrary library)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(count_functions(count, library));
}

CUresult cuLibraryGetModule(CUmodule *module, CUlibrary library)
{
    ENTER(NEEDS_CONTEXT);
    if (!module || !drv_object(library, KIND_MODULE))
        return drv_leave(module ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE);
    *module = (CUmodule)library;
    return drv_leave(CUDA_SUCCESS);
}

CUresult cuLibraryGetGlobal(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name)
{
    ENTER(NEEDS_CONTEXT);
    return drv_leave(get_global(address, bytes, library, name));
}
