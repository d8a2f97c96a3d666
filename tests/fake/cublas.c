/* The stand-in's cuBLASLt: products of f32 matrices by columns, with an epilogue. */
#include <cublasLt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nvidia.h"

enum kind { DESCRIPTION, LAYOUT, PREFERENCE };
enum { FMA_WORKSPACE = 512, MAGIC = 0x0517 };

/* What any of the opaque handles points to. */
struct object {
    struct object *next; /* of those alive */
    enum kind kind;
    cublasComputeType_t compute;
    int32_t transposed_a;
    uint32_t epilogue;
    const float *bias;
    uint64_t rows, columns, most_workspace, arithmetic;
    uint32_t alignment[4];
    int64_t pitch;
};

struct cublasLtContext {
    int unused;
};

static struct object *all;
static uint64_t products[2];

uint64_t fake_nvidia_products(int tf32) { return products[tf32]; }

#define CALLED()                                                                                                                 \
    do {                                                                                                                         \
        int code_ = fake_call(__func__);                                                                                         \
        if (code_)                                                                                                               \
            return (cublasStatus_t)code_;                                                                                        \
    } while (0)
#define WRONG(...)                                                                                                               \
    do {                                                                                                                         \
        fake_wrong(__VA_ARGS__);                                                                                                 \
        return CUBLAS_STATUS_INVALID_VALUE;                                                                                      \
    } while (0)

static struct object *find(const void *handle, enum kind kind)
{
    for (struct object *o = all; o; o = o->next)
        if (o == handle && o->kind == kind)
            return o;
    return NULL;
}

static struct object *make(enum kind kind)
{
    struct object *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    *o = (struct object){.next = all, .kind = kind, .epilogue = CUBLASLT_EPILOGUE_DEFAULT, .arithmetic = UINT64_MAX};
    fake_made(1);
    return all = o;
}

static cublasStatus_t destroy(const char *call, const void *handle, enum kind kind)
{
    int code = fake_call(call);
    struct object *o = find(handle, kind), **at = &all;
    if (!o)
        WRONG("%s of what is not there", call);
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    free(o);
    fake_made(-1);
    return (cublasStatus_t)code;
}

size_t cublasLtGetVersion(void) { return fake_versions[1]; }
const char *cublasLtGetStatusName(cublasStatus_t status) { return "FAKE_BLAS"; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    CALLED();
    *handle = calloc(1, sizeof **handle);
    fake_made(1);
    return *handle ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    int code = fake_call(__func__);
    free(handle);
    fake_made(-1);
    return (cublasStatus_t)code;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute, cudaDataType_t scale)
{
    CALLED();
    struct object *o = scale == CUDA_R_32F ? make(DESCRIPTION) : NULL;
    if (!o)
        return CUBLAS_STATUS_ALLOC_FAILED;
    o->compute = compute;
    *out = (cublasLtMatmulDesc_t)o;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle) { return destroy(__func__, handle, DESCRIPTION); }

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows, uint64_t columns,
                                          int64_t pitch)
{
    CALLED();
    struct object *o = type == CUDA_R_32F && pitch >= (int64_t)rows ? make(LAYOUT) : NULL;
    if (!o)
        return CUBLAS_STATUS_ALLOC_FAILED;
    o->rows = rows;
    o->columns = columns;
    o->pitch = pitch;
    *out = (cublasLtMatrixLayout_t)o;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle) { return destroy(__func__, handle, LAYOUT); }

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    CALLED();
    *out = (cublasLtMatmulPreference_t)make(PREFERENCE);
    return *out ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle)
{
    return destroy(__func__, handle, PREFERENCE);
}

/* One attribute of its own size. */
static cublasStatus_t set(struct object *o, void *to, size_t size, const void *from, size_t given)
{
    if (!o || !to || size != given)
        WRONG("an attribute of %zu bytes, given as %zu, or of what is not there", size, given);
    memcpy(to, from, size);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t name, const void *value,
                                              size_t size)
{
    CALLED();
    struct object *o = find(handle, DESCRIPTION), none;
    struct object *at = o ? o : &none;
    switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return set(o, &at->transposed_a, sizeof at->transposed_a, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return set(o, &at->epilogue, sizeof at->epilogue, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return set(o, &at->bias, sizeof at->bias, value, size);
    default:
        WRONG("attribute %d of a product", (int)name);
    }
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle, cublasLtMatmulPreferenceAttributes_t name,
                                                    const void *value, size_t size)
{
    CALLED();
    struct object *o = find(handle, PREFERENCE), none;
    struct object *at = o ? o : &none;
    switch (name) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return set(o, &at->most_workspace, sizeof at->most_workspace, value, size);
    case CUBLASLT_MATMUL_PREF_IMPL_MASK:
        return set(o, &at->arithmetic, sizeof at->arithmetic, value, size);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return set(o, &at->alignment[name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], sizeof at->alignment[0], value, size);
    default:
        WRONG("preference %d", (int)name);
    }
}

static bool shapes_fit(const struct object *d, const struct object *a, const struct object *b, const struct object *out)
{
    return d && a && b && out && d->transposed_a == CUBLAS_OP_T && a->rows == b->rows && a->columns == out->rows &&
           b->columns == out->columns;
}

