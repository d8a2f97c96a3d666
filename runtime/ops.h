/* The ops: attributes and operand slots. Compiled as C and as C++ (CUDA, emulator).
 *
 * Letters: N images, H W height and width, C channels in, K channels out, R S filter, P Q output height and width,
 * L pyramid levels, A anchors a position, T rows an image (capacity), M rows in all (N*T).
 * Activations are NHWC, f32 unless said. Weights arrive in the file's order (K,C,R,S) through osp_constant.
 *
 * `counts` (N) i32: image n has counts[n] valid rows of T; rows at or past the count are written as zeros by every
 * producer and never read by a consumer. An absent optional input has data NULL.
 *
 * Sums have one order, in every kernel that does not say otherwise: acc = 0; for r, for s, for c: acc = fmaf(x, w, acc);
 * then + bias, then + residual, then the activation. Taps in the padding are left out (not multiplied by zero).
 */
#ifndef OSPREY_OPS_H
#define OSPREY_OPS_H

#include <stdint.h>

#include "scalar.h"

#ifdef __cplusplus
extern "C" {
#endif

enum osp_op {
#define OSP_OP(name, help) OSP_##name,
#include "ops.def"
#undef OSP_OP
    OSP_OP_COUNT
};

enum { OSP_MAX_LEVELS = 5, OSP_MAX_ANCHORS = 15, OSP_MAX_INPUTS = 8, OSP_MAX_OUTPUTS = 4, OSP_MAX_CONSTANTS = 2 };

enum osp_activation { OSP_LINEAR, OSP_RELU, OSP_RELU6, OSP_HARDSWISH, OSP_HARDSIGMOID };

/* max(x,0); min(max(x,0),6); x min(max(x+3,0),6) / 6; min(max(x+3,0),6) / 6. NaN stays NaN, as in torch. */
OSP_SCALAR float osp_activate(enum osp_activation activation, float x)
{
    float gate = x + 3.0f;
    gate = gate < 0.0f ? 0.0f : gate;
    gate = gate > 6.0f ? 6.0f : gate;
    switch (activation) {
    case OSP_RELU:
        return x < 0.0f ? 0.0f : x;
    case OSP_RELU6:
        x = x < 0.0f ? 0.0f : x;
        return x > 6.0f ? 6.0f : x;
    case OSP_HARDSWISH:
        return x * gate / 6.0f;
    case OSP_HARDSIGMOID:
        return gate / 6.0f;
    default:
        return x;
    }
}

/* A row of `images` (N,5) i64: where picture n starts in `pixels` (bytes), its size, and its size after the resize.
 * Everything past (resized_h, resized_w) in the padded batch is padding. */
enum { OSP_IMAGE_OFFSET, OSP_IMAGE_H, OSP_IMAGE_W, OSP_IMAGE_RESIZED_H, OSP_IMAGE_RESIZED_W, OSP_IMAGE_FIELDS };

/* resize: in pixels (bytes) u8, images (N,5) i64; out (N,H,W,3), H and W from the plan.
 * x = (u8/255 - mean) / std, `times` times over; bilinear, align_corners false, no antialias; padding 0.
 * Source position, f32: max(fmaf((float)in/out, dst + 0.5, -0.5), 0), fused as in torch's AVX2 and AVX-512 builds; then
 * (left*(1-u) + right*u) of the upper row * (1-v) + that of the lower row * v. torchvision GeneralizedRCNNTransform. */
enum { OSP_RESIZE_PIXELS, OSP_RESIZE_IMAGES };
struct osp_resize_attrs {
    float mean[3], std[3];
    int32_t times; /* 1, or 2 for Detecto's fine-tuned models */
};

/* conv2d: in x (N,H,W,C), residual (N,P,Q,K) optional, counts optional (x then has N*T images); constants weight (K,C,R,S),
 * bias (K) optional; out (N,P,Q,K) = activation(conv + bias + residual). torch.nn.functional.conv2d, groups 1. */
enum { OSP_CONV2D_X, OSP_CONV2D_RESIDUAL, OSP_CONV2D_COUNTS };
enum { OSP_WEIGHT, OSP_BIAS }; /* constants of conv2d, depthwise and linear */
struct osp_conv2d_attrs {
    int32_t r, s, stride, pad; /* the same stride and padding on both axes */
    enum osp_activation activation;
};

/* depthwise: in x (N,H,W,C); constants weight (C,1,R,S), bias (C) optional; out (N,P,Q,C). conv2d with groups = C. */
enum { OSP_DEPTHWISE_X };
struct osp_depthwise_attrs {
    int32_t r, s, stride, pad;
    enum osp_activation activation;
};

/* maxpool: in x (N,H,W,C); out (N,P,Q,C), floor mode, padding never wins. torch.nn.functional.max_pool2d. */
struct osp_maxpool_attrs {
    int32_t r, s, stride, pad;
};

/* avgpool: in x (N,H,W,C); out (N,1,1,C). Each row is summed over w, the rows' sums over h, and the total is divided once: two short sums
 * round far less than one of H*W values. */
struct osp_avgpool_attrs {
    int32_t unused;
};

/* scale: in x (N,H,W,C), factor (N,1,1,C); out (N,H,W,C). */
enum { OSP_SCALE_X, OSP_SCALE_FACTOR };
struct osp_scale_attrs {
    int32_t unused;
};

/* upsample_add: in lateral (N,H,W,C), top (N,h,w,C); out (N,H,W,C) = lateral + top[floor(y*h/H), floor(x*w/W)].
 * torch.nn.functional.interpolate(mode="nearest"): the source index is floor(dst * ((float)h/H)) in f32, at most h-1. */
enum { OSP_UPSAMPLE_ADD_LATERAL, OSP_UPSAMPLE_ADD_TOP };
struct osp_upsample_add_attrs {
    int32_t unused;
};

/* topk: in L logit maps (N,H,W,A); out scores (N,T), index (N,T) i32: for each level in turn its min(k, H*W*A) best, descending;
 * equal scores by ascending position, NaN last. index is the position in the level, (y*W + x)*A + a. T is the sum over levels. */
struct osp_topk_attrs {
    int32_t levels, k;
};

/* rpn_decode: in scores (N,T), index (N,T) from topk, images (N,5), then L delta maps (N,H,W,4A), channel a*4 + {dx,dy,dw,dh};
 * out boxes (N,T,4) clipped to (resized_h, resized_w), scores (N,T) = sigmoid, groups (N,T) i32 = level, -1 where dropped
 * (a side < min_size, score < score_threshold, or not finite), nonfinite (N) i32. A dropped row's box and score are 0.
 * Anchors: base[level][a] + (x*stride_w, y*stride_h), stride = padded size / map size (integers). BoxCoder weights 1; dw, dh at most
 * log(1000/16). torchvision RegionProposalNetwork.filter_proposals. The padded size is the plan's H and W. */
enum { OSP_RPN_DECODE_SCORES, OSP_RPN_DECODE_INDEX, OSP_RPN_DECODE_IMAGES, OSP_RPN_DECODE_DELTAS };
struct osp_rpn_decode_attrs {
    int32_t levels, anchors, k; /* k as in topk: fixes where each level starts in T */
    float min_size, score_threshold;
    float base[OSP_MAX_LEVELS][OSP_MAX_ANCHORS][4];
};

/* nms: in boxes (N,T,4), scores (N,T), groups (N,T) i32 (-1: absent); out boxes (N,M,4), scores (N,M), groups (N,M) i32,
 * count (N) i32, best score first, M = min(max_out, T). Within a group, greedy: a box goes if inter / (a + b - inter) > threshold
 * with a better one that stays. Order everywhere: score descending, then position ascending. Exact by group: no coordinate offsets.
 * `threshold` is the largest float not above the model's double, so that f32 IoU > it exactly when torchvision's CPU says so.
 * torchvision.ops.batched_nms, vanilla. */
enum { OSP_NMS_BOXES, OSP_NMS_SCORES, OSP_NMS_GROUPS };
enum { OSP_NMS_OUT_BOXES, OSP_NMS_OUT_SCORES, OSP_NMS_OUT_GROUPS, OSP_NMS_OUT_COUNT };
struct osp_nms_attrs {
    float threshold;
    int32_t max_out;
};

/* roi_align: in proposals (N,T,4), counts (N), images (N,5), then L feature maps (N,H,W,C); out (N*T,size,size,C).
 * aligned false; level = clamp(floor(canonical_level + log2(sqrt(area) / canonical_scale) + 1e-6), kmin, kmax) - kmin; scale of a level =
 * 2^round(log2(map height / largest resized_h of the batch)), kmin and kmax from the first and last scale. torchvision MultiScaleRoIAlign. */
enum { OSP_ROI_ALIGN_PROPOSALS, OSP_ROI_ALIGN_COUNTS, OSP_ROI_ALIGN_IMAGES, OSP_ROI_ALIGN_FEATURES };
struct osp_roi_align_attrs {
    int32_t levels, size, sampling_ratio, canonical_level;
    float canonical_scale;
};

/* linear: in x (M, ...) seen as (M,C), counts optional; constants weight (K,C), bias (K) optional; out (M,K). torch.nn.Linear. */
enum { OSP_LINEAR_X, OSP_LINEAR_COUNTS };
struct osp_linear_attrs {
    enum osp_activation activation;
};

/* softmax: in x (M,C), counts optional; out (M,C). exp(x - max), sum in class order, one division each. */
enum { OSP_SOFTMAX_X, OSP_SOFTMAX_COUNTS };
struct osp_softmax_attrs {
    int32_t unused;
};

/* box_decode: in probabilities (N*T,C), deltas (N*T,4C) class-major, proposals (N,T,4), counts (N), images (N,5);
 * out boxes (N,T*slots,4), scores (N,T*slots), groups (N,T*slots) i32 = class, -1 where empty, nonfinite (N) i32.
 * Row t fills slots t*slots.. in class order with the classes 1..C-1 whose probability > score_threshold and whose clipped box has
 * both sides >= min_size; `slots` is large enough for every class that can pass. An empty slot's box and score are 0.
 * BoxCoder weights as given; dw, dh at most log(1000/16). torchvision RoIHeads.postprocess_detections up to its NMS. */
enum { OSP_BOX_DECODE_PROBABILITIES, OSP_BOX_DECODE_DELTAS, OSP_BOX_DECODE_PROPOSALS, OSP_BOX_DECODE_COUNTS, OSP_BOX_DECODE_IMAGES };
struct osp_box_decode_attrs {
    float weights[4];
    float score_threshold, min_size;
    int32_t slots;
};

/* rpn_decode and box_decode share these outputs. `nonfinite` counts the valid rows' candidates whose score is not finite, or whose score
 * passes the threshold and whose box is not finite before it is clipped. */
enum { OSP_DECODE_OUT_BOXES, OSP_DECODE_OUT_SCORES, OSP_DECODE_OUT_GROUPS, OSP_DECODE_OUT_NONFINITE };

union osp_attrs {
#define OSP_OP(name, help) struct osp_##name##_attrs name;
#include "ops.def"
#undef OSP_OP
};

#define OSP_BOX_CLAMP 4.135166556742356f /* log(1000/16): torchvision BoxCoder.bbox_xform_clip */

#ifdef __cplusplus
}
#endif
#endif
