/* The stand-in's engines, and what they compute: the operations of a graph, one after the other, from its descriptors alone. */
#include "cudnn.h"

#include <math.h>
#include <stdlib.h>

const struct fake_engine fake_engines[FAKE_ENGINES] = {
    [FAKE_F32] = {"multiply-adds", 0, 1, {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP}},
    [FAKE_TF32] = {"tensor cores", 0, 1, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}},
    [FAKE_WINOGRAD] = {"Winograd", 0, 2, {CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4}},
    [FAKE_LOOSE] = {"sums in any order", 0, 1, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}},
    [FAKE_ROUNDED] = {"rounded sums", 0, 1, {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION}},
    [FAKE_UNSUPPORTED] = {"for another GPU", 0, 0, {0}},
    [FAKE_LARGE] = {"large workspace", 1ll << 40, 0, {0}},
    [FAKE_WORKSPACE] = {"multiply-adds, workspace", 1000, 0, {0}},
};

static unsigned offers[3];
static int engine = -1, operations;

void fake_nvidia_offer(unsigned a, unsigned b, unsigned fallback)
{
    offers[0] = a;
    offers[1] = b;
    offers[2] = fallback;
}
int fake_nvidia_engine(void) { return engine; }
int fake_nvidia_operations(void) { return operations; }

int fake_offered(cudnnBackendHeurMode_t mode, int engines[FAKE_ENGINES])
{
    unsigned offer = offers[mode == CUDNN_HEUR_MODE_A ? 0 : mode == CUDNN_HEUR_MODE_B ? 1 : 2];
    int count = 0;
    for (int i = 0; i < FAKE_ENGINES; i++)
        if (offer >> i & 1)
            engines[count++] = i;
    return count;
}

static int64_t dim(const struct fake_descriptor *tensor, int i) { return fake_integer(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, i); }

