/* resize / naive
 *
 * CHANGE  the definition, written down: every output value normalises its four neighbours and mixes them
 * FASTER  it is not: this is what the other rungs are measured against
 * LIMIT   divisions: four neighbours, each divided by 255 and by std
 * NEEDS   any shape
 */
#include "cpu/resize/resize.h"

static osp_status run(struct osp_device *device, const struct osp_call *call, struct osp_node_state *state)
{
    const struct osp_resize_attrs *attrs = &call->attrs->resize;
    const int64_t *dim = call->out[0].shape.dim;
    float *out = call->out[0].data; /* (N,H,W,3) */
    for (int64_t n = 0; n < dim[0]; n++) {
        struct picture from = picture_of(call, n);
        for (int64_t y = 0; y < dim[1]; y++)
            for (int64_t x = 0; x < dim[2]; x++)
                for (int c = 0; c < 3; c++, out++) {
                    if (y >= from.resized_h || x >= from.resized_w) {
                        *out = 0;
                        continue;
                    }
                    struct tap v = tap_of(y, from.h, from.resized_h), u = tap_of(x, from.w, from.resized_w);
                    const uint8_t *upper = from.rgb + v.near * from.w * 3, *lower = from.rgb + v.far * from.w * 3;
                    float a = normalised(attrs, upper[u.near * 3 + c], c) * u.near_share +
                              normalised(attrs, upper[u.far * 3 + c], c) * u.far_share;
                    float b = normalised(attrs, lower[u.near * 3 + c], c) * u.near_share +
                              normalised(attrs, lower[u.far * 3 + c], c) * u.far_share;
                    *out = a * v.near_share + b * v.far_share;
                }
    }
    return OSP_OK;
}

extern const struct osp_kernel cpu_resize_naive;
const struct osp_kernel cpu_resize_naive = {.name = "naive", .run = run};
