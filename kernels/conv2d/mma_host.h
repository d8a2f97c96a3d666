/* The launcher's side of mma.h, for the rungs of conv2d and linear: what they refuse, how weights are packed, which tile. */
#ifndef OSPREY_KERNELS_CONV2D_MMA_HOST_H
#define OSPREY_KERNELS_CONV2D_MMA_HOST_H

#include <stdlib.h>

#include "kernels/conv2d/mma.h"

#if CUDA_HOST
/* A sentence, or NULL. `channels`: that lie side by side in x. */
template <class P> static const char *conv2d_mma_refuses(const struct osp_device *device, int64_t channels)
{
    if (cuda_limits_of(device)->major < P::MAJOR)
        return P::precision == OSP_PRECISION_TF32 ? "tf32 needs compute capability 8.0 or newer"
                                                  : "bf16 needs compute capability 8.0 or newer";
    return channels % 4 ? "it copies four input channels at a time, and their number is not a multiple of 4" : nullptr;
}

/* Row k of the weights, (C,R,S), to its 64 bytes of every STEPS steps. Returns where a number is that P cannot hold, or -1. */
template <class P>
static int64_t conv2d_mma_pack(typename P::number *packed, const float *row, int64_t c, int64_t r, int64_t s, int64_t outputs,
                               int64_t k)
{
    const int64_t blocks = (s * c + P::STEPS - 1) / P::STEPS;
    for (int64_t i = 0; i < c * r * s; i++) {
        if (!P::holds(row[i]))
            return i;
        int64_t j = i % s * c + i / (r * s), block = i / s % r * blocks + j / P::STEPS;
        packed[(block * outputs + k) * P::STEPS + j % P::STEPS] = P::of(row[i]);
    }
    return -1;
}

/* As a rung's prepare, of a filter (K,C,R,S) or (K,C): w is [R][steps of a run / STEPS][K] rows of 64 bytes, zeros where a run
 * ends before its last row does; pitch is K. OSP_USAGE where P cannot hold a weight. */
template <class P>
static osp_status conv2d_mma_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_constant *weight = call->constant[OSP_WEIGHT], *bias = call->constant[OSP_BIAS];
    const struct osp_shape shape = osp_constant_shape(weight);
    const int64_t outputs = shape.dim[0], c = shape.dim[1], r = shape.rank > 2 ? shape.dim[2] : 1,
                  s = shape.rank > 2 ? shape.dim[3] : 1;
    const size_t row = (size_t)(c * r * s), rows = (size_t)(r * ((s * c + P::STEPS - 1) / P::STEPS) * outputs),
                 numbers = rows * P::STEPS * sizeof(typename P::number), bytes = numbers + sizeof(float) * (size_t)(outputs + 3);
    struct cuda_filter *filter = (struct cuda_filter *)malloc(sizeof *filter);
    char *packed = (char *)calloc(1, bytes + row * sizeof(float));
    osp_status status = filter && packed ? OSP_OK : osp_fail(OSP_MEMORY, "cannot pack weights: %zu bytes needed", bytes);
    float *values = (float *)(void *)(packed + bytes);
    for (int64_t k = 0; !status && k < outputs; k++) {
        osp_constant_rows(weight, k, 1, values);
        int64_t wrong = conv2d_mma_pack<P>((typename P::number *)(void *)packed, values, c, r, s, outputs, k);
        if (wrong >= 0)
            status =
                osp_fail(OSP_USAGE,
                         "a weight of output %lld is %g, which %s cannot hold: choose another precision, or pin this layer to "
                         "a rung of f32",
                         (long long)k, (double)values[wrong], osp_precision_name(P::precision));
    }
    void *memory = nullptr;
    if (!status && bias)
        osp_constant_rows(bias, 0, outputs, (float *)(void *)(packed + numbers));
    if (!status)
        status = cuda_upload_new(device, packed, bytes, &memory);
    free(packed);
    if (status) {
        free(filter);
        return status;
    }
    *filter = {.w = (float *)memory, .bias = bias ? (float *)(void *)((char *)memory + numbers) : nullptr, .pitch = (int)outputs};
    state->data = filter;
    return OSP_OK;
}

/* Launches the tile that suits the problem and runs on this GPU. */
template <class... T, class L>
static osp_status conv2d_mma_run(struct osp_device *device, const conv2d_call &it, const L *const (&launches)[sizeof...(T)])
{
    static const conv2d_tiling tiles[] = {conv2d_tiling_of<T>()...};
    static const size_t shared[] = {sizeof(conv2d_mma_shared<T>)...};
    static const int majors[] = {T::MAJOR...};
    const struct cuda_limits *limits = cuda_limits_of(device);
    const int64_t steps = (int64_t)it.shape.r * it.shape.s * it.shape.c;
    double least = INFINITY;
    int best = 0;
    for (int i = 0; i < (int)sizeof...(T); i++) {
        double cycles = conv2d_cycles(tiles[i], limits->multiprocessors, it.shape.pixels, it.shape.k, steps);
        if (limits->major < majors[i] || cycles >= least)
            continue;
        least = cycles;
        best = i;
    }
    dim3 grid(cuda_blocks(it.shape.pixels, tiles[best].m), cuda_blocks(it.shape.k, tiles[best].n));
    return (*launches[best])(device, grid, launches[best]->kernel.threads, shared[best], it.x, it.w, it.bias, it.residual,
                             it.counts, it.out, it.shape);
}
#endif
#endif
