/* The backends that are compiled in: the only file that names them. */
#include "backend.h"

extern const struct osp_backend cpu_backend, cuda_backend, emu_backend;

const struct osp_backend *const osp_backends[] = {&cpu_backend, &cuda_backend, &emu_backend, NULL};
