/* oneDNN, found at run time. */
#include <dlfcn.h>
#include <pthread.h>

#include "cpu/onednn/onednn.h"

#define LIBRARY "libdnnl.so.2"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct onednn_library table; /* filled once, under the lock; the library is never closed, because its threads stay */
static bool filled;

static osp_status fill(void)
{
    struct onednn_library found;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return osp_fail(OSP_UNAVAILABLE, "onednn: %s cannot be opened (%s): install libdnnl2", LIBRARY, dlerror());
#define CALL(name)                                                                                                               \
    if (!(*(void **)&found.name = dlsym(library, "dnnl_" #name)))                                                                \
        return osp_fail(OSP_UNAVAILABLE, "onednn: %s has no dnnl_%s: oneDNN %d.%d or a newer 2.x is needed", LIBRARY, #name,     \
                        DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR);
    ONEDNN_CALLS(CALL)
#undef CALL
    const dnnl_version_t *version = found.version();
    if (version->major != DNNL_VERSION_MAJOR || version->minor < DNNL_VERSION_MINOR)
        return osp_fail(OSP_UNAVAILABLE, "onednn: %s is oneDNN %d.%d; this program was built for %d.%d or a newer 2.x", LIBRARY,
                        version->major, version->minor, DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR);
    if (version->cpu_runtime != DNNL_RUNTIME_OMP)
        return osp_fail(OSP_UNAVAILABLE, "onednn: %s was not built with OpenMP, so the number of threads could not be kept",
                        LIBRARY);
    table = found;
    filled = true;
    return OSP_OK;
}

osp_status onednn_library_open(const struct onednn_library **out)
{
    pthread_mutex_lock(&lock);
    osp_status status = filled ? OSP_OK : fill();
    pthread_mutex_unlock(&lock);
    if (!status)
        *out = &table;
    return status;
}
