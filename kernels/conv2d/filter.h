/* Packed weights of conv2d, depthwise and linear: [R][S][C][pitch], outputs innermost, so that threads that work on neighbouring
 * outputs read neighbouring words, and in the order in which sums are added. linear's (K,C) is a 1x1 filter; depthwise's
 * (C,1,R,S) has one channel for each output. */
#ifndef OSPREY_KERNELS_FILTER_H
#define OSPREY_KERNELS_FILTER_H

#include "kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CUDA_FILTER_STEP = 4 }; /* outputs are filled up to a multiple of this with zeros: rows of whole float4s */
enum { CUDA_WINOGRAD_POINTS = 36 };

static inline int64_t cuda_filter_up(int64_t count)
{
    return (count + CUDA_FILTER_STEP - 1) / CUDA_FILTER_STEP * CUDA_FILTER_STEP;
}

struct cuda_filter {
    float *w;    /* [R*S*C][pitch], on the device */
    float *bias; /* [pitch]; NULL: absent */
    int pitch;
};

/* As a rung's prepare and release; the state's data is a struct cuda_filter. */
osp_status cuda_filter_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
void cuda_filter_release(struct osp_device *device, struct osp_node_state *state);

/* As a rung's prepare and packed, of 3x3 filters: w is [36][C filled up as outputs are][pitch], transformed (winograd.h). */
osp_status cuda_winograd_prepare(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state);
size_t cuda_winograd_packed(const struct osp_device *device, const struct osp_call *call);

#ifdef __cplusplus
}
#endif
#endif
