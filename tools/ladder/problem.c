#include "problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/shape.h"

enum { MOST_NUMBERS = 7, LARGEST = 1 << 16 };
static const double MOST_PRODUCT = 1e13;  /* of all numbers: no count of elements overflows */
static const double MOST_BYTES = 1 << 30; /* of a call's tensors: the emulator's device has 8 GiB */

/* ---- Values --------------------------------------------------------------------------------------- */

static struct osp_shape shape_of(int64_t a, int64_t b, int64_t c, int64_t d)
{
    struct osp_shape shape = {.dim = {a, b, c, d}};
    while (shape.rank < OSP_MAX_RANK && shape.dim[shape.rank])
        shape.rank++;
    return shape;
}

static float next_value(uint64_t *seed, float low, float high)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (float)(*seed >> 40) / (float)(1 << 24);
}

void problem_reals(float *to, int64_t count, float low, float high, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = next_value(&seed, low, high);
}

void problem_boxes(float *to, int64_t count, float h, float w)
{
    uint64_t seed = 7;
    for (int64_t i = 0; i < count; i++, to += 4) {
        to[0] = next_value(&seed, 0, w * 0.9f);
        to[1] = next_value(&seed, 0, h * 0.9f);
        to[2] = to[0] + next_value(&seed, 1, w - to[0]);
        to[3] = to[1] + next_value(&seed, 1, h - to[1]);
    }
}

/* Room for input `slot`; NULL, and a sentence, when there is none. */
static void *room_for(struct problem *p, int slot, enum osp_dtype dtype, struct osp_shape shape)
{
    struct osp_tensor *tensor = &p->call.in[slot];
    *tensor = (struct osp_tensor){dtype, shape, NULL};
    p->call.inputs = p->call.inputs > slot + 1 ? p->call.inputs : slot + 1;
    size_t bytes = (size_t)osp_shape_count(&shape) * osp_dtype_size(dtype);
    double all = osp_call_bytes(&p->call);
    if (all > MOST_BYTES) {
        p->status = osp_fail(OSP_USAGE, "--shape: found %.0f bytes of tensors, allowed are %.0f", all, MOST_BYTES);
        return NULL;
    }
    tensor->data = calloc(bytes ? bytes : 1, 1);
    if (!tensor->data)
        p->status = osp_fail(OSP_MEMORY, "out of memory for an input of %zu bytes", bytes);
    return tensor->data;
}

/* Floats of low..high, another sequence for each slot. Returns NULL as above. */
static float *reals(struct problem *p, int slot, float low, float high, struct osp_shape shape)
{
    float *data = room_for(p, slot, OSP_F32, shape);
    if (data)
        problem_reals(data, osp_shape_count(&shape), low, high, (uint64_t)slot + 1);
    return data;
}

/* Weights of -1..1 over about the root of how many are summed, and a bias. */
static bool weights(struct problem *p, struct osp_shape weight, int64_t outputs)
{
    struct osp_shape shapes[] = {weight, shape_of(outputs, 0, 0, 0)};
    for (int i = 0; i < 2 && !p->status; i++) {
        int64_t count = osp_shape_count(&shapes[i]);
        double bytes = (double)count * sizeof(float);
        float *data = bytes > MOST_BYTES ? NULL : malloc((size_t)bytes), high = 1;
        while (high * high * (float)(count / outputs) > 1)
            high /= 2;
        if (data)
            problem_reals(data, count, -high, high, 100 + (uint64_t)i);
        if (bytes > MOST_BYTES)
            p->status = osp_fail(OSP_USAGE, "--shape: found %.0f bytes of weights, allowed are %.0f", bytes, MOST_BYTES);
        else
            p->status =
                data ? osp_constant_new(data, &shapes[i], &p->constant[i]) : osp_fail(OSP_MEMORY, "out of memory for weights");
        free(data);
        p->call.constant[i] = p->constant[i];
    }
    return !p->status;
}

/* Boxes (N,T,4) within h x w, of all sizes, and pictures of that size. */
static bool boxes(struct problem *p, int slot, int64_t n, int64_t t, float h, float w)
{
    float *box = room_for(p, slot, OSP_F32, shape_of(n, t, 4, 0));
    if (box)
        problem_boxes(box, n * t, h, w);
    return box != NULL;
}

