/* roi_align / naive
 *
 * CHANGE  the plain way: one output value after the other, each from its own samples (He et al., Mask R-CNN, 2017)
 * FASTER  nothing yet
 * LIMIT   where the samples lie is worked out again for every channel
 * NEEDS   any shape
 */
#include "cpu/roi_align/roi_align.h"

/* The value of channel c between four neighbours. */
static float sample(const struct roi *roi, struct roi_tap y, struct roi_tap x, int64_t c)
{
    const float *top = roi->map + y.low * roi->w * roi->c, *bottom = roi->map + y.high * roi->w * roi->c;
    int64_t left = x.low * roi->c + c, right = x.high * roi->c + c;
    return y.near * x.near * top[left] + y.near * x.far * top[right] + y.far * x.near * bottom[left] +
           y.far * x.far * bottom[right];
}

static float bin_mean(const struct roi *roi, int p, int q, int ratio, int64_t c)
{
    float sum = 0;
    for (int iy = 0; iy < ratio; iy++)
        for (int ix = 0; ix < ratio; ix++) {
            struct roi_tap y = roi_tap_of(&roi->y, p, iy, ratio), x = roi_tap_of(&roi->x, q, ix, ratio);
            if (y.low >= 0 && x.low >= 0)
                sum += sample(roi, y, x, c);
        }
    return sum / (float)(ratio * ratio);
}

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_roi_align_attrs *attrs = &call->attrs->roi_align;
    struct roi_pyramid pyramid = roi_pyramid_of(call);
    for (int64_t i = 0; i < call->out[0].shape.dim[0]; i++) {
        struct roi roi = roi_of(call, &pyramid, i);
        if (!roi.map) {
            roi_zero(call, &roi);
            continue;
        }
        float *out = roi.out;
        for (int p = 0; p < attrs->size; p++)
            for (int q = 0; q < attrs->size; q++)
                for (int64_t c = 0; c < roi.c; c++)
                    *out++ = bin_mean(&roi, p, q, attrs->sampling_ratio, c);
    }
    return OSP_OK;
}

const struct osp_kernel cpu_roi_align_naive = {.name = "naive", .run = run};
