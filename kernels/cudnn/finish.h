/* What the libraries leave to do on an output (finish.cu). */
#ifndef OSPREY_KERNELS_CUDNN_FINISH_H
#define OSPREY_KERNELS_CUDNN_FINISH_H

#include "kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out (images, pixels, K), in place: activation(out + bias + residual), and zeros in the images that do not count. */
struct cudnn_finish {
    float *out;
    const float *bias, *residual; /* (K), (images, pixels, K); NULL: absent */
    const int32_t *counts;        /* image n counts if n % each < counts[n / each]; NULL: all do */
    int64_t images, pixels;
    int k, each;
    enum osp_activation activation;
};
osp_status cudnn_finish_run(struct osp_device *device, const struct cudnn_finish *finish);

#ifdef __cplusplus
}
#endif
#endif