/* With the tensor cores where computing in tf32 and they are both allowed. */
static int uses_tf32(const struct object *d, uint64_t arithmetic)
{
    const uint64_t needed = CUBLASLT_NUMERICAL_IMPL_FLAGS_HMMA | CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_TF32;
    return d->compute == CUBLAS_COMPUTE_32F_FAST_TF32 && (arithmetic & needed) == needed;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int room,
                                              cublasLtMatmulHeuristicResult_t results[], int *found)
{
    CALLED();
    const struct object *product = find(description, DESCRIPTION), *limits = find(preference, PREFERENCE);
    if (!limits || room < 1 || c != d || !shapes_fit(product, find(a, LAYOUT), find(b, LAYOUT), find(d, LAYOUT)))
        WRONG("an algorithm is asked for shapes that do not fit");
    int tf32 = uses_tf32(product, limits->arithmetic);
    *found = limits->most_workspace >= FMA_WORKSPACE;
    if (!*found)
        return CUBLAS_STATUS_SUCCESS;
    results[0] = (cublasLtMatmulHeuristicResult_t){.workspaceSize = tf32 ? 0 : FMA_WORKSPACE, .state = CUBLAS_STATUS_SUCCESS};
    results[0].algo.data[0] = MAGIC + (uint64_t)tf32;
    return CUBLAS_STATUS_SUCCESS;
}

struct matrices {
    float *a, *b, *out, *bias, *noise;
};

static bool fetch(struct matrices *m, const struct object *p, const struct object *a, const struct object *b,
                  const struct object *out, const float *from_a, const float *from_b, const float *added, void *stream)
{
    size_t sizes[] = {(size_t)a->pitch * a->columns, (size_t)b->pitch * b->columns, (size_t)out->pitch * out->columns};
    *m = (struct matrices){malloc(4 * sizes[0] + 4), malloc(4 * sizes[1] + 4), calloc(sizes[2] + 1, 4), calloc(out->rows, 4),
                           calloc(FMA_WORKSPACE, 1)};
    if (!m->a || !m->b || !m->out || !m->bias || !m->noise)
        return false;
    return fake_download(stream, m->a, from_a, sizes[0]) && fake_download(stream, m->b, from_b, sizes[1]) &&
           (!added || fake_download(stream, m->out, added, sizes[2])) &&
           (!(p->epilogue & CUBLASLT_EPILOGUE_BIAS) || fake_download(stream, m->bias, p->bias, out->rows));
}

static void multiply(struct matrices *m, const struct object *p, const struct object *a, const struct object *b,
                     const struct object *out, int tf32, float beta)
{
    for (uint64_t j = 0; j < out->columns; j++)
        for (uint64_t i = 0; i < out->rows; i++) {
            float sum = 0, *to = &m->out[(int64_t)j * out->pitch + (int64_t)i];
            for (uint64_t l = 0; l < a->rows; l++) {
                float x = m->a[(int64_t)i * a->pitch + (int64_t)l], y = m->b[(int64_t)j * b->pitch + (int64_t)l];
                sum = tf32 ? fmaf(fake_tf32(x), fake_tf32(y), sum) : fmaf(x, y, sum);
            }
            sum += beta != 0 ? beta * *to : 0;
            sum += p->epilogue & CUBLASLT_EPILOGUE_BIAS ? m->bias[i] : 0;
            *to = p->epilogue & CUBLASLT_EPILOGUE_RELU && !(sum > 0) ? 0 : sum;
        }
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t layout_a, const void *b, cublasLtMatrixLayout_t layout_b, const void *beta,
                              const void *c, cublasLtMatrixLayout_t layout_c, void *d, cublasLtMatrixLayout_t layout_d,
                              const cublasLtMatmulAlgo_t *algorithm, void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    CALLED();
    const struct object *p = find(description, DESCRIPTION), *of_a = find(layout_a, LAYOUT), *of_b = find(layout_b, LAYOUT),
                        *of_d = find(layout_d, LAYOUT);
    if (!shapes_fit(p, of_a, of_b, of_d) || layout_c != layout_d || *(const float *)alpha != 1 || !algorithm)
        WRONG("a product of shapes that do not fit");
    uint64_t tf32 = algorithm->data[0] - MAGIC;
    if (tf32 > 1 || (tf32 && p->compute != CUBLAS_COMPUTE_32F_FAST_TF32) ||
        workspace_bytes != (tf32 ? 0 : (size_t)FMA_WORKSPACE) || (!tf32 && (uintptr_t)workspace % 16))
        WRONG("a product by an algorithm that was not given for it, or without its workspace");
    const float added = *(const float *)beta;
    struct matrices m;
    bool done = fetch(&m, p, of_a, of_b, of_d, a, b, added != 0 ? c : NULL, stream);
    if (done && !tf32)
        done = fake_upload(stream, workspace, m.noise, FMA_WORKSPACE / sizeof(float));
    if (done) {
        multiply(&m, p, of_a, of_b, of_d, (int)tf32, added);
        done = fake_upload(stream, d, m.out, (size_t)of_d->pitch * of_d->columns);
        products[tf32]++;
    }
    free(m.a);
    free(m.b);
    free(m.out);
    free(m.bias);
    free(m.noise);
    return done ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
