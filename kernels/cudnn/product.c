/* A product of cuBLASLt: out (n,k) = x (n,c) w (k,c)^T + residual + bias, then ReLU. cuBLASLt counts by columns, so that
 * row-major x, w and out are to it (c,n), (c,k) and (k,n): out = w^T x. */
#include "kernels/cudnn/cudnn.h"

enum { ALIGNMENT = 16 }; /* bytes: of every operand */

struct attempt {
    const struct cudnn_part *part;
    cublasStatus_t status;
    const char *call, *what; /* that failed */
};

/* After the first call that fails the others do nothing. */
#define TRY(attempt, what_, call_, ...)                                                                                          \
    do {                                                                                                                         \
        if (!(attempt)->status && ((attempt)->status = (attempt)->part->library->call_(__VA_ARGS__))) {                          \
            (attempt)->call = #call_;                                                                                            \
            (attempt)->what = what_;                                                                                             \
        }                                                                                                                        \
    } while (0)

/* The arithmetic that is allowed: in f32 multiply-adds of f32 alone, in tf32 the tensor cores too. */
static uint64_t arithmetic(enum osp_precision precision)
{
    uint64_t exact = CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA | CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_32F |
                     CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_32F;
    return precision == OSP_PRECISION_TF32 ? exact | CUBLASLT_NUMERICAL_IMPL_FLAGS_HMMA | CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_TF32
                                           : exact;
}

static void describe(struct attempt *a, const struct cudnn_key *key, struct cudnn_product *p)
{
    static const char what[] = "a product";
    const cublasComputeType_t compute = key->precision == OSP_PRECISION_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const int32_t transposed = CUBLAS_OP_T;
    /* CUBLASLT_EPILOGUE_DEFAULT is a bit of its own, and goes with no other. */
    const uint32_t wanted =
                       (key->bias ? CUBLASLT_EPILOGUE_BIAS : 0u) | (key->activation == OSP_RELU ? CUBLASLT_EPILOGUE_RELU : 0u),
                   epilogue = wanted ? wanted : CUBLASLT_EPILOGUE_DEFAULT;
    const uint64_t n = (uint64_t)key->n, c = (uint64_t)key->c, k = (uint64_t)key->k;
    TRY(a, what, cublasLtMatmulDescCreate, &p->description, compute, CUDA_R_32F);
    TRY(a, what, cublasLtMatmulDescSetAttribute, p->description, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
    TRY(a, what, cublasLtMatmulDescSetAttribute, p->description, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    TRY(a, what, cublasLtMatrixLayoutCreate, &p->w, CUDA_R_32F, c, k, key->c);
    TRY(a, what, cublasLtMatrixLayoutCreate, &p->x, CUDA_R_32F, c, n, key->c);
    TRY(a, what, cublasLtMatrixLayoutCreate, &p->out, CUDA_R_32F, k, n, key->k);
}

static void limit(struct attempt *a, cublasLtMatmulPreference_t preference, enum osp_precision precision, size_t most_workspace)
{
    static const char what[] = "limits of the search";
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const uint64_t bytes = most_workspace, allowed = arithmetic(precision);
    const uint32_t alignment = ALIGNMENT;
    TRY(a, what, cublasLtMatmulPreferenceSetAttribute, preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
        sizeof bytes);
    TRY(a, what, cublasLtMatmulPreferenceSetAttribute, preference, CUBLASLT_MATMUL_PREF_IMPL_MASK, &allowed, sizeof allowed);
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++)
        TRY(a, what, cublasLtMatmulPreferenceSetAttribute, preference, alignments[i], &alignment, sizeof alignment);
}

osp_status cudnn_product_make(struct cuda_device *device, const struct cudnn_key *key, size_t most_workspace,
                              struct cudnn_product *product, size_t *workspace)
{
    struct cudnn_part *part = device->overlay;
    struct attempt attempt = {.part = part}, *a = &attempt;
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t best = {.state = CUBLAS_STATUS_NOT_SUPPORTED};
    int found = 0;
    describe(a, key, product);
    TRY(a, "limits of the search", cublasLtMatmulPreferenceCreate, &preference);
    limit(a, preference, (enum osp_precision)key->precision, most_workspace);
    TRY(a, "the heuristics", cublasLtMatmulAlgoGetHeuristic, part->cublas, product->description, product->w, product->x,
        product->out, product->out, preference, 1, &best, &found);
    if (preference)
        part->library->cublasLtMatmulPreferenceDestroy(preference);
    osp_status status = OSP_OK;
    if (a->status && a->status != CUBLAS_STATUS_NOT_SUPPORTED)
        status = cudnn_cublas_failed(part, a->status, a->call, a->what);
    else if (a->status || found < 1 || best.state)
        status =
            osp_fail(OSP_UNAVAILABLE, "cuBLASLt has no algorithm for a product of this shape in %s within %zu bytes of workspace",
                     osp_precision_name((enum osp_precision)key->precision), most_workspace);
    if (status) {
        cudnn_product_free(part, product);
        return status;
    }
    product->algorithm = best.algo;
    *workspace = best.workspaceSize;
    return OSP_OK;
}

void cudnn_product_free(const struct cudnn_part *part, struct cudnn_product *product)
{
    const cublasLtMatrixLayout_t layouts[] = {product->out, product->x, product->w};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i])
            part->library->cublasLtMatrixLayoutDestroy(layouts[i]);
    if (product->description)
        part->library->cublasLtMatmulDescDestroy(product->description);
    *product = (struct cudnn_product){.description = NULL};
}

osp_status cudnn_product_run(struct cuda_device *device, const struct cudnn_job *job, const struct cudnn_operands *o)
{
    struct cudnn_part *part = device->overlay;
    struct attempt attempt = {.part = part}, *a = &attempt;
    const struct cudnn_product *p = &job->product;
    const float one = 1, added = o->residual ? 1 : 0;
    const void *bias = o->bias;
    if (bias)
        TRY(a, "the bias", cublasLtMatmulDescSetAttribute, p->description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
    TRY(a, NULL, cublasLtMatmul, part->cublas, p->description, &one, o->w, p->w, o->x, p->x, &added,
        o->residual ? o->residual : o->out, p->out, o->out, p->out, &p->algorithm, job->workspace ? o->workspace : NULL,
        job->workspace, (cudaStream_t)device->compute);
    return a->status ? cudnn_cublas_failed(part, a->status, a->call, a->what) : OSP_OK;
}
