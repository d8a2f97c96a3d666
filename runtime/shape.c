#include "shape.h"

#include <string.h>

int osp_op_outputs(enum osp_op op)
{
    switch (op) {
    case OSP_topk:
        return 2;
    case OSP_rpn_decode:
    case OSP_box_decode:
    case OSP_nms:
        return 4;
    default:
        return 1;
    }
}

int osp_op_counts_slot(enum osp_op op)
{
    switch (op) {
    case OSP_conv2d:
        return OSP_CONV2D_COUNTS;
    case OSP_linear:
        return OSP_LINEAR_COUNTS;
    case OSP_softmax:
        return OSP_SOFTMAX_COUNTS;
    case OSP_roi_align:
        return OSP_ROI_ALIGN_COUNTS;
    case OSP_box_decode:
        return OSP_BOX_DECODE_COUNTS;
    default:
        return -1;
    }
}

static osp_status bad(const struct osp_call *call, const char *what)
{
    return osp_fail(OSP_USAGE, "%s: %s", osp_op_name(call->op), what);
}

static void put(struct osp_call *call, int i, enum osp_dtype dtype, int rank, int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
    call->out[i].dtype = dtype;
    call->out[i].shape = (struct osp_shape){rank, {d0, d1, d2, d3}};
}

static int present(const struct osp_call *call, int slot) { return slot < call->inputs && call->in[slot].shape.rank > 0; }

static osp_status check_counts(const struct osp_call *call, int slot, int64_t rows)
{
    if (!present(call, slot))
        return OSP_OK;
    const struct osp_tensor *counts = &call->in[slot];
    if (counts->dtype != OSP_I32 || counts->shape.rank != 1 || counts->shape.dim[0] < 1 || rows % counts->shape.dim[0])
        return bad(call, "counts must be i32 (N) with N dividing the rows");
    return OSP_OK;
}

/* Output length along one axis, floor mode; 0 or less when the filter does not fit. */
static int64_t slid(int64_t in, int64_t filter, int64_t stride, int64_t pad)
{
    return in + 2 * pad < filter ? 0 : (in + 2 * pad - filter) / stride + 1;
}

static osp_status sliding(struct osp_call *call, int64_t k, int r, int s, int stride, int pad)
{
    const struct osp_shape *x = &call->in[0].shape;
    if (x->rank != 4)
        return bad(call, "x must have 4 dimensions");
    if (r < 1 || s < 1 || stride < 1 || pad < 0 || pad >= r || pad >= s)
        return bad(call, "filter and stride must be at least 1, padding smaller than the filter");
    int64_t p = slid(x->dim[1], r, stride, pad), q = slid(x->dim[2], s, stride, pad);
    if (p < 1 || q < 1)
        return osp_fail(OSP_USAGE, "%s: a %lldx%lld map is too small for a %dx%d filter with padding %d", osp_op_name(call->op),
                        (long long)x->dim[1], (long long)x->dim[2], r, s, pad);
    put(call, 0, OSP_F32, 4, x->dim[0], p, q, k);
    return OSP_OK;
}

static osp_status infer_resize(struct osp_call *call)
{
    put(call, 0, OSP_F32, 4, call->dims.n, call->dims.h, call->dims.w, 3);
    return OSP_OK;
}

static osp_status infer_conv2d(struct osp_call *call)
{
    const struct osp_conv2d_attrs *a = &call->attrs->conv2d;
    struct osp_shape w = osp_constant_shape(call->constant[OSP_WEIGHT]);
    if (w.rank != 4 || w.dim[1] != call->in[0].shape.dim[3] || w.dim[2] != a->r || w.dim[3] != a->s)
        return bad(call, "the weight's (K,C,R,S) does not fit x and the filter");
    osp_status status = sliding(call, w.dim[0], a->r, a->s, a->stride, a->pad);
    if (status)
        return status;
    if (present(call, OSP_CONV2D_RESIDUAL) &&
        memcmp(call->in[OSP_CONV2D_RESIDUAL].shape.dim, call->out[0].shape.dim, sizeof call->out[0].shape.dim))
        return bad(call, "the residual must have the output's shape");
    return check_counts(call, OSP_CONV2D_COUNTS, call->in[0].shape.dim[0]);
}

static osp_status infer_depthwise(struct osp_call *call)
{
    const struct osp_depthwise_attrs *a = &call->attrs->depthwise;
    struct osp_shape w = osp_constant_shape(call->constant[OSP_WEIGHT]);
    if (w.rank != 4 || w.dim[0] != call->in[0].shape.dim[3] || w.dim[1] != 1 || w.dim[2] != a->r || w.dim[3] != a->s)
        return bad(call, "the weight's (C,1,R,S) does not fit x and the filter");
    return sliding(call, w.dim[0], a->r, a->s, a->stride, a->pad);
}

static osp_status infer_maxpool(struct osp_call *call)
{
    const struct osp_maxpool_attrs *a = &call->attrs->maxpool;
    return sliding(call, call->in[0].shape.dim[3], a->r, a->s, a->stride, a->pad);
}

