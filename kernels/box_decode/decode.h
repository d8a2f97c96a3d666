/* A reference box and four deltas to a clipped, judged candidate: what box_decode and rpn_decode share. f32, in the order of
 * torchvision's BoxCoder.decode_single, clip_boxes_to_image and remove_small_boxes. */
#ifndef OSPREY_KERNELS_DECODE_H
#define OSPREY_KERNELS_DECODE_H

#include "kernels/device.h"

enum decode_verdict { DECODE_KEPT, DECODE_SMALL, DECODE_NONFINITE };

struct decode_box {
    float side[4]; /* x0 y0 x1 y1 */
};

/* One axis: low and high end of the reference to low and high end of the result. */
CUDA_DEVICE void decode_axis(float low, float high, float shift, float stretch, float &out_low, float &out_high)
{
    float size = high - low, centre = low + 0.5f * size;
    stretch = stretch > OSP_BOX_CLAMP ? OSP_BOX_CLAMP : stretch;
    float new_centre = shift * size + centre, half = 0.5f * (osp_expf(stretch) * size);
    out_low = new_centre - half;
    out_high = new_centre + half;
}

/* Four neighbouring floats in one load. */
struct decode_four {
    float of[4];
};

CUDA_DEVICE struct decode_four decode_load(const float *at)
{
    float4 v = *(const float4 *)at;
    return {{v.x, v.y, v.z, v.w}};
}

CUDA_DEVICE float decode_clip(float x, float most) { return x < 0 ? 0 : x > most ? most : x; }

CUDA_DEVICE bool decode_finite(float x) { return x - x == 0; }

/* deltas: dx dy dw dh, each divided by its weight. Clips to (height, width). */
CUDA_DEVICE enum decode_verdict decode(const float *reference, const float *deltas, const float *weights, float min_size,
                                       float height, float width, struct decode_box &box)
{
    float *s = box.side;
    decode_axis(reference[0], reference[2], deltas[0] / weights[0], deltas[2] / weights[2], s[0], s[2]);
    decode_axis(reference[1], reference[3], deltas[1] / weights[1], deltas[3] / weights[3], s[1], s[3]);
    if (!decode_finite(s[0]) || !decode_finite(s[1]) || !decode_finite(s[2]) || !decode_finite(s[3]))
        return DECODE_NONFINITE;
    s[0] = decode_clip(s[0], width);
    s[1] = decode_clip(s[1], height);
    s[2] = decode_clip(s[2], width);
    s[3] = decode_clip(s[3], height);
    return s[2] - s[0] >= min_size && s[3] - s[1] >= min_size ? DECODE_KEPT : DECODE_SMALL;
}

/* The outputs that the two ops share. */
struct decode_out {
    float *boxes;       /* (N,rows,4) */
    float *scores;      /* (N,rows) */
    int32_t *groups;    /* (N,rows) */
    int32_t *nonfinite; /* (N) */
};

CUDA_DEVICE void decode_put(const struct decode_out &out, int64_t row, const struct decode_box &box, float score, int32_t group)
{
    for (int i = 0; i < 4; i++)
        out.boxes[row * 4 + i] = box.side[i];
    out.scores[row] = score;
    out.groups[row] = group;
}

/* The same with the sides of a box as one store: of what lanes put side by side, whole sectors. */
CUDA_DEVICE void decode_put_wide(const struct decode_out &out, int64_t row, const struct decode_box &box, float score,
                                 int32_t group)
{
    ((float4 *)out.boxes)[row] = make_float4(box.side[0], box.side[1], box.side[2], box.side[3]);
    out.scores[row] = score;
    out.groups[row] = group;
}

CUDA_DEVICE void decode_put_nothing(const struct decode_out &out, int64_t row)
{
    const struct decode_box nothing = {{0, 0, 0, 0}};
    decode_put(out, row, nothing, 0, -1);
}

#if CUDA_HOST
/* The call's outputs, with nonfinite set to 0 in the stream: kernels add to it. */
static inline osp_status decode_outputs(struct osp_device *device, const struct osp_call *call, struct decode_out *out)
{
    *out = {(float *)call->out[OSP_DECODE_OUT_BOXES].data, (float *)call->out[OSP_DECODE_OUT_SCORES].data,
            (int32_t *)call->out[OSP_DECODE_OUT_GROUPS].data, (int32_t *)call->out[OSP_DECODE_OUT_NONFINITE].data};
    return cuda_fill(device, out->nonfinite, 0,
                     (size_t)osp_shape_count(&call->out[OSP_DECODE_OUT_NONFINITE].shape) * sizeof(int32_t));
}
#endif

#endif
