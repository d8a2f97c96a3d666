/* A reference box and four deltas to a clipped, judged candidate: what box_decode and rpn_decode share. f32, in the order of
 * torchvision's BoxCoder.decode_single, clip_boxes_to_image and remove_small_boxes. */
#ifndef OSPREY_CPU_DECODE_H
#define OSPREY_CPU_DECODE_H

#include <string.h>

#include "cpu/cpu.h"

struct decode_rule {
    float weights[4];
    float min_size;
};

enum decode_verdict { DECODE_KEPT, DECODE_SMALL, DECODE_NONFINITE };

/* One axis. reference and out: low and high end. */
static inline void decode_axis(float low, float high, float shift, float stretch, float *out_low, float *out_high)
{
    float size = high - low, centre = low + 0.5f * size;
    stretch = stretch > OSP_BOX_CLAMP ? OSP_BOX_CLAMP : stretch;
    float new_centre = shift * size + centre, half = 0.5f * (osp_expf(stretch) * size);
    *out_low = new_centre - half;
    *out_high = new_centre + half;
}

static inline float decode_clip(float x, float most) { return x < 0 ? 0 : x > most ? most : x; }

/* deltas: dx dy dw dh. Clips to (height, width); `box` gets the result whatever the verdict. */
static inline enum decode_verdict decode_box(const float reference[4], const float deltas[4], const struct decode_rule *rule,
                                             float height, float width, float box[4])
{
    float d[4];
    for (int i = 0; i < 4; i++)
        d[i] = deltas[i] / rule->weights[i];
    decode_axis(reference[0], reference[2], d[0], d[2], &box[0], &box[2]);
    decode_axis(reference[1], reference[3], d[1], d[3], &box[1], &box[3]);
    if (!isfinite(box[0]) || !isfinite(box[1]) || !isfinite(box[2]) || !isfinite(box[3]))
        return DECODE_NONFINITE;
    box[0] = decode_clip(box[0], width);
    box[1] = decode_clip(box[1], height);
    box[2] = decode_clip(box[2], width);
    box[3] = decode_clip(box[3], height);
    return box[2] - box[0] >= rule->min_size && box[3] - box[1] >= rule->min_size ? DECODE_KEPT : DECODE_SMALL;
}

/* A row of candidates, one of each output. */
struct decode_out {
    float *box;     /* (4) */
    float *score;   /* one */
    int32_t *group; /* one */
};

/* Row i of the outputs, counted over all images. */
static inline struct decode_out decode_out_of(const struct osp_call *call, int64_t i)
{
    return (struct decode_out){
        .box = (float *)call->out[OSP_DECODE_OUT_BOXES].data + i * 4,
        .score = (float *)call->out[OSP_DECODE_OUT_SCORES].data + i,
        .group = (int32_t *)call->out[OSP_DECODE_OUT_GROUPS].data + i,
    };
}

static inline void decode_put(struct decode_out out, const float box[4], float score, int32_t group)
{
    memcpy(out.box, box, 4 * sizeof(float));
    *out.score = score;
    *out.group = group;
}

static inline void decode_put_nothing(struct decode_out out) { decode_put(out, (const float[4]){0}, 0, -1); }

/* The size that image n was resized to: what boxes are clipped to. */
static inline void decode_image(const struct osp_tensor *images, int64_t n, float *height, float *width)
{
    const int64_t *row = (const int64_t *)images->data + n * OSP_IMAGE_FIELDS;
    *height = (float)row[OSP_IMAGE_RESIZED_H];
    *width = (float)row[OSP_IMAGE_RESIZED_W];
}

#endif
