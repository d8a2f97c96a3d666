/* Overlay cudnn over the cuda backend: convolutions as cuDNN 9 does them, linear layers and 1x1 convolutions as cuBLASLt does, to
 * compare our own with.
 *
 * NVIDIA's headers give types and prototypes when this is compiled; the libraries are opened at run time, so that the same
 * program starts where they are absent. What they cannot do is done by the cuda backend's rungs.
 *
 * cuDNN is asked by its graph API alone: descriptors that are made, filled, finalized, run and destroyed. What is made for one
 * shape, a job, is kept with the device: a plan can then say why a layer is refused, and layers of one shape share it. */
#ifndef OSPREY_KERNELS_CUDNN_H
#define OSPREY_KERNELS_CUDNN_H

#include <stdbool.h>

#include <cublasLt.h>
#include <cudnn_graph.h>

#include "kernels/cuda.h"
#include "kernels/cudnn/finish.h"

#define CUDNN_CALLS(CALL)                                                                                                        \
    CALL(cudnnGetVersion)                                                                                                        \
    CALL(cudnnGetErrorString)                                                                                                    \
    CALL(cudnnCreate)                                                                                                            \
    CALL(cudnnDestroy)                                                                                                           \
    CALL(cudnnSetStream)                                                                                                         \
    CALL(cudnnBackendCreateDescriptor)                                                                                           \
    CALL(cudnnBackendDestroyDescriptor)                                                                                          \
    CALL(cudnnBackendSetAttribute)                                                                                               \
    CALL(cudnnBackendGetAttribute)                                                                                               \
    CALL(cudnnBackendFinalize)                                                                                                   \
    CALL(cudnnBackendExecute)

#define CUBLAS_CALLS(CALL)                                                                                                       \
    CALL(cublasLtGetVersion)                                                                                                     \
    CALL(cublasLtGetStatusName)                                                                                                  \
    CALL(cublasLtCreate)                                                                                                         \
    CALL(cublasLtDestroy)                                                                                                        \
    CALL(cublasLtMatmulDescCreate)                                                                                               \
    CALL(cublasLtMatmulDescDestroy)                                                                                              \
    CALL(cublasLtMatmulDescSetAttribute)                                                                                         \
    CALL(cublasLtMatrixLayoutCreate)                                                                                             \
    CALL(cublasLtMatrixLayoutDestroy)                                                                                            \
    CALL(cublasLtMatmulPreferenceCreate)                                                                                         \
    CALL(cublasLtMatmulPreferenceDestroy)                                                                                        \
    CALL(cublasLtMatmulPreferenceSetAttribute)                                                                                   \
    CALL(cublasLtMatmulAlgoGetHeuristic)                                                                                         \
    CALL(cublasLtMatmul)

/* One field for each call, of the header's own type. */
struct cudnn_library {
#define CALL(name) __typeof__(&name) name;
    CUDNN_CALLS(CALL)
    CUBLAS_CALLS(CALL)
#undef CALL
};

#define CUDNN_STRING_(x) #x
#define CUDNN_STRING(x)  CUDNN_STRING_(x)
#define CUDNN_LIBRARY    "libcudnn.so." CUDNN_STRING(CUDNN_MAJOR)
#define CUBLAS_LIBRARY   "libcublasLt.so." CUDNN_STRING(CUBLAS_VER_MAJOR)
enum { CUDNN_OLDEST = 90000, CUBLAS_OLDEST = 120000 }; /* as their calls give it: 9.0.0 and 12.0.0 */

/* Opens both libraries, once for the whole process. OSP_UNAVAILABLE: which one or which symbol is missing, or is too old. */
osp_status cudnn_library_open(const struct cudnn_library **out);

/* For tests: files to open in place of NVIDIA's libraries. They are no part of the system's driver, so devices that are opened
 * from then on may be of any. NULL, NULL: NVIDIA's again. */
void cudnn_stand_in(const char *cudnn, const char *cublas);
bool cudnn_is_stood_in(void);

/* ---- Jobs ------------------------------------------------------------------------------------------- */

enum cudnn_form {
    CUDNN_FORM_PLAIN, /* cuDNN's convolution; bias, residual and activation are ours (finish.cu) */
    CUDNN_FORM_FUSED, /* cuDNN's convolution with all that */
    CUDNN_FORM_MATMUL /* cuBLASLt's product with bias, residual and ReLU; other activations are ours */
};

/* What a job is made for: keys are compared as bytes, so every field has one width. A product has n rows, c columns, k outputs.
 */
struct cudnn_key {
    int64_t form, precision, activation, bias, residual; /* bias, residual: 1 where there is one */
    int64_t n, h, w, c, k, r, s, p, q, stride, pad;
};

/* A finalized execution plan and the descriptors that it was made from, which live as long. */
enum { CUDNN_PARTS = 40 };
struct cudnn_parts {
    cudnnBackendDescriptor_t made[CUDNN_PARTS];
    int count;
};
struct cudnn_plan {
    struct cudnn_parts parts;
    cudnnBackendDescriptor_t plan;
};

struct cudnn_product {
    cublasLtMatmulDesc_t description;
    cublasLtMatrixLayout_t w, x, out;
    cublasLtMatmulAlgo_t algorithm;
};

