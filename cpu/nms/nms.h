/* What the rungs of nms share: one image's operands, and the test. */
#ifndef OSPREY_CPU_NMS_H
#define OSPREY_CPU_NMS_H

#include "cpu/cpu.h"
#include "cpu/order.h"

struct nms_image {
    int64_t t, m;          /* candidates, room for survivors */
    const float *boxes;    /* (T,4) */
    const float *scores;   /* (T) */
    const int32_t *groups; /* (T), negative: absent */
    float *out_boxes;      /* (M,4) */
    float *out_scores;     /* (M) */
    int32_t *out_groups;   /* (M) */
    int32_t *out_count;    /* one */
};

static inline struct nms_image nms_image_of(const struct osp_call *call, int64_t n)
{
    int64_t t = call->in[OSP_NMS_SCORES].shape.dim[1], m = call->out[OSP_NMS_OUT_SCORES].shape.dim[1];
    return (struct nms_image){
        .t = t,
        .m = m,
        .boxes = (const float *)call->in[OSP_NMS_BOXES].data + n * t * 4,
        .scores = (const float *)call->in[OSP_NMS_SCORES].data + n * t,
        .groups = (const int32_t *)call->in[OSP_NMS_GROUPS].data + n * t,
        .out_boxes = (float *)call->out[OSP_NMS_OUT_BOXES].data + n * m * 4,
        .out_scores = (float *)call->out[OSP_NMS_OUT_SCORES].data + n * m,
        .out_groups = (int32_t *)call->out[OSP_NMS_OUT_GROUPS].data + n * m,
        .out_count = (int32_t *)call->out[OSP_NMS_OUT_COUNT].data + n,
    };
}

/* Keys of the candidates that are present, by ascending position. Returns how many. */
static inline int64_t nms_keys(const struct nms_image *image, uint64_t *keys)
{
    int64_t count = 0;
    for (int64_t i = 0; i < image->t; i++)
        if (image->groups[i] >= 0)
            keys[count++] = order_key(order_rank(image->scores[i]), (uint32_t)i);
    return count;
}

static inline float nms_area(const float *box) { return (box[2] - box[0]) * (box[3] - box[1]); }

/* Survivor number `row` is candidate `position`. */
static inline void nms_keep(const struct nms_image *image, int64_t row, uint32_t position)
{
    memcpy(image->out_boxes + row * 4, image->boxes + (int64_t)position * 4, 4 * sizeof(float));
    image->out_scores[row] = image->scores[position];
    image->out_groups[row] = image->groups[position];
}

/* The count, and zeros past it. */
static inline void nms_finish(const struct nms_image *image, int64_t count)
{
    size_t rest = (size_t)(image->m - count);
    memset(image->out_boxes + count * 4, 0, rest * 4 * sizeof(float));
    memset(image->out_scores + count, 0, rest * sizeof(float));
    memset(image->out_groups + count, 0, rest * sizeof(int32_t));
    *image->out_count = (int32_t)count;
}

#endif