static bool convolution_fits(const struct fake_descriptor *op)
{
    const struct fake_descriptor *conv = fake_part(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, 0),
                                 *x = fake_part(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, 0),
                                 *w = fake_part(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, 0),
                                 *y = fake_part(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, 0);
    for (int i = 0; i < 2; i++) {
        int64_t padded = dim(x, 2 + i) + fake_integer(conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, i) +
                         fake_integer(conv, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, i);
        if (dim(y, 2 + i) != (padded - dim(w, 2 + i)) / fake_integer(conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, i) + 1 ||
            fake_integer(conv, CUDNN_ATTR_CONVOLUTION_DILATIONS, i) != 1)
            return false;
    }
    return dim(x, 0) == dim(y, 0) && dim(x, 1) == dim(w, 1) && dim(w, 0) == dim(y, 1) &&
           fake_enum(conv, CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION &&
           fake_enum(conv, CUDNN_ATTR_CONVOLUTION_COMP_TYPE) == CUDNN_DATA_FLOAT;
}

bool fake_shapes_fit(const struct fake_descriptor *op)
{
    if (op->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
        return convolution_fits(op);
    if (op->type != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
        return true;
    const struct fake_descriptor *x = fake_part(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, 0),
                                 *b = fake_part(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, 0),
                                 *y = fake_part(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, 0);
    for (int i = 0; i < 4; i++)
        if (dim(x, i) != dim(y, i) || (b && dim(b, i) != dim(y, i) && dim(b, i) != 1))
            return false;
    return true;
}

/* ---- Values ----------------------------------------------------------------------------------------- */

struct value {
    int64_t uid, dims[4], strides[4];
    bool is_virtual;
    size_t floats;
    float *data;
    void *device;
};

struct run {
    void *stream;
    const struct fake_descriptor *pack;
    struct value values[9];
    int count;
    struct value *last; /* what the last operation wrote */
    bool failed;
};

static float *at(const struct value *v, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t index[4] = {a, b, c, d};
    int64_t offset = 0;
    for (int i = 0; i < 4; i++)
        offset += v->dims[i] == 1 ? 0 : index[i] * v->strides[i];
    return v->data + offset;
}

/* The value of a tensor, with what the device holds of it. */
static struct value *value_of(struct run *run, const struct fake_descriptor *tensor)
{
    int64_t uid = fake_integer(tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, 0), last = 0;
    for (int i = 0; i < run->count; i++)
        if (run->values[i].uid == uid)
            return &run->values[i];
    struct value *v = &run->values[run->count++];
    const struct fake_attribute *is_virtual = fake_attribute(tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL),
                                *ids = fake_attribute(run->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS),
                                *pointers = fake_attribute(run->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    *v = (struct value){.uid = uid, .is_virtual = is_virtual && *(const bool *)is_virtual->values};
    for (int i = 0; i < 4; i++) {
        v->dims[i] = dim(tensor, i);
        v->strides[i] = fake_integer(tensor, CUDNN_ATTR_TENSOR_STRIDES, i);
        last += (v->dims[i] - 1) * v->strides[i];
    }
    v->floats = (size_t)last + 1;
    v->data = malloc(v->floats * sizeof *v->data);
    for (int64_t i = 0; i < ids->count && i < pointers->count; i++)
        if (((const int64_t *)ids->values)[i] == uid)
            v->device = ((void **)pointers->values)[i];
    if (!v->is_virtual && (uintptr_t)v->device % (uintptr_t)fake_integer(tensor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 0)) {
        fake_wrong("operand %lld is not as aligned as was said", (long long)uid);
        run->failed = true;
    }
    if (!v->data || (!v->is_virtual && (!v->device || !fake_download(run->stream, v->data, v->device, v->floats)))) {
        fake_wrong("operand %lld has no memory", (long long)uid);
        run->failed = true;
    }
    return v;
}

static void convolve(struct run *run, const struct fake_descriptor *op, bool tf32)
{
    const struct fake_descriptor *conv = fake_part(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, 0);
    struct value *x = value_of(run, fake_part(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, 0));
    struct value *w = value_of(run, fake_part(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, 0));
    struct value *y = value_of(run, fake_part(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, 0));
    if (run->failed)
        return;
    int64_t stride[2], pad[2];
    for (int i = 0; i < 2; i++) {
        stride[i] = fake_integer(conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, i);
        pad[i] = fake_integer(conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, i);
    }
    for (int64_t i = 0; i < y->dims[0] * y->dims[1] * y->dims[2] * y->dims[3]; i++) {
        int64_t k = i % y->dims[1], q = i / y->dims[1] % y->dims[3], p = i / y->dims[1] / y->dims[3] % y->dims[2],
                n = i / y->dims[1] / y->dims[3] / y->dims[2];
        float sum = 0;
        for (int64_t r = 0; r < w->dims[2]; r++)
            for (int64_t s = 0; s < w->dims[3]; s++) {
                int64_t h = p * stride[0] + r - pad[0], v = q * stride[1] + s - pad[1];
                for (int64_t c = 0; h >= 0 && h < x->dims[2] && v >= 0 && v < x->dims[3] && c < x->dims[1]; c++) {
                    float a = *at(x, n, c, h, v), b = *at(w, k, c, r, s);
                    sum = tf32 ? fmaf(fake_tf32(a), fake_tf32(b), sum) : fmaf(a, b, sum);
                }
            }
        *at(y, n, k, p, q) = sum;
    }
    run->last = y;
}

static void point(struct run *run, const struct fake_descriptor *op)
{
    const struct fake_descriptor *how = fake_part(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, 0),
                                 *other = fake_part(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, 0);
    const struct fake_attribute *clip = fake_attribute(how, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP);
    const int mode = fake_enum(how, CUDNN_ATTR_POINTWISE_MODE);
    const double most = clip ? *(const double *)clip->values : (double)INFINITY;
    struct value *x = value_of(run, fake_part(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, 0));
    struct value *b = other ? value_of(run, other) : NULL;
    struct value *y = value_of(run, fake_part(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, 0));
    if (run->failed)
        return;
    if ((mode != CUDNN_POINTWISE_ADD || !b) && (mode != CUDNN_POINTWISE_RELU_FWD || b)) {
        fake_wrong("pointwise mode %d with %d operands", mode, b ? 2 : 1);
        run->failed = true;
        return;
    }
    for (int64_t n = 0; n < y->dims[0]; n++)
        for (int64_t c = 0; c < y->dims[1]; c++)
            for (int64_t h = 0; h < y->dims[2]; h++)
                for (int64_t w = 0; w < y->dims[3]; w++) {
                    float v = *at(x, n, c, h, w);
                    if (b)
                        v += *at(b, n, c, h, w);
                    else
                        v = v > 0 ? fminf(v, (float)most) : 0; /* of NaN too */
                    *at(y, n, c, h, w) = v;
                }
    run->last = y;
}

/* Writes all of the workspace, as an engine may. */
static bool spoil(struct run *run, int64_t bytes)
{
    void *workspace = *(void **)fake_attribute(run->pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE)->values;
    float *noise = calloc((size_t)bytes + 4, 1);
    bool done = !bytes || (noise && workspace && fake_upload(run->stream, workspace, noise, (size_t)bytes / sizeof *noise));
    if (!done)
        fake_wrong("a workspace of %lld bytes is not there", (long long)bytes);
    free(noise);
    return done;
}

bool fake_run(void *stream, const struct fake_descriptor *plan, const struct fake_descriptor *pack)
{
    const struct fake_descriptor *config = fake_part(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 0), *graph = config->graph,
                                 *op;
    struct run run = {.stream = stream, .pack = pack};
    engine = config->engine;
    operations = 0;
    run.failed = !spoil(&run, fake_engines[engine].workspace);
    for (; !run.failed && (op = fake_part(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, operations)) != NULL; operations++) {
        if (op->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
            convolve(&run, op, engine == FAKE_TF32);
        else
            point(&run, op);
    }
    if (!run.failed && (run.last->is_virtual || !fake_upload(stream, run.last->device, run.last->data, run.last->floats))) {
        fake_wrong("what the last operation writes is not in memory");
        run.failed = true;
    }
    for (int i = 0; i < run.count; i++)
        free(run.values[i].data);
    return !run.failed;
}
