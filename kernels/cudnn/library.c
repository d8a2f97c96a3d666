/* cuDNN and cuBLASLt, found at run time. */
#include <dlfcn.h>
#include <pthread.h>

#include "kernels/cudnn/cudnn.h"

struct opened {
    const char *cudnn, *cublas; /* files */
    struct cudnn_library table; /* filled once, under the lock; the libraries stay open */
    bool filled;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct opened real = {.cudnn = CUDNN_LIBRARY, .cublas = CUBLAS_LIBRARY}, stand_in;

void cudnn_stand_in(const char *cudnn, const char *cublas)
{
    pthread_mutex_lock(&lock);
    stand_in = (struct opened){.cudnn = cudnn, .cublas = cublas};
    pthread_mutex_unlock(&lock);
}

bool cudnn_is_stood_in(void)
{
    pthread_mutex_lock(&lock);
    bool is = stand_in.cudnn != NULL;
    pthread_mutex_unlock(&lock);
    return is;
}

static osp_status open_one(const char *file, const char *needed, void **out)
{
    if ((*out = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)))
        return OSP_OK;
    return osp_fail(OSP_UNAVAILABLE, "cudnn: %s cannot be opened (%s): install %s, or run --backend cuda", file, dlerror(),
                    needed);
}

/* `version` as the libraries give it: 10000 major + 100 minor + patch. */
static osp_status check_version(const char *file, const char *name, size_t version, size_t oldest)
{
    if (version >= oldest)
        return OSP_OK;
    /* Before version 9 cuDNN counted majors by 1000. */
    size_t major = version / (version < 10000 ? 1000 : 10000), minor = version % (version < 10000 ? 1000 : 10000) / 100;
    return osp_fail(OSP_UNAVAILABLE, "cudnn: %s is %s %zu.%zu; %zu.%zu or newer is needed: install that, or run --backend cuda",
                    file, name, major, minor, oldest / 10000, oldest % 10000 / 100);
}

static osp_status fill(struct opened *opened)
{
    struct cudnn_library found;
    void *cudnn, *cublas;
    osp_status status = open_one(opened->cudnn, "cuDNN " CUDNN_STRING(CUDNN_MAJOR), &cudnn);
    if (!status)
        status = open_one(opened->cublas, "cuBLAS " CUDNN_STRING(CUBLAS_VER_MAJOR), &cublas);
    if (status)
        return status;
#define CALL(name)                                                                                                               \
    if (!(*(void **)&found.name = dlsym(library, #name)))                                                                        \
        return osp_fail(OSP_UNAVAILABLE, "cudnn: %s has no %s: a newer one is needed", file, #name);
    void *library = cudnn;
    const char *file = opened->cudnn;
    CUDNN_CALLS(CALL)
    library = cublas;
    file = opened->cublas;
    CUBLAS_CALLS(CALL)
#undef CALL
    status = check_version(opened->cudnn, "cuDNN", found.cudnnGetVersion(), CUDNN_OLDEST);
    if (!status)
        status = check_version(opened->cublas, "cuBLAS", found.cublasLtGetVersion(), CUBLAS_OLDEST);
    if (status)
        return status;
    opened->table = found;
    opened->filled = true;
    return OSP_OK;
}

osp_status cudnn_library_open(const struct cudnn_library **out)
{
    pthread_mutex_lock(&lock);
    struct opened *opened = stand_in.cudnn ? &stand_in : &real;
    osp_status status = opened->filled ? OSP_OK : fill(opened);
    pthread_mutex_unlock(&lock);
    if (!status)
        *out = &opened->table;
    return status;
}