struct cudnn_job {
    struct cudnn_job *next;
    struct cudnn_key key;
    char refusal[400]; /* empty: it can be run */
    size_t workspace;  /* bytes; a job that is made again must not need more */
    bool made;         /* plan or product is there */
    uint64_t used;
    struct cudnn_plan plan;
    struct cudnn_product product;
};

/* What the overlay adds to a cuda device; struct cuda_device points to it. */
struct cudnn_part {
    const struct cudnn_library *library;
    cudnnHandle_t cudnn;
    cublasLtHandle_t cublas;
    size_t most_workspace; /* bytes that a job may ask for */
    struct cudnn_job *jobs;
    int made;
    uint64_t clock;
    char label[CUDA_LABEL + 64]; /* the cuda device's, and the libraries' versions */
};
static inline struct cudnn_part *cudnn_of(const struct osp_device *device)
{
    return (struct cudnn_part *)((const struct cuda_device *)device)->overlay;
}

/* The job for a key, made if need be. Its refusal may be set; NULL: no memory. */
struct cudnn_job *cudnn_job_for(const struct osp_device *device, const struct cudnn_key *key);
void cudnn_jobs_close(struct cuda_device *device);

/* Operands on the device. */
struct cudnn_operands {
    const float *x, *w, *bias, *residual; /* bias, residual NULL: absent */
    float *out;
    void *workspace; /* 256-byte aligned */
};

/* convolution.c, engine.c: a convolution of cuDNN. */
osp_status cudnn_plan_make(struct cuda_device *device, const struct cudnn_key *key, size_t most_workspace,
                           struct cudnn_plan *plan, size_t *workspace);
void cudnn_plan_free(const struct cudnn_part *part, struct cudnn_plan *plan);
osp_status cudnn_plan_run(struct cuda_device *device, const struct cudnn_job *job, const struct cudnn_operands *operands);

/* product.c: a product of cuBLASLt. */
osp_status cudnn_product_make(struct cuda_device *device, const struct cudnn_key *key, size_t most_workspace,
                              struct cudnn_product *product, size_t *workspace);
void cudnn_product_free(const struct cudnn_part *part, struct cudnn_product *product);
osp_status cudnn_product_run(struct cuda_device *device, const struct cudnn_job *job, const struct cudnn_operands *operands);

/* ---- Descriptors ------------------------------------------------------------------------------------ */

/* Descriptors being made: after the first call that fails the others do nothing, and what failed is kept. */
struct cudnn_builder {
    const struct cudnn_part *part;
    struct cudnn_parts *parts;
    cudnnStatus_t status;
    const char *call, *what; /* that failed: "cudnnBackendFinalize", "an execution plan" */
};
cudnnBackendDescriptor_t cudnn_create(struct cudnn_builder *builder, cudnnBackendDescriptorType_t type, const char *what);
void cudnn_set(struct cudnn_builder *builder, cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
               cudnnBackendAttributeType_t type, int64_t count, const void *values, const char *what);
int64_t cudnn_get(struct cudnn_builder *builder, cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                  cudnnBackendAttributeType_t type, int64_t room, void *values, const char *what);
void cudnn_finalize(struct cudnn_builder *builder, cudnnBackendDescriptor_t descriptor, const char *what);

/* Destroys those made since there were `kept`, the last first. */
void cudnn_destroy(const struct cudnn_part *part, struct cudnn_parts *parts, int kept);

/* "cudnn: cudnnBackendFinalize: CUDNN_STATUS_BAD_PARAM (2000); an execution plan". `what` NULL: left out. */
osp_status cudnn_failed(const struct cudnn_part *part, cudnnStatus_t code, const char *call, const char *what);
osp_status cudnn_cublas_failed(const struct cudnn_part *part, cublasStatus_t code, const char *call, const char *what);

/* engine.c: the first engine of cuDNN's heuristics that keeps the precision and the workspace, as a finalized plan in the
 * builder's parts. */
osp_status cudnn_choose_engine(struct cudnn_builder *builder, const struct cudnn_key *key, cudnnBackendDescriptor_t graph,
                               size_t most_workspace, cudnnBackendDescriptor_t *plan, size_t *workspace);

/* ---- Weights ---------------------------------------------------------------------------------------- */

/* [K][R][S][C] and the bias, on the device: cuDNN's filter of a convolution in NHWC, and cuBLASLt's matrix where R and S are 1.
 */
struct cudnn_weights {
    float *w, *bias; /* bias NULL: absent */
};

/* As a rung's prepare and release; the state's data is a struct cudnn_weights. */
osp_status cudnn_weights_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
void cudnn_weights_release(struct osp_device *device, struct osp_node_state *state);

/* ---- What the rungs share --------------------------------------------------------------------------- */

/* One call of any form: its key, its operands, and what is left for finish.cu. */
struct cudnn_call {
    struct cudnn_key key;
    struct cudnn_operands operands;
    struct cudnn_finish finish;
};
const char *cudnn_refuses(const struct osp_device *device, const struct cudnn_key *key);
size_t cudnn_scratch(const struct osp_device *device, const struct cudnn_key *key);
osp_status cudnn_run(struct osp_device *device, const struct cudnn_call *it, void *scratch);

#endif
