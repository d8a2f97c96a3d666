/* What the rungs of nms share: the operands, the test of two boxes, how a row is written. */
#ifndef OSPREY_KERNELS_NMS_H
#define OSPREY_KERNELS_NMS_H

#include "kernels/topk/keys.h"

struct nms_operands {
    const float4 *boxes;   /* (N,T): x0 y0 x1 y1 */
    const float *scores;   /* (N,T) */
    const int32_t *groups; /* (N,T), negative: absent */
    float4 *out_boxes;     /* (N,M) */
    float *out_scores;     /* (N,M) */
    int32_t *out_groups;   /* (N,M) */
    int32_t *out_count;    /* (N) */
    int n, t, m;
    float threshold;
};

/* f32, in the order of torchvision's csrc/ops/cpu/nms_kernel.cpp; all of it is the same with a and b exchanged. */
CUDA_DEVICE float nms_area(float4 box) { return (box.z - box.x) * (box.w - box.y); }

CUDA_DEVICE float nms_common(float4 a, float4 b)
{
    float left = a.x < b.x ? b.x : a.x, right = b.z < a.z ? b.z : a.z;
    float top = a.y < b.y ? b.y : a.y, bottom = b.w < a.w ? b.w : a.w;
    float w = right - left > 0 ? right - left : 0, h = bottom - top > 0 ? bottom - top : 0;
    return w * h;
}

/* NaN (two empty boxes, a coordinate that is none) is not above. */
CUDA_DEVICE bool nms_above(float4 a, float area_a, float4 b, float area_b, float threshold)
{
    float inter = nms_common(a, b);
    return inter / (area_a + area_b - inter) > threshold;
}

/* Survivor number `row` of image n is its candidate `position`. */
CUDA_DEVICE void nms_put(const struct nms_operands &o, int64_t n, int row, int position)
{
    int64_t to = n * o.m + row, from = n * o.t + position;
    o.out_boxes[to] = o.boxes[from];
    o.out_scores[to] = o.scores[from];
    o.out_groups[to] = o.groups[from];
}

CUDA_DEVICE void nms_put_nothing(const struct nms_operands &o, int64_t n, int row)
{
    int64_t to = n * o.m + row;
    o.out_boxes[to] = make_float4(0, 0, 0, 0);
    o.out_scores[to] = 0;
    o.out_groups[to] = 0;
}

#if CUDA_HOST
static inline struct nms_operands nms_operands_of(const struct osp_call *call)
{
    const int64_t *dim = call->in[OSP_NMS_SCORES].shape.dim;
    return {(const float4 *)call->in[OSP_NMS_BOXES].data,
            (const float *)call->in[OSP_NMS_SCORES].data,
            (const int32_t *)call->in[OSP_NMS_GROUPS].data,
            (float4 *)call->out[OSP_NMS_OUT_BOXES].data,
            (float *)call->out[OSP_NMS_OUT_SCORES].data,
            (int32_t *)call->out[OSP_NMS_OUT_GROUPS].data,
            (int32_t *)call->out[OSP_NMS_OUT_COUNT].data,
            (int)dim[0],
            (int)dim[1],
            (int)call->out[OSP_NMS_OUT_SCORES].shape.dim[1],
            call->attrs->nms.threshold};
}
#endif

#endif
