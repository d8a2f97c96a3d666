/* The table of driver calls over a libcuda: NVIDIA's, found at run time, or any other library with the same symbols. */
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cuda.h"

/* Opened libraries stay open, so their tables are kept for as long as the program runs. */
struct opened {
    struct opened *next;
    struct cuda_driver table;
    char path[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct opened *all;

void *cuda_library_beside(const char *file, char path[CUDA_PATH])
{
    static const char *const places[] = {"", "../lib/", "../"}; /* build/osprey, an installed one, build/tests/test_x */
    char self[CUDA_PATH];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    char *slash = strrchr(self, '/');
    size_t folder = slash ? (size_t)(slash - self) + 1 : 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int used = snprintf(path, CUDA_PATH, "%.*s%s%s", (int)folder, self, places[i], file);
        if (used > 0 && used < CUDA_PATH && access(path, R_OK) == 0)
            return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    snprintf(path, CUDA_PATH, "%s", file);
    return NULL;
}

static osp_status open_library(const char *path, void **out)
{
    char found[CUDA_PATH];
    if (!strcmp(path, "ptx")) {
        if ((*out = cuda_library_beside("libcuda-ptx.so", found)))
            return OSP_OK;
        return osp_fail(OSP_UNAVAILABLE,
                        "cuda: the PTX driver libcuda-ptx.so is not beside the program, nor in ../lib: build it with make");
    }
    if ((*out = dlopen(path, RTLD_NOW | RTLD_LOCAL)))
        return OSP_OK;
    const char *reason = dlerror();
    if (!strcmp(path, CUDA_SYSTEM_DRIVER))
        return osp_fail(
            OSP_UNAVAILABLE,
            "cuda: no NVIDIA driver on this machine (%s): install one, or run --backend emu, or --backend cuda --driver ptx",
            reason);
    return osp_fail(OSP_UNAVAILABLE, "cuda: the driver library cannot be opened (%s)", reason);
}

static osp_status fill(void *library, const char *path, struct cuda_driver *table)
{
#define CUDA_CALL(name, symbol, ...)                                                                                             \
    if (!(*(void **)&table->name = dlsym(library, symbol)))                                                                      \
        return osp_fail(OSP_UNAVAILABLE, "cuda: %s has no %s: a driver for CUDA 12.0 or newer is needed", path, symbol);
#include "kernels/driver.def"
#undef CUDA_CALL
    return OSP_OK;
}

static osp_status open_new(const char *path, struct opened **out)
{
    size_t size = sizeof **out + strlen(path) + 1;
    struct opened *opened = calloc(1, size);
    void *library = NULL;
    if (!opened)
        return osp_fail(OSP_MEMORY, "cuda: no memory for %zu bytes of driver table", size);
    strcpy(opened->path, path);
    osp_status status = open_library(path, &library);
    if (!status)
        status = fill(library, path, &opened->table);
    if (status) {
        if (library)
            dlclose(library);
        free(opened);
        return status;
    }
    opened->next = all;
    *out = all = opened;
    return OSP_OK;
}

osp_status cuda_driver_open(const char *path, const struct cuda_driver **out, const char **name)
{
    if (!path)
        path = CUDA_SYSTEM_DRIVER;
    pthread_mutex_lock(&lock);
    struct opened *opened = all;
    while (opened && strcmp(opened->path, path) != 0)
        opened = opened->next;
    osp_status status = opened ? OSP_OK : open_new(path, &opened);
    pthread_mutex_unlock(&lock);
    if (status)
        return status;
    *out = &opened->table;
    *name = opened->path;
    return OSP_OK;
}