static bool pictures(struct problem *p, int slot, int64_t n, int64_t h, int64_t w)
{
    int64_t *row = room_for(p, slot, OSP_I64, shape_of(n, OSP_IMAGE_FIELDS, 0, 0));
    p->call.dims = (struct osp_dims){(int)n, (int)h, (int)w};
    for (int64_t i = 0; row && i < n; i++, row += OSP_IMAGE_FIELDS) {
        row[OSP_IMAGE_H] = row[OSP_IMAGE_RESIZED_H] = h;
        row[OSP_IMAGE_W] = row[OSP_IMAGE_RESIZED_W] = w;
    }
    return row != NULL;
}

static bool counts(struct problem *p, int slot, int64_t n, int64_t each)
{
    int32_t *count = room_for(p, slot, OSP_I32, shape_of(n, 0, 0, 0));
    for (int64_t i = 0; count && i < n; i++)
        count[i] = (int32_t)each;
    return count != NULL;
}

/* ---- The ops; n: the numbers of --shape ------------------------------------------------------------ */

static bool make_conv2d(struct problem *p, const int64_t *n)
{
    p->attrs.conv2d = (struct osp_conv2d_attrs){(int)n[5], (int)n[5], (int)n[6], (int)n[5] / 2, OSP_RELU};
    return reals(p, OSP_CONV2D_X, -1, 1, shape_of(n[0], n[1], n[2], n[3])) && weights(p, shape_of(n[4], n[3], n[5], n[5]), n[4]);
}

static bool make_depthwise(struct problem *p, const int64_t *n)
{
    p->attrs.depthwise = (struct osp_depthwise_attrs){(int)n[4], (int)n[4], (int)n[5], (int)n[4] / 2, OSP_RELU};
    return reals(p, OSP_DEPTHWISE_X, -1, 1, shape_of(n[0], n[1], n[2], n[3])) && weights(p, shape_of(n[3], 1, n[4], n[4]), n[3]);
}

static bool make_linear(struct problem *p, const int64_t *n)
{
    p->attrs.linear = (struct osp_linear_attrs){OSP_RELU};
    return reals(p, OSP_LINEAR_X, -1, 1, shape_of(n[0], n[1], 0, 0)) && weights(p, shape_of(n[2], n[1], 0, 0), n[2]);
}

static bool make_maxpool(struct problem *p, const int64_t *n)
{
    p->attrs.maxpool = (struct osp_maxpool_attrs){(int)n[4], (int)n[4], (int)n[5], (int)n[4] / 2};
    return reals(p, 0, -1, 1, shape_of(n[0], n[1], n[2], n[3])) != NULL;
}

static bool make_avgpool(struct problem *p, const int64_t *n)
{
    return reals(p, 0, -1, 1, shape_of(n[0], n[1], n[2], n[3])) != NULL;
}

static bool make_scale(struct problem *p, const int64_t *n)
{
    return reals(p, OSP_SCALE_X, -1, 1, shape_of(n[0], n[1], n[2], n[3])) &&
           reals(p, OSP_SCALE_FACTOR, 0, 1, shape_of(n[0], 1, 1, n[3]));
}

static bool make_upsample_add(struct problem *p, const int64_t *n)
{
    return reals(p, OSP_UPSAMPLE_ADD_LATERAL, -1, 1, shape_of(n[0], n[1], n[2], n[3])) &&
           reals(p, OSP_UPSAMPLE_ADD_TOP, -1, 1, shape_of(n[0], (n[1] + 1) / 2, (n[2] + 1) / 2, n[3]));
}

static bool make_softmax(struct problem *p, const int64_t *n)
{
    return reals(p, OSP_SOFTMAX_X, -4, 4, shape_of(n[0], n[1], 0, 0)) != NULL;
}

static bool make_topk(struct problem *p, const int64_t *n)
{
    p->attrs.topk = (struct osp_topk_attrs){1, (int)n[4]};
    return reals(p, 0, -4, 4, shape_of(n[0], n[1], n[2], n[3])) != NULL;
}

static bool make_nms(struct problem *p, const int64_t *n)
{
    p->attrs.nms = (struct osp_nms_attrs){0.7f, (int)n[2]};
    return boxes(p, OSP_NMS_BOXES, n[0], n[1], 800, 1088) && reals(p, OSP_NMS_SCORES, 0, 1, shape_of(n[0], n[1], 0, 0)) &&
           room_for(p, OSP_NMS_GROUPS, OSP_I32, shape_of(n[0], n[1], 0, 0));
}