static osp_status infer_avgpool(struct osp_call *call)
{
    const struct osp_shape *x = &call->in[0].shape;
    if (x->rank != 4)
        return bad(call, "x must have 4 dimensions");
    put(call, 0, OSP_F32, 4, x->dim[0], 1, 1, x->dim[3]);
    return OSP_OK;
}

static osp_status infer_scale(struct osp_call *call)
{
    const struct osp_shape *x = &call->in[OSP_SCALE_X].shape, *f = &call->in[OSP_SCALE_FACTOR].shape;
    if (x->rank != 4 || f->rank != 4 || f->dim[0] != x->dim[0] || f->dim[1] != 1 || f->dim[2] != 1 || f->dim[3] != x->dim[3])
        return bad(call, "the factor must be (N,1,1,C) for x (N,H,W,C)");
    call->out[0] = (struct osp_tensor){.dtype = OSP_F32, .shape = *x};
    return OSP_OK;
}

static osp_status infer_upsample_add(struct osp_call *call)
{
    const struct osp_shape *x = &call->in[OSP_UPSAMPLE_ADD_LATERAL].shape, *top = &call->in[OSP_UPSAMPLE_ADD_TOP].shape;
    if (x->rank != 4 || top->rank != 4 || top->dim[0] != x->dim[0] || top->dim[3] != x->dim[3])
        return bad(call, "lateral and top must agree in images and channels");
    call->out[0] = (struct osp_tensor){.dtype = OSP_F32, .shape = *x};
    return OSP_OK;
}

static osp_status infer_topk(struct osp_call *call)
{
    const struct osp_topk_attrs *a = &call->attrs->topk;
    if (a->levels < 1 || a->levels > OSP_MAX_LEVELS || call->inputs != a->levels || a->k < 1)
        return bad(call, "1 to 5 levels, one input each, and k of at least 1 are needed");
    int64_t t = 0;
    for (int i = 0; i < a->levels; i++) {
        const struct osp_shape *x = &call->in[i].shape;
        int64_t positions = x->dim[1] * x->dim[2] * x->dim[3];
        if (x->rank != 4 || positions > INT32_MAX)
            return bad(call, "each level must be (N,H,W,A) with fewer than 2^31 positions");
        t += positions < a->k ? positions : a->k;
    }
    put(call, 0, OSP_F32, 2, call->in[0].shape.dim[0], t, 0, 0);
    put(call, 1, OSP_I32, 2, call->in[0].shape.dim[0], t, 0, 0);
    return OSP_OK;
}

/* boxes, scores, groups of `rows` candidates an image, and a number for each image. */
static void put_candidates(struct osp_call *call, int64_t n, int64_t rows)
{
    put(call, 0, OSP_F32, 3, n, rows, 4, 0);
    put(call, 1, OSP_F32, 2, n, rows, 0, 0);
    put(call, 2, OSP_I32, 2, n, rows, 0, 0);
    put(call, 3, OSP_I32, 1, n, 0, 0, 0);
}

static osp_status infer_rpn_decode(struct osp_call *call)
{
    const struct osp_rpn_decode_attrs *a = &call->attrs->rpn_decode;
    const struct osp_shape *scores = &call->in[OSP_RPN_DECODE_SCORES].shape;
    if (a->levels < 1 || a->levels > OSP_MAX_LEVELS || a->anchors < 1 || a->anchors > OSP_MAX_ANCHORS ||
        call->inputs != OSP_RPN_DECODE_DELTAS + a->levels)
        return bad(call, "1 to 5 levels of 1 to 15 anchors, one delta map each, are needed");
    int64_t t = 0;
    for (int i = 0; i < a->levels; i++) {
        const struct osp_shape *d = &call->in[OSP_RPN_DECODE_DELTAS + i].shape;
        int64_t positions = d->dim[1] * d->dim[2] * a->anchors;
        if (d->rank != 4 || d->dim[3] != 4 * a->anchors || d->dim[1] > call->dims.h || d->dim[2] > call->dims.w)
            return bad(call, "a delta map must be (N,H,W,4A)");
        t += positions < a->k ? positions : a->k;
    }
    if (scores->rank != 2 || scores->dim[1] != t)
        return bad(call, "scores must come from topk over the same levels with the same k");
    put_candidates(call, scores->dim[0], t);
    return OSP_OK;
}

static osp_status infer_nms(struct osp_call *call)
{
    const struct osp_shape *scores = &call->in[OSP_NMS_SCORES].shape;
    int32_t most = call->attrs->nms.max_out;
    if (scores->rank != 2 || most < 1)
        return bad(call, "scores must be (N,T) and max_out at least 1");
    put_candidates(call, scores->dim[0], scores->dim[1] < most ? scores->dim[1] : most);
    return OSP_OK;
}

