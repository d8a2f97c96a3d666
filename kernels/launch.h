/* The host side of a kernel file: the device a launcher gets, and typed launches. C++ for kernel files; the C part is for cuda.c and backend.c. */
#ifndef OSPREY_KERNELS_LAUNCH_H
#define OSPREY_KERNELS_LAUNCH_H

#include "driver.h"
#include "runtime/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A fat binary that nvcc made of one .cu file, embedded in the program (image.c). */
struct cuda_image {
    const char *file;                /* "kernels/conv2d/01_naive.cu" */
    const unsigned char *data, *end; /* the same where there was no nvcc at build time */
};

/* What a launcher may ask of its device. The rest is in backend.c. */
struct cuda_limits {
    int multiprocessors;
    int major, minor;          /* compute capability */
    size_t shared_per_block;   /* bytes a block may have on request (opt-in) */
    size_t shared_per_multiprocessor;
    size_t l2_bytes;
};
const struct cuda_limits *cuda_limits_of(const struct osp_device *device);

/* A kernel that can be launched. */
struct cuda_kernel {
    const char *name;
    const struct cuda_image *image;
    int threads; /* the most a block may have: its __launch_bounds__ */
};

/* Puts a kernel into the device's compute stream. Loads the image at its first use. shared_bytes above 48 KiB is asked for by attribute.
 * A grid with a 0 in it launches nothing. OSP_UNAVAILABLE with call name, code, the driver's text and the kernel's name. */
osp_status cuda_launch(struct osp_device *device, const struct cuda_kernel *kernel, const unsigned grid[3], const unsigned block[3],
                       size_t shared_bytes, void **arguments);

/* Fills device memory with a byte, in the compute stream. */
osp_status cuda_fill(struct osp_device *device, void *pointer, int byte, size_t bytes);

/* Device memory for packed weights, filled from the host: waits until the copy is done. Free with cuda_free. */
osp_status cuda_upload_new(struct osp_device *device, const void *host, size_t bytes, void **out);
void cuda_free(struct osp_device *device, void *pointer);

#ifdef __cplusplus
}

/* launch_NAME(device, grid, block, shared bytes, the kernel's own arguments): made by CUDA_KERNEL, typed by the kernel. */
template <class F> struct cuda_launcher;
template <class... A> struct cuda_launcher<void(A...)> {
    struct cuda_kernel kernel;

    osp_status operator()(struct osp_device *device, dim3 grid, dim3 block, size_t shared_bytes, A... arguments) const
    {
        const unsigned g[3] = {grid.x, grid.y, grid.z}, b[3] = {block.x, block.y, block.z};
        void *pointers[] = {const_cast<void *>(static_cast<const void *>(&arguments))..., nullptr};
        return cuda_launch(device, &kernel, g, b, shared_bytes, pointers);
    }
};

static inline unsigned cuda_blocks(int64_t count, int64_t each) { return (unsigned)((count + each - 1) / each); }

/* Why there is no grid of x pieces of work, counted in 32 bits, in each of y rows of blocks of z images; NULL: there is. */
static inline const char *cuda_grid_refuses(int64_t x, int64_t y, int64_t z)
{
    return y > 65535 || z > 65535 ? "a grid has at most 65535 rows, and as many images"
           : x > INT32_MAX        ? "it counts its work in 32 bits"
                                  : nullptr;
}
#endif
#endif
