/* The backends that are compiled in: the only file that names them. */
#include "backend.h"

extern const struct osp_backend cpu_backend, cuda_backend, emu_backend;

#ifdef WITH_ONEDNN
extern const struct osp_backend onednn_backend;
#else
static osp_status no_onednn(const struct osp_device_options *options, struct osp_device **out)
{
    return osp_fail(OSP_UNAVAILABLE, "backend onednn is not in this build: install libdnnl-dev (oneDNN 2.x) and run make again");
}
static const struct osp_backend onednn_backend = {.name = "onednn", .base = &cpu_backend, .open = no_onednn};
#endif

#ifdef WITH_CUDNN
extern const struct osp_backend cudnn_backend;
#else
static osp_status no_cudnn(const struct osp_device_options *options, struct osp_device **out)
{
    return osp_fail(OSP_UNAVAILABLE, "backend cudnn is not in this build: install the headers of cuDNN 9 and cuBLAS and run make again");
}
static const struct osp_backend cudnn_backend = {.name = "cudnn", .base = &cuda_backend, .open = no_cudnn};
#endif

const struct osp_backend *const osp_backends[] = {&cpu_backend, &onednn_backend, &cuda_backend, &cudnn_backend, &emu_backend, NULL};