static bool make_roi_align(struct problem *p, const int64_t *n)
{
    enum { STRIDE = 4 };
    p->attrs.roi_align =
        (struct osp_roi_align_attrs){.levels = 1, .size = 7, .sampling_ratio = 2, .canonical_level = 4, .canonical_scale = 224};
    return boxes(p, OSP_ROI_ALIGN_PROPOSALS, n[0], n[4], (float)n[1] * STRIDE, (float)n[2] * STRIDE) &&
           counts(p, OSP_ROI_ALIGN_COUNTS, n[0], n[4]) && pictures(p, OSP_ROI_ALIGN_IMAGES, n[0], n[1] * STRIDE, n[2] * STRIDE) &&
           reals(p, OSP_ROI_ALIGN_FEATURES, -1, 1, shape_of(n[0], n[1], n[2], n[3]));
}

static bool make_resize(struct problem *p, const int64_t *n)
{
    enum { MULTIPLE = 32 };
    const int64_t each = n[1] * n[2] * 3;
    uint8_t *pixels = room_for(p, OSP_RESIZE_PIXELS, OSP_U8, shape_of(n[0] * each, 0, 0, 0));
    uint64_t seed = 3;
    for (int64_t i = 0; pixels && i < n[0] * each; i++)
        pixels[i] = (uint8_t)next_value(&seed, 0, 255);
    if (!pixels || !pictures(p, OSP_RESIZE_IMAGES, n[0], n[3], n[4]))
        return false;
    /* Padded as the input of a network is. */
    p->call.dims.h = (p->call.dims.h + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
    p->call.dims.w = (p->call.dims.w + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
    int64_t *row = p->call.in[OSP_RESIZE_IMAGES].data;
    for (int64_t i = 0; i < n[0]; i++, row += OSP_IMAGE_FIELDS) {
        row[OSP_IMAGE_OFFSET] = i * each;
        row[OSP_IMAGE_H] = n[1];
        row[OSP_IMAGE_W] = n[2];
    }
    p->attrs.resize = (struct osp_resize_attrs){{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 1};
    return true;
}

/* Rows of M logits' places in a map of H x W x A, and the map of their deltas; anchors of 32 to 512 pixels. */
static bool make_rpn_decode(struct problem *p, const int64_t *n)
{
    enum { STRIDE = 16 };
    const int64_t places = n[1] * n[2] * n[3], t = n[4] < places ? n[4] : places;
    struct osp_rpn_decode_attrs *attrs = &p->attrs.rpn_decode;
    if (n[3] > OSP_MAX_ANCHORS) {
        p->status = osp_fail(OSP_USAGE, "--shape: found %d anchors, allowed are %d", (int)n[3], OSP_MAX_ANCHORS);
        return false;
    }
    *attrs = (struct osp_rpn_decode_attrs){.levels = 1, .anchors = (int)n[3], .k = (int)n[4], .min_size = 1e-3f};
    for (int a = 0; a < attrs->anchors; a++)
        for (int side = 0; side < 4; side++)
            attrs->base[0][a][side] = (float)(16 << a % 5) * (side < 2 ? -1.0f : 1.0f);
    int32_t *index = room_for(p, OSP_RPN_DECODE_INDEX, OSP_I32, shape_of(n[0], t, 0, 0));
    uint64_t seed = 5;
    for (int64_t i = 0; index && i < n[0] * t; i++)
        index[i] = (int32_t)next_value(&seed, 0, (float)(places - 1));
    return index && reals(p, OSP_RPN_DECODE_SCORES, -4, 4, shape_of(n[0], t, 0, 0)) &&
           pictures(p, OSP_RPN_DECODE_IMAGES, n[0], n[1] * STRIDE, n[2] * STRIDE) &&
           reals(p, OSP_RPN_DECODE_DELTAS, -1, 1, shape_of(n[0], n[1], n[2], 4 * n[3]));
}

/* Probabilities of which two of a row pass the threshold, as they do where two things overlap. */
static bool make_box_decode(struct problem *p, const int64_t *n)
{
    const int64_t rows = n[0] * n[1], c = n[2];
    float *row = reals(p, OSP_BOX_DECODE_PROBABILITIES, 0, 0.1f / (float)c, shape_of(rows, c, 0, 0));
    uint64_t seed = 9;
    for (int64_t i = 0; row && i < rows; i++, row += c) {
        row[(int64_t)next_value(&seed, 0, (float)c)] = 0.6f;
        row[(int64_t)next_value(&seed, 0, (float)c)] = 0.3f;
    }
    p->attrs.box_decode = (struct osp_box_decode_attrs){
        .weights = {10, 10, 5, 5}, .score_threshold = 0.05f, .min_size = 0.01f, .slots = c - 1 < 20 ? (int)c - 1 : 20};
    if (c < 2)
        p->status = osp_fail(OSP_USAGE, "--shape: found %d class, allowed are 2 and more: the first is the background", (int)c);
    return row && !p->status && reals(p, OSP_BOX_DECODE_DELTAS, -1, 1, shape_of(rows, 4 * c, 0, 0)) &&
           boxes(p, OSP_BOX_DECODE_PROPOSALS, n[0], n[1], 800, 1088) && counts(p, OSP_BOX_DECODE_COUNTS, n[0], n[1]) &&
           pictures(p, OSP_BOX_DECODE_IMAGES, n[0], 800, 1088);
}

struct recipe {
    const char *form, *usual; /* usual: a layer of a network, of a size that takes seconds */
    bool (*make)(struct problem *, const int64_t *numbers);
};
static const struct recipe recipes[] = {
    [OSP_conv2d] = {"NxHxWxC,K,R,STRIDE", "1x100x136x128,128,3,1", make_conv2d},
    [OSP_depthwise] = {"NxHxWxC,R,STRIDE", "1x20x28x184,3,1", make_depthwise},
    [OSP_linear] = {"MxC,K", "1000x1024,1024", make_linear},
    [OSP_maxpool] = {"NxHxWxC,R,STRIDE", "1x400x544x64,3,2", make_maxpool},
    [OSP_avgpool] = {"NxHxWxC", "1x20x28x480", make_avgpool},
    [OSP_scale] = {"NxHxWxC", "1x20x28x480", make_scale},
    [OSP_upsample_add] = {"NxHxWxC", "1x200x272x256", make_upsample_add},
    [OSP_softmax] = {"MxC", "1000x91", make_softmax},
    [OSP_topk] = {"NxHxWxA,K", "1x200x272x3,1000", make_topk},
    [OSP_nms] = {"NxT,MOST", "1x4663,1000", make_nms},
    [OSP_roi_align] = {"NxHxWxC,T", "1x50x68x256,500", make_roi_align},
    [OSP_resize] = {"NxHxW,PxQ", "1x480x640,800x1067", make_resize},
    [OSP_rpn_decode] = {"NxHxWxA,K", "1x50x68x3,1000", make_rpn_decode},
    [OSP_box_decode] = {"NxT,C", "1x1000,91", make_box_decode},
};

_Static_assert(sizeof recipes / sizeof *recipes == OSP_OP_COUNT, "every op has a recipe");

/* Reads as many numbers as the form has words, with the same signs between them. */
static osp_status read_shape(const struct recipe *recipe, const char *shape, int64_t numbers[MOST_NUMBERS])
{
    const char *form = recipe->form, *at = shape;
    double product = 1;
    for (int i = 0;; i++) {
        char *end = NULL;
        long value = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : 0;
        form += strcspn(form, "x,");
        if (value < 1 || value > LARGEST || *end != *form)
            return osp_fail(OSP_USAGE, "--shape: found '%.80s', allowed is %s, with numbers of 1 to %d: %s", shape, recipe->form,
                            LARGEST, recipe->usual);
        numbers[i] = value;
        product *= (double)value;
        if (!*end)
            break;
        at = end + 1;
        form++;
    }
    if (product > MOST_PRODUCT)
        return osp_fail(OSP_USAGE, "--shape: found %s, allowed are numbers whose product is %.0e or less", shape, MOST_PRODUCT);
    return OSP_OK;
}

osp_status problem_new(enum osp_op op, const char *shape, struct problem *out)
{
    const struct recipe *recipe = &recipes[op];
    int64_t numbers[MOST_NUMBERS];
    *out = (struct problem){.call = {.op = op, .dims = {1, 1, 1}}};
    shape = shape ? shape : recipe->usual;
    osp_status status = read_shape(recipe, shape, numbers);
    if (status)
        return status;
    out->call.attrs = &out->attrs;
    snprintf(out->shape, sizeof out->shape, "%s", shape);
    recipe->make(out, numbers); /* what failed is in out->status */
    status = out->status ? out->status : osp_infer(&out->call);
    if (status)
        problem_free(out);
    return status;
}

void problem_free(struct problem *problem)
{
    for (int i = 0; i < OSP_MAX_INPUTS; i++)
        free(problem->call.in[i].data);
    for (int i = 0; i < OSP_MAX_CONSTANTS; i++)
        osp_constant_free(problem->constant[i]);
    *problem = (struct problem){.call = {.op = problem->call.op}};
}
