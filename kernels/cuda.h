/* What the files of the cuda and emu backends share: the device, and how a driver call becomes a status. */
#ifndef OSPREY_KERNELS_CUDA_H
#define OSPREY_KERNELS_CUDA_H

#include "kernels/driver.h"
#include "kernels/launch.h"

enum { CUDA_STAGES = 2, CUDA_STAGE_BYTES = 4 << 20, CUDA_LABEL = 256, CUDA_PATH = 4096 };

/* The numbers of <cuda.h> that are used; tests/test_driver_header.c compares them. */
enum {
    CUDA_ERROR_NUMBER_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NUMBER_NO_DEVICE = 100,
    CUDA_ERROR_NUMBER_NOT_READY = 600,
    CUDA_JIT_ERROR_LOG_BUFFER = 5,
    CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
    CUDA_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
    CUDA_STREAM_NON_BLOCKING = 1,
    CUDA_EVENT_DISABLE_TIMING = 2,
    CUDA_CAPTURE_MODE_RELAXED = 2,
    CUDA_MULTIPROCESSOR_COUNT = 16,
    CUDA_PCI_BUS_ID = 33,
    CUDA_PCI_DEVICE_ID = 34,
    CUDA_PCI_DOMAIN_ID = 50,
    CUDA_L2_CACHE_SIZE = 38,
    CUDA_MAX_THREADS_PER_MULTIPROCESSOR = 39,
    CUDA_COMPUTE_CAPABILITY_MAJOR = 75,
    CUDA_COMPUTE_CAPABILITY_MINOR = 76,
    CUDA_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
    CUDA_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97
};

/* Pinned host memory that one copy at a time passes through. */
struct cuda_stage {
    void *memory;
    CUevent done; /* recorded behind the copy that uses it */
    int used;
};

struct cuda_function {
    const struct cuda_kernel *kernel;
    CUfunction function;
    size_t shared_bytes; /* dynamic shared memory that has been asked for by attribute */
    int blocks;  /* that a multiprocessor holds at once, of `threads` threads with `block_bytes` of dynamic shared memory */
    int threads; /* 0: the driver has not been asked */
    size_t block_bytes;
};

struct cuda_module {
    const struct cuda_image *image;
    CUmodule module;
};

struct cuda_device {
    const char *backend; /* "cuda", "emu": begins every sentence */
    const struct cuda_driver *driver;
    CUdevice device;
    CUcontext context; /* the primary one, so that libraries can share it; NULL: not retained */
    CUstream compute, copy;
    struct cuda_limits limits;
    int workers;            /* emu: OS threads; cuda: 1 */
    char label[CUDA_LABEL]; /* for provenance: "NVIDIA H100, sm_90, driver 13.0 (libcuda.so.1)" */

    struct cuda_stage stage[CUDA_STAGES];
    int turn;         /* the stage that the next copy takes */
    CUevent computed; /* the work before a copy that may overwrite what it reads */
    CUevent *marks;
    int mark_count;
    struct cuda_module *modules;
    int module_count, module_room;
    struct cuda_function *functions;
    int function_count, function_room;
    double load_seconds; /* so far, for modules */
    int emulated;        /* the emulator, or the driver that interprets PTX */
    int rehearsing;      /* launches load what they need, and launch nothing */
    int capturing;       /* a graph is being captured: nothing may wait */
    int waiting;         /* each launch is waited for, so that what fails has a name; else it shows at a later wait */
    void *overlay;       /* what an overlay keeps with its device (cudnn/); NULL: none */

    int multiprocessor_threads;     /* the most that one holds; 0: not known */
    struct osp_occupancy occupancy; /* of the launch with the most threads since it was last asked for */
    double most_threads;            /* of that launch */
};

static inline struct cuda_device *cuda_of(struct osp_device *device) { return (struct cuda_device *)device; }

/* OSPREY_CUDA_SYNC=1 in the environment: each launch is waited for. */
#define CUDA_SYNC_VARIABLE "OSPREY_CUDA_SYNC"

/* OSP_OK, or a sentence: "cuda: cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2), out of memory; WHAT". `what` NULL: left out. */
osp_status cuda_check(const struct cuda_device *device, CUresult code, const char *call, const char *what);
#define CUDA_DO(device, what, call, ...) cuda_check(device, (device)->driver->call(__VA_ARGS__), #call, what)

/* Makes the device's context current on this thread: first in everything that a session calls. */
osp_status cuda_enter(const struct cuda_device *device);

/* The function of a kernel, from the cache or loaded; module.c. */
osp_status cuda_function(struct cuda_device *device, const struct cuda_kernel *kernel, struct cuda_function **out);
void cuda_modules_unload(struct cuda_device *device);
void cuda_occupancy(struct osp_device *device, struct osp_occupancy *out); /* as struct osp_backend has it */

/* stage.c: copies between host memory of any kind and the device, through pinned memory. */
osp_status cuda_stages_open(struct cuda_device *device);
void cuda_stages_close(struct cuda_device *device);
osp_status cuda_upload(struct osp_device *device, void *to, const void *from, size_t bytes);
osp_status cuda_download(struct osp_device *device, void *to, const void *from, size_t bytes);

/* backend.c */
extern const struct osp_memory cuda_memory;

/* marks.c */
extern const struct osp_clock cuda_clock;
void cuda_marks_close(struct cuda_device *device);

/* graph.c */
extern const struct osp_capture cuda_capture;

/* device.c: opens a device of a driver. `device` has backend and driver set, and the rest 0; on failure it is closed but not
 * freed. */
osp_status cuda_device_open(struct cuda_device *device, int index, const char *driver_name);
void cuda_device_close(struct cuda_device *device);

/* cuda.c: opens a library that was built with this program: beside it, in ../lib, or in the build folder. `path` gets its place,
 * or its plain name when there is none; NULL: dlerror says why, where it is there. */
void *cuda_library_beside(const char *file, char path[CUDA_PATH]);

/* emu.c: the driver table over the emulator in a mode ("fast", "shuffled=SEED", "check", "count"; NULL: fast), with so
 * many threads (0: one for each core; then the number). Each mode is a device of that driver. */
osp_status emu_driver_open(const char *mode, int *threads, const struct cuda_driver **out, int *device);
/* What the kernels of an emulated device asked of memory: struct osp_counter. */
int emu_counts(CUcontext context, int i, struct osp_kernel_counts *out);
void emu_clear_counts(CUcontext context);

#endif