static osp_status infer_roi_align(struct osp_call *call)
{
    const struct osp_roi_align_attrs *a = &call->attrs->roi_align;
    const struct osp_shape *rois = &call->in[OSP_ROI_ALIGN_PROPOSALS].shape;
    if (a->levels < 1 || a->levels > OSP_MAX_LEVELS || call->inputs != OSP_ROI_ALIGN_FEATURES + a->levels || rois->rank != 3 ||
        a->size < 1 || a->sampling_ratio < 1)
        return bad(call, "proposals (N,T,4), 1 to 5 levels, a size and a sampling ratio of at least 1 are needed");
    int64_t c = call->in[OSP_ROI_ALIGN_FEATURES].shape.dim[3];
    for (int i = 1; i < a->levels; i++)
        if (call->in[OSP_ROI_ALIGN_FEATURES + i].shape.dim[3] != c)
            return bad(call, "all levels must have the same channels");
    put(call, 0, OSP_F32, 4, rois->dim[0] * rois->dim[1], a->size, a->size, c);
    return check_counts(call, OSP_ROI_ALIGN_COUNTS, rois->dim[0] * rois->dim[1]);
}

static osp_status infer_linear(struct osp_call *call)
{
    struct osp_shape x = call->in[OSP_LINEAR_X].shape, w = osp_constant_shape(call->constant[OSP_WEIGHT]);
    int64_t rows = x.dim[0];
    if (x.rank < 2 || w.rank != 2 || osp_shape_count(&x) != rows * w.dim[1])
        return bad(call, "x (M,...) must have as many columns as the weight (K,C)");
    put(call, 0, OSP_F32, 2, rows, w.dim[0], 0, 0);
    return check_counts(call, OSP_LINEAR_COUNTS, rows);
}

static osp_status infer_softmax(struct osp_call *call)
{
    const struct osp_shape *x = &call->in[OSP_SOFTMAX_X].shape;
    if (x->rank != 2 || x->dim[1] < 1)
        return bad(call, "x must be (M,C)");
    call->out[0] = (struct osp_tensor){.dtype = OSP_F32, .shape = *x};
    return check_counts(call, OSP_SOFTMAX_COUNTS, x->dim[0]);
}

static osp_status infer_box_decode(struct osp_call *call)
{
    const struct osp_shape *p = &call->in[OSP_BOX_DECODE_PROBABILITIES].shape, *d = &call->in[OSP_BOX_DECODE_DELTAS].shape;
    const struct osp_shape *rois = &call->in[OSP_BOX_DECODE_PROPOSALS].shape;
    int64_t slots = call->attrs->box_decode.slots;
    if (p->rank != 2 || d->rank != 2 || rois->rank != 3 || d->dim[1] != 4 * p->dim[1] ||
        p->dim[0] != rois->dim[0] * rois->dim[1] || d->dim[0] != p->dim[0] || slots < 1 || slots >= p->dim[1])
        return bad(call, "probabilities (N*T,C), deltas (N*T,4C), proposals (N,T,4) and 1 to C-1 slots are needed");
    put_candidates(call, rois->dim[0], rois->dim[1] * slots);
    return check_counts(call, OSP_BOX_DECODE_COUNTS, p->dim[0]);
}

osp_status osp_infer(struct osp_call *call)
{
    static osp_status (*const infer[OSP_OP_COUNT])(struct osp_call *) = {
#define OSP_OP(name, help) infer_##name,
#include "ops.def"
#undef OSP_OP
    };
    memset(call->out, 0, sizeof call->out);
    call->outputs = osp_op_outputs(call->op);
    osp_status status = infer[call->op](call);
    if (status)
        return status;
    for (int i = 0; i < call->outputs; i++) {
        uint64_t bytes = osp_dtype_size(call->out[i].dtype);
        for (int d = 0; d < call->out[i].shape.rank; d++)
            if (__builtin_mul_overflow(bytes, (uint64_t)call->out[i].shape.dim[d], &bytes) || bytes > (uint64_t)1 << 46)
                return bad(call, "an output would need more than 64 TiB");
    }
    return OSP_OK;
}

double osp_call_macs(const struct osp_call *call)
{
    struct osp_shape w;
    switch (call->op) {
    case OSP_conv2d:
    case OSP_depthwise: /* every output sums C*R*S products; a depthwise weight's C is 1 */
        w = osp_constant_shape(call->constant[OSP_WEIGHT]);
        return (double)osp_shape_count(&call->out[0].shape) * (double)(w.dim[1] * w.dim[2] * w.dim[3]);
    case OSP_linear:
        w = osp_constant_shape(call->constant[OSP_WEIGHT]);
        return (double)osp_shape_count(&call->out[0].shape) * (double)w.dim[1];
    default:
        return 0;
    }
}

double osp_call_bytes(const struct osp_call *call)
{
    double bytes = 0;
    for (int i = 0; i < call->inputs; i++)
        if (call->in[i].shape.rank)
            bytes += (double)osp_shape_count(&call->in[i].shape) * (double)osp_dtype_size(call->in[i].dtype);
    for (int i = 0; i < OSP_MAX_CONSTANTS; i++)
        if (call->constant[i]) {
            struct osp_shape shape = osp_constant_shape(call->constant[i]);
            bytes += (double)osp_shape_count(&shape) * 4;
        }
    for (int i = 0; i < call->outputs; i++)
        bytes += (double)osp_shape_count(&call->out[i].shape) * (double)osp_dtype_size(call->out[i].dtype);
    return bytes;
}
