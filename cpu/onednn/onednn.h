/* Overlay onednn over the cpu backend: convolutions and linear layers as oneDNN does them, to compare our own with.
 *
 * oneDNN 2.x (Debian's libdnnl-dev) gives types and prototypes when this is compiled; the library is opened at run time, so the
 * same program starts where it is absent. Everything that oneDNN lacks here is done by the cpu backend's rungs.
 *
 * A primitive of oneDNN is made for one shape, and asks for weights in a layout that may depend on it. Both are made at the first
 * run of a shape and kept with the node (struct onednn_state). */
#ifndef OSPREY_CPU_ONEDNN_H
#define OSPREY_CPU_ONEDNN_H

#include <dnnl.h>
#include <omp.h>
#include <stdbool.h>

#include "cpu/cpu.h"
#include "cpu/rows.h"

/* The calls of oneDNN's C API that are used, by name without "dnnl_". */
#define ONEDNN_CALLS(CALL)                                                                                                       \
    CALL(version)                                                                                                                \
    CALL(get_effective_cpu_isa)                                                                                                  \
    CALL(engine_create)                                                                                                          \
    CALL(engine_destroy)                                                                                                         \
    CALL(stream_create)                                                                                                          \
    CALL(stream_destroy)                                                                                                         \
    CALL(stream_wait)                                                                                                            \
    CALL(memory_desc_init_by_tag)                                                                                                \
    CALL(memory_desc_equal)                                                                                                      \
    CALL(memory_desc_get_size)                                                                                                   \
    CALL(memory_create)                                                                                                          \
    CALL(memory_destroy)                                                                                                         \
    CALL(memory_get_memory_desc)                                                                                                 \
    CALL(memory_set_data_handle)                                                                                                 \
    CALL(post_ops_create)                                                                                                        \
    CALL(post_ops_destroy)                                                                                                       \
    CALL(post_ops_append_sum)                                                                                                    \
    CALL(post_ops_append_eltwise)                                                                                                \
    CALL(primitive_attr_create)                                                                                                  \
    CALL(primitive_attr_destroy)                                                                                                 \
    CALL(primitive_attr_set_post_ops)                                                                                            \
    CALL(convolution_forward_desc_init)                                                                                          \
    CALL(inner_product_forward_desc_init)                                                                                        \
    CALL(primitive_desc_create)                                                                                                  \
    CALL(primitive_desc_destroy)                                                                                                 \
    CALL(primitive_desc_query_md)                                                                                                \
    CALL(reorder_primitive_desc_create)                                                                                          \
    CALL(primitive_create)                                                                                                       \
    CALL(primitive_destroy)                                                                                                      \
    CALL(primitive_execute)

struct onednn_library {
#define CALL(name) __typeof__(&dnnl_##name) name;
    ONEDNN_CALLS(CALL)
#undef CALL
};

/* Opens libdnnl.so.2 once for the whole process. OSP_UNAVAILABLE. */
osp_status onednn_library_open(const struct onednn_library **out);

struct onednn_device {
    struct cpu_device cpu; /* first: the cpu's rungs take it for their own */
    const struct onednn_library *dnnl;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    char isa[96]; /* "avx512, oneDNN 2.6.3" */
};

static inline const struct onednn_device *onednn_of(const struct osp_device *device)
{
    return (const struct onednn_device *)device;
}

/* oneDNN takes the number of threads that OpenMP would: ours, between these two. It counts when a primitive is made, too. */
static inline int onednn_threads_set(const struct onednn_device *device)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(device->cpu.threads);
    return before;
}
static inline void onednn_threads_restore(int before) { omp_set_num_threads(before); }

/* What a rung asks for: the operands as osprey has them, and the primitive that oneDNN would run. */
struct onednn_request {
    dnnl_memory_desc_t src, weights, bias, dst; /* bias of no dimensions: absent */
    dnnl_primitive_desc_t primitive;
};

/* Describes the call for its first `images` images or rows; the caller destroys out->primitive. Looks at no memory. */
typedef dnnl_status_t onednn_describe(const struct onednn_device *device, const struct osp_call *call, int64_t images,
                                      struct onednn_request *out);

/* The images or rows of a call, as conv2d, depthwise and linear have them: batch * each, of which some count. */
struct onednn_rows {
    int64_t batch, each, from, to;   /* floats of an image or row of x, and of out */
    const struct osp_tensor *counts; /* data NULL: all */
    const float *x, *residual;       /* residual NULL: absent */
    float *out;
};

/* As a rung's functions; the state's data is a struct onednn_state. */
osp_status onednn_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
void onednn_release(struct osp_device *device, struct osp_node_state *state);
size_t onednn_scratch(const struct osp_device *device, const struct osp_call *call, onednn_describe *describe);
osp_status onednn_run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state,
                      onednn_describe *describe, const struct onednn_rows *rows);

/* A convolution with fused bias, residual and activation. */
struct onednn_convolution {
    int64_t n, h, w, c, k, r, s, p, q, stride, pad;
    bool depthwise, residual;
    enum osp_activation activation;
    dnnl_alg_kind_t algorithm;
};
dnnl_status_t onednn_describe_convolution(const struct onednn_device *device, const struct osp_call *call,
                                          const struct onednn_convolution *convolution, struct onednn_request *out);

/* The same operand in whatever layout the library likes best. */
dnnl_status_t onednn_any_layout(const struct onednn_library *dnnl, const dnnl_memory_desc_t *plain, dnnl_memory_desc_t *out);

/* A primitive's attributes: + residual (which then lies in the output), then the activation. */
dnnl_status_t onednn_attributes(const struct onednn_library *dnnl, bool residual, enum osp_activation activation,
                                dnnl_primitive_attr_t *out);

/* For costs, of which only ratios matter: what the direct convolution takes at the speed of this multiply-adders, and the bytes
 * that a reorder reads and writes in a second, both for a thread of the machine on which the peers were measured. */
#define ONEDNN_FLOPS   100e9
#define ONEDNN_REORDER 10e9
double onednn_conv2d_seconds(const struct osp_device *device, const struct osp_call *call);

/* conv2d's images; conv2d described for one of oneDNN's algorithms. */
struct onednn_rows onednn_conv2d_rows(const struct osp_call *call);
dnnl_status_t onednn_describe_conv2d(const struct onednn_device *device, const struct osp_call *call, int64_t images,
                                     dnnl_alg_kind_t algorithm, struct onednn_request *out);

#endif
